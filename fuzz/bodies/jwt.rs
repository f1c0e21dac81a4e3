//! Any bytes as a credential's file: one line that fits a header, or a refusal; and whose it is.

use http::HeaderValue;
use leasehold::handoff::owner;
use leasehold::vault::credential_in;

/// The bytes of the file.
pub fn run(input: &[u8]) {
    if let Ok(credential) = credential_in(input) {
        let text = credential.expose_str().expect("ASCII");
        assert!(!text.is_empty() && text.bytes().all(|byte| byte.is_ascii_graphic()));
        HeaderValue::from_str(text).expect("it fits a header");
    }
    let owner = owner(Some(input), Some("m-1\n"));
    assert!(owner == "machine m-1" || owner.starts_with("pod "), "nobody else");
}
