//! What files and variables are made of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Origin;
use crate::secret::Secret;
use crate::template::{Position, Template};
use leasehold_base::request::Request;

/// What a file is made of.
#[derive(Debug, Clone)]
pub enum Source {
    /// A template, parsed. `missing_key` and delimiters are its own.
    Template(TemplateSource),
    /// One value.
    Field {
        /// The secret.
        request: Request,
        /// Its key; of KV v2 a key of its `data`.
        key: String,
        /// Whether to decode it from base64.
        base64: bool,
    },
    /// All fields as a JSON object; of KV v2 those of its `data`.
    Json {
        /// The secret.
        request: Request,
    },
    /// The login's token itself.
    Token {
        /// Wrapped, to be opened once within this time; none where it is held as it is.
        wrap_ttl: Option<Duration>,
    },
    /// Texts and single values in a row: what a variable of the inherited environment asked for.
    Parts(Vec<Part>),
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// As it is; may be a credential that somebody wrote there.
    Text(Secret),
    /// One key of a secret; of KV v2 a key of its `data`.
    Field {
        /// The secret.
        request: Request,
        /// The key.
        key: String,
    },
}

/// A template, from the configuration or from a file; parsed.
#[derive(Debug, Clone)]
pub struct TemplateSource {
    /// What errors call it: the file's path, or `files[2].template`.
    pub name: String,
    /// The file it was read from, where it was one.
    pub file: Option<PathBuf>,
    /// Where it stands in the configuration, where that is known.
    pub origin: Option<Origin>,
    /// The parsed text, which it keeps.
    pub template: Arc<Template>,
    /// What a missing key renders as.
    pub missing_key: MissingKey,
    /// What its actions stand between.
    pub delimiters: (String, String),
    /// The functions that it may not call, sorted.
    pub denied: Vec<String>,
}

impl TemplateSource {
    /// Where a place in its text is found, as a check of the configuration has it.
    #[must_use]
    pub fn place(&self, position: Position) -> String {
        let (line, column) = position.in_characters(self.template.text());
        match &self.origin {
            Some(origin) => origin.place(line, column),
            None => format!("{}:{line}:{column}", self.name),
        }
    }
}

/// What a missing map key renders as (Go's `missingkey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingKey {
    /// It stops the rendering. Ours, for a `<no value>` in a password is worse.
    #[default]
    Error,
    /// `<no value>`, Go's default.
    Default,
    /// The zero value of the map's type.
    Zero,
}

impl From<MissingKey> for crate::template::MissingKey {
    fn from(from: MissingKey) -> Self {
        match from {
            MissingKey::Error => Self::Error,
            MissingKey::Default => Self::Default,
            MissingKey::Zero => Self::Zero,
        }
    }
}
