//! Leasehold logs in to HashiCorp Vault or OpenBao, renders secret files from templates, keeps the
//! token and every lease renewed, and tells the application when something changed.

pub mod access;
pub mod cli;
pub mod commands;
pub mod config;
pub mod core;
pub mod driver;
pub mod exit;
pub mod functions;
pub mod handoff;
pub mod observe;
pub mod pages;
pub mod process;
pub mod publish;
pub mod render;
pub mod sandbox;
pub mod secret;
pub mod template;
pub mod tree;
pub mod vault;
