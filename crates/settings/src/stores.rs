//! The settings of the stores that are no Vault.

use std::path::PathBuf;

use leasehold_base::rate::RateLimit;

use url::Url;

/// One store.
#[derive(Debug, Clone, PartialEq)]
pub struct Settings {
    /// The first segment of the paths that are read there.
    pub name: String,
    /// Its kind.
    pub kind: Kind,
    /// How many secrets a second are asked for; `None` if nothing limits that.
    pub rate_limit: Option<RateLimit>,
}

/// The kinds of stores.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Kind {
    /// The variables of our own environment.
    Environment {
        /// The beginning of every name; may be empty.
        prefix: String,
    },
    /// A folder with one file for each secret.
    Files {
        /// The folder, which need not be there yet.
        dir: PathBuf,
    },
    /// AWS Secrets Manager.
    Aws(Aws),
    /// Azure Key Vault.
    Azure(Azure),
    /// Google Secret Manager.
    Google(Google),
}

/// AWS Secrets Manager, in one region and by one identity.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aws {
    /// The region; without it that of `AWS_REGION`.
    pub region: Option<String>,
    /// The address to ask instead of the region's own: a private endpoint.
    pub endpoint: Option<Url>,
    /// The role to assume with the credentials that are found.
    pub role_arn: Option<String>,
}

/// A vault of Azure Key Vault, and the identity that asks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Azure {
    /// The vault.
    pub url: Url,
    /// The identity that asks it.
    pub identity: AzureIdentity,
}

/// The identity that asks Azure, as far as the configuration names it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureIdentity {
    /// Its tenant; without it that of `AZURE_TENANT_ID`, or the vault's.
    pub tenant_id: Option<String>,
    /// Its client id; without it that of `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// A file with the client's secret.
    pub client_secret_file: Option<PathBuf>,
    /// An identity of the machine, which has priority over the environment.
    pub managed_identity: Option<ManagedIdentity>,
}

/// An identity that Azure has given to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedIdentity {
    /// The machine's own identity.
    System,
    /// The identity with a client id.
    Client(String),
    /// The identity with an object id.
    Object(String),
    /// The identity with a resource id.
    Resource(String),
}

/// The secrets of a Google project.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Google {
    /// The project.
    pub project: String,
    /// The location of regional secrets.
    pub location: Option<String>,
    /// The address to ask instead of Google's own.
    pub endpoint: Option<Url>,
}

impl Kind {
    /// Returns its key in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Environment { .. } => "environment",
            Self::Files { .. } => "files",
            Self::Aws(_) => "aws_secrets_manager",
            Self::Azure(_) => "azure_key_vault",
            Self::Google(_) => "google_secret_manager",
        }
    }

    /// Returns how many requests may be under way at once.
    #[must_use]
    pub const fn max_in_flight(&self) -> usize {
        match self {
            // These answer at once.
            Self::Environment { .. } | Self::Files { .. } => 1,
            Self::Aws(_) => 20,
            Self::Azure(_) | Self::Google(_) => 8,
        }
    }
}
