//! The sources of AWS' credentials, in the order of AWS' own programs, and how long the credentials are good.

mod container;
mod files;
mod instance;
mod profile;
mod sts;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_http::files::local;
use url::Url;

use super::sign::Keys;
use super::variables;
use crate::http::{Http, said};
use crate::kept::{Fresh, Kept};
use crate::variables::Variables;
use files::Files;
use profile::Chosen;

pub(super) use sts::VERSION as STS_VERSION;

/// The name of a role's session, if nothing else names it.
const SESSION: &str = "leasehold";

/// One source of credentials.
#[derive(Debug)]
enum Source {
    /// Keys that are written down.
    Given(Keys),
    /// A token of another identity provider, which STS exchanges for keys.
    WebIdentity { token_file: PathBuf, role_arn: String, session: String },
    /// A role that is assumed with other credentials.
    Assumed { base: Box<Source>, role: Role },
    /// ECS and EKS.
    Container { url: Url, token: container::Token },
    /// EC2.
    Instance,
}

/// A role to assume.
#[derive(Debug, PartialEq, Eq)]
struct Role {
    arn: String,
    session: String,
    /// The external id, which the trust policy of a role may require from another account.
    external_id: Option<String>,
    /// How many seconds the keys are to be good; STS' own hour if nothing says it.
    duration: Option<u32>,
}

impl Role {
    fn of(arn: String) -> Self {
        Self { arn, session: SESSION.to_owned(), external_id: None, duration: None }
    }
}

/// The present keys, and how they are replaced.
pub(super) struct Credentials {
    variables: Variables,
    /// The role that the configuration names.
    role_arn: Option<String>,
    files: Files,
    kept: Kept<Keys>,
}

impl Credentials {
    pub(super) fn new(variables: Variables, role_arn: Option<String>) -> Self {
        Self { variables, role_arn, files: Files::default(), kept: Kept::default() }
    }

    /// Returns the region that the configuration, the environment or the profile names.
    pub(super) fn region(&self, named: Option<&str>) -> Result<Option<String>, Failure> {
        if let Some(named) = named.or_else(|| variables::region(&self.variables)) {
            return Ok(Some(named.to_owned()));
        }
        let chosen = profile::chosen(&self.variables, &self.files).map_err(lacking)?;
        Ok(chosen.and_then(|chosen| chosen.region()))
    }

    /// Returns the keys to sign with.
    pub(super) async fn keys(&self, http: &Http, region: &str) -> Result<Arc<Keys>, Failure> {
        let read = || read(&self.variables, &self.files).into_iter().collect();
        let keys = self.kept.get(read, async { self.fetch(http, region).await.map_err(lacking) }).await;
        self.files.forget();
        keys
    }

    /// Has these keys replaced at the next request, since AWS says that they have ended.
    pub(super) fn forget(&self, keys: &Arc<Keys>) {
        self.kept.forget(keys);
    }

    /// Reads keys that are written down once more, since AWS does not know these. Returns them if they are others. Keys
    /// that a service gives have an end, and are replaced before it.
    pub(super) async fn read_again(&self, http: &Http, region: &str, keys: &Arc<Keys>) -> Option<Arc<Keys>> {
        if self.kept.has_end() {
            return None;
        }
        self.forget(keys);
        let read = self.keys(http, region).await.ok()?;
        (*read != **keys).then_some(read)
    }

    /// Returns a token that tells others whose keys these are.
    pub(super) async fn identity(
        &self,
        http: &Http,
        region: &str,
        audience: &str,
    ) -> Result<Secret, Failure> {
        let keys = self.keys(http, region).await?;
        let around = Around { http, region, variables: &self.variables };
        sts::identity(&around, &keys, audience).await.map_err(lacking)
    }

    async fn fetch(&self, http: &Http, region: &str) -> Result<Fresh<Keys>, Failure> {
        let mut source = source(&self.variables, &self.files)?;
        if let Some(role_arn) = &self.role_arn {
            source = Source::Assumed { base: Box::new(source), role: Role::of(role_arn.clone()) };
        }
        let around = Around { http, region, variables: &self.variables };
        source.fetch(&around).await
    }
}

/// What a source needs to be asked.
struct Around<'a> {
    http: &'a Http,
    region: &'a str,
    variables: &'a Variables,
}

/// Returns the files that credentials may be read from.
pub(super) fn needed_files(variables: &Variables) -> BTreeSet<PathBuf> {
    read(variables, &Files::default())
}

fn read(variables: &Variables, files: &Files) -> BTreeSet<PathBuf> {
    let tokens = ["AWS_WEB_IDENTITY_TOKEN_FILE", "AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE"];
    let named = tokens.iter().filter_map(|name| variables.path(name));
    let profiles = variables::profile_files(variables).into_iter().flatten();
    // Why there is no profile is said when credentials are looked for.
    let chosen = profile::chosen(variables, files).ok().flatten();
    let of_profile = chosen.map(|chosen| chosen.token_files()).unwrap_or_default();
    named.chain(profiles).chain(of_profile).collect()
}

/// Returns the first source that is configured. Only that one is asked: the credentials of another would be those of
/// another identity.
///
/// The order is that of AWS' command line and of boto3 (`create_credential_resolver` of botocore): a profile that
/// `AWS_PROFILE` names comes after the environment's keys, and only its role comes before the environment's web
/// identity. The profile has to be there in any case.
fn source(variables: &Variables, files: &Files) -> Result<Source, Failure> {
    let given = environment(variables)?;
    if let (Some(given), None) = (&given, variables::profile(variables)) {
        return Ok(Source::Given(given.clone()));
    }
    let profile = profile::chosen(variables, files)?;
    if let Some(given) = given {
        return Ok(Source::Given(given));
    }
    if let Some(role) = profile.as_ref().map_or(Ok(None), Chosen::role)? {
        return Ok(role);
    }
    if let Some(web) = web_identity(variables)? {
        return Ok(web);
    }
    if let Some(own) = profile.as_ref().map_or(Ok(None), Chosen::source)? {
        return Ok(own);
    }
    if let Some(container) = container::source(variables)? {
        return Ok(container);
    }
    if instance::is_disabled(variables) {
        return Err(unusable(
            "no variable names any, no profile has any, and AWS_EC2_METADATA_DISABLED is set",
        ));
    }
    Ok(Source::Instance)
}

fn environment(variables: &Variables) -> Result<Option<Keys>, Failure> {
    let (id, secret) = (variables.text("AWS_ACCESS_KEY_ID"), variables.secret("AWS_SECRET_ACCESS_KEY"));
    match (id, secret) {
        (Some(id), Some(secret)) => {
            let token = variables.secret("AWS_SESSION_TOKEN").cloned();
            let from = "AWS_ACCESS_KEY_ID".to_owned();
            Ok(Some(Keys { id: id.to_owned(), secret: secret.clone(), token, from }))
        }
        (None, None) => Ok(None),
        (Some(_), None) => Err(unusable("AWS_ACCESS_KEY_ID is set, and AWS_SECRET_ACCESS_KEY is not")),
        (None, Some(_)) => Err(unusable("AWS_SECRET_ACCESS_KEY is set, and AWS_ACCESS_KEY_ID is not")),
    }
}

fn web_identity(variables: &Variables) -> Result<Option<Source>, Failure> {
    let Some(token_file) = variables.path("AWS_WEB_IDENTITY_TOKEN_FILE") else { return Ok(None) };
    let Some(role_arn) = variables.text("AWS_ROLE_ARN") else {
        // The next source would be another identity, such as the node's.
        let why =
            "AWS_WEB_IDENTITY_TOKEN_FILE is set, and AWS_ROLE_ARN is not; set the role, or unset the file";
        return Err(Failure::advised(FailureKind::Unusable, why));
    };
    let session = variables.text("AWS_ROLE_SESSION_NAME").unwrap_or(SESSION).to_owned();
    Ok(Some(Source::WebIdentity { token_file, role_arn: role_arn.to_owned(), session }))
}

impl Source {
    async fn fetch(self, around: &Around<'_>) -> Result<Fresh<Keys>, Failure> {
        match self {
            Self::Given(keys) => Ok(Fresh { it: keys, life: None }),
            Self::WebIdentity { token_file, role_arn, session } => {
                sts::with_web_identity(around, &token_file, &role_arn, &session).await
            }
            Self::Assumed { base, role } => {
                let base = Box::pin(base.fetch(around)).await?;
                sts::assume(around, &base.it, &role).await
            }
            Self::Container { url, token } => container::fetch(around.http, &url, &token).await,
            Self::Instance => {
                let base = instance::address(around.variables)?;
                let found = instance::fetch(around.http, &base).await;
                found.map_err(|failure| match failure.kind {
                    FailureKind::Unreachable | FailureKind::Unheard => Failure::advised(
                        failure.kind,
                        format!(
                            "no variable names any, no profile has any, and the instance's metadata do not answer: {}; on Kubernetes give the service account a role, elsewhere set AWS_ACCESS_KEY_ID or AWS_PROFILE",
                            failure.why
                        ),
                    ),
                    _ => failure,
                })
            }
        }
    }
}

/// Reads the keys in the answer of a metadata service.
fn answer(body: &[u8], what: &str) -> Result<Fresh<Keys>, Failure> {
    let tree = Tree::from_json(body).map_err(|_| no_service(what, 200))?;
    let text = |name: &str| tree.get(name).and_then(Tree::as_str).filter(|text| !text.is_empty());
    let secret = |name: &str| tree.get(name).and_then(Tree::as_text).filter(|text| !text.is_empty()).cloned();
    if let Some(code) = text("Code").filter(|code| *code != "Success") {
        let why = format!("{what}: {}", said(code));
        return Err(Failure::new(FailureKind::Refused, why));
    }
    let keys = text("AccessKeyId").zip(secret("SecretAccessKey"));
    let (id, secret_key) = keys.ok_or_else(|| no_service(what, 200))?;
    let (token, from) = (secret("Token"), what.to_owned());
    let keys = Keys { id: key_id(id)?, secret: secret_key, token, from };
    Ok(Fresh::until_time(keys, text("Expiration")))
}

/// Checks an id that may become a part of a header.
fn key_id(id: &str) -> Result<String, Failure> {
    let is_id = id.len() <= 128 && id.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'_');
    if is_id {
        Ok(id.to_owned())
    } else {
        Err(local("the id of the access key has other characters than letters and digits"))
    }
}

/// Says why there are no keys. Something that is missing on our own side is no missing secret.
fn lacking(failure: Failure) -> Failure {
    let kind = if failure.kind == FailureKind::Local { FailureKind::Unusable } else { failure.kind };
    Failure { kind, why: format!("no credentials of AWS: {}", failure.why), by_us: true, ..failure }
}

/// Makes the failure for an answer that is not a metadata service's.
fn no_service(what: &str, status: u16) -> Failure {
    let why = format!(
        "{what}: what answers there ({status}) is no metadata service of AWS; check what is in front of it"
    );
    Failure::advised(FailureKind::Intercepted, why)
}

fn unusable(why: impl Into<String>) -> Failure {
    Failure::new(FailureKind::Unusable, why)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests;
