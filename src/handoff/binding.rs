//! What a handoff is bound to. It is used only by the configuration, the pod and the machine's boot that it was
//! written for. A handoff of another configuration still names what has to be revoked.

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use sha2::{Digest as _, Sha256};
use zeroize::Zeroizing;

use crate::tree::Tree;

/// What a handoff is bound to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Binding {
    /// The digest of the configuration: `Plan::digest`.
    pub digest: [u8; 32],
    /// Our name: [`owner`].
    pub pod: String,
    /// The clock that the times are on: this boot of the machine, and the time namespace
    /// ([`clock::boot_id`](crate::observe::clock::boot_id)). Times of another clock mean nothing. Empty if it is not
    /// known, which matches nothing.
    pub boot: String,
    /// The server that gave the tokens, and the namespaces: [`server`]. A token is sent to no other server.
    pub server: String,
    /// Whether the login's token is ours to revoke; an older build did not write that down.
    pub owns: bool,
}

/// Returns a name for a server and the namespaces that requests go to, without showing either.
#[must_use]
pub fn server(address: &str, namespace: Option<&str>, of_login: Option<&str>) -> String {
    let mut hash = Sha256::new();
    for part in [Some(address), namespace, of_login.or(namespace)] {
        let part = part.unwrap_or_default().trim_matches('/');
        hash.update((part.len() as u64).to_be_bytes());
        hash.update(part);
    }
    hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Returns our name, as far as it can be found out: the pod that the service account's token was made for, else the
/// machine (`/etc/machine-id`).
///
/// The token is not verified, since nothing is granted on its word: it only tells one pod's state from that of
/// another. A process that could forge it could write the handoff, too.
#[must_use]
pub fn owner(jwt: Option<&[u8]>, machine_id: Option<&str>) -> String {
    if let Some(uid) = jwt.and_then(pod_uid) {
        return format!("pod {uid}");
    }
    match machine_id.map(str::trim).filter(|id| !id.is_empty()) {
        Some(id) => format!("machine {id}"),
        None => "unknown".to_owned(),
    }
}

/// Returns `kubernetes.io.pod.uid` of a JWT's payload.
fn pod_uid(jwt: &[u8]) -> Option<String> {
    let mut parts = jwt.trim_ascii().split(|byte| *byte == b'.');
    let payload = parts.nth(1)?;
    let payload = Zeroizing::new(URL_SAFE_NO_PAD.decode(payload.trim_ascii_end()).ok()?);
    let claims = Tree::from_json(&payload).ok()?;
    let uid = claims.get("kubernetes.io")?.get("pod")?.get("uid")?.as_str()?;
    (!uid.is_empty()).then(|| uid.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn jwt(payload: &str) -> String {
        format!("e30.{}.c2ln", URL_SAFE_NO_PAD.encode(payload))
    }

    #[test]
    fn a_pod_is_known_by_the_uid_in_its_token() {
        let token = jwt(r#"{"sub":"x","kubernetes.io":{"namespace":"n","pod":{"name":"web","uid":"u-1"}}}"#);
        assert_eq!(owner(Some(format!("{token}\n").as_bytes()), Some("m\n")), "pod u-1");
    }

    #[test]
    fn a_server_is_another_one_with_another_address_or_namespace() {
        let here = server("https://vault:8200/", Some("team"), None);
        assert_eq!(here, server("https://vault:8200", Some("team/"), Some("team")));
        for other in [
            server("https://other:8200/", Some("team"), None),
            server("https://vault:8200/", None, None),
            server("https://vault:8200/", Some("team"), Some("")),
        ] {
            assert_ne!(here, other);
        }
    }

    #[test]
    fn without_a_pod_it_is_the_machine() {
        let tokens = [
            jwt(r#"{"kubernetes.io":{"serviceaccount":{"uid":"s"}}}"#),
            jwt(r#"{"kubernetes.io":{"pod":{"uid":""}}}"#),
            jwt("not JSON"),
            "not.base64!.x".into(),
            "no dots".into(),
            String::new(),
        ];
        for token in &tokens {
            assert_eq!(owner(Some(token.as_bytes()), Some("abc\n")), "machine abc", "{token}");
        }
        assert_eq!(owner(None, Some("\n")), "unknown");
        assert_eq!(owner(None, None), "unknown");
    }
}
