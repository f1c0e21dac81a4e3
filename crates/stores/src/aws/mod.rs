//! AWS Secrets Manager.

mod credentials;
mod errors;
mod gather;
mod partition;
mod proof;
mod sign;
mod variables;

use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::fmt;
use std::os::unix::ffi::OsStringExt as _;
use std::sync::{Arc, OnceLock};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::header::{CONTENT_TYPE, HeaderMap, HeaderName, HeaderValue};
use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use url::Url;

use crate::answer;
use crate::http::{Answer, Call, Http, said};
use crate::needs::{Needs, PORTS};
use crate::settings;
use crate::variables::Variables;
use credentials::Credentials;
use errors::{Complaint, common, element, has_ended, is_of_action, is_unknown};
use gather::Gather;
use sign::{Keys, Scope, sign};

pub use partition::partition;
pub(crate) use proof::{identity, signed};
pub(crate) use variables::NAMES;

const TARGET: HeaderName = HeaderName::from_static("x-amz-target");
const ERROR_TYPE: HeaderName = HeaderName::from_static("x-amzn-errortype");

/// The most pages of a list that are read: fifty thousand secrets.
const MOST_PAGES: usize = 500;

/// The secrets of one region, as one identity sees them.
pub struct Aws {
    http: Http,
    /// The region of the configuration.
    named: Option<String>,
    /// The region, once it is known: the profile that names one may come after the start.
    region: OnceLock<String>,
    endpoint: Result<Option<Url>, Failure>,
    fips: bool,
    credentials: Credentials,
    gather: Gather,
}

impl fmt::Debug for Aws {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Aws").field("region", &self.region.get()).finish_non_exhaustive()
    }
}

/// Returns what the store needs of the machine.
pub(crate) fn needs(settings: &settings::Aws, environment: &dyn Fn(&str) -> Option<OsString>) -> Needs {
    let variables = Variables::of(variables::NAMES, &|name| Some(Secret::new(environment(name)?.into_vec())));
    let mut needs = needs_of_credentials(&variables);
    needs.ports.extend(settings.endpoint.as_ref().and_then(Url::port_or_known_default));
    needs
}

/// Returns what finding credentials needs of the machine.
pub(crate) fn needs_of_credentials(variables: &Variables) -> Needs {
    let urls = variables::urls(variables);
    let mut needs = Needs::default();
    // An address that is named replaces AWS' own.
    needs.ports.extend(urls.filter_map(|url| url.port_or_known_default()).chain(PORTS));
    needs.read.extend(credentials::needed_files(variables));
    needs
}

impl Aws {
    pub(crate) fn new(settings: &settings::Aws, environment: &BTreeMap<String, Secret>) -> Self {
        let variables = Variables::of(variables::NAMES, &|name| environment.get(name).cloned());
        let named = || variables::endpoint(&variables, "AWS_ENDPOINT_URL_SECRETS_MANAGER");
        Self {
            http: Http::default(),
            named: settings.region.clone(),
            region: OnceLock::new(),
            endpoint: settings.endpoint.clone().map_or_else(named, |url| Ok(Some(url))),
            fips: variables::uses_fips(&variables),
            credentials: Credentials::new(variables, settings.role_arn.clone()),
            gather: Gather::default(),
        }
    }

    pub(crate) async fn ask(&self, verb: Verb, name: &str, request: &Request) -> Result<Response, Failure> {
        match verb {
            Verb::List => self.list(name).await,
            _ => self.read(name, request).await,
        }
    }

    async fn read(&self, name: &str, request: &Request) -> Result<Response, Failure> {
        let mut chosen = Vec::new();
        for (argument, value) in &request.args {
            let key = match argument.as_str() {
                "version" => "VersionId",
                "stage" => "VersionStage",
                other => {
                    let why =
                        format!("AWS Secrets Manager takes `version` and `stage`, and no argument {other}");
                    return Err(Failure::new(FailureKind::Rejected, why));
                }
            };
            chosen.push((key, value));
        }
        if chosen.is_empty() { self.read_together(name).await } else { self.read_one(name, &chosen).await }
    }

    async fn read_one(&self, name: &str, chosen: &[(&'static str, &Secret)]) -> Result<Response, Failure> {
        let chosen = chosen.iter().map(|(key, value)| (*key, Tree::Text((*value).clone())));
        let body = std::iter::once(("SecretId", Tree::text(name))).chain(chosen);
        let tree = self.call("GetSecretValue", Tree::map(body)).await.map_err(|refused| refused.failure)?;
        value(&tree)
    }

    /// Lists what is below `folder`, up to the next slash.
    async fn list(&self, folder: &str) -> Result<Response, Failure> {
        let start = if folder.is_empty() { String::new() } else { format!("{folder}/") };
        let mut names = BTreeSet::new();
        let mut next = None;
        for _ in 0..MOST_PAGES {
            let tree = self.call("ListSecrets", page(&start, next.as_ref())).await;
            let tree = tree.map_err(|refused| refused.failure)?;
            for secret in tree.get("SecretList").and_then(Tree::as_list).unwrap_or_default() {
                let name = secret.get("Name").and_then(Tree::as_str);
                // AWS compares without regard to case.
                let Some(rest) = name.and_then(|name| name.strip_prefix(&start)) else { continue };
                names.insert(match rest.split_once('/') {
                    Some((folder, _)) => format!("{folder}/"),
                    None => rest.to_owned(),
                });
            }
            next = tree.get("NextToken").and_then(Tree::as_text).cloned();
            if next.is_none() {
                return Ok(answer::list(names.into_iter().filter(|name| !name.is_empty()).collect()));
            }
        }
        let why = format!("AWS Secrets Manager lists more than {MOST_PAGES} pages; list a folder");
        Err(Failure::new(FailureKind::Nonsense, why))
    }

    /// Asks for `action`, and once more with other keys if the first have ended, or were replaced in their file.
    async fn call(&self, action: &str, body: Tree) -> Result<Tree, Refused> {
        let region = self.region()?;
        let keys = self.credentials.keys(&self.http, region).await?;
        let answer = self.post(action, &body, (region, &keys)).await?;
        let complaint = match understood(&answer) {
            Ok(tree) => return Ok(tree),
            Err(complaint) => complaint,
        };
        let others = if has_ended(&complaint.code) {
            self.credentials.forget(&keys);
            Some(self.credentials.keys(&self.http, region).await?)
        } else if is_unknown(&complaint.code) {
            self.credentials.read_again(&self.http, region, &keys).await
        } else {
            None
        };
        let Some(others) = others else { return Err(Refused::of(&complaint, region, &keys.from)) };
        let answer = self.post(action, &body, (region, &others)).await?;
        understood(&answer).map_err(|complaint| Refused::of(&complaint, region, &others.from))
    }

    fn region(&self) -> Result<&str, Failure> {
        if let Some(known) = self.region.get() {
            return Ok(known);
        }
        let found = region(self.named.as_deref(), &self.credentials)?;
        Ok(self.region.get_or_init(|| found))
    }

    /// Returns the address that is named, or that of the region.
    fn address(&self, region: &str) -> Result<Url, Failure> {
        let named = self.endpoint.clone()?;
        named.map_or_else(|| address("secretsmanager", region, self.fips), Ok)
    }

    async fn post(
        &self,
        action: &str,
        body: &Tree,
        (region, keys): (&str, &Arc<Keys>),
    ) -> Result<Answer, Failure> {
        let url = self.address(region)?;
        let body = body.to_json();
        let mut headers = HeaderMap::new();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/x-amz-json-1.1"));
        let target = HeaderValue::from_str(&format!("secretsmanager.{action}"));
        headers.insert(TARGET, target.expect("an action is a word"));
        let scope = Scope { region, service: "secretsmanager", at: clock::now().wall };
        sign(&mut headers, (&url, &body), keys, scope)?;
        self.http.send(Call { headers, ..Call::post(url, body) }).await
    }
}

/// Why an action failed.
#[derive(Debug, Clone)]
struct Refused {
    failure: Failure,
    /// Whether what is asked does not know the action at all.
    is_of_action: bool,
}

impl Refused {
    fn of(complaint: &Complaint, region: &str, from: &str) -> Self {
        let is_of_action = is_of_action(&complaint.code);
        Self { failure: explained(complaint, region, Some(from)), is_of_action }
    }
}

impl From<Failure> for Refused {
    fn from(failure: Failure) -> Self {
        Self { failure, is_of_action: false }
    }
}

fn page(start: &str, next: Option<&Secret>) -> Tree {
    let mut body = vec![("MaxResults", Tree::Number("100".into()))];
    if !start.is_empty() {
        let filter = Tree::map([("Key", Tree::text("name")), ("Values", Tree::list([Tree::text(start)]))]);
        body.push(("Filters", Tree::list([filter])));
    }
    if let Some(next) = next {
        body.push(("NextToken", Tree::Text(next.clone())));
    }
    Tree::map(body)
}

/// Returns the value in an answer, be it text or bytes.
fn value(tree: &Tree) -> Result<Response, Failure> {
    let version = tree.get("VersionId").and_then(Tree::as_str).unwrap_or_default();
    if let Some(text) = tree.get("SecretString").and_then(Tree::as_text) {
        return Ok(answer::of_version(text.clone(), version));
    }
    let binary = tree.get("SecretBinary").and_then(Tree::as_text);
    let bytes = binary.and_then(|text| STANDARD.decode(text.expose()).ok());
    let bytes = bytes.ok_or_else(|| {
        let why = "the answer of AWS Secrets Manager has no value; check what is on the way to it";
        Failure::advised(FailureKind::Nonsense, why)
    })?;
    Ok(answer::of_version(Secret::new(bytes), version))
}

fn understood(answer: &Answer) -> Result<Tree, Complaint> {
    let tree = Tree::from_json(&answer.body).ok();
    if answer.status.is_success()
        && let Some(tree) = tree.clone()
        && let Some(map) = tree.as_map()
    {
        if !errors_repeat_credentials(answer, &tree) {
            return Ok(tree);
        }
        // The errors of a batch have words, and these repeat a credential: each such secret is asked for by itself.
        let good = map.iter().filter(|(name, _)| *name != "Errors");
        return Ok(Tree::map(good.map(|(name, value)| (name, value.clone()))));
    }
    let text = |name| tree.as_ref().and_then(|tree| tree.get(name)).and_then(Tree::as_str);
    let header = answer.headers.get(ERROR_TYPE).and_then(|value| value.to_str().ok());
    // The header is `com.amazonaws.secretsmanager#ResourceNotFoundException:http://…`; the word in it is the code.
    let code = text("__type").or(header).unwrap_or_default();
    let code = code.rsplit('#').next().and_then(|code| code.split(':').next()).unwrap_or_default();
    // A service in front may answer in XML.
    let xml = std::str::from_utf8(&answer.body).unwrap_or_default();
    let code = if code.is_empty() { element(xml, "Code").unwrap_or_default() } else { code };
    let message = text("message").or_else(|| text("Message")).or_else(|| element(xml, "Message"));
    Err(Complaint::of(answer, answer.said(code), message.unwrap_or_default()))
}

/// Returns whether an error of a batch repeats a credential of the request.
fn errors_repeat_credentials(answer: &Answer, tree: &Tree) -> bool {
    let errors = tree.get("Errors").and_then(Tree::as_list).unwrap_or_default().iter();
    let words = |error| ["ErrorCode", "Message"].map(|name| Tree::get(error, name).and_then(Tree::as_str));
    errors.flat_map(words).flatten().any(|text| answer.repeats_credentials(text))
}

/// Explains a refusal of Secrets Manager, which was asked with the keys `from` there.
fn explained(complaint: &Complaint, region: &str, from: Option<&str>) -> Failure {
    let service = format!("AWS Secrets Manager in {region}");
    let words = complaint.words();
    let gone = ["marked for deletion", "scheduled for deletion", "marked deleted"];
    match complaint.code.as_str() {
        "ResourceNotFoundException" => {
            Failure::new(FailureKind::Missing, format!("{service} does not have it{words}"))
        }
        "InvalidRequestException" if gone.iter().any(|gone| complaint.says(gone)) => Failure::advised(
            FailureKind::Missing,
            format!(
                "it is marked for deletion in {service}; restore it with `aws secretsmanager restore-secret`, or change the path"
            ),
        ),
        "AccessDeniedException" | "AccessDenied" => Failure::advised(
            FailureKind::Denied,
            format!("{service} denies it{words}; `leasehold policy` prints what to allow"),
        ),
        "DecryptionFailure" => Failure::advised(
            FailureKind::Denied,
            format!("{service} cannot decrypt it{words}; allow kms:Decrypt on its key"),
        ),
        "InternalServiceError" => {
            Failure::new(FailureKind::Unavailable, format!("{service}: a fault of its own{words}"))
        }
        _ => match from {
            Some(from) => common(complaint, &format!("{service}, asked with {from}")),
            None => common(complaint, &service),
        },
    }
}

/// Returns the region of the configuration, of the environment or of the profile.
fn region(named: Option<&str>, credentials: &Credentials) -> Result<String, Failure> {
    let region = credentials.region(named)?.ok_or_else(|| {
        let why = "no region of AWS is known; set `region`, or AWS_REGION";
        Failure::advised(FailureKind::Unusable, why)
    })?;
    if is_region(&region) {
        return Ok(region);
    }
    Err(Failure::new(FailureKind::Unusable, format!("{} is no region of AWS", said(&region))))
}

/// Returns whether a text may become a part of a host's name.
pub(crate) fn is_region(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    (4..=32).contains(&text.len()) && text.chars().all(is_part)
}

/// Returns the address of a service in a region. `fips` chooses the one whose cryptography is validated.
fn address(service: &str, region: &str, fips: bool) -> Result<Url, Failure> {
    Url::parse(&format!("https://{}/", partition::host(service, region, fips)))
        .map_err(|_| Failure::new(FailureKind::Unusable, format!("{} is no region of AWS", said(region))))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns the address that is asked if these variables are set.
    fn asked(variables: &[(&str, &str)]) -> Result<String, Failure> {
        let variables = variables.iter().map(|(name, value)| ((*name).to_owned(), Secret::from(*value)));
        let aws = Aws::new(&settings::Aws::default(), &variables.collect());
        aws.address("us-east-1").map(|url| url.to_string())
    }

    #[test]
    fn the_address_is_the_one_that_is_named_or_the_regions_and_never_another() {
        let (own, all) = ("AWS_ENDPOINT_URL_SECRETS_MANAGER", "AWS_ENDPOINT_URL");
        let public = "https://secretsmanager.us-east-1.amazonaws.com/";
        assert_eq!(asked(&[]).as_deref(), Ok(public));
        assert_eq!(asked(&[(own, "")]).as_deref(), Ok(public));
        assert_eq!(asked(&[(own, "https://own"), (all, "https://all")]).as_deref(), Ok("https://own/"));
        assert_eq!(asked(&[(all, "https://all")]).as_deref(), Ok("https://all/"));
        for variables in [&[(own, "own:80"), (all, "https://all")][..], &[(all, "own:80")]] {
            let failure = asked(variables).expect_err("it is no URL");
            assert!(failure.why.starts_with(&format!("{} is no URL", variables[0].0)), "{failure}");
        }
        for variables in
            [&[(own, "https://own/path"), (all, "https://all")][..], &[(all, "https://all/?a=b")]]
        {
            let failure = asked(variables).expect_err("it is no host alone");
            assert!(failure.why.starts_with(&format!("{} has a path", variables[0].0)), "{failure}");
        }
    }

    #[test]
    fn validated_hosts_are_asked_where_a_variable_wants_them() {
        let fips = "https://secretsmanager-fips.us-east-1.amazonaws.com/";
        assert_eq!(asked(&[("AWS_USE_FIPS_ENDPOINT", "True")]).as_deref(), Ok(fips));
        assert_ne!(asked(&[("AWS_USE_FIPS_ENDPOINT", "false")]).as_deref(), Ok(fips));
    }
}
