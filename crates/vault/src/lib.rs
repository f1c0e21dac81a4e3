//! The server: what is asked of it, what it answers, and what its refusals mean.
//!
//! `request`, `response` and `failure` are plain data that the whole house uses; only the driver
//! uses the client itself.
//!
//! Inside, a question goes `client` -> `endpoint` -> `transport` -> `connections`, and the answer comes back through
//! `body` and `verdict`. `trouble` says what kept an answer from coming.

pub mod child;
pub mod client;
pub mod der;
pub mod facts;
mod life;
pub mod meter;
pub mod mounts;
mod prove;
mod ssh;
pub mod verdict;

mod capabilities;
mod connections;
mod endpoint;
mod login;
mod message;
mod tls;
mod traffic;
mod transport;
mod trouble;
pub mod unwrap;
pub mod validity;
mod wrap;

use leasehold_http::{body, files};

pub use leasehold_settings::vault as settings;

pub use leasehold_http::files::{credential_in, read as read_file};
pub use leasehold_http::tls::certificates;
pub use tls::PEM_MAX;
