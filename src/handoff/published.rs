//! The absolute files that a run has published. The next run removes those that it no longer names.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::Path;

use super::format::{Parsed, bytes, get, get_bytes, list, number, string, text};
use crate::publish::Listed;
use crate::secret::Secret;
use crate::tree::Tree;

pub(super) fn entry(file: &Listed) -> Tree {
    Tree::map([("path", path(&file.path)), ("inode", number(file.inode)), ("digest", text(&file.digest))])
}

/// Returns what identifies an entry.
pub(super) fn path(path: &Path) -> Tree {
    bytes(&Secret::new(path.as_os_str().as_bytes().to_vec()))
}

/// Returns the files in a state of any version. A file whose entry cannot be read stays on the disk.
pub(super) fn of(tree: &Tree) -> Vec<Listed> {
    let entries = list(tree, "published").unwrap_or_default();
    entries.iter().filter_map(|entry| listed(entry).ok()).collect()
}

fn listed(tree: &Tree) -> Parsed<Listed> {
    let path = get_bytes(tree.get("path").unwrap_or(&Tree::Null), "path")?;
    let path = OsString::from_vec(path.expose().to_vec()).into();
    Ok(Listed { path, inode: get(tree, "inode")?, digest: string(tree, "digest")?.to_owned() })
}
