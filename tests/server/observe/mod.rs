//! What is seen of a running Leasehold from outside: status, metrics, log, listener, and what Prometheus
//! makes of it.

mod abuse;
mod alertmanager;
mod log;
mod prometheus;
mod silent;
mod status;
mod tls;
mod unread;

use std::net::SocketAddr;

use crate::support::{Leasehold, Running, Stage};

/// A sidecar that listens on TCP, with `rest` of a configuration.
fn sidecar_on(stage: &Stage, address: SocketAddr, rest: &str) -> Running {
    let socket = format!("unix:{}/status.sock", stage.space.path().display());
    let config = stage.config(rest).replace(&socket, &address.to_string());
    let path = stage.space.file("leasehold.yaml", config).display().to_string();
    Leasehold::new(&stage.space).spawn(&["sidecar", "--config", &path])
}
