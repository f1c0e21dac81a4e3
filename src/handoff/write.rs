//! The state as bytes: as a whole, or as one line of what has changed. Only what is being written at the moment
//! exists as a tree, so that a large state is not in memory three times.

use std::collections::BTreeMap;
use std::path::PathBuf;

use zeroize::Zeroizing;

use super::format::{
    OPEN, VERSION, bytes, child_tree, hex, lease_tree, moment, mount_tree, number, optional, request_tree,
    secret_tree, text, token_tree,
};
use super::{Binding, published};
use crate::core::ids::{LeaseId, TokenId};
use crate::core::snapshot::{Changes, Snapshot};
use crate::publish::Listed;
use crate::secret::Secret;
use crate::tree::Tree;
use crate::vault::mounts::Mount;
use leasehold_base::request::Request;
use leasehold_base::response::Response;

/// A state of at most this many bytes is always written as a whole: that costs no more than a line.
pub(super) const SMALL: usize = 16 << 10;

/// What is kept beside the snapshot, and is small.
#[derive(Debug, Clone, Copy)]
pub struct Beside<'a> {
    /// The tokens of the logins.
    pub tokens: &'a BTreeMap<TokenId, Secret>,
    /// The mounts that are known.
    pub mounts: &'a [Mount],
    /// The state of the credential files when the last login was sent, if that was refused.
    pub refused_with: Option<&'a str>,
    /// A digest of the wrapping token that was opened.
    pub opened: Option<&'a str>,
}

/// Everything that is handed over, borrowed from its owners.
#[derive(Debug)]
pub struct Whole<'a> {
    /// What the core knows.
    pub snapshot: &'a Snapshot,
    /// What is kept beside it.
    pub beside: Beside<'a>,
    /// The tokens that templates have made.
    pub children: &'a BTreeMap<LeaseId, Secret>,
    /// The answers to the snapshot's requests.
    pub responses: Vec<(&'a Request, &'a Response)>,
    /// The absolute files.
    pub published: &'a [Listed],
}

/// What has changed since the state was last written.
#[derive(Debug)]
pub struct Line<'a> {
    /// The changes that the core names.
    pub changes: &'a Changes,
    /// Everything that is kept beside the snapshot.
    pub beside: Beside<'a>,
    /// The tokens that templates have made since, or that are gone.
    pub children: &'a BTreeMap<LeaseId, Option<Secret>>,
    /// The answers of the secrets that have changed.
    pub responses: Vec<(&'a Request, &'a Response)>,
    /// The absolute files that were published, or are gone.
    pub published: &'a BTreeMap<PathBuf, Option<Listed>>,
}

/// What a line leaves out as long as it does not change.
#[derive(Debug, Default)]
pub(super) struct Noted(Vec<(&'static str, Tree)>);

impl Noted {
    /// Records what the state says from now on.
    pub(super) fn of(rest: &Snapshot, beside: Beside<'_>) -> Self {
        Self(fields(rest, beside))
    }
}

/// Returns the fields that a line has if they have changed, by their names.
fn fields(rest: &Snapshot, beside: Beside<'_>) -> Vec<(&'static str, Tree)> {
    let refusals = optional(rest.refusals.as_ref(), |refusals| {
        Tree::map([
            ("count", number(refusals.count)),
            ("last", moment(refusals.last)),
            ("why", text(&refusals.why)),
            ("pardoned", Tree::Bool(refusals.pardoned)),
        ])
    });
    let tokens = rest.tokens.iter().map(|token| token_tree(token, beside.tokens.get(&token.id)));
    vec![
        ("blind", Tree::Bool(rest.blind)),
        ("ending", Tree::Bool(rest.ending)),
        ("mounts", Tree::list(beside.mounts.iter().map(mount_tree))),
        ("opened", optional(beside.opened, text)),
        ("refusals", refusals),
        ("refused_with", optional(beside.refused_with, text)),
        ("tokens", Tree::list(tokens)),
        ("unsure", Tree::Bool(rest.unsure)),
        ("untold", Tree::list(rest.untold.iter().map(|name| text(name)))),
    ]
}

/// Returns whether this is the name of such a field.
pub(super) fn is_field(name: &str) -> bool {
    const NAMES: [&str; 9] =
        ["blind", "ending", "mounts", "opened", "refusals", "refused_with", "tokens", "unsure", "untold"];
    NAMES.contains(&name)
}

/// Returns the state, and whether a journal may go on from it. None goes on from the `last` state of a run, which any
/// build can read.
pub(super) fn whole(whole: &Whole<'_>, binding: &Binding, last: bool) -> (Zeroizing<Vec<u8>>, bool) {
    let mut out = Object::default();
    let mut single = fields(whole.snapshot, whole.beside);
    single.extend([
        ("boot", text(&binding.boot)),
        ("digest", text(&hex(&binding.digest))),
        ("pod", text(&binding.pod)),
        ("server", text(&binding.server)),
    ]);
    for (name, value) in &single {
        out.field(name, value);
    }
    out.list("children", whole.children.iter().map(child_tree));
    out.list("published", whole.published.iter().map(published::entry));
    out.list("responses", whole.responses.iter().map(response_tree));
    out.list("retiring", whole.snapshot.retiring.iter().map(lease_tree));
    out.list("secrets", whole.snapshot.secrets.iter().map(secret_tree));
    let open = !last && out.0.len() >= SMALL;
    out.field("version", &number(if open { OPEN } else { VERSION }));
    (out.end(), open)
}

/// Returns what has changed as a line. What it leaves out is in `noted`, which is brought up to date.
pub(super) fn line(line: &Line<'_>, noted: &mut Noted) -> Zeroizing<Vec<u8>> {
    let mut out = Object::default();
    let now = Noted::of(&line.changes.rest, line.beside);
    for (name, value) in &now.0 {
        let before = noted.0.iter().find(|(before, _)| before == name);
        if before.is_none_or(|(_, before)| before != value) {
            out.field(name, value);
        }
    }
    let children = line.children.iter().filter_map(|(lease, child)| Some((lease, child.as_ref()?)));
    out.list_where_any("children", children.map(child_tree));
    let listed = line.published.values().flatten();
    out.list_where_any("published", listed.map(published::entry));
    out.list_where_any("responses", line.responses.iter().map(response_tree));
    out.list_where_any("retiring", line.changes.retiring.iter().map(lease_tree));
    out.list_where_any("secrets", line.changes.secrets.iter().map(secret_tree));
    let gone_files = line.published.iter().filter(|(_, listed)| listed.is_none());
    let mut gone = Object::default();
    let ended = line.children.iter().filter(|(_, child)| child.is_none());
    gone.list_where_any("children", ended.map(|(lease, _)| text(&lease.0)));
    gone.list_where_any("published", gone_files.map(|(path, _)| published::path(path)));
    gone.list_where_any("retiring", line.changes.retired.iter().map(|lease| text(&lease.0)));
    gone.list_where_any("secrets", line.changes.dropped.iter().map(request_tree));
    out.object_where_any("gone", gone);
    *noted = now;
    let mut bytes = out.end();
    bytes.push(b'\n');
    bytes
}

fn response_tree((request, response): &(&Request, &Response)) -> Tree {
    // For a store that is no Vault the value is written, which need not be text. Its fields are made from that again.
    if let Some(value) = &response.raw {
        return Tree::map([("request", request_tree(request)), ("value", bytes(value))]);
    }
    let json = Secret::new(std::mem::take(&mut *response.to_tree().to_json()));
    Tree::map([("request", request_tree(request)), ("response", Tree::Text(json))])
}

/// A JSON object that is being written.
struct Object(Zeroizing<Vec<u8>>);

impl Default for Object {
    fn default() -> Self {
        Self(Zeroizing::new(Vec::new()))
    }
}

impl Object {
    fn name(&mut self, name: &str) {
        self.sign(if self.0.is_empty() { b'{' } else { b',' });
        text(name).append_json(&mut self.0);
        self.sign(b':');
    }

    fn field(&mut self, name: &str, value: &Tree) {
        self.name(name);
        value.append_json(&mut self.0);
    }

    fn list(&mut self, name: &str, values: impl Iterator<Item = Tree>) {
        self.name(name);
        self.sign(b'[');
        for (index, value) in values.enumerate() {
            if index > 0 {
                self.sign(b',');
            }
            value.append_json(&mut self.0);
        }
        self.sign(b']');
    }

    fn list_where_any(&mut self, name: &str, values: impl Iterator<Item = Tree>) {
        let mut values = values.peekable();
        if values.peek().is_some() {
            self.list(name, values);
        }
    }

    fn object_where_any(&mut self, name: &str, object: Object) {
        if !object.0.is_empty() {
            self.name(name);
            let inner = object.end();
            leasehold_base::tree::append(&inner, &mut self.0);
        }
    }

    fn sign(&mut self, sign: u8) {
        leasehold_base::tree::append(&[sign], &mut self.0);
    }

    fn end(mut self) -> Zeroizing<Vec<u8>> {
        if self.0.is_empty() {
            self.sign(b'{');
        }
        self.sign(b'}');
        self.0
    }
}
