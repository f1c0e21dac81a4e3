//! What a store is, as the configuration has it.

use std::collections::BTreeSet;
use std::path::PathBuf;

#[cfg(feature = "clouds")]
use url::Url;

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
    /// AWS Secrets Manager.
    #[cfg(feature = "clouds")]
    Aws(Aws),
    /// Azure Key Vault.
    #[cfg(feature = "clouds")]
    Azure(Azure),
    /// Google Secret Manager.
    #[cfg(feature = "clouds")]
    Google(Google),
}

/// AWS Secrets Manager, in one region and by one identity.
#[cfg(feature = "clouds")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Aws {
    /// The region; without it that of `AWS_REGION`.
    pub region: Option<String>,
    /// Where it is asked, instead of the region's own address: a private endpoint.
    pub endpoint: Option<Url>,
    /// The role to assume with the credentials that are found.
    pub role_arn: Option<String>,
}

/// A vault of Azure Key Vault, and who asks it.
#[cfg(feature = "clouds")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Azure {
    /// The vault.
    pub url: Url,
    /// Who asks it.
    pub identity: AzureIdentity,
}

/// Who asks Azure, as far as the configuration says it.
#[cfg(feature = "clouds")]
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct AzureIdentity {
    /// The tenant of who asks; without it that of `AZURE_TENANT_ID`, or the vault's.
    pub tenant_id: Option<String>,
    /// Who asks; without it that of `AZURE_CLIENT_ID`.
    pub client_id: Option<String>,
    /// A file with the client's secret.
    pub client_secret_file: Option<PathBuf>,
    /// An identity of the machine, which is meant whatever the environment has.
    pub managed_identity: Option<ManagedIdentity>,
}

/// An identity that Azure has given to a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ManagedIdentity {
    /// The machine's own.
    System,
    /// That of a client id.
    Client(String),
    /// That of an object id.
    Object(String),
    /// That of a resource id.
    Resource(String),
}

/// The secrets of a Google project.
#[cfg(feature = "clouds")]
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Google {
    /// The project.
    pub project: String,
    /// The location of regional secrets.
    pub location: Option<String>,
    /// Where it is asked, instead of Google's own address.
    pub endpoint: Option<Url>,
}

/// What a store needs of the machine, for the sandbox.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Needs {
    /// Files, and folders, that are read.
    pub read: BTreeSet<PathBuf>,
    /// TCP ports that are connected to.
    pub ports: BTreeSet<u16>,
}

impl Kind {
    /// Returns its key in the configuration.
    #[must_use]
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Environment { .. } => "environment",
            Self::Files { .. } => "files",
            #[cfg(feature = "clouds")]
            Self::Aws(_) => "aws_secrets_manager",
            #[cfg(feature = "clouds")]
            Self::Azure(_) => "azure_key_vault",
            #[cfg(feature = "clouds")]
            Self::Google(_) => "google_secret_manager",
        }
    }

    /// Returns how many requests may be under way at once.
    #[must_use]
    pub const fn max_in_flight(&self) -> usize {
        match self {
            // Answered as they are asked.
            Self::Environment { .. } | Self::Files { .. } => 1,
            #[cfg(feature = "clouds")]
            Self::Aws(_) => 20,
            #[cfg(feature = "clouds")]
            Self::Azure(_) | Self::Google(_) => 8,
        }
    }
}
