//! Identities that Azure has given to a machine: App Service, and the metadata service of virtual machines.

use http::header::{HeaderName, HeaderValue};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use leasehold_http::files::local;
use leasehold_http::header::sensitive;
use url::Url;

use crate::http::{Answer, Call, Http, METADATA, place, throttled};
use crate::kept::Fresh;
use crate::oauth::{self, no_token};
use crate::settings::ManagedIdentity;

const METADATA_HEADER: HeaderName = HeaderName::from_static("metadata");
const IDENTITY_HEADER: HeaderName = HeaderName::from_static("x-identity-header");
const MACHINE: &str = "the machine's metadata service";

/// Returns a token from App Service and similar services.
pub(super) async fn of_app_service(
    http: &Http,
    (endpoint, header): (Url, &Secret),
    resource: &str,
    identity: Option<&ManagedIdentity>,
) -> Result<Fresh<Secret>, Failure> {
    let mut call = Call::get(asking(endpoint, "2019-08-01", resource, identity));
    let header = sensitive(header).ok_or_else(|| local("IDENTITY_HEADER is no header"))?;
    call.headers.insert(IDENTITY_HEADER, header);
    managed(http, call, "the identity service of IDENTITY_ENDPOINT").await
}

/// Returns a token from the metadata service.
pub(super) async fn of_machine(
    http: &Http,
    base: &Url,
    resource: &str,
    identity: Option<&ManagedIdentity>,
) -> Result<Fresh<Secret>, Failure> {
    let call = beside(base, "/metadata/identity/oauth2/token");
    let url = asking(call.url, "2018-02-01", resource, identity);
    managed(http, Call { url, ..call }, MACHINE).await.map_err(unfound)
}

/// Returns what the metadata service says about the machine: a JSON object.
pub(super) async fn instance(http: &Http, base: &Url) -> Result<Tree, Failure> {
    let mut call = beside(base, "/metadata/instance");
    call.url.query_pairs_mut().append_pair("api-version", "2018-02-01");
    let what = format!("{MACHINE} at {}", place(&call.url));
    let answer = http.send(Call { timeout: METADATA, ..call }).await.map_err(unfound)?;
    if answer.status.as_u16() != 200 {
        return Err(refused(&answer, &what));
    }
    let tree = Tree::from_json(&answer.body).unwrap_or_default();
    let compute = tree.get("compute").filter(|compute| compute.as_map().is_some()).cloned();
    compute.ok_or_else(|| {
        let why =
            format!("{what}: the answer does not say what machine it is; check what is on the way to it");
        Failure::advised(FailureKind::Intercepted, why)
    })
}

fn beside(base: &Url, path: &str) -> Call {
    let mut call = Call::get(base.join(path).unwrap_or_else(|_| base.clone()));
    call.headers.insert(METADATA_HEADER, HeaderValue::from_static("true"));
    call
}

/// Returns the address with the resource, and the identity that the token is for.
fn asking(mut url: Url, version: &str, resource: &str, identity: Option<&ManagedIdentity>) -> Url {
    let is_app_service = version == "2019-08-01";
    let identity = match identity {
        Some(ManagedIdentity::Client(id)) => Some(("client_id", id)),
        Some(ManagedIdentity::Object(id)) => {
            Some((if is_app_service { "principal_id" } else { "object_id" }, id))
        }
        Some(ManagedIdentity::Resource(id)) => {
            Some((if is_app_service { "mi_res_id" } else { "msi_res_id" }, id))
        }
        Some(ManagedIdentity::System) | None => None,
    };
    let mut query = url.query_pairs_mut();
    query.append_pair("api-version", version).append_pair("resource", resource);
    if let Some((key, id)) = identity {
        query.append_pair(key, id);
    }
    drop(query);
    url
}

/// Returns a token of an identity of the machine.
async fn managed(http: &Http, call: Call, what: &str) -> Result<Fresh<Secret>, Failure> {
    let what = format!("{what} at {}", place(&call.url));
    let answer = http.send(Call { timeout: METADATA, ..call }).await?;
    if answer.status.as_u16() == 200 {
        return oauth::token(&answer, &what);
    }
    Err(refused(&answer, &what))
}

fn refused(answer: &Answer, what: &str) -> Failure {
    let status = answer.status.as_u16();
    let tree = Tree::from_json(&answer.body).unwrap_or_default();
    let text = |name: &str| answer.said(tree.get(name).and_then(Tree::as_str).unwrap_or_default());
    let words = text("error_description");
    let words = if words.is_empty() { text("message") } else { words };
    let words = if words.is_empty() { String::new() } else { format!(" ({words})") };
    match status {
        // While an identity is being assigned, Azure asks for a later retry.
        404 | 410 | 500..=599 => Failure::new(FailureKind::Unavailable, format!("{what}: {status}{words}")),
        429 => throttled(what, &answer.headers),
        400 | 401 | 403 if tree.as_map().is_some() => Failure::advised(
            FailureKind::Refused,
            format!(
                "{what} gives no token{words}; assign the identity to this machine, and check `managed_identity`"
            ),
        ),
        _ => no_token(what),
    }
}

/// Makes the failure for the case that there is no metadata service, and nothing else is configured.
fn unfound(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Unreachable | FailureKind::Unheard => Failure::advised(
            failure.kind,
            format!(
                "no variable names any, and the machine's metadata service does not answer: {}; on AKS give the service account a workload identity, elsewhere set AZURE_CLIENT_ID, AZURE_TENANT_ID and AZURE_CLIENT_SECRET",
                failure.why
            ),
        ),
        _ => failure,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_pause_that_is_asked_for_is_kept() {
        let failure = refused(&Answer::of_seven_seconds(""), "it");
        assert_eq!(failure.kind, FailureKind::Overloaded(Some(std::time::Duration::from_secs(7))));
    }

    #[test]
    fn an_identity_is_named_as_each_service_calls_it() {
        let of = |identity, version, end: &str| {
            let url = Url::parse("http://169.254.169.254/x").expect("a URL");
            let url = asking(url, version, "https://vault.azure.cn", Some(&identity));
            let start = format!("api-version={version}&resource=https%3A%2F%2Fvault.azure.cn");
            assert_eq!(url.query(), Some(&format!("{start}{end}")[..]));
        };
        of(ManagedIdentity::System, "2018-02-01", "");
        of(ManagedIdentity::Client("i".into()), "2018-02-01", "&client_id=i");
        of(ManagedIdentity::Object("i".into()), "2018-02-01", "&object_id=i");
        of(ManagedIdentity::Resource("/i".into()), "2018-02-01", "&msi_res_id=%2Fi");
        of(ManagedIdentity::Object("i".into()), "2019-08-01", "&principal_id=i");
        of(ManagedIdentity::Resource("/i".into()), "2019-08-01", "&mi_res_id=%2Fi");
    }
}
