//! Response wrapping: the token is delivered in a single-use wrapping, so that a second reader is detected.

use std::time::Duration;

use super::client::{Client, ask, nonsense};
use super::endpoint::Raw;
use super::message::Unspoken;
use super::transport::Call;
use super::verdict::Asked;
use leasehold_base::failure::Failure;
use leasehold_base::response::{Auth, Response, WrapInfo};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

impl Client {
    /// Has `token` wrapped with itself, to be opened once within `ttl`. Returns the wrapping as a sink holds it.
    ///
    /// # Errors
    /// [`FailureKind::Denied`](leasehold_base::failure::FailureKind::Denied) if the policy has no line for
    /// `sys/wrapping/wrap`, which the default policy has.
    pub async fn wrap(&self, token: &Secret, ttl: Duration) -> Result<Secret, Failure> {
        let body = Tree::map([("token", Tree::Text(token.clone()))]);
        let call = Call { wrap_ttl: Some(ttl), ..self.for_tokens(Some(token)) };
        let endpoint = Raw::put("sys/wrapping/wrap", body);
        let response = ask(&call, &endpoint, Asked::Wrap, &Unspoken(vec![token])).await?;
        Ok(held(info(&response)?))
    }
}

/// Returns a wrapped login as a login that is held: to us, its token is what its sink shows, and nothing can be asked
/// with that.
pub(super) fn login(response: &Response) -> Result<Auth, Failure> {
    let info = info(response)?;
    Ok(Auth {
        client_token: held(info),
        accessor: info.wrapped_accessor.clone(),
        token_type: "batch".to_owned(),
        ..Auth::default()
    })
}

fn info(response: &Response) -> Result<&WrapInfo, Failure> {
    let info = response.wrap_info.as_ref().filter(|info| !info.token.is_empty());
    info.ok_or_else(|| nonsense("the answer is not wrapped, though that was asked for"))
}

/// Returns the bytes that Vault Agent writes: the fields in the order of its API's type, and a newline.
fn held(info: &WrapInfo) -> Secret {
    let text = |text: &str| Tree::text(text).to_json();
    let (token, ttl) = (Tree::Text(info.token.clone()).to_json(), info.ttl.to_string());
    let parts: [&[u8]; 13] = [
        b"{\"token\":",
        &token,
        b",\"accessor\":",
        &text(&info.accessor),
        b",\"ttl\":",
        ttl.as_bytes(),
        b",\"creation_time\":",
        &text(&info.creation_time),
        b",\"creation_path\":",
        &text(&info.creation_path),
        b",\"wrapped_accessor\":",
        &text(&info.wrapped_accessor),
        b"}\n",
    ];
    // One allocation of the right size leaves no copy of the token behind.
    let mut bytes = Vec::with_capacity(parts.iter().map(|part| part.len()).sum());
    parts.iter().for_each(|part| bytes.extend_from_slice(part));
    Secret::new(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_wrapping_is_written_as_vault_agent_writes_it() {
        let json = r#"{"wrap_info":{"token":"s.w","accessor":"a","ttl":300,
            "creation_time":"2026-01-02T03:04:05.6Z","creation_path":"sys/wrapping/wrap"}}"#;
        let response =
            Response::from_tree(&Tree::from_json(json.as_bytes()).expect("JSON")).expect("an answer");
        let written = held(info(&response).expect("wrapped"));
        assert_eq!(
            written.expose_str(),
            Some(
                "{\"token\":\"s.w\",\"accessor\":\"a\",\"ttl\":300,\"creation_time\":\"2026-01-02T03:04:05.6Z\",\
                 \"creation_path\":\"sys/wrapping/wrap\",\"wrapped_accessor\":\"\"}\n"
            )
        );
        assert!(login(&Response::default()).is_err(), "a proxy may have dropped the header");
    }
}
