//! What a machine, a kernel or a container runtime has a part in: files and mounts, the sandbox, pods, systemd.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own files")]

#[path = "../support/mod.rs"]
mod support;

mod arm64;
mod demo;
mod growth;
mod guides;
mod install;
mod instructions;
mod kubernetes;
mod manifests;
mod packages;
mod pods;
mod program;
mod publish;
mod sandbox;
mod shims;
mod systemd;
mod walks;
