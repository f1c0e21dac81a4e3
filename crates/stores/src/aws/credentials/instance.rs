//! Credentials of an EC2 instance: its metadata service, version 2.

use http::Method;
use http::header::{HeaderName, HeaderValue};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_http::header::sensitive;
use url::Url;

use super::{answer, no_service};
use crate::aws::sign::Keys;
use crate::http::{Answer, Call, Http, METADATA, place, said, throttled};
use crate::kept::Fresh;
use crate::variables::Variables;

const SERVICE: &str = "http://169.254.169.254";
const SERVICE_BY_IPV6: &str = "http://[fd00:ec2::254]";
const TTL: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token-ttl-seconds");
const TOKEN: HeaderName = HeaderName::from_static("x-aws-ec2-metadata-token");
const ROLES: &str = "/latest/meta-data/iam/security-credentials/";

/// Returns the address of the service.
pub(super) fn address(variables: &Variables) -> Result<Url, Failure> {
    if let Some(named) = variables.url("AWS_EC2_METADATA_SERVICE_ENDPOINT")? {
        return Ok(named);
    }
    let mode = variables.text("AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE").unwrap_or("IPv4");
    let own = match mode.to_ascii_lowercase().as_str() {
        "ipv4" => SERVICE,
        "ipv6" => SERVICE_BY_IPV6,
        _ => {
            let why = "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE is neither IPv4 nor IPv6";
            return Err(Failure::new(FailureKind::Unusable, why));
        }
    };
    Ok(Url::parse(own).expect("a constant that is a URL"))
}

/// Returns whether the service must not be asked.
pub(super) fn is_disabled(variables: &Variables) -> bool {
    variables.is_true("AWS_EC2_METADATA_DISABLED")
}

pub(super) async fn fetch(http: &Http, base: &Url) -> Result<Fresh<Keys>, Failure> {
    let what = format!("the instance's metadata at {}", place(base));
    let session = session(http, base, &what).await?;
    let roles = get(http, base, ROLES, &session).await?;
    let none = || {
        let why = format!("{what} have no role; give the instance an instance profile");
        Failure::advised(FailureKind::Refused, why)
    };
    match roles.status.as_u16() {
        200 => {}
        404 => return Err(none()),
        _ => return Err(refused(&what, &roles)),
    }
    let role = std::str::from_utf8(&roles.body).ok().and_then(|text| text.lines().next()).unwrap_or_default();
    let is_name = |c: char| c.is_ascii_alphanumeric() || "+=,.@_-".contains(c);
    if role.is_empty() {
        return Err(none());
    }
    if !role.chars().all(is_name) {
        return Err(no_service(&what, 200));
    }
    let keys = get(http, base, &format!("{ROLES}{role}"), &session).await?;
    match keys.status.as_u16() {
        200 => answer(&keys.body, &what),
        _ => Err(refused(&format!("{what}, role {}", said(role)), &keys)),
    }
}

/// Fetches the token that version 2 requires. Version 1 is not asked: a request that another program can be made to
/// send must get no credentials.
async fn session(http: &Http, base: &Url, what: &str) -> Result<Secret, Failure> {
    let mut call =
        Call { method: Method::PUT, timeout: METADATA, ..Call::get(at(base, "/latest/api/token")) };
    call.headers.insert(TTL, HeaderValue::from_static("21600"));
    let reply = http.send(call).await?;
    match reply.status.as_u16() {
        200 => {}
        403 | 429 => return Err(refused(what, &reply)),
        other => return Err(no_service(what, other)),
    }
    let token = reply.body.trim_ascii();
    let is_token = !token.is_empty() && token.len() < 1024 && token.iter().all(u8::is_ascii_graphic);
    if is_token { Ok(Secret::new(token.to_vec())) } else { Err(no_service(what, 200)) }
}

async fn get(http: &Http, base: &Url, path: &str, session: &Secret) -> Result<Answer, Failure> {
    let mut call = Call { timeout: METADATA, ..Call::get(at(base, path)) };
    let token = sensitive(session).expect("visible ASCII makes a header");
    call.headers.insert(TOKEN, token);
    http.send(call).await
}

fn at(base: &Url, path: &str) -> Url {
    let mut url = base.clone();
    url.set_path(path);
    url
}

fn refused(what: &str, answer: &Answer) -> Failure {
    match answer.status.as_u16() {
        429 => throttled(what, &answer.headers),
        status @ 500..=599 => Failure::new(FailureKind::Unavailable, format!("{what}: {status}")),
        status => Failure::new(FailureKind::Refused, format!("{what} are refused ({status})")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_service_is_asked_by_ipv6_where_a_variable_wants_it() {
        use crate::aws::variables::NAMES;
        let of = |mode: &str, named: &str| {
            let value = |name: &str| match name {
                "AWS_EC2_METADATA_SERVICE_ENDPOINT_MODE" => Some(Secret::from(mode)),
                "AWS_EC2_METADATA_SERVICE_ENDPOINT" => Some(Secret::from(named)),
                _ => None,
            };
            address(&Variables::of(NAMES, &value)).map(|url| url.to_string())
        };
        assert_eq!(of("", "").as_deref(), Ok("http://169.254.169.254/"));
        assert_eq!(of("IPv4", "").as_deref(), Ok("http://169.254.169.254/"));
        assert_eq!(of("IPv6", "").as_deref(), Ok("http://[fd00:ec2::254]/"));
        assert_eq!(of("IPv6", "http://127.0.0.1:8").as_deref(), Ok("http://127.0.0.1:8/"));
        assert!(of("6", "").expect_err("refused").why.contains("is neither IPv4 nor IPv6"));
    }

    #[test]
    fn the_pause_that_is_asked_for_is_kept() {
        let answer = Answer::of_seven_seconds("{}");
        let seven = FailureKind::Overloaded(Some(Duration::from_secs(7)));
        assert_eq!(refused("it", &answer).kind, seven);
    }
}
