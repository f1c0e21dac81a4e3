//! What the integration tests stand on: a real OpenBao server of their own on a free loopback port, the
//! part that Kubernetes plays in a login, an engine that mints leases, and the built binary.
//!
//! Every test starts its own server and everything is stopped when its owner is dropped, also on a panic.
//! Nothing here sleeps to wait for something: [`wait_for`] polls for what is meant.

// Each file of tests/ is a crate of its own and uses a part of this.
#![allow(dead_code, unused_imports, unreachable_pub)]
#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own input files")]

mod api;
mod api_server;
mod asking;
mod cell;
mod child;
mod cluster;
pub mod guide;
mod http;
mod kernel;
mod leasehold;
mod messages;
mod moto;
mod need;
mod openbao;
mod ports;
mod posted;
mod postgres;
mod prometheus;
mod proxy;
mod rabbit;
mod raft;
mod script;
mod stage;
mod terminal;
mod wait;
mod workspace;

pub use api::{Grant, KubernetesRole};
pub use api_server::{ApiServer, api_server_possible};
pub use asking::{auth_plan, run, vault_plan, write_request};
pub use cell::{Cell, children, inside};
pub use child::Child;
pub use cluster::{Cluster, Identity};
pub use http::{Asked, Listener, Reply, request, request_tls, request_unix};
pub use kernel::has_landlock;
pub use leasehold::{Finished, Leasehold, Running};
pub use leasehold_testkit::faults::{Evidence, Place};
pub use messages::Messages;
pub use moto::{AccessKey, Moto};
pub use need::{have, need};
pub use openbao::{OpenBao, write_certificates, write_certificates_for};
pub use ports::{free_address, free_port};
pub use posted::Posted;
pub use postgres::Postgres;
pub use prometheus::{Prometheus, dashboard, queries};
pub use proxy::{PAGES, Proxy};
pub use rabbit::Rabbit;
pub use script::{repository, script, set_up_vault};
pub use stage::{CANARY, Lives, SOON, Stage};
pub use terminal::Terminal;
pub use wait::{wait_for, wait_until};
pub use workspace::Workspace;
