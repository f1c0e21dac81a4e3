//! The engine: decides everything, does nothing.
//!
//! PURE: no tokio, no files, no clock, no dice. [`Agent::handle`] takes an event with the time it
//! happened and returns what to do; the driver does it and brings the result back as the next
//! event. Init, sidecar and exec are this one engine under different [`Policy`](policy::Policy).
//!
//! The interface is `event`, `action`, `policy`, `ids`, `snapshot` and `view`. Behind it,
//! rooms of two kinds. Those that know one thing and nothing of the others: `dice`, `timers`,
//! `work`, `pace`, `lease`, `refresh`, `breaker`, `session`, `graph`, `files`, `notice`, `retire`. And
//! those that carry a part of [`Agent`] across them: `secrets` (the life of one secret) and
//! `schedule` (when its next request goes), `mounts` (whether its path has to be asked about), `logins` and `tokens`, `judge` (what a 403 means),
//! `outage` (the server goes and comes back), `leaving` (giving back what was replaced),
//! `sinks` (the token itself as a file), `publishing`, `handoff` (what the next run gets) and `adopt`
//! (what the last one left), `init`, `child` (the process of `exec`), `farewell` (the end), `show`.

pub mod action;
pub mod event;
pub mod ids;
pub mod policy;
pub mod snapshot;
pub mod view;

mod adopt;
mod agent;
mod breaker;
mod child;
mod dice;
mod doubt;
mod farewell;
mod few;
mod files;
mod graph;
mod handoff;
mod init;
mod inspect;
mod judge;
mod lease;
mod leaving;
mod logins;
mod mounts;
mod namespace;
mod newcomers;
mod notice;
mod outage;
mod pace;
mod pauses;
mod publishing;
mod refresh;
mod retire;
mod schedule;
mod secrets;
mod session;
mod show;
mod sinks;
mod timers;
mod tokens;
mod work;

pub use agent::Agent;
pub use init::no_login;

#[cfg(test)]
mod tests;
