//! The server: what is asked of it, what it answers, and what its refusals mean.
//!
//! `request`, `response` and `failure` are plain data that the whole house uses; only the driver
//! uses the client itself.

pub mod failure;
pub mod request;
pub mod response;
