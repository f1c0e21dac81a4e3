//! The proofs of an identity that a cloud has given us, for a login to a Vault.

use crate::stores::ManagedIdentity;

/// What proves to a Vault who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Proof {
    /// The method `aws`: a request to STS that we have signed, and that the server sends.
    Aws {
        /// The region whose STS the server asks; without it the global one.
        region: Option<String>,
        /// The server that the proof is for.
        server_id: Option<String>,
    },
    /// The method `azure`: a token of Entra ID, and the machine that it belongs to.
    Azure {
        /// The audience of the token.
        audience: String,
        /// An identity of the machine, which has priority over the environment.
        identity: Option<ManagedIdentity>,
    },
    /// The method `gcp`: a token for the role alone.
    Google {
        /// The signer of the token.
        signer: Signer,
        /// The service account; without it our own.
        account: Option<String>,
    },
    /// The method `jwt`: a token that the cloud has signed.
    Jwt {
        /// The audience of the token.
        audience: String,
        /// The cloud that signs it.
        issuer: Issuer,
    },
}

/// The signer of a token for the method `gcp`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Signer {
    /// `gce`: Google, for a machine.
    Machine,
    /// `iam`: the service account itself.
    Account,
}

/// A cloud whose tokens say who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Issuer {
    /// AWS.
    Aws {
        /// The region whose STS gives it.
        region: Option<String>,
    },
    /// Entra ID.
    Azure {
        /// An identity of the machine, which has priority over the environment.
        identity: Option<ManagedIdentity>,
    },
    /// Google.
    Google {
        /// The service account; without it our own.
        account: Option<String>,
    },
}

impl Proof {
    /// Returns the method's name.
    #[must_use]
    pub const fn method(&self) -> &'static str {
        match self {
            Self::Aws { .. } => "aws",
            Self::Azure { .. } => "azure",
            Self::Google { .. } => "gcp",
            Self::Jwt { .. } => "jwt",
        }
    }

    /// Returns the cloud, as people call it.
    #[must_use]
    pub const fn cloud(&self) -> &'static str {
        match self {
            Self::Aws { .. } | Self::Jwt { issuer: Issuer::Aws { .. }, .. } => "AWS",
            Self::Azure { .. } | Self::Jwt { issuer: Issuer::Azure { .. }, .. } => "Azure",
            Self::Google { .. } | Self::Jwt { issuer: Issuer::Google { .. }, .. } => "Google",
        }
    }
}
