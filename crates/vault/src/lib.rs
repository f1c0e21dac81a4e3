//! The server: what is asked of it, what it answers, and what its refusals mean.
//!
//! `request`, `response` and `failure` are plain data that the whole house uses; only the driver
//! uses the client itself.
//!
//! Inside, a question goes `client` -> `endpoint` -> `transport` -> `connections`, and the answer
//! comes back through `body` and `verdict`; what kept it from coming is told by `trouble`.

pub mod child;
pub mod client;
pub mod der;
pub mod facts;
mod life;
pub mod meter;
pub mod mounts;
mod ssh;
pub mod verdict;

mod body;
mod capabilities;
mod connections;
mod endpoint;
mod files;
mod login;
mod message;
pub mod settings;
mod tls;
mod traffic;
mod transport;
mod trouble;
pub mod unwrap;
pub mod validity;
mod wrap;

pub use files::credential_in;
pub use files::read as read_file;
pub use tls::{PEM_MAX, certificates};
