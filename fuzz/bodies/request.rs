//! Any path of a template: refused, or asked for below `/v1/` and nowhere else.

use leasehold::secret::Secret;
use leasehold::vault::mounts::{Mount, canonical};
use leasehold_base::request::Request;

/// A path, and behind a newline one of a mount.
pub fn run(input: &[u8]) {
    let Ok(text) = std::str::from_utf8(input) else { return };
    let (path, mount) = text.split_once('\n').unwrap_or((text, "secret/"));
    let arguments = [("key".to_owned(), Secret::from("value"))].into();
    for request in [Request::read(path), Request::list(path), Request::write(path, arguments)] {
        let Ok(request) = request else { continue };
        let plain = &request.path;
        assert!(!plain.is_empty() && !plain.contains(char::is_control), "{plain:?}");
        assert!(!plain.split('/').any(|part| part == "." || part == ".."), "{plain:?}");
        let _ = format!("{request:?}");
        for kv2 in [false, true] {
            let mount = Mount { path: mount.to_owned(), kind: "kv".to_owned(), kv2 };
            let once = canonical(&request, &mount);
            assert!(canonical(&once, &mount) == once, "{plain:?}: the one form is its own");
        }
    }
}
