//! Any secret that a template reads as YAML: values or an error, never a panic, and the values are JSON.

use leasehold::tree::Tree;

/// The text.
pub fn run(input: &[u8]) {
    let Ok(tree) = Tree::from_yaml(input) else { return };
    let again = Tree::from_json(&tree.to_json());
    // What aliases make may be more than is taken for JSON.
    assert!(again.is_err() || again == Ok(tree), "the same values");
}
