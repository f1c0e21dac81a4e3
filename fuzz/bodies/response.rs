//! Any answer of a server, in any role: a response or a failure, never a panic, and no word of it in a
//! message but what the server says under `errors` and `warnings`.

use http::StatusCode;
use http::header::{DATE, HeaderMap, HeaderValue, RETRY_AFTER};
use leasehold::secret::Secret;
use leasehold::tree::Tree;
use leasehold::vault::facts;
use leasehold::vault::verdict::{Answer, Asked, Unspoken, judge};
use leasehold_base::response::Response;
use zeroize::Zeroizing;

/// Sent with the request, so that a server could repeat it.
const TOKEN: &str = "s.canaryCANARYcanary";

/// Two bytes of status, a line for `Retry-After`, and the body.
pub fn run(input: &[u8]) {
    let [high, low, rest @ ..] = input else { return };
    let number = u16::from_be_bytes([*high, *low]);
    // Mostly those that mean something; 0 stands for a success, where the body counts most.
    let status = match number >> 2 {
        0 => StatusCode::OK,
        other => StatusCode::from_u16(100 + other % 500).expect("between 100 and 599"),
    };
    let (wait, body) = rest.split_at(rest.iter().position(|byte| *byte == b'\n').unwrap_or(0));
    let mut headers = HeaderMap::new();
    headers.insert(DATE, HeaderValue::from_static("Sun, 06 Nov 1994 08:00:00 GMT"));
    if let Ok(wait) = HeaderValue::from_bytes(wait) {
        headers.insert(RETRY_AFTER, wait);
    }
    let answer = Answer { status, headers, body: Zeroizing::new(body.to_vec()) };
    let token = Secret::from(TOKEN);
    for asked in Asked::ALL {
        match judge(&answer, asked, &Unspoken(vec![&token])) {
            Ok(response) => understood(&response),
            Err(failure) => {
                assert!(!failure.why.contains(char::is_control), "one line without escapes");
                assert!(!failure.why.contains(TOKEN), "what was sent is not repeated");
            }
        }
    }
    if let Ok(tree) = Tree::from_json(body) {
        let again = Tree::from_json(&tree.to_json()).expect("what we write, we read");
        assert!(tree == again, "JSON comes back as it went");
    }
}

/// Everything that is taken out of a response.
fn understood(response: &Response) {
    let facts = facts::read(response, None);
    assert!(facts.changed, "new is changed");
    assert!(!facts::read(response, Some(response)).changed, "the same is not");
    if let Some(auth) = &response.auth {
        let _ = facts::token(auth);
    }
    let _ = facts::granted(response);
    let _ = facts::token(&facts::looked_up(&response.data));
    let _ = response.kv2_fields();
    // As the handoff keeps it.
    let kept = Response::from_tree(&response.to_tree()).expect("our own");
    assert!(kept.data == response.data && kept.lease_id == response.lease_id, "kept as it was");
}
