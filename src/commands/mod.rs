//! What the command line runs: thin, the work is done in the other rooms.

pub mod check;
mod engine;
pub mod init;
pub mod sidecar;
pub mod status;
