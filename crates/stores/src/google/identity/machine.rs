//! The metadata service of a machine, or of GKE.

use http::header::{HeaderName, HeaderValue};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use url::Url;

use crate::http::{Answer, Call, Http, METADATA, place, throttled};
use crate::kept::Fresh;
use crate::login::is_jwt;
use crate::oauth::{self, no_token};
use crate::variables::Variables;

const FLAVOR: HeaderName = HeaderName::from_static("metadata-flavor");
const GOOGLE: &str = "Google";
/// The machine's own account.
const OWN: &str = "default";

/// Returns the address of the metadata service.
pub(crate) fn address(variables: &Variables) -> Option<Url> {
    let host = variables.text("GCE_METADATA_HOST").unwrap_or("metadata.google.internal");
    Url::parse(&format!("http://{host}/")).ok()
}

/// Returns an access token of the machine's own account.
pub(super) async fn token(http: &Http, variables: &Variables) -> Result<Fresh<Secret>, Failure> {
    let (answer, what) = ask(http, variables, (OWN, "token"), &[]).await?;
    oauth::token(&answer, &what)
}

/// Returns a token that says who the machine is, for `audience` alone.
pub(super) async fn identity(
    http: &Http,
    variables: &Variables,
    account: Option<&str>,
    audience: &str,
) -> Result<Secret, Failure> {
    let asked = [("audience", audience), ("format", "full")];
    let (answer, what) = ask(http, variables, (account.unwrap_or(OWN), "identity"), &asked).await?;
    let jwt = Secret::new(answer.body.trim_ascii().to_vec());
    if is_jwt(&jwt) { Ok(jwt) } else { Err(no_token(&what)) }
}

/// Returns the name of the machine's own account.
pub(super) async fn email(http: &Http, variables: &Variables) -> Result<String, Failure> {
    let (answer, what) = ask(http, variables, (OWN, "email"), &[]).await?;
    let text = std::str::from_utf8(&answer.body).unwrap_or_default().trim();
    if super::is_account(text) { Ok(text.to_owned()) } else { Err(no_token(&what)) }
}

/// Asks for what the service knows of an account.
async fn ask(
    http: &Http,
    variables: &Variables,
    (account, what): (&str, &str),
    query: &[(&str, &str)],
) -> Result<(Answer, String), Failure> {
    let mut url = address(variables)
        .ok_or_else(|| Failure::new(FailureKind::Unusable, "GCE_METADATA_HOST is no host"))?;
    url.set_path(&format!("/computeMetadata/v1/instance/service-accounts/{account}/{what}"));
    if !query.is_empty() {
        url.query_pairs_mut().extend_pairs(query);
    }
    let what = format!("the metadata service at {}", place(&url));
    let mut call = Call { timeout: METADATA, ..Call::get(url) };
    call.headers.insert(FLAVOR, HeaderValue::from_static(GOOGLE));
    let answer = http.send(call).await.map_err(unfound)?;
    if answer.headers.get(FLAVOR).is_none_or(|flavor| flavor != GOOGLE) {
        let why = format!(
            "{what}: what answers there is no metadata service of Google; check what is in front of it"
        );
        return Err(Failure::advised(FailureKind::Intercepted, why));
    }
    match answer.status.as_u16() {
        200 => Ok((answer, what)),
        404 => Err(Failure::advised(
            FailureKind::Refused,
            format!(
                "{what} has no service account; give the machine one, or the pod's account a workload identity"
            ),
        )),
        429 => Err(throttled(&what, &answer.headers)),
        500..=599 => Err(Failure::new(FailureKind::Unavailable, format!("{what}: a fault of its own"))),
        other => Err(Failure::new(FailureKind::Refused, format!("{what} refuses ({other})"))),
    }
}

fn unfound(failure: Failure) -> Failure {
    match failure.kind {
        FailureKind::Unreachable | FailureKind::Unheard => Failure::advised(
            failure.kind,
            format!(
                "GOOGLE_APPLICATION_CREDENTIALS is not set, and the metadata service does not answer: {}; on GKE give the service account a workload identity, elsewhere name a file there",
                failure.why
            ),
        ),
        _ => failure,
    }
}
