//! AWS' Security Token Service: keys for a role.

use std::path::Path;

use http::header::{CONTENT_TYPE, HeaderMap, HeaderValue};
use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_http::files;

use super::{Around, Role, key_id};
use crate::aws::address;
use crate::aws::errors::{Complaint, common, element};
use crate::aws::sign::{Keys, Scope, sign};
use crate::aws::variables;
use crate::http::{Answer, said};
use crate::kept::Fresh;
use crate::login::is_jwt;
use crate::oauth::{FORM, Form, no_token};

/// The version of the protocol of STS.
pub(in crate::aws) const VERSION: &str = "2011-06-15";

/// Exchanges the token of a web identity for keys, which needs no other credentials.
pub(super) async fn with_web_identity(
    around: &Around<'_>,
    token_file: &Path,
    role_arn: &str,
    session: &str,
) -> Result<Fresh<Keys>, Failure> {
    let token = files::credential("AWS_WEB_IDENTITY_TOKEN_FILE", token_file)?;
    let more = [("WebIdentityToken", token.expose())];
    let body = form("AssumeRoleWithWebIdentity", role_arn, session, more);
    let answer = ask(around, (body, vec![token]), None).await?;
    keys(&answer, format!("the web identity in {}", token_file.display()), |complaint| {
        match complaint.code.as_str() {
            "ExpiredTokenException" => Failure::advised(
                FailureKind::Refused,
                format!(
                    "the web identity token in {} has expired; check that the kubelet replaces it, and this machine's clock",
                    token_file.display()
                ),
            ),
            "InvalidIdentityToken" => Failure::advised(
                FailureKind::Refused,
                format!(
                    "STS does not take the web identity token in {}{}; check the identity provider and its audience in IAM",
                    token_file.display(),
                    complaint.words()
                ),
            ),
            "IDPCommunicationError" => Failure::new(
                FailureKind::Unavailable,
                "STS cannot reach the identity provider of the web identity token",
            ),
            _ => refused(complaint, role_arn, None),
        }
    })
}

/// Returns the keys of a role that these credentials may assume.
pub(super) async fn assume(around: &Around<'_>, base: &Keys, role: &Role) -> Result<Fresh<Keys>, Failure> {
    let duration = role.duration.map(|seconds| seconds.to_string());
    let more = [("ExternalId", &role.external_id), ("DurationSeconds", &duration)];
    let more = more.iter().filter_map(|(name, value)| Some((*name, value.as_ref()?.as_bytes())));
    let body = form("AssumeRole", &role.arn, &role.session, more);
    let answer = ask(around, (body, Vec::new()), Some(base)).await?;
    keys(&answer, format!("the role {}", role.arn), |complaint| {
        refused(complaint, &role.arn, Some(&base.from))
    })
}

/// Returns a token that says who signed the request, for `audience` alone.
pub(super) async fn identity(around: &Around<'_>, keys: &Keys, audience: &str) -> Result<Secret, Failure> {
    let form = Form::of(&[
        ("Action", b"GetWebIdentityToken"),
        ("Version", VERSION.as_bytes()),
        ("Audience.member.1", audience.as_bytes()),
        ("DurationSeconds", b"300"),
        ("SigningAlgorithm", b"RS256"),
    ]);
    let answer = ask(around, (form, Vec::new()), Some(keys)).await?;
    let body = std::str::from_utf8(&answer.body).unwrap_or_default();
    if answer.status.is_success() {
        let token = element(body, "WebIdentityToken").map(Secret::from).filter(is_jwt);
        return token.ok_or_else(|| no_token("STS"));
    }
    let complaint = complaint(&answer);
    Err(match complaint.code.as_str() {
        "OutboundWebIdentityFederationDisabled" | "OutboundWebIdentityFederationDisabledException" => {
            Failure::advised(
                FailureKind::Refused,
                "the account of AWS gives no tokens that say who it is to others; enable them: aws iam enable-outbound-web-identity-federation",
            )
        }
        "AccessDenied" | "AccessDeniedException" => Failure::advised(
            FailureKind::Refused,
            format!(
                "STS gives {} no token that says who it is{}; allow it sts:GetWebIdentityToken",
                keys.from,
                complaint.words()
            ),
        ),
        _ => common(&complaint, "STS"),
    })
}

/// Explains why a role may not be assumed, `by` the credentials from there.
fn refused(complaint: &Complaint, role_arn: &str, by: Option<&str>) -> Failure {
    let role = said(role_arn);
    let grant = by.map(|by| format!(", and that {by} may assume it")).unwrap_or_default();
    match complaint.code.as_str() {
        "AccessDenied" | "AccessDeniedException" => Failure::advised(
            FailureKind::Refused,
            format!("the role {role} may not be assumed{}; check its trust policy{grant}", complaint.words()),
        ),
        "ValidationError" => Failure::new(
            FailureKind::Refused,
            format!("STS refuses the request for the role {role}{}", complaint.words()),
        ),
        _ => common(complaint, "STS"),
    }
}

fn form<'a>(
    action: &'a str,
    role_arn: &'a str,
    session: &'a str,
    more: impl IntoIterator<Item = (&'a str, &'a [u8])>,
) -> Form {
    let mut fields: Vec<(&str, &[u8])> = vec![
        ("Action", action.as_bytes()),
        ("Version", VERSION.as_bytes()),
        ("RoleArn", role_arn.as_bytes()),
        ("RoleSessionName", session.as_bytes()),
    ];
    fields.extend(more);
    Form::of(&fields)
}

/// Asks with a form, and with the values of it that are credentials.
async fn ask(
    around: &Around<'_>,
    (form, unspoken): (Form, Vec<Secret>),
    keys: Option<&Keys>,
) -> Result<Answer, Failure> {
    let fips = variables::uses_fips(around.variables);
    let url = variables::endpoint(around.variables, "AWS_ENDPOINT_URL_STS")?;
    let url = url.map_or_else(|| address("sts", around.region, fips), Ok)?;
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(FORM));
    if let Some(keys) = keys {
        let scope = Scope { region: around.region, service: "sts", at: clock::now().wall };
        sign(&mut headers, (&url, form.bytes()), keys, scope)?;
    }
    let mut call = form.post(url, unspoken);
    call.headers = headers;
    around.http.send(call).await
}

fn complaint(answer: &Answer) -> Complaint {
    let body = std::str::from_utf8(&answer.body).unwrap_or_default();
    let code = answer.said(element(body, "Code").unwrap_or_default());
    Complaint::of(answer, code, element(body, "Message").unwrap_or_default())
}

fn keys(
    answer: &Answer,
    from: String,
    explain: impl Fn(&Complaint) -> Failure,
) -> Result<Fresh<Keys>, Failure> {
    if !answer.status.is_success() {
        return Err(explain(&complaint(answer)));
    }
    let body = std::str::from_utf8(&answer.body).unwrap_or_default();
    let part = |name| element(body, name).filter(|text| !text.is_empty());
    let found = part("AccessKeyId").zip(part("SecretAccessKey"));
    let (id, secret) = found.ok_or_else(|| {
        Failure::new(FailureKind::Nonsense, "the answer of STS has no keys; check what is on the way to it")
    })?;
    let token = part("SessionToken").map(Secret::from);
    let keys = Keys { id: key_id(id)?, secret: secret.into(), token, from };
    Ok(Fresh::until_time(keys, part("Expiration")))
}
