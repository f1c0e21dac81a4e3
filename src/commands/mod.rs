//! What the command line runs: thin, the work is done in the other rooms.

pub mod act;
pub mod check;
pub mod convert;
mod engine;
mod environment;
pub mod exec;
pub mod init;
pub mod install;
mod network;
pub(crate) mod output;
pub mod plan;
pub mod policy;
pub mod render;
pub mod sidecar;
pub mod status;
mod zones;
