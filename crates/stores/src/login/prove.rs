//! Gets the proofs of who we are from a cloud.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

use super::{Issuer, Proof, Signer};
use crate::azure::{self, Asker, Challenge};
use crate::http::Http;
use crate::needs::Needs;
use crate::settings::{AzureIdentity, ManagedIdentity};
use crate::variables::Variables;
use crate::{aws, google};

/// What proves to a Vault who we are.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// The fields of a login, besides the role.
    pub fields: Vec<(&'static str, Secret)>,
    /// The values that a quoted message of the server must not contain: a token, or what a signature holds.
    pub unspoken: Vec<Secret>,
}

impl Proven {
    /// Makes the proof that is a token.
    fn token(jwt: Secret) -> Self {
        Self { fields: vec![("jwt", jwt.clone())], unspoken: vec![jwt] }
    }
}

/// Makes a proof for each login. Nothing of it is kept: a proof is good for minutes.
pub struct Prover {
    http: Http,
    proof: Proof,
    variables: Variables,
}

impl fmt::Debug for Prover {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Prover").field("proof", &self.proof).finish_non_exhaustive()
    }
}

impl Prover {
    /// Makes a prover, which asks nothing yet. `environment` is that of the process, as it was at its start.
    #[must_use]
    pub fn new(proof: &Proof, environment: &BTreeMap<String, Secret>) -> Self {
        let variables = Variables::of(names(proof), &|name| environment.get(name).cloned());
        Self { http: Http::default(), proof: proof.clone(), variables }
    }

    /// Returns what proves who we are, for a login as `role`.
    ///
    /// # Errors
    /// Why the cloud gives no proof. It is never a failure of the server that we log in to.
    pub async fn prove(&self, role: Option<&str>) -> Result<Proven, Failure> {
        self.proven(role).await.map_err(ours)
    }

    async fn proven(&self, role: Option<&str>) -> Result<Proven, Failure> {
        let (http, variables) = (&self.http, &self.variables);
        match &self.proof {
            Proof::Aws { region, server_id } => {
                aws::signed(http, variables, region.as_deref(), server_id.as_deref()).await
            }
            Proof::Azure { audience, identity } => {
                let asker = asker(identity.as_ref(), variables);
                let token = asker.token(http, &asked(audience)).await?.it;
                let machine = asker.machine(http).await?;
                let mut proven = Proven::token(token);
                proven.fields.extend(machine.iter().flat_map(of_machine));
                Ok(proven)
            }
            Proof::Google { signer, account } => {
                let (account, audience) =
                    (account.as_deref(), format!("http://vault/{}", role.unwrap_or_default()));
                let token = match signer {
                    Signer::Machine => google::of_machine(http, variables, account, &audience).await?,
                    Signer::Account => google::signed(http, variables, account, &audience).await?,
                };
                Ok(Proven::token(token))
            }
            Proof::Jwt { audience, issuer } => Ok(Proven::token(self.token(audience, issuer).await?)),
        }
    }

    async fn token(&self, audience: &str, issuer: &Issuer) -> Result<Secret, Failure> {
        let (http, variables) = (&self.http, &self.variables);
        match issuer {
            Issuer::Aws { region } => aws::identity(http, variables, region.as_deref(), audience).await,
            Issuer::Azure { identity } => {
                Ok(asker(identity.as_ref(), variables).token(http, &asked(audience)).await?.it)
            }
            Issuer::Google { account } => {
                google::identity(http, variables, account.as_deref(), audience).await
            }
        }
    }
}

fn asker(identity: Option<&ManagedIdentity>, variables: &Variables) -> Asker {
    let who = AzureIdentity { managed_identity: identity.cloned(), ..AzureIdentity::default() };
    Asker::new(who, variables.clone(), azure::PUBLIC)
}

fn asked(audience: &str) -> Challenge {
    Challenge { resource: audience.to_owned(), tenant: None }
}

/// Returns the fields that the server compares with the role, if the role binds them.
fn of_machine(machine: &Tree) -> Vec<(&'static str, Secret)> {
    let fields = [
        ("subscription_id", "subscriptionId"),
        ("resource_group_name", "resourceGroupName"),
        ("vm_name", "name"),
        ("vmss_name", "vmScaleSetName"),
    ];
    let text = |name: &str| machine.get(name).and_then(Tree::as_text).filter(|text| !text.is_empty());
    fields.iter().filter_map(|(ours, theirs)| Some((*ours, text(theirs)?.clone()))).collect()
}

/// Translates a cloud's failure: it says nothing about the server, neither that it is away nor that it is throttled.
fn ours(failure: Failure) -> Failure {
    let kind = match failure.kind {
        kind @ (FailureKind::Refused | FailureKind::Unusable) => kind,
        FailureKind::Denied => FailureKind::Refused,
        _ => FailureKind::Local,
    };
    Failure { kind, ..failure }
}

/// Returns whether a text has the form of a JWT: three parts of base64 in one line.
pub(crate) fn is_jwt(text: &Secret) -> bool {
    let is_part = |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'=');
    let mut parts = text.expose().split(|byte| *byte == b'.');
    let good = |part: Option<&[u8]>| part.is_some_and(|part| !part.is_empty() && part.iter().all(is_part));
    good(parts.next()) && good(parts.next()) && good(parts.next()) && parts.next().is_none()
}

fn names(proof: &Proof) -> &'static [&'static str] {
    match proof {
        Proof::Aws { .. } | Proof::Jwt { issuer: Issuer::Aws { .. }, .. } => aws::NAMES,
        Proof::Azure { .. } | Proof::Jwt { issuer: Issuer::Azure { .. }, .. } => azure::NAMES,
        Proof::Google { .. } | Proof::Jwt { issuer: Issuer::Google { .. }, .. } => google::NAMES,
    }
}

/// Returns what a proof needs of the machine.
pub(super) fn needs(proof: &Proof, environment: &dyn Fn(&str) -> Option<OsString>) -> Needs {
    let variables = Variables::of(names(proof), &|name| Some(Secret::new(environment(name)?.into_vec())));
    match proof {
        Proof::Aws { .. } | Proof::Jwt { issuer: Issuer::Aws { .. }, .. } => {
            aws::needs_of_credentials(&variables)
        }
        Proof::Azure { .. } | Proof::Jwt { issuer: Issuer::Azure { .. }, .. } => {
            azure::needs_of_identity(&AzureIdentity::default(), &variables)
        }
        Proof::Google { .. } | Proof::Jwt { issuer: Issuer::Google { .. }, .. } => {
            google::needs_of_identity(&variables)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cloud_that_is_away_is_no_server_that_is_away() {
        for (kind, expected) in [
            (FailureKind::Unreachable, FailureKind::Local),
            (FailureKind::Overloaded(None), FailureKind::Local),
            (FailureKind::Intercepted, FailureKind::Local),
            (FailureKind::Redirected, FailureKind::Local),
            (FailureKind::Denied, FailureKind::Refused),
            (FailureKind::Refused, FailureKind::Refused),
            (FailureKind::Unusable, FailureKind::Unusable),
        ] {
            assert_eq!(ours(Failure::new(kind, "so")).kind, expected, "{kind:?}");
        }
    }

    #[test]
    fn a_jwt_has_three_parts_in_one_line() {
        for (text, good) in [
            ("eyJh.eyJz.c2ln", true),
            ("a.b_-=.c", true),
            ("", false),
            ("a.b", false),
            ("a.b.c.d", false),
            ("a..c", false),
            ("a.b.c\n", false),
            ("<html>.b.c", false),
        ] {
            assert_eq!(is_jwt(&text.into()), good, "{text}");
        }
    }

    #[test]
    fn what_a_machine_of_azure_does_not_have_is_left_out() {
        let machine = Tree::map([
            ("name", Tree::text("vm")),
            ("vmScaleSetName", Tree::text("")),
            ("subscriptionId", Tree::text("s")),
        ]);
        let names: Vec<&str> = of_machine(&machine).iter().map(|(name, _)| *name).collect();
        assert_eq!(names, ["subscription_id", "vm_name"]);
    }
}
