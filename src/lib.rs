//! Leasehold logs in to HashiCorp Vault or OpenBao, renders secret files from templates, keeps the
//! token and every lease renewed, and tells the application when something changed.

pub mod access;
pub mod cli;
pub mod commands;
pub mod config;
pub mod driver;
pub mod handoff;
pub mod observe;
pub mod pages;
pub mod process;
pub mod publish;
pub mod render;
pub mod sandbox;

pub use leasehold_base::{exit, secret, tree};
pub use leasehold_core as core;
pub use leasehold_template as template;
pub use leasehold_template::functions;
pub use leasehold_vault as vault;
