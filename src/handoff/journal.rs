//! What has changed since the state was written: a file of lines beside it, each of them JSON.
//!
//! A state of a thousand leases is half a megabyte. To write it anew with each lease would cost the square of their
//! number. So each change is one line here, written before what it says is relied on. When the lines are as long as
//! the state, the state is written as a whole again, and the lines begin anew.
//!
//! The first line names the state that the others go on from, by the SHA-256 of its bytes. So lines are never applied
//! to another state: a run may be killed between the rename of a new state and the end of the old journal, and
//! another build may have written a state without knowing a journal.
//!
//! A line says what its entries are now, and not what happened to them, so a line that is there twice is harmless.
//! The end of the file may be cut off by a kill; no process relied on that line. A damaged line before the end is
//! another matter: the later lines depend on it. No run goes on from such a state; all that it and the lines name is
//! revoked.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsString;
use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

use super::format::{self, hex};
use super::write::is_field;
use crate::secret::Secret;
use crate::tree::Tree;

/// The lists of a state, and the field that identifies an entry of each.
const LISTS: [(&str, &str); 5] = [
    ("children", "lease"),
    ("published", "path"),
    ("responses", "request"),
    ("retiring", "id"),
    ("secrets", "request"),
];

/// Returns the place of a state's journal.
pub(super) fn path(state: &Path) -> PathBuf {
    let mut path = OsString::from(state);
    path.push(".journal");
    path.into()
}

/// Returns the first line of the journal that goes on from `state`.
pub(super) fn header(state: &[u8]) -> Vec<u8> {
    format!("{{\"of\":\"{}\"}}\n", hex(&Sha256::digest(state))).into_bytes()
}

/// Returns the state in `tree`, read from `bytes`, with all that the journal says since, and whether a line is
/// damaged.
pub(super) fn replay(tree: Tree, bytes: &[u8], journal: &[u8]) -> (Tree, bool) {
    let Some(lines) = journal.strip_prefix(&header(bytes)[..]) else { return (tree, false) };
    let (lines, damaged) = parsed(lines);
    if lines.is_empty() { (tree, damaged) } else { (merged(&tree, &lines), damaged) }
}

/// Returns the lines that can be read, and whether one is damaged. The last one may be cut off.
fn parsed(mut bytes: &[u8]) -> (Vec<Tree>, bool) {
    let (mut lines, mut damaged) = (Vec::new(), false);
    while !bytes.is_empty() {
        let end = bytes.iter().position(|byte| *byte == b'\n');
        let (line, rest) = bytes.split_at(end.unwrap_or(bytes.len()));
        match format::tree(line) {
            Ok(tree) if tree.as_map().is_some() => lines.push(tree),
            _ => damaged |= end.is_some(),
        }
        bytes = rest.get(1..).unwrap_or_default();
    }
    (lines, damaged)
}

fn merged(state: &Tree, lines: &[Tree]) -> Tree {
    let all = std::iter::once(state).chain(lines);
    let singles = all.flat_map(|tree| tree.as_map().into_iter().flat_map(|map| map.iter()));
    let is_list = |name: &str| LISTS.iter().any(|(list, _)| *list == name);
    let mut fields: BTreeMap<String, Tree> = BTreeMap::new();
    for (name, value) in singles.filter(|(name, _)| !is_list(name)) {
        if is_field(name) || !fields.contains_key(name) {
            fields.insert(name.to_owned(), value.clone());
        }
    }
    fields.remove("gone");
    let mut lists = LISTS.map(|(name, key)| (name, Entries::of(name, key, state, lines)));
    drop_what_hangs_on_others(&mut lists);
    fields.extend(lists.map(|(name, entries)| (name.to_owned(), entries.into_tree())));
    Tree::map(fields)
}

/// Drops what the core leaves out of a snapshot, too: secrets whose lease is being revoked, and answers without a
/// secret.
fn drop_what_hangs_on_others(lists: &mut [(&str, Entries); 5]) {
    let [_, _, (_, responses), (_, retiring), (_, secrets)] = lists;
    let leaving: BTreeSet<&Secret> = retiring.all.keys().gather();
    let lease = |secret: &Tree| Some(key_of(secret.get("lease")?.get("id")?));
    secrets.all.retain(|_, (_, secret)| !lease(secret).is_some_and(|lease| leaving.contains(&lease)));
    responses.all.retain(|request, _| secrets.all.contains_key(request));
}

/// The entries of one list, by what identifies them, with their places in it.
struct Entries {
    all: BTreeMap<Secret, (usize, Tree)>,
}

impl Entries {
    fn of(name: &str, key: &str, state: &Tree, lines: &[Tree]) -> Self {
        let (mut all, mut count): (BTreeMap<Secret, (usize, Tree)>, usize) = (BTreeMap::new(), 0);
        for tree in std::iter::once(state).chain(lines) {
            for gone in entries(tree.get("gone").and_then(|gone| gone.get(name))) {
                all.remove(&key_of(gone));
            }
            for entry in entries(tree.get(name)) {
                count += 1;
                let place = all.entry(key_of(entry.get(key).unwrap_or(&Tree::Null)));
                let place = place.or_insert((count, Tree::Null));
                place.1 = entry.clone();
            }
        }
        Self { all }
    }

    /// Returns the entries in the order in which they first appeared.
    fn into_tree(self) -> Tree {
        let ordered: BTreeMap<usize, Tree> = self.all.into_values().gather();
        Tree::list(ordered.into_values())
    }
}

fn entries(list: Option<&Tree>) -> &[Tree] {
    list.and_then(Tree::as_list).unwrap_or_default()
}

/// Returns the one spelling of what identifies an entry. It may hold arguments of a request, which are secrets.
fn key_of(key: &Tree) -> Secret {
    Secret::new(std::mem::take(&mut *key.to_json()))
}
