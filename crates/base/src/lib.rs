//! What the rooms of Leasehold share: [`secret::Secret`] and [`tree::Tree`], which wipe themselves; a
//! [`request`](request::Request) to a server, its [`response`](response::Response) or
//! [`failure`](failure::Failure); how a run [ends](exit::Ending); and [time](time::Moment) as it is handed in.

#[cfg(feature = "clock")]
pub mod clock;
pub mod exit;
pub mod failure;
pub mod request;
pub mod response;
pub mod secret;
pub mod time;
pub mod tree;
