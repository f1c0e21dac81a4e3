//! A value in the form of a Vault's answer.

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
#[cfg(any(test, feature = "clouds"))]
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

/// A larger value is refused: it is no secret, but a file in the wrong folder. Kubernetes allows as much, and the
/// clouds allow 64 KiB.
pub const MOST_BYTES: usize = 1024 * 1024;

/// Makes the answer for a value of a store that has versions. The name of a version is a word; any other name is left
/// out.
#[cfg(feature = "clouds")]
pub(crate) fn of_version(value: Secret, version: &str) -> Response {
    let is_word = (1..=64).contains(&version.len()) && version.bytes().all(|byte| byte.is_ascii_graphic());
    Response { version_id: is_word.then(|| version.to_owned()), ..Response::of_value(value) }
}

/// Makes the answer to a list.
pub(crate) fn list(mut names: Vec<String>) -> Response {
    names.sort_unstable();
    let keys = Tree::list(names.iter().map(|name| Tree::text(name.as_str())));
    Response { data: Tree::map([("keys", keys)]), ..Response::default() }
}

/// Makes the failure for a value that is too large to be a secret.
pub(crate) fn too_large() -> Failure {
    Failure::advised(
        FailureKind::Rejected,
        "it is larger than 1 MiB; a store is for secrets, so move it elsewhere",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn answer(value: &[u8]) -> Response {
        Response::of_value(Secret::new(value.to_vec()))
    }

    #[test]
    fn an_object_is_its_fields_and_anything_else_the_field_value() {
        let object = answer(b" {\"username\": \"web\", \"port\": 5432}\n");
        assert_eq!(object.data.get("username").and_then(Tree::as_str), Some("web"));
        assert!(object.data.get("value").is_none());
        for plain in
            [&b"hunter2"[..], b"", b"42", b"\"text\"", b"[1]", b"{not json", b"{\"cut\": ", b"\xff\xfe{"]
        {
            let value = answer(plain);
            let held = value.data.get("value").and_then(Tree::as_text).expect("one field");
            assert_eq!(held.expose(), plain);
        }
    }

    #[test]
    fn the_value_stays_as_it_is_beside_its_fields() {
        let text = b" {\"b\": 1, \"a\": 2}\n";
        assert_eq!(answer(text).raw.expect("it is kept").expose(), text);
    }
}
