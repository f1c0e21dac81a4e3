//! The sources of files and variables.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use super::Origin;
use leasehold_base::request::Request;
use leasehold_base::secret::Secret;
use leasehold_template::{Position, Template};

/// A source of a file or a variable that is made of secrets.
#[derive(Debug, Clone)]
pub enum Source {
    /// A template, parsed. `missing_key` and delimiters are its own.
    Template(TemplateSource),
    /// The value of one key of a secret.
    Field {
        /// The secret.
        request: Request,
        /// The key; for KV version 2, a key of its `data`.
        key: String,
        /// True if the value is decoded from base64.
        base64: bool,
    },
    /// The value of a store that is no Vault, as it is kept there.
    Value {
        /// The secret.
        request: Request,
        /// True if the value is decoded from base64.
        base64: bool,
    },
    /// All fields as a JSON object; of KV v2 those of its `data`.
    Json {
        /// The secret.
        request: Request,
    },
}

/// The content of a file.
#[derive(Debug, Clone)]
pub enum FileSource {
    /// A content that is made of secrets.
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

/// The value of a variable of `exec`.
#[derive(Debug, Clone)]
pub enum VariableSource {
    /// A value that a file could have, too.
    Made(Source),
    /// Texts and single values in a row, as a value of the inherited environment asks for them.
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
    /// A text as it is. It may be a credential that was written there.
    Text(Secret),
    /// The value of one key of a secret; for KV version 2, of a key of its `data`.
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
    /// The name that errors use: the file's path, or `files[2].template`.
    pub name: String,
    /// The file that it was read from, if there was one.
    pub file: Option<PathBuf>,
    /// The template's place in the configuration, if that is known.
    pub origin: Option<Origin>,
    /// The parsed text, which it keeps.
    pub template: Arc<Template>,
    /// The rendering of a missing key.
    pub missing_key: MissingKey,
    /// The delimiters of its actions.
    pub delimiters: (String, String),
    /// The functions that it may not call, sorted.
    pub denied: Vec<String>,
}

impl TemplateSource {
    /// Returns the name of a place in its text, as a check of the configuration names it.
    #[must_use]
    pub fn place(&self, position: Position) -> String {
        let (line, column) = position.in_characters(self.template.text());
        match &self.origin {
            Some(origin) => origin.place(line, column),
            None => format!("{}:{line}:{column}", self.name),
        }
    }
}

/// The rendering of a missing map key (Go's `missingkey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, serde::Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum MissingKey {
    /// The rendering fails. This is our own default, because a `<no value>` in a password is worse.
    #[default]
    Error,
    /// `<no value>`, Go's default.
    Default,
    /// The zero value of the map's type.
    Zero,
}

impl From<MissingKey> for leasehold_template::MissingKey {
    fn from(from: MissingKey) -> Self {
        match from {
            MissingKey::Error => Self::Error,
            MissingKey::Default => Self::Default,
            MissingKey::Zero => Self::Zero,
        }
    }
}
