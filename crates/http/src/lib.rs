//! The common part of the clients of Vault and of the clouds: bodies are bounded and wiped, TLS is ring's, small
//! files are read without waiting, and what kept an answer from coming has a name.
//!
//! The words for a person are the client's own, because they name its own keys.

pub mod body;
pub mod files;
pub mod header;
pub mod quote;
pub mod resolve;
pub mod tls;
pub mod trouble;
