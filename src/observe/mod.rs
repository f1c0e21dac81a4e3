//! What is shown of a run, and the clocks that it goes by: log, status, metrics, the listener, systemd, and the
//! panic hook. Nothing here can hold a value: it is fed from [`View`](crate::core::view::View), which has none.

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
