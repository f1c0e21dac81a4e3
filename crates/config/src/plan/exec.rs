//! The process of `leasehold exec`.

use std::ffi::OsString;
use std::time::Duration;

use super::{OnChange, VariableSource, Wait};

/// The process of `leasehold exec`, and what it is given.
#[derive(Debug, Clone)]
pub struct ExecPlan {
    /// The program and its arguments; empty if only the command line gives them.
    pub command: Vec<OsString>,
    /// The variables besides the inherited ones, sorted by name.
    pub env: Vec<VariablePlan>,
    /// The effect of a change on the process.
    pub on_change: OnChange,
    /// The number of the signal that stops it.
    pub stop_signal: i32,
    /// It is killed this long after its stop signal.
    pub stop_timeout: Duration,
    /// The longest random delay before the process is notified of a change, to spread many pods.
    pub splay: Duration,
    /// How long variables must be quiet before a change of them counts.
    pub wait: Option<Wait>,
    /// How often to poll the secrets without a lease that the inherited environment asks for. `None` if the
    /// inherited environment is not searched.
    pub resolve_env: Option<Duration>,
    /// The variables that `auth` takes a credential from. The process never gets them.
    pub withheld: Vec<String>,
}

/// A variable of the process.
#[derive(Debug, Clone)]
pub struct VariablePlan {
    /// The variable's name.
    pub name: String,
    /// The source of its value.
    pub source: VariableSource,
    /// The way in which the keys of a secret become variables, if it stands for all keys of one secret.
    pub spread: Option<Spread>,
    /// How often to poll a secret that has no lease.
    pub refresh: Duration,
}

impl VariablePlan {
    /// Returns the name that messages use.
    #[must_use]
    pub fn label(&self) -> String {
        format!("exec.env.{}", self.name)
    }
}

/// The way in which the keys of a secret become names of variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spread {
    /// The text before each key.
    pub prefix: String,
    /// The texts before and behind the prefixed key.
    pub around: (String, String),
    /// True if each character that no shell takes in a name becomes `_`.
    pub sanitize: bool,
    /// True if the name is in capital letters.
    pub upcase: bool,
}

impl Spread {
    /// Returns the texts before and behind the one `{{ key }}` of `format`, or `None` if the format has anything
    /// else in braces.
    #[must_use]
    pub fn around(format: &str) -> Option<(String, String)> {
        let (before, rest) = format.split_once("{{")?;
        let (inner, after) = rest.split_once("}}")?;
        (inner.trim() == "key" && !after.contains("{{")).then(|| (before.to_owned(), after.to_owned()))
    }

    /// Returns the variable that `key` becomes.
    #[must_use]
    pub fn name(&self, key: &str) -> String {
        let (before, after) = &self.around;
        let mut name = format!("{before}{}{key}{after}", self.prefix);
        if self.sanitize {
            name = Self::sanitized(&name);
        }
        if self.upcase { name.to_uppercase() } else { name }
    }

    /// Returns `name` with `_` for every character that is no letter, digit or `_`.
    #[must_use]
    pub fn sanitized(name: &str) -> String {
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
    }
}
