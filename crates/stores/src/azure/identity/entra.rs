//! Entra ID: a proof of the identity is posted, and a token comes back.

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;
use url::Url;

use crate::http::{Answer, Http, said, throttled};
use crate::kept::Fresh;
use crate::oauth::{self, Form, complaint, no_token};

/// Asks Entra ID at `url` for a token for `resource`, with a proof of the identity.
pub(super) async fn post(
    http: &Http,
    (url, resource): (Url, &str),
    (client_id, proof): (&str, &[(&str, &[u8])]),
    credential: &Secret,
) -> Result<Fresh<Secret>, Failure> {
    // A resource that ends with a slash keeps it: the token is for exactly the text that was asked for.
    let scope = format!("{resource}/.default");
    let common: [(&str, &[u8]); 3] = [
        ("client_id", client_id.as_bytes()),
        ("grant_type", b"client_credentials"),
        ("scope", scope.as_bytes()),
    ];
    let answer = http.send(Form::of(&[&common, proof].concat()).post(url, vec![credential.clone()])).await?;
    if answer.status.is_success() {
        return oauth::token(&answer, "Entra ID");
    }
    Err(refused(&answer))
}

/// Explains a refusal of Entra ID by the number that it begins with.
fn refused(answer: &Answer) -> Failure {
    let status = answer.status.as_u16();
    let (code, words) = complaint(answer);
    if code.is_empty() && status < 500 && status != 429 {
        return no_token("Entra ID");
    }
    let shown = if words.is_empty() { code } else { words };
    let number = number(answer);
    let mend = match number.as_str() {
        "7000215" => "the client secret is wrong; give the value of the secret, and not its id",
        "7000222" => "the client secret has expired; make another",
        "700016" => "the tenant does not know the client id; check client_id and tenant_id",
        "90002" => "there is no such tenant; check tenant_id",
        "700024" => {
            "the federated token has expired; check that the kubelet replaces it, and this machine's clock"
        }
        "70021" | "700211" | "700212" | "700213" => {
            "no federated credential of the application fits the token; check its issuer, subject and audience"
        }
        _ => "",
    };
    let failure = |kind, why: String| Failure { advised: !mend.is_empty(), ..Failure::new(kind, why) };
    match status {
        429 => throttled("Entra ID", &answer.headers),
        500..=599 => {
            Failure::new(FailureKind::Unavailable, format!("Entra ID: a fault of its own, {status}"))
        }
        _ if mend.is_empty() => failure(FailureKind::Refused, format!("Entra ID refuses: {shown}")),
        _ => failure(FailureKind::Refused, format!("Entra ID refuses (AADSTS{number}): {mend}")),
    }
}

/// Returns the number of the refusal, which stands beside the words that may quote the credential.
fn number(answer: &Answer) -> String {
    let tree = Tree::from_json(&answer.body).unwrap_or_default();
    let first = tree.get("error_codes").and_then(Tree::as_list).and_then(<[Tree]>::first);
    let Some(Tree::Number(spelling)) = first else { return String::new() };
    said(spelling.expose_str().unwrap_or_default())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn the_pause_that_is_asked_for_is_kept() {
        let answer = Answer::of_seven_seconds("busy");
        let seven = FailureKind::Overloaded(Some(Duration::from_secs(7)));
        assert_eq!(refused(&answer).kind, seven);
    }
}
