//! Azure Key Vault: the secrets of one vault.

mod challenge;
mod cloud;
mod identity;
mod refusal;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::{Arc, PoisonError};

use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use url::Url;

use crate::answer;
use crate::http::{Answer, Call, Http, place, said};
use crate::kept::{Fresh, Kept};
use crate::needs::{Needs, PORTS};
use crate::rest::{self, Page};
use crate::settings::{self, AzureIdentity};
use crate::variables::Variables;
use identity::Identity;

pub(crate) use challenge::Challenge;
pub(crate) use cloud::PUBLIC;
pub(crate) use identity::Asker;

/// The version of the API that every cloud of Azure supports.
const VERSION: &str = "7.4";

/// The most pages of a list that are read.
const MOST_PAGES: usize = 1000;

/// The owner of answers, for messages.
const WHOSE: &str = "Azure Key Vault's";

/// The variables that are read.
pub(crate) const NAMES: &[&str] = &[
    "AZURE_AUTHORITY_HOST",
    "AZURE_CLIENT_CERTIFICATE_PATH",
    "AZURE_CLIENT_ID",
    "AZURE_CLIENT_SECRET",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "AZURE_TENANT_ID",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];

/// The secrets of a vault, as one identity sees them.
pub struct Azure {
    http: Http,
    vault: Url,
    identity: Identity,
    /// The last challenge of the vault.
    challenge: Kept<Challenge>,
    /// The secrets outside of their time that were logged.
    named: std::sync::Mutex<BTreeSet<String>>,
}

impl fmt::Debug for Azure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Azure").field("vault", &self.vault.as_str()).finish_non_exhaustive()
    }
}

/// Returns what the store needs of the machine.
pub(crate) fn needs(settings: &settings::Azure, environment: &dyn Fn(&str) -> Option<OsString>) -> Needs {
    let variables = Variables::of(NAMES, &|name| Some(Secret::new(environment(name)?.into_vec())));
    let mut needs = needs_of_identity(&settings.identity, &variables);
    needs.ports.extend(settings.url.port_or_known_default());
    needs
}

/// Returns what getting a token needs of the machine.
pub(crate) fn needs_of_identity(identity: &AzureIdentity, variables: &Variables) -> Needs {
    let named = ["AZURE_AUTHORITY_HOST", "AZURE_POD_IDENTITY_AUTHORITY_HOST", "IDENTITY_ENDPOINT"];
    let urls = named.iter().filter_map(|name| variables.good_url(name));
    let ports = urls.filter_map(|url| url.port_or_known_default()).chain(PORTS).collect();
    Needs { read: identity::files(identity, variables).into_iter().collect(), ports }
}

impl Azure {
    pub(crate) fn new(settings: &settings::Azure, environment: &BTreeMap<String, Secret>) -> Self {
        let variables = Variables::of(NAMES, &|name| environment.get(name).cloned());
        Self {
            http: Http::default(),
            vault: settings.url.clone(),
            identity: Identity::new(Asker::new(
                settings.identity.clone(),
                variables,
                cloud::authority(&settings.url),
            )),
            challenge: Kept::default(),
            named: std::sync::Mutex::default(),
        }
    }

    pub(crate) async fn ask(&self, verb: Verb, name: &str, request: &Request) -> Result<Response, Failure> {
        match verb {
            Verb::List => self.list(name).await,
            _ => self.read(name, request).await,
        }
    }

    async fn read(&self, name: &str, request: &Request) -> Result<Response, Failure> {
        let rejected = |why: String| Err(Failure::new(FailureKind::Rejected, why));
        if !is_name(name) {
            return rejected(format!(
                "{} is no name in Key Vault, which has letters, digits and dashes",
                said(name)
            ));
        }
        let mut version = "";
        for (argument, value) in &request.args {
            match (argument.as_str(), value.expose_str()) {
                ("version", Some(text)) if is_name(text) => version = text,
                ("version", _) => return rejected("the version is none of Key Vault".to_owned()),
                (other, _) => {
                    return rejected(format!("Azure Key Vault takes `version`, and no argument {other}"));
                }
            }
        }
        let path =
            if version.is_empty() { format!("secrets/{name}") } else { format!("secrets/{name}/{version}") };
        let answer = self.get(&path, None).await?;
        if answer.status.is_success() {
            return self.value(name, &answer);
        }
        let refused = refusal::of(&answer);
        if refusal::is_missing(&refused) && self.is_deleted(name).await {
            let why = format!(
                "it is deleted in {}, and can be recovered (az keyvault secret recover), or the path changed",
                place(&self.vault)
            );
            return Err(Failure::advised(FailureKind::Missing, why));
        }
        Err(refusal::explained(&refused, &self.vault))
    }

    /// Returns whether the secret was deleted and can be recovered; false if the identity may not look.
    async fn is_deleted(&self, name: &str) -> bool {
        let answer = self.get(&format!("deletedsecrets/{name}"), None).await;
        answer.is_ok_and(|answer| answer.status.is_success())
    }

    fn value(&self, name: &str, answer: &Answer) -> Result<Response, Failure> {
        let tree = rest::object(answer, &place(&self.vault), WHOSE)?;
        let value = tree.get("value").and_then(Tree::as_text).cloned().ok_or_else(|| {
            let why =
                format!("the answer of {} has no value; check what is on the way to it", place(&self.vault));
            Failure::advised(FailureKind::Nonsense, why)
        })?;
        if let Some(why) = outside_of_its_time(&tree, clock::now().wall) {
            self.name(name, why);
        }
        let id = tree.get("id").and_then(Tree::as_str).unwrap_or_default();
        Ok(answer::of_version(value, id.rsplit('/').next().unwrap_or_default()))
    }

    /// Logs once that a secret is given and should not be.
    fn name(&self, name: &str, why: &str) {
        let mut named = self.named.lock().unwrap_or_else(PoisonError::into_inner);
        if named.insert(name.to_owned()) {
            tracing::warn!("the secret {name} {why} in {}, which gives it nevertheless", place(&self.vault));
        }
    }

    async fn list(&self, folder: &str) -> Result<Response, Failure> {
        if !folder.is_empty() {
            let why = "a vault of Azure has no folders; list it by its name alone";
            return Err(Failure::advised(FailureKind::Rejected, why));
        }
        rest::list(&place(&self.vault), MOST_PAGES, async |skip| self.page(skip).await).await
    }

    async fn page(&self, skip: Option<&str>) -> Result<Page, Failure> {
        let answer = self.get("secrets", skip).await?;
        if !answer.status.is_success() {
            return Err(refusal::explained(&refusal::of(&answer), &self.vault));
        }
        let tree = rest::object(&answer, &place(&self.vault), WHOSE)?;
        let name = |secret: &Tree| {
            let id = secret.get("id").and_then(Tree::as_str)?;
            let name = id.split("/secrets/").nth(1)?.split('/').next()?;
            is_name(name).then(|| name.to_owned())
        };
        let secrets = tree.get("value").and_then(Tree::as_list).unwrap_or_default();
        // Only the place in the list is taken from the next page's address, so the token stays with this host.
        let next = tree.get("nextLink").and_then(Tree::as_str).and_then(|next| Url::parse(next).ok());
        let place = |next: Url| Some(next.query_pairs().find(|(key, _)| key == "$skiptoken")?.1.into_owned());
        Ok(Page { names: secrets.iter().filter_map(name).collect(), next: next.and_then(place) })
    }

    /// Asks with a token, and once more with another if the vault asks for that.
    async fn get(&self, path: &str, skip: Option<&str>) -> Result<Answer, Failure> {
        let mut url = self.vault.clone();
        url.set_path(path);
        url.query_pairs_mut().append_pair("api-version", VERSION);
        if let Some(skip) = skip {
            url.query_pairs_mut().append_pair("$skiptoken", skip);
        }
        let challenge = self.challenge(&url).await?;
        let (answer, token) = self.send(&url, &challenge).await?;
        if answer.status.as_u16() != 401 {
            return Ok(answer);
        }
        self.identity.forget(&token);
        let other = self.challenge.put(challenge::read(&answer.headers, &self.vault)?);
        Ok(self.send(&url, &other).await?.0)
    }

    async fn send(&self, url: &Url, challenge: &Challenge) -> Result<(Answer, Arc<Secret>), Failure> {
        let token = self.identity.token(&self.http, challenge).await?;
        Ok((rest::get(&self.http, url, &token).await?, token))
    }

    /// Returns the vault's challenge, which the vault gives to a request without a token.
    async fn challenge(&self, url: &Url) -> Result<Arc<Challenge>, Failure> {
        let ask = async {
            let answer = self.http.send(Call::get(url.clone())).await?;
            match answer.status.as_u16() {
                429 | 500..=599 => Err(refusal::explained(&refusal::of(&answer), &self.vault)),
                _ => Ok(Fresh { it: challenge::read(&answer.headers, &self.vault)?, life: None }),
            }
        };
        self.challenge.get(Vec::new, ask).await
    }
}

/// Returns whether a text can be a name or a version.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=127).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-')
}

/// Returns how a secret is outside of its time: Key Vault gives such a secret, too.
fn outside_of_its_time(tree: &Tree, now: i64) -> Option<&'static str> {
    let time = |name: &str| tree.get("attributes").and_then(|of| of.get(name)).and_then(Tree::as_f64);
    match (time("exp"), time("nbf")) {
        (Some(exp), _) if exp <= now as f64 => Some("has expired"),
        (_, Some(nbf)) if nbf > now as f64 => Some("is not valid yet"),
        _ => None,
    }
}
