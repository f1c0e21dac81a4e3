//! Stores of secrets that are no Vault.
//!
//! A store is addressed like a mount: the first segment of a path is its name in the configuration, and the rest is
//! what the store itself calls the secret. Each store answers in the form of a Vault's answer, so that templates need
//! not know where a secret is from. A JSON object in a store becomes the fields of `.Data`; any other value becomes
//! the one field `value`. The value as it is stays beside that, as [`Response::raw`].

mod answer;
#[cfg(feature = "clouds")]
mod aws;
#[cfg(feature = "clouds")]
mod azure;
mod environment;
mod files;
#[cfg(feature = "clouds")]
mod google;
#[cfg(feature = "clouds")]
mod http;
#[cfg(feature = "clouds")]
mod kept;
pub mod login;
mod needs;
#[cfg(feature = "clouds")]
mod oauth;
#[cfg(feature = "clouds")]
mod rest;
#[cfg(feature = "clouds")]
mod times;
#[cfg(feature = "clouds")]
mod variables;

use std::collections::BTreeMap;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;
use leasehold_settings::stores as settings;

pub use answer::MOST_BYTES;
#[cfg(feature = "clouds")]
pub use aws::partition as aws_partition;
pub use needs::{Needs, needs};
pub use settings::{Aws, Azure, AzureIdentity, Google, Kind, ManagedIdentity, Settings};

use environment::Environment;
use files::Files;

/// A store that can be asked.
#[derive(Debug)]
pub enum Store {
    /// The variables of our own environment.
    Environment(Environment),
    /// A folder.
    Files(Files),
    /// AWS Secrets Manager.
    #[cfg(feature = "clouds")]
    Aws(Box<aws::Aws>),
    /// Azure Key Vault.
    #[cfg(feature = "clouds")]
    Azure(Box<azure::Azure>),
    /// Google Secret Manager.
    #[cfg(feature = "clouds")]
    Google(Box<google::Google>),
    /// A store of a cloud. The configuration refuses it in a build without them.
    #[cfg(not(feature = "clouds"))]
    Absent(&'static str),
}

impl Store {
    /// Opens the store. Nothing is asked yet. `environment` is that of the process, as it was at its start.
    #[must_use]
    pub fn open(settings: &Settings, environment: &BTreeMap<String, Secret>) -> Self {
        match &settings.kind {
            Kind::Environment { prefix } => Self::Environment(Environment::new(prefix, environment)),
            Kind::Files { dir } => Self::Files(Files::new(dir)),
            #[cfg(feature = "clouds")]
            Kind::Aws(settings) => Self::Aws(Box::new(aws::Aws::new(settings, environment))),
            #[cfg(feature = "clouds")]
            Kind::Azure(settings) => Self::Azure(Box::new(azure::Azure::new(settings, environment))),
            #[cfg(feature = "clouds")]
            Kind::Google(settings) => Self::Google(Box::new(google::Google::new(settings, environment))),
            #[cfg(not(feature = "clouds"))]
            Kind::Aws(_) | Kind::Azure(_) | Kind::Google(_) => Self::Absent(settings.kind.name()),
        }
    }

    /// Answers a read or a list. The first segment of the path is the store's own name.
    ///
    /// # Errors
    /// [`FailureKind::Missing`] for what is not there, [`FailureKind::Denied`] for what we may not read,
    /// [`FailureKind::Rejected`] for a request that this store cannot answer.
    pub async fn ask(&self, request: &Request) -> Result<Response, Failure> {
        let name = request.path.split_once('/').map_or("", |(_, name)| name);
        match (request.verb, self) {
            // A template that gives arguments asks a Vault for a write. In these stores they choose what is read.
            #[cfg(feature = "clouds")]
            (_, Self::Aws(store)) => store.ask(request.verb, name, request).await,
            #[cfg(feature = "clouds")]
            (_, Self::Azure(store)) => store.ask(request.verb, name, request).await,
            #[cfg(feature = "clouds")]
            (_, Self::Google(store)) => store.ask(request.verb, name, request).await,
            #[cfg(not(feature = "clouds"))]
            (_, Self::Absent(kind)) => {
                Err(Failure::new(FailureKind::Rejected, format!("this program asks no {kind}")))
            }
            (Verb::Write, _) => {
                let why = format!("{} can be read and listed, and not written to", self.words());
                Err(Failure::new(FailureKind::Rejected, why))
            }
            _ if !request.args.is_empty() => {
                let arguments = request.args.keys().next().map_or("", String::as_str);
                let why = format!("{} takes no argument such as {arguments}", self.words());
                Err(Failure::new(FailureKind::Rejected, why))
            }
            (Verb::Read, Self::Environment(store)) => store.read(name),
            (Verb::Read, Self::Files(store)) => store.read(name),
            (Verb::List, Self::Environment(store)) => Ok(store.list(name)),
            (Verb::List, Self::Files(store)) => store.list(name),
        }
    }

    /// Returns its kind in words, for messages.
    fn words(&self) -> &'static str {
        match self {
            Self::Environment(_) => "the environment",
            Self::Files(_) => "a folder of files",
            #[cfg(feature = "clouds")]
            Self::Aws(_) => "AWS Secrets Manager",
            #[cfg(feature = "clouds")]
            Self::Azure(_) => "Azure Key Vault",
            #[cfg(feature = "clouds")]
            Self::Google(_) => "Google Secret Manager",
            #[cfg(not(feature = "clouds"))]
            Self::Absent(kind) => kind,
        }
    }
}

#[cfg(all(test, feature = "clouds"))]
mod tests {
    use super::*;
    use crate::login::{Issuer, Proof, Prover, Signer};

    const CANARY: &str = "canary-4f1d";

    /// Returns an environment in which every variable that a store or a login reads holds the canary. Variables of a
    /// region are left out, because a region is no secret.
    fn environment() -> BTreeMap<String, Secret> {
        let names = [aws::NAMES, azure::NAMES, google::NAMES, &["APP_DB"]].concat();
        let hold = |name: &&&str| !name.ends_with("REGION");
        names.iter().filter(hold).map(|name| ((*name).to_owned(), Secret::from(CANARY))).collect()
    }

    #[test]
    fn no_store_and_no_login_is_printed_with_what_it_holds() {
        let environment = environment();
        let url: url::Url = "https://my-vault.vault.azure.net".parse().expect("a URL");
        let identity = AzureIdentity::default();
        let kinds = [
            Kind::Environment { prefix: "APP_".to_owned() },
            Kind::Files { dir: "/run/credentials".into() },
            Kind::Aws(Aws::default()),
            Kind::Azure(Azure { url, identity }),
            Kind::Google(Google { project: "project".to_owned(), location: None, endpoint: None }),
        ];
        for kind in kinds {
            let store =
                Store::open(&Settings { name: "store".to_owned(), kind, rate_limit: None }, &environment);
            let printed = format!("{store:?} {store:#?}");
            assert!(!printed.contains(CANARY), "{printed}");
        }
        let audience = || "vault".to_owned();
        let proofs = [
            Proof::Aws { region: None, server_id: None },
            Proof::Azure { audience: audience(), identity: None },
            Proof::Google { signer: Signer::Account, account: None },
            Proof::Jwt { audience: audience(), issuer: Issuer::Aws { region: None } },
        ];
        for proof in proofs {
            let printed = format!("{:?}", Prover::new(&proof, &environment));
            assert!(!printed.contains(CANARY), "{printed}");
        }
    }
}
