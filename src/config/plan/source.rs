//! What files and variables are made of.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Origin;
use crate::secret::Secret;
use crate::template::{Position, Template};
use leasehold_base::request::Request;

/// What a file or a variable is made of: secrets.
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
    /// The value of a store that is no Vault, as it is kept there.
    Value {
        /// The secret.
        request: Request,
        /// Whether to decode it from base64.
        base64: bool,
    },
    /// All fields as a JSON object; of KV v2 those of its `data`.
    Json {
        /// The secret.
        request: Request,
    },
}

/// What a file holds.
#[derive(Debug, Clone)]
pub enum FileSource {
    /// What is made of secrets.
    Made(Source),
    /// The token of the login itself: the file is a sink.
    Token {
        /// The time within which the wrapping can be opened once; `None` if the token is held as it is.
        wrap_ttl: Option<Duration>,
    },
}

impl FileSource {
    /// Returns the template to change it, if the file is made of one.
    pub const fn template_mut(&mut self) -> Option<&mut TemplateSource> {
        match self {
            Self::Made(Source::Template(template)) => Some(template),
            _ => None,
        }
    }

    /// Returns the template, if the file is made of one.
    #[must_use]
    pub const fn template(&self) -> Option<&TemplateSource> {
        match self {
            Self::Made(Source::Template(template)) => Some(template),
            _ => None,
        }
    }
}

/// What a variable of `exec` is made of.
#[derive(Debug, Clone)]
pub enum VariableSource {
    /// What a file can be made of.
    Made(Source),
    /// Texts and single values in a row: what a value of the inherited environment asks for.
    Parts(Vec<Part>),
}

impl VariableSource {
    /// Returns the template to change it, if the variable is made of one.
    pub const fn template_mut(&mut self) -> Option<&mut TemplateSource> {
        match self {
            Self::Made(Source::Template(template)) => Some(template),
            _ => None,
        }
    }

    /// Returns the template, if the variable is made of one.
    #[must_use]
    pub const fn template(&self) -> Option<&TemplateSource> {
        match self {
            Self::Made(Source::Template(template)) => Some(template),
            _ => None,
        }
    }
}

/// A piece of a value.
#[derive(Debug, Clone, PartialEq)]
pub enum Part {
    /// As it is; it may be a credential that was written there.
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
