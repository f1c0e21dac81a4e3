//! How to log in.

use std::path::PathBuf;
use std::time::Duration;

use super::ClientCert;
use crate::login::{Issuer, Proof};
use leasehold_base::secret::Secret;

/// How to log in.
#[derive(Debug, Clone, PartialEq)]
pub struct AuthPlan {
    /// The mount below `auth/`.
    pub mount: String,
    /// The namespace of the login, if it differs from that of the secrets; empty for the root.
    pub namespace: Option<String>,
    /// The method and its own fields.
    pub method: AuthMethod,
    /// How long the login's wrapped answer can be opened, once, by the reader of the only sink. We never see its
    /// token.
    pub wrap_ttl: Option<Duration>,
}

impl AuthPlan {
    /// Makes the plan for no Vault.
    #[must_use]
    pub fn none() -> Self {
        Self { mount: String::new(), namespace: None, method: AuthMethod::None, wrap_ttl: None }
    }

    /// Returns whether the token is ours. A token that was given to us is never revoked, for other programs may use
    /// it, nor is one that we never see. The leases that were made with such a token are revoked one by one.
    #[must_use]
    pub fn owns_token(&self) -> bool {
        let given =
            matches!(self.method, AuthMethod::Token { .. } | AuthMethod::TokenFile { .. } | AuthMethod::None);
        !given && self.wrap_ttl.is_none()
    }

    /// Returns what to do if the server answers a login with "permission denied" and no more: perhaps there is no
    /// such mount, a reviewer is away, or the account is locked.
    #[must_use]
    pub fn advice_where_denied(&self) -> String {
        let mount = &self.mount;
        match &self.method {
            AuthMethod::Kubernetes { jwt_file, .. } => format!(
                "check that the method is at auth/{mount}, that the token in {} is in date, and that the server can have it reviewed by the cluster",
                jwt_file.display()
            ),
            AuthMethod::AppRole { .. } | AuthMethod::Password { .. } => format!(
                "check that the method is at auth/{mount}; after some refusals the server locks the account for a quarter of an hour"
            ),
            AuthMethod::Path { path, .. } => format!("check that the method is at {path}, and `auth.fields`"),
            AuthMethod::Cloud { proof, .. } => {
                format!(
                    "check that the method is at auth/{mount}, and that the server reaches {}",
                    proof.cloud()
                )
            }
            AuthMethod::Cert { .. }
            | AuthMethod::Token { .. }
            | AuthMethod::TokenFile { .. }
            | AuthMethod::None => self.advice(),
        }
    }

    /// Returns what to do if the server refuses a login: the mount, and the part of `auth` that the server judges.
    #[must_use]
    pub fn advice(&self) -> String {
        let mount = &self.mount;
        match &self.method {
            AuthMethod::Kubernetes { role, jwt_file } => format!(
                "check that role `{role}` is at auth/{mount}, and that it binds the account, the namespace and the audience of the token in {}",
                jwt_file.display()
            ),
            AuthMethod::AppRole { role_id, secret_id: Some(secret_id), .. } => format!(
                "check the role id{} and the secret id{} at auth/{mount}; one that has expired or is used up is replaced by: bao write -f auth/{mount}/role/ROLE/secret-id",
                role_id.place(),
                secret_id.place()
            ),
            AuthMethod::AppRole { role_id, secret_id: None, .. } => format!(
                "check the role id{} at auth/{mount}, and whether the role wants a secret id, which `auth` does not name",
                role_id.place()
            ),
            AuthMethod::Cert { own, .. } => {
                format!("check the role at auth/{mount}, and the certificate {}", own.cert_file.display())
            }
            AuthMethod::Password { username, password_file } => format!(
                "check the password of `{username}` in {} at auth/{mount}, and whether the account is locked",
                password_file.display()
            ),
            AuthMethod::Path { path, .. } => format!("check `auth.fields`, which are sent to {path}"),
            AuthMethod::Cloud { role, proof } => advice_of_cloud(mount, role.as_deref(), proof),
            AuthMethod::Token { token_env, .. } => format!("set {token_env} to another token"),
            AuthMethod::TokenFile { token_file } => {
                format!("put another token into {}", token_file.display())
            }
            AuthMethod::None => "add `vault` and `auth`".to_owned(),
        }
    }
}

/// Returns what the server compares with the role.
fn advice_of_cloud(mount: &str, role: Option<&str>, proof: &Proof) -> String {
    let role = role.map_or_else(|| "the role".to_owned(), |role| format!("role `{role}`"));
    let bound = match proof {
        Proof::Aws { .. } => {
            "that it binds the ARN of this identity, and that `server_id` and `region` are what the method is configured with"
        }
        Proof::Azure { .. } => {
            "that it binds this identity or its machine, and that the method's resource is `audience`"
        }
        Proof::Google { .. } => "that it binds the service account, and is of the type `gcp_type`",
        Proof::Jwt { issuer: Issuer::Aws { .. } | Issuer::Azure { .. } | Issuer::Google { .. }, .. } => {
            "that it binds the subject and the audience of the cloud's token, and that the method knows its issuer"
        }
    };
    format!("check that {role} is at auth/{mount}, {bound}")
}

/// The method of a login. Files are read anew at each login: they rotate.
#[derive(Debug, Clone, PartialEq)]
pub enum AuthMethod {
    /// `auth/MOUNT/login` with `role` and the projected service account's JWT. `jwt` is the same.
    Kubernetes {
        /// The role of the mount.
        role: String,
        /// The projected token.
        jwt_file: PathBuf,
    },
    /// `auth/MOUNT/login` with `role_id` and `secret_id`.
    AppRole {
        /// The role's id.
        role_id: Credential,
        /// The secret id; `None` if the role does not bind one.
        secret_id: Option<Credential>,
        /// The path that must have made the wrapping token that is given instead of the secret id; `None` if the
        /// secret id itself is given.
        wrapped_by: Option<String>,
    },
    /// `auth/MOUNT/login` over a connection with this client certificate.
    Cert {
        /// The role's name; without one the server tries all roles.
        name: Option<String>,
        /// The certificate of the connection, from `vault`.
        own: ClientCert,
    },
    /// `auth/MOUNT/login/USERNAME` with a password: userpass and ldap.
    Password {
        /// The user that logs in; one segment of a path.
        username: String,
        /// The password.
        password_file: PathBuf,
    },
    /// Any other method: these fields to that path.
    Path {
        /// The path `auth/…`, as it is to be asked.
        path: String,
        /// The fields to post, sorted by name; never [`Credential::Unset`].
        fields: Vec<(String, Credential)>,
    },
    /// `auth/MOUNT/login` with the cloud's proof of who we are, asked for anew at each login.
    Cloud {
        /// The role of the mount; without one the server takes the identity's own name.
        role: Option<String>,
        /// The kind of proof.
        proof: Proof,
    },
    /// A token from the environment, taken as it is; never revoked.
    Token {
        /// The variable that holds it.
        token_env: String,
        /// What it held when the configuration was read; `None` if it was not set.
        token: Option<Secret>,
    },
    /// A token from a file that another program keeps; never revoked.
    TokenFile {
        /// The file.
        token_file: PathBuf,
    },
    /// There is no Vault: everything is read from stores, which have no login.
    None,
}

impl AuthMethod {
    /// Returns the name of the method, to be shown.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::Kubernetes { .. } => "kubernetes",
            Self::AppRole { .. } => "approle",
            Self::Cert { .. } => "cert",
            Self::Password { .. } => "password",
            Self::Path { .. } => "path",
            Self::Cloud { proof, .. } => proof.method(),
            Self::Token { .. } => "token",
            Self::TokenFile { .. } => "token_file",
            Self::None => "none",
        }
    }

    /// Returns the role or the user that logs in, if the method names one. A role id is a credential, and no name.
    #[must_use]
    pub fn role(&self) -> Option<&str> {
        match self {
            Self::Kubernetes { role, .. } => Some(role),
            Self::Cert { name, .. } | Self::Cloud { role: name, .. } => name.as_deref(),
            Self::Password { username, .. } => Some(username),
            Self::Path { path, .. } => Some(path),
            Self::AppRole { .. } | Self::Token { .. } | Self::TokenFile { .. } | Self::None => None,
        }
    }

    /// Returns the files that a login is made from, which are read anew at each login.
    #[must_use]
    pub fn files(&self) -> Vec<PathBuf> {
        let of = |credential: Option<&Credential>| match credential {
            Some(Credential::File(file)) => Some(file.clone()),
            _ => None,
        };
        match self {
            Self::Kubernetes { jwt_file, .. } => vec![jwt_file.clone()],
            Self::AppRole { role_id, secret_id, .. } => {
                [of(Some(role_id)), of(secret_id.as_ref())].into_iter().flatten().collect()
            }
            Self::Cert { own, .. } => vec![own.cert_file.clone(), own.key_file.clone()],
            Self::Password { password_file, .. } => vec![password_file.clone()],
            Self::Path { fields, .. } => fields.iter().filter_map(|(_, field)| of(Some(field))).collect(),
            // The environment names the files of a cloud.
            Self::Token { .. } | Self::Cloud { .. } | Self::None => Vec::new(),
            Self::TokenFile { token_file } => vec![token_file.clone()],
        }
    }

    /// Returns whether the server may lock the account after some refused logins, so that good credentials are
    /// refused, too. Vault and OpenBao do so for userpass, ldap and approle, and directories behind other methods
    /// may. An identity that another party has signed is never locked out.
    #[must_use]
    pub fn locks_out(&self) -> bool {
        match self {
            Self::AppRole { .. } | Self::Password { .. } => true,
            // A mount has the name that its operator gave it: only the usual names of such methods are trusted.
            Self::Path { path, .. } => {
                let mount = path.trim_start_matches("auth/").split('/').next().unwrap_or_default();
                !SIGNED.contains(&mount)
            }
            Self::Kubernetes { .. }
            | Self::Cert { .. }
            | Self::Cloud { .. }
            | Self::Token { .. }
            | Self::TokenFile { .. }
            | Self::None => false,
        }
    }

    /// Returns the variable that a login needs and that is not set. Without it a configuration can be checked, and
    /// its daemon be asked, but no login is possible.
    #[must_use]
    pub fn unset_variable(&self) -> Option<&str> {
        match self {
            Self::Token { token_env, token: None } => Some(token_env),
            Self::AppRole { secret_id: Some(Credential::Unset(variable)), .. } => Some(variable),
            _ => None,
        }
    }
}

/// The usual mounts of methods whose credential another party signs, as [`AuthMethod::Path`] asks them.
const SIGNED: [&str; 11] =
    ["alicloud", "aws", "azure", "cert", "cf", "gcp", "jwt", "kerberos", "kubernetes", "oci", "oidc"];

/// Where a credential comes from.
#[derive(Debug, Clone, PartialEq)]
pub enum Credential {
    /// As given.
    Given(Secret),
    /// From a file, read anew at each login.
    File(PathBuf),
    /// From this variable, which is not set.
    Unset(String),
}

impl Credential {
    /// Returns where it is, to be said after its name; nothing if it stands in the configuration itself.
    fn place(&self) -> String {
        match self {
            Self::Given(_) => String::new(),
            Self::File(path) => format!(" in {}", path.display()),
            Self::Unset(variable) => format!(" in {variable}"),
        }
    }
}
