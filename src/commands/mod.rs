//! The commands, each in a file of its own. They are thin: the other rooms do the work.

pub mod act;
pub mod args;
pub mod check;
pub mod completions;
pub mod convert;
mod convert_each;
pub mod demo;
mod dry_run;
mod environment;
pub(crate) mod examples;
pub mod exec;
pub mod init;
pub mod install;
mod network;
pub mod new;
pub(crate) mod output;
pub mod plan;
pub mod policy;
pub mod render;
mod run;
pub mod sidecar;
pub mod status;
mod zones;
