//! What a store is, as the configuration has it.

use std::path::PathBuf;

/// One store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Settings {
    /// The first segment of the paths that are read there.
    pub name: String,
    /// What it is.
    pub kind: Kind,
}

/// The kinds of stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The variables of our own environment.
    Environment {
        /// What stands before every name; may be empty.
        prefix: String,
    },
    /// A folder: a file a secret.
    Files {
        /// The folder, which need not be there yet.
        dir: PathBuf,
    },
}

impl Kind {
    /// Returns its key in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Environment { .. } => "environment",
            Self::Files { .. } => "files",
        }
    }
}
