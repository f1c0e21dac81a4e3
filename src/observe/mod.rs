//! What the outside sees of us, and the clocks by which we see it: log, status, metrics, the
//! listener, systemd, and the panic hook. Nothing here can hold a value: it is fed from
//! [`View`](crate::core::view::View), which has none.

pub mod advice;
pub mod certificate;
pub mod explain;
pub mod http;
pub mod journal;
pub mod life;
pub mod log;
pub mod metrics;
pub mod paint;
pub mod panic;
pub mod readiness;
pub mod repeats;
pub mod status;
pub mod stderr;
pub mod systemd;
pub mod table;
pub mod timer;

pub use leasehold_base::clock;

#[cfg(test)]
pub(crate) mod sample;
