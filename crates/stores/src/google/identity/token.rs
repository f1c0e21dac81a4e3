//! Google's token services: a proof of the identity is posted, and a token comes back.

use http::header::DATE;
use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use url::Url;

use super::subject;
use crate::google::federated::Federated;
use crate::google::key::{Account, User, jwt};
use crate::http::{Answer, Http, place, throttled};
use crate::kept::Fresh;
use crate::login::is_jwt;
use crate::oauth::{self, Form, complaint, no_token};

pub(super) const SCOPE: &str = "https://www.googleapis.com/auth/cloud-platform";
/// A clock that is off by this many seconds is the reason why a JWT is refused.
const SKEW: i64 = 240;

/// Returns an access token of a service account, which signs for itself.
pub(super) async fn of_account(http: &Http, account: &Account) -> Result<Fresh<Secret>, Failure> {
    let (answer, what) = by_assertion(http, account, ("scope", SCOPE)).await?;
    oauth::token(&answer, &what)
}

/// Returns a token that says who the account is, for `audience` alone.
pub(super) async fn identity_of_account(
    http: &Http,
    account: &Account,
    audience: &str,
) -> Result<Secret, Failure> {
    let (answer, what) = by_assertion(http, account, ("target_audience", audience)).await?;
    let tree = Tree::from_json(&answer.body).unwrap_or_default();
    let token = tree.get("id_token").and_then(Tree::as_text).filter(|token| is_jwt(token));
    token.cloned().ok_or_else(|| no_token(&what))
}

async fn by_assertion(
    http: &Http,
    account: &Account,
    (claim, value): (&'static str, &str),
) -> Result<(Answer, String), Failure> {
    let now = clock::now().wall;
    let number = |at: i64| Tree::Number(at.to_string().into());
    let claims = Tree::map([
        ("iss", Tree::text(account.email.as_str())),
        (claim, Tree::text(value)),
        ("aud", Tree::text(account.token_url.as_str())),
        ("iat", number(now)),
        ("exp", number(now + 3600)),
    ]);
    let assertion = jwt(&account.key_id, &account.private_key, &claims)?;
    let grant: &[u8] = b"urn:ietf:params:oauth:grant-type:jwt-bearer";
    let form = Form::of(&[("grant_type", grant), ("assertion", assertion.expose())]);
    post(http, form, &account.token_url, vec![assertion]).await
}

/// Returns an access token of a user who has logged in.
pub(super) async fn of_user(http: &Http, user: &User) -> Result<Fresh<Secret>, Failure> {
    let fields: [(&str, &[u8]); 4] = [
        ("grant_type", b"refresh_token"),
        ("client_id", user.client_id.as_bytes()),
        ("client_secret", user.client_secret.expose()),
        ("refresh_token", user.refresh_token.expose()),
    ];
    let url = Url::parse("https://oauth2.googleapis.com/token").expect("a constant that is a URL");
    let unspoken = vec![user.refresh_token.clone(), user.client_secret.clone()];
    let (answer, what) = post(http, Form::of(&fields), &url, unspoken).await?;
    oauth::token(&answer, &what)
}

/// Exchanges the token of another identity provider.
pub(super) async fn exchange(http: &Http, federated: &Federated) -> Result<Fresh<Secret>, Failure> {
    let subject = subject::token(http, federated).await?;
    let fields: [(&str, &[u8]); 6] = [
        ("grant_type", b"urn:ietf:params:oauth:grant-type:token-exchange"),
        ("audience", federated.audience.as_bytes()),
        ("scope", SCOPE.as_bytes()),
        ("requested_token_type", b"urn:ietf:params:oauth:token-type:access_token"),
        ("subject_token_type", federated.token_type.as_bytes()),
        ("subject_token", subject.expose()),
    ];
    let form = Form::of(&fields);
    let (answer, what) = post(http, form, &federated.token_url, vec![subject]).await?;
    oauth::token(&answer, &what)
}

/// Posts the form. Returns a good answer, with the name of the service that gave it, for messages.
async fn post(
    http: &Http,
    form: Form,
    url: &Url,
    unspoken: Vec<Secret>,
) -> Result<(Answer, String), Failure> {
    let answer = http.send(form.post(url.clone(), unspoken)).await?;
    let what = format!("Google's token service at {}", place(url));
    match answer.status.as_u16() {
        200..=299 => Ok((answer, what)),
        429 => Err(throttled(&what, &answer.headers)),
        500..=599 => Err(Failure::new(FailureKind::Unavailable, format!("{what}: a fault of its own"))),
        _ => Err(refused(&answer, &what)),
    }
}

fn refused(answer: &Answer, what: &str) -> Failure {
    let (code, words) = complaint(answer);
    if code.is_empty() {
        return no_token(what);
    }
    let date = answer.headers.get(DATE).and_then(|date| httpdate::parse_http_date(date.to_str().ok()?).ok());
    let date = date.and_then(|date| date.duration_since(std::time::UNIX_EPOCH).ok());
    let ahead = date.map_or(0, |date| clock::now().wall - i64::try_from(date.as_secs()).unwrap_or(i64::MAX));
    if code == "invalid_grant" && ahead.abs() >= SKEW {
        let way = if ahead > 0 { "ahead of" } else { "behind" };
        let why = format!(
            "{what} refuses, because this machine's clock is {} s {way} Google's; set the clock",
            ahead.abs()
        );
        return Failure::advised(FailureKind::Refused, why);
    }
    let words = if words.is_empty() { code } else { format!("{code}: {words}") };
    Failure::new(FailureKind::Refused, format!("{what} refuses ({words})"))
}
