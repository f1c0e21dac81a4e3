//! The process of `leasehold exec`.

use std::ffi::OsString;
use std::time::Duration;

use super::{Source, Wait};

/// The process of `leasehold exec`, and what it is given.
#[derive(Debug, Clone)]
pub struct ExecPlan {
    /// Program and arguments; empty where only the command line says so.
    pub command: Vec<OsString>,
    /// Variables besides those that it inherits, sorted by name.
    pub env: Vec<VariablePlan>,
    /// What a change does to it.
    pub on_change: OnChange,
    /// The number of the signal that stops it.
    pub stop_signal: i32,
    /// It is killed this long after its stop signal.
    pub stop_timeout: Duration,
    /// The longest random delay before it is told of a change, to spread many pods.
    pub splay: Duration,
    /// Quiescence before changed variables count.
    pub wait: Option<Wait>,
    /// How to look at what is found in the inherited environment and has no lease; none where
    /// nothing is to be looked for in it.
    pub resolve_env: Option<Duration>,
    /// Variables that `auth` takes a credential from: never for the process.
    pub withheld: Vec<String>,
}

/// One variable of the process.
#[derive(Debug, Clone)]
pub struct VariablePlan {
    /// Its name.
    pub name: String,
    /// What its value is made of.
    pub source: Source,
    /// How often to look at what has no lease of its own.
    pub refresh: Duration,
}

impl VariablePlan {
    /// What messages call it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("exec.env.{}", self.name)
    }
}

/// What a change does to the process of `leasehold exec`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnChange {
    /// It is stopped, and started with the new values.
    Restart,
    /// It gets the signal of this number. Its variables stay as they were: only a restart changes
    /// them.
    Signal(i32),
    /// It is left alone.
    Ignore,
}
