//! The process of `leasehold exec`.

use std::ffi::OsString;
use std::time::Duration;

use super::{OnChange, VariableSource, Wait};

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
    /// How to poll what is found in the inherited environment and has no end of its own; none where
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
    pub source: VariableSource,
    /// How the keys of the secret become variables, where it is not one variable but all of a secret's.
    pub spread: Option<Spread>,
    /// How often to poll what has no end of its own.
    pub refresh: Duration,
}

impl VariablePlan {
    /// What messages call it.
    #[must_use]
    pub fn label(&self) -> String {
        format!("exec.env.{}", self.name)
    }
}

/// How the keys of a secret become names of variables.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spread {
    /// Before each key.
    pub prefix: String,
    /// What stands before and behind the prefixed key.
    pub around: (String, String),
    /// Whether what no shell takes in a name becomes `_`.
    pub sanitize: bool,
    /// Whether the name is in capital letters.
    pub upcase: bool,
}

impl Spread {
    /// What stands before and behind the one `{{ key }}` of `format`; none where it has something else in it.
    #[must_use]
    pub fn around(format: &str) -> Option<(String, String)> {
        let (before, rest) = format.split_once("{{")?;
        let (inner, after) = rest.split_once("}}")?;
        (inner.trim() == "key" && !after.contains("{{")).then(|| (before.to_owned(), after.to_owned()))
    }

    /// The variable that `key` becomes.
    #[must_use]
    pub fn name(&self, key: &str) -> String {
        let (before, after) = &self.around;
        let mut name = format!("{before}{}{key}{after}", self.prefix);
        if self.sanitize {
            name = Self::sanitized(&name);
        }
        if self.upcase { name.to_uppercase() } else { name }
    }

    /// `name` with `_` for every character that is no letter, digit or `_`.
    #[must_use]
    pub fn sanitized(name: &str) -> String {
        name.chars().map(|c| if c.is_ascii_alphanumeric() || c == '_' { c } else { '_' }).collect()
    }
}
