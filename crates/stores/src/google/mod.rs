//! Google Secret Manager: the secrets of one project.

mod crc32c;
mod fault;
mod federated;
mod identity;
mod key;
mod refusal;

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::Arc;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use url::Url;

use crate::answer;
use crate::http::{Answer, Http, said};
use crate::needs::{Needs, PORTS};
use crate::rest::{self, Page};
use crate::settings;
use crate::variables::Variables;
use identity::Identity;

pub(crate) use identity::{identity, of_machine, signed};

/// The most pages of a list that are read, with 250 secrets each.
const MOST_PAGES: usize = 500;

/// The owner of answers, for messages.
const WHOSE: &str = "Google's";

/// The variables that are read.
pub(crate) const NAMES: &[&str] =
    &["CLOUDSDK_CONFIG", "GCE_METADATA_HOST", "GOOGLE_APPLICATION_CREDENTIALS", "HOME"];

/// The secrets of a project, as one identity sees them.
pub struct Google {
    http: Http,
    /// The address above all secrets: `…/v1/projects/P/` or `…/v1/projects/P/locations/L/`.
    base: Url,
    project: String,
    identity: Identity,
}

impl fmt::Debug for Google {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Google").field("project", &self.project).finish_non_exhaustive()
    }
}

/// Returns what the store needs of the machine.
pub(crate) fn needs(settings: &settings::Google, environment: &dyn Fn(&str) -> Option<OsString>) -> Needs {
    let variables = Variables::of(NAMES, &|name| Some(Secret::new(environment(name)?.into_vec())));
    let mut needs = needs_of_identity(&variables);
    needs.ports.extend(settings.endpoint.as_ref().and_then(Url::port_or_known_default));
    needs
}

/// Returns what getting a token needs of the machine.
pub(crate) fn needs_of_identity(variables: &Variables) -> Needs {
    let mut needs = Needs::default();
    needs.ports.extend(identity::metadata(variables).and_then(|url| url.port_or_known_default()));
    needs.ports.extend(PORTS);
    let Some(path) = identity::key_file(variables) else { return needs };
    if let Ok(key) = key::Key::read(&path) {
        needs.read.extend(key.file().map(Into::into));
        needs.ports.extend(key.urls().iter().filter_map(Url::port_or_known_default));
    }
    needs.read.insert(path);
    needs
}

/// Returns the address below which the secrets are.
fn base(settings: &settings::Google) -> Url {
    let location = settings.location.as_deref();
    let own = || {
        let host = location.map_or_else(
            || "secretmanager.googleapis.com".to_owned(),
            |location| format!("secretmanager.{location}.rep.googleapis.com"),
        );
        Url::parse(&format!("https://{host}/")).expect("a location is made of what a host is")
    };
    let mut url = settings.endpoint.clone().unwrap_or_else(own);
    let within = location.map_or_else(String::new, |location| format!("locations/{location}/"));
    url.set_path(&format!("/v1/projects/{}/{within}", settings.project));
    url
}

impl Google {
    pub(crate) fn new(settings: &settings::Google, environment: &BTreeMap<String, Secret>) -> Self {
        let variables = Variables::of(NAMES, &|name| environment.get(name).cloned());
        Self {
            http: Http::default(),
            base: base(settings),
            project: settings.project.clone(),
            identity: Identity::new(variables),
        }
    }

    pub(crate) async fn ask(&self, verb: Verb, name: &str, request: &Request) -> Result<Response, Failure> {
        match verb {
            Verb::List => self.list(name).await,
            _ => self.read(name, request).await,
        }
    }

    fn service(&self) -> String {
        format!("Google Secret Manager of {}", self.project)
    }

    async fn read(&self, name: &str, request: &Request) -> Result<Response, Failure> {
        let rejected = |why: String| Err(Failure::new(FailureKind::Rejected, why));
        if !is_name(name) {
            return rejected(format!(
                "{} is no name of Google's, which has letters, digits, - and _",
                said(name)
            ));
        }
        let mut version = "latest";
        for (argument, value) in &request.args {
            match (argument.as_str(), value.expose_str()) {
                ("version", Some(text)) if is_name(text) => version = text,
                ("version", _) => {
                    return rejected("the version is none of Google's: a number or an alias".to_owned());
                }
                (other, _) => {
                    return rejected(format!(
                        "Google Secret Manager takes `version`, and no argument {other}"
                    ));
                }
            }
        }
        let answer = self.get(&format!("secrets/{name}/versions/{version}:access"), None).await?;
        if answer.status.is_success() {
            return self.value(&answer);
        }
        Err(refusal::explained(&refusal::of(&answer), &self.service()))
    }

    fn value(&self, answer: &Answer) -> Result<Response, Failure> {
        let nonsense = |why: &str| {
            let why = format!("the answer of {} {why}; check what is on the way to it", self.service());
            Failure::advised(FailureKind::Nonsense, why)
        };
        let tree = rest::object(answer, &self.service(), WHOSE)?;
        let payload = tree.get("payload").ok_or_else(|| nonsense("has no value"))?;
        // The API leaves an empty value out.
        let data = payload.get("data").and_then(Tree::as_text).cloned().unwrap_or_default();
        let bytes = STANDARD.decode(data.expose()).map_err(|_| nonsense("has a value that is no base64"))?;
        let value = Secret::new(bytes);
        let sum = payload.get("dataCrc32c").and_then(|sum| match sum {
            Tree::Number(spelling) => spelling.expose_str()?.parse::<u32>().ok(),
            other => other.as_str()?.parse().ok(),
        });
        if sum.is_some_and(|sum| sum != crc32c::of(value.expose())) {
            return Err(nonsense("has a value that does not fit its checksum"));
        }
        let name = tree.get("name").and_then(Tree::as_str).unwrap_or_default();
        Ok(answer::of_version(value, name.rsplit('/').next().unwrap_or_default()))
    }

    async fn list(&self, folder: &str) -> Result<Response, Failure> {
        if !folder.is_empty() {
            let why = "a project of Google has no folders; list it by its name alone";
            return Err(Failure::advised(FailureKind::Rejected, why));
        }
        rest::list(&self.service(), MOST_PAGES, async |next| self.page(next).await).await
    }

    async fn page(&self, next: Option<&str>) -> Result<Page, Failure> {
        let answer = self.get("secrets", next).await?;
        if !answer.status.is_success() {
            return Err(refusal::explained(&refusal::of(&answer), &self.service()));
        }
        let tree = rest::object(&answer, &self.service(), WHOSE)?;
        let name = |secret: &Tree| {
            let name = secret.get("name").and_then(Tree::as_str)?.rsplit('/').next()?;
            is_name(name).then(|| name.to_owned())
        };
        let secrets = tree.get("secrets").and_then(Tree::as_list).unwrap_or_default();
        let next = tree.get("nextPageToken").and_then(Tree::as_str).filter(|token| !token.is_empty());
        Ok(Page { names: secrets.iter().filter_map(name).collect(), next: next.map(str::to_owned) })
    }

    /// Asks with a token, and once more with another if the first has ended.
    async fn get(&self, path: &str, page: Option<&str>) -> Result<Answer, Failure> {
        let mut url = self.base.clone();
        let path = format!("{}{path}", url.path());
        url.set_path(&path);
        if path.ends_with("/secrets") {
            url.query_pairs_mut().append_pair("pageSize", "250");
        }
        if let Some(page) = page {
            url.query_pairs_mut().append_pair("pageToken", page);
        }
        let (answer, token) = self.send(&url).await?;
        if answer.status.as_u16() != 401 {
            return Ok(answer);
        }
        self.identity.forget(&token);
        Ok(self.send(&url).await?.0)
    }

    async fn send(&self, url: &Url) -> Result<(Answer, Arc<Secret>), Failure> {
        let token = self.identity.token(&self.http).await?;
        Ok((rest::get(&self.http, url, &token).await?, token))
    }
}

/// Returns whether a text can be a name, a number or an alias.
pub(crate) fn is_name(text: &str) -> bool {
    (1..=255).contains(&text.len()) && text.chars().all(|c| c.is_ascii_alphanumeric() || c == '-' || c == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_location_has_an_address_and_a_path_of_its_own() {
        let at = |location: Option<&str>| {
            let (project, location) = ("p".to_owned(), location.map(str::to_owned));
            base(&settings::Google { project, location, endpoint: None }).to_string()
        };
        assert_eq!(at(None), "https://secretmanager.googleapis.com/v1/projects/p/");
        let regional =
            "https://secretmanager.europe-west3.rep.googleapis.com/v1/projects/p/locations/europe-west3/";
        assert_eq!(at(Some("europe-west3")), regional);
    }
}
