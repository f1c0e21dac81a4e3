//! One file for each command. They are thin: the other rooms do the work.

pub mod act;
pub mod args;
pub mod check;
pub mod convert;
mod environment;
pub mod exec;
pub mod init;
pub mod install;
mod network;
pub(crate) mod output;
pub mod plan;
pub mod policy;
pub mod render;
mod run;
pub mod sidecar;
pub mod status;
mod zones;
