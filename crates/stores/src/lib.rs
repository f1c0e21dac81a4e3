//! Stores of secrets that are no Vault.
//!
//! A store is addressed like a mount: the first segment of a path is its name in the configuration, and the rest is what
//! the store itself calls the secret. Each answers in the form of a Vault's answer, so that templates do not have to know
//! where a secret is from. What a store has as a JSON object becomes the fields of `.Data`; anything else is the one
//! field `value`. The value as it is stays beside that, as [`Response::raw`].

mod answer;
mod environment;
mod files;
mod settings;

use std::collections::BTreeMap;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;

pub use answer::{MOST_BYTES, of as answer};
pub use settings::{Kind, Settings};

use environment::Environment;
use files::Files;

/// A store that can be asked.
#[derive(Debug)]
pub enum Store {
    /// The variables of our own environment.
    Environment(Environment),
    /// A folder.
    Files(Files),
}

impl Store {
    /// Opens the store. Nothing is asked yet. `environment` is that of the process, as it was at its start.
    #[must_use]
    pub fn open(settings: &Settings, environment: &BTreeMap<String, Secret>) -> Self {
        match &settings.kind {
            Kind::Environment { prefix } => Self::Environment(Environment::new(prefix, environment)),
            Kind::Files { dir } => Self::Files(Files::new(dir)),
        }
    }

    /// Answers a read or a list. The first segment of the path is the store's own name.
    ///
    /// # Errors
    /// [`FailureKind::Missing`] for what is not there, [`FailureKind::Denied`] for what we may not read,
    /// [`FailureKind::Rejected`] for what this store cannot be asked.
    pub async fn ask(&self, request: &Request) -> Result<Response, Failure> {
        let name = request.path.split_once('/').map_or("", |(_, name)| name);
        if let Some(argument) = request.args.keys().next() {
            let why = format!("{} takes no argument such as {argument}", self.words());
            return Err(Failure::new(FailureKind::Rejected, why));
        }
        match (request.verb, self) {
            (Verb::Read, Self::Environment(store)) => store.read(name),
            (Verb::Read, Self::Files(store)) => store.read(name),
            (Verb::List, Self::Environment(store)) => Ok(store.list(name)),
            (Verb::List, Self::Files(store)) => store.list(name),
            (Verb::Write, _) => {
                let why = format!("{} can be read and listed, and not written to", self.words());
                Err(Failure::new(FailureKind::Rejected, why))
            }
        }
    }

    /// What it is, for messages.
    fn words(&self) -> &'static str {
        match self {
            Self::Environment(_) => "the environment",
            Self::Files(_) => "a folder of files",
        }
    }
}
