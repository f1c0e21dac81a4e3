//! A block of a foreign configuration, and the tables by which its keys become ours.

use std::path::{Component, Path, PathBuf};

use super::Keys;
use super::draft::{Draft, Note, Origin, Weight};
use super::kinds::{self, Bad};
use super::tree::{At, Item, Lies, Node, Object, Value};
use super::unknown::Unknown;
use crate::keypath::KeyPath;

/// The most notes that are kept. No reader wants more, and a hostile text could have millions.
const MOST_NOTES: usize = 1_000;

/// A key of a foreign block, and what becomes of it.
pub(super) struct Row {
    pub(super) key: &'static str,
    pub(super) to: To,
}

/// Returns the row of a key that becomes `to`.
pub(super) const fn row(key: &'static str, to: To) -> Row {
    Row { key, to }
}

/// What a foreign key becomes. The paths are ours, below the place of the block.
pub(super) enum To {
    Text(&'static [&'static str]),
    /// A path; a relative one is as the foreign program would find it.
    Path(&'static [&'static str]),
    Count(&'static [&'static str]),
    Mode(&'static [&'static str]),
    /// A duration with a unit.
    Duration(&'static [&'static str]),
    /// A duration; a bare number is seconds.
    Seconds(&'static [&'static str]),
    /// The key is refused unless it is empty, false or zero: what is wrong, and what to do instead.
    Refused(&'static str, &'static str),
    /// The key is left out with a warning, unless it is empty, false or zero.
    Lost(&'static str, &'static str),
    /// The key is left out: the reason why nothing is lost.
    Moot(&'static str),
    /// The code beside the table sees to it.
    Own,
}

impl To {
    /// Returns the key of ours that it becomes. If code sees to the key, that is everything that its block becomes.
    pub(super) fn home(&self, base: &KeyPath) -> KeyPath {
        match self {
            Self::Text(path) | Self::Path(path) | Self::Count(path) | Self::Mode(path) => below(base, path),
            Self::Duration(path) | Self::Seconds(path) => below(base, path),
            Self::Refused(..) | Self::Lost(..) | Self::Moot(_) | Self::Own => base.clone(),
        }
    }
}

fn below(base: &KeyPath, path: &[&str]) -> KeyPath {
    path.iter().fold(base.clone(), |at, name| at.key(name))
}

/// The desk of a conversion.
pub(super) struct Desk<'a> {
    pub(super) draft: Draft,
    /// The folder that relative paths are relative to.
    pub(super) folder: &'a Path,
    /// The namespace that the environment names.
    pub(super) namespace: Option<&'a str>,
    /// Reads a template's file.
    pub(super) read_file: super::ReadFile<'a>,
    /// The keys of secrets by their paths, if the server was asked for them.
    pub(super) keys: Option<&'a Keys>,
    /// True if the program merges the blocks of several texts key by key, and false if its last block replaces the
    /// others.
    pub(super) merges: bool,
}

/// A block: its items, from one text or from several laid upon one another.
pub(super) struct Stanza<'o> {
    /// The name that messages use, such as `auto_auth.method`; empty for the top.
    pub(super) name: String,
    pub(super) at: At,
    items: Vec<&'o Item>,
}

/// A block with its label, if it has one.
pub(super) struct Block<'o> {
    pub(super) label: Option<(&'o str, At)>,
    pub(super) stanza: Stanza<'o>,
}

impl<'o> Stanza<'o> {
    pub(super) fn new(name: impl Into<String>, at: At, object: &'o Object) -> Self {
        Self { name: name.into(), at, items: object.items.iter().collect() }
    }

    /// Returns the item called `key`; the last one if there are several.
    pub(super) fn get(&self, key: &str) -> Option<&'o Item> {
        self.all(key).next_back()
    }

    /// Returns the items called `key`.
    pub(super) fn all<'s>(&'s self, key: &'s str) -> impl DoubleEndedIterator<Item = &'o Item> + 's {
        self.items.iter().copied().filter(move |item| item.key == key)
    }

    /// Returns the key below this block, as messages call it.
    pub(super) fn path(&self, key: &str) -> String {
        if self.name.is_empty() { key.to_owned() } else { format!("{}.{key}", self.name) }
    }

    /// Returns the blocks called `key`. If a value of that name is a list, each of its entries is a block.
    pub(super) fn blocks(&self, key: &str, desk: &mut Desk<'_>) -> Vec<Block<'o>> {
        let mut blocks = Vec::new();
        for item in self.all(key) {
            let label = item.labels.first().map(|(label, at)| (label.as_str(), *at));
            let nodes = match &item.value.value {
                Value::List(nodes) => nodes.iter().collect(),
                _ => vec![&item.value],
            };
            for node in nodes {
                let at = if std::ptr::eq(node, &item.value) { item.at } else { node.at };
                match &node.value {
                    Value::Object(object) => {
                        let name = format!("{}[{}]", self.path(key), blocks.len());
                        blocks.push(Block { label, stanza: Stanza::new(name, at, object) });
                    }
                    _ => desk.no_block(self, item, node.at),
                }
            }
        }
        blocks
    }

    /// Returns the blocks called `key`, which have labels. In JSON, blocks have no labels: an object of nothing but
    /// objects holds a block for each of its keys.
    pub(super) fn labelled(&self, key: &str, desk: &mut Desk<'_>) -> Vec<Block<'o>> {
        let mut labelled = Vec::new();
        for block in self.blocks(key, desk) {
            let inner = block.stanza.items.iter().map(|item| match &item.value.value {
                Value::Object(object) if item.labels.is_empty() && item.key != "config" => {
                    Some((*item, object))
                }
                _ => None,
            });
            let inner: Option<Vec<_>> = inner.collect();
            match inner.filter(|inner| block.label.is_none() && !inner.is_empty()) {
                Some(inner) => labelled.extend(inner.into_iter().map(|(item, object)| Block {
                    label: Some((item.key.as_str(), item.at)),
                    stanza: Stanza::new(block.stanza.name.clone(), item.at, object),
                })),
                None => labelled.push(block),
            }
        }
        labelled
    }

    /// Returns the only block called `key`. If one text has several, the second is a mistake. If several texts have
    /// one, the last counts, or all of them as one, as the foreign program does it.
    pub(super) fn only(&self, key: &str, desk: &mut Desk<'_>) -> Option<Stanza<'o>> {
        let blocks = self.blocks(key, desk);
        if desk.merges {
            return self.merged(key, blocks, desk);
        }
        self.last(key, blocks, desk).map(|block| block.stanza)
    }

    /// Merges all blocks into one, in which the key of a later text counts.
    fn merged(&self, key: &str, blocks: Vec<Block<'o>>, desk: &mut Desk<'_>) -> Option<Stanza<'o>> {
        let mut blocks = blocks.into_iter().map(|block| block.stanza);
        let mut whole = blocks.next()?;
        for Stanza { at, items, .. } in blocks {
            self.check_once(key, whole.at, at, desk);
            whole.at = at;
            whole.items.extend(items);
        }
        whole.name = self.path(key);
        Some(whole)
    }

    /// Returns the only block called `key`, with its label.
    pub(super) fn only_labelled(&self, key: &str, desk: &mut Desk<'_>) -> Option<Block<'o>> {
        let blocks = self.labelled(key, desk);
        self.last(key, blocks, desk)
    }

    fn last(&self, key: &str, mut blocks: Vec<Block<'o>>, desk: &mut Desk<'_>) -> Option<Block<'o>> {
        let mut last = blocks.pop()?;
        if let Some(before) = blocks.last() {
            self.check_once(key, before.stanza.at, last.stanza.at, desk);
        }
        last.stanza.name = self.path(key);
        Some(last)
    }

    /// Refuses the second of two blocks called `key` that stand in one text.
    fn check_once(&self, key: &str, before: At, again: At, desk: &mut Desk<'_>) {
        if before.source == again.source {
            let hint = format!("it is on line {} already: remove one", before.mark.line);
            desk.mistake(again, self.path(key), format!("`{key}` stands here twice"), hint);
        }
    }
}

impl Desk<'_> {
    pub(super) fn note(
        &mut self,
        weight: Weight,
        at: At,
        key: String,
        home: &KeyPath,
        told: (String, String),
    ) {
        if self.is_full(weight) {
            return;
        }
        let (message, hint) = told;
        self.draft.notes.push(Note { weight, at, key, home: home.clone(), message, hint });
    }

    /// Returns whether no more notes of this weight are kept. Notes on what is only lost never crowd out those on
    /// what is refused.
    pub(super) fn is_full(&self, weight: Weight) -> bool {
        // So that the search ends early.
        self.draft.notes.len() >= MOST_NOTES
            && self.draft.notes.iter().filter(|note| note.weight == weight).take(MOST_NOTES).count()
                == MOST_NOTES
    }

    /// Notes a mistake that takes no part of ours away.
    pub(super) fn mistake(
        &mut self,
        at: At,
        key: String,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.note(Weight::Refused, at, key, &KeyPath::top(), (message.into(), hint.into()));
    }

    /// Notes a value of which `home` cannot be made.
    pub(super) fn refuse(&mut self, at: At, key: String, home: &KeyPath, (message, hint): Bad) {
        self.draft.broken(home);
        self.note(Weight::Refused, at, key, home, (message, hint));
    }

    fn no_block(&mut self, stanza: &Stanza<'_>, item: &Item, at: At) {
        let hint = format!("write {} {{ … }}", item.key);
        self.mistake(at, stanza.path(&item.key), format!("`{}` is a block", item.key), hint);
    }

    /// Returns what `read` makes of the value of `item`. If it makes nothing of it, a note says why.
    pub(super) fn read<T>(
        &mut self,
        stanza: &Stanza<'_>,
        item: &Item,
        home: &KeyPath,
        read: impl FnOnce(&Node) -> Result<T, Bad>,
    ) -> Option<T> {
        match read(&item.value) {
            Ok(value) => Some(value),
            Err(bad) => {
                self.refuse(item.value.at, stanza.path(&item.key), home, bad);
                None
            }
        }
    }

    /// Makes ours of every key of `stanza`, by `rows`, below `base`. A key that is not there is a mistake, as it
    /// is for the foreign program.
    pub(super) fn walk(&mut self, stanza: &Stanza<'_>, rows: &[Row], base: &KeyPath) {
        self.walk_as(stanza, rows, base, Unknown::Mistake);
    }

    /// Does the same for a block in which the foreign program passes over the keys that it does not know.
    pub(super) fn walk_over(&mut self, stanza: &Stanza<'_>, rows: &[Row], base: &KeyPath) {
        self.walk_as(stanza, rows, base, Unknown::PassedOver);
    }

    fn walk_as(&mut self, stanza: &Stanza<'_>, rows: &[Row], base: &KeyPath, unknown: Unknown) {
        if !base.steps().is_empty() {
            let here = Origin { key: stanza.at, value: stanza.at, lies: Lies::Somewhere };
            self.draft.origins.entry(base.clone()).or_insert(here);
        }
        for (index, item) in stanza.items.iter().enumerate() {
            let Some(row) = rows.iter().find(|row| row.key == item.key) else {
                self.unknown(stanza, item, rows, base, unknown);
                continue;
            };
            let later = stanza.items[index + 1..].iter().find(|later| later.key == item.key);
            let block = matches!(item.value.value, Value::Object(_) | Value::List(_));
            match (&row.to, later) {
                // Blocks may stand many times, or `only` says that they may not.
                (To::Own, later) if later.is_none() || block => {}
                (to, None) => self.one(stanza, item, to, base),
                (_, Some(later)) if later.at.source == item.at.source => {
                    let hint = format!("it is on line {} already: remove one", item.at.mark.line);
                    let message = format!("`{}` stands here twice", item.key);
                    self.mistake(later.at, stanza.path(&item.key), message, hint);
                }
                // A later text's counts.
                (_, Some(_)) => {}
            }
        }
    }

    fn one(&mut self, stanza: &Stanza<'_>, item: &Item, to: &To, base: &KeyPath) {
        let below = |path: &[&str]| below(base, path);
        let key = stanza.path(&item.key);
        match *to {
            // As if it were not there, for them as well.
            To::Text(_) | To::Path(_) if kinds::text(&item.value).as_deref() == Ok("") => {}
            To::Text(path) => self.text(stanza, item, &below(path)),
            To::Path(path) => {
                let home = below(path);
                if let Some(text) = self.read(stanza, item, &home, kinds::text) {
                    let path = absolute(&text, self.folder);
                    self.draft.put(&home, path, Some(Origin::of(item)));
                }
            }
            To::Count(path) => self.set(stanza, item, &below(path), kinds::count),
            To::Mode(path) => self.mode(stanza, item, &below(path)),
            To::Duration(path) => {
                self.set(stanza, item, &below(path), |node| kinds::duration(node).map(kinds::spelled))
            }
            To::Seconds(path) => {
                self.set(stanza, item, &below(path), |node| kinds::seconds(node).map(kinds::spelled))
            }
            To::Refused(..) | To::Lost(..) if is_nothing(&item.value.value) => {}
            To::Refused(message, hint) => {
                self.note(Weight::Refused, item.at, key, base, (message.to_owned(), hint.to_owned()));
            }
            To::Lost(message, hint) => {
                self.note(Weight::Lost, item.at, key, base, (message.to_owned(), hint.to_owned()));
            }
            To::Moot(why) => self.note(Weight::Moot, item.at, key, base, (why.to_owned(), String::new())),
            To::Own => {}
        }
    }

    /// Sets `home` to what `read` makes of the item's value.
    pub(super) fn set<T: Into<crate::value::Value>>(
        &mut self,
        stanza: &Stanza<'_>,
        item: &Item,
        home: &KeyPath,
        read: impl FnOnce(&Node) -> Result<T, Bad>,
    ) {
        if let Some(value) = self.read(stanza, item, home, read) {
            self.draft.put(home, value, Some(Origin::of(item)));
        }
    }

    /// Sets `home` to the item's text, whose lines keep their places.
    pub(super) fn text(&mut self, stanza: &Stanza<'_>, item: &Item, home: &KeyPath) {
        if let Some(text) = self.read(stanza, item, home, kinds::text) {
            let lies = match &item.value.value {
                Value::Text(text) => text.lies,
                _ => Lies::Somewhere,
            };
            self.draft.put(home, text, Some(Origin::part(item, item.value.at, lies)));
        }
    }

    /// Sets `home` to the item's file mode.
    pub(super) fn mode(&mut self, stanza: &Stanza<'_>, item: &Item, home: &KeyPath) {
        let Some(mode) = self.read(stanza, item, home, kinds::mode) else { return };
        self.draft.put(home, format!("{mode:04o}"), Some(Origin::of(item)));
        if let Value::Number(_, spelled) = &item.value.value
            && !spelled.starts_with('0')
        {
            let message = format!("a decimal number, which is the mode {mode:04o}");
            let hint = "if that is not meant, write it with a 0 before it, in JSON also in quotes".to_owned();
            self.note(Weight::Lost, item.value.at, stanza.path(&item.key), home, (message, hint));
        }
    }
}

/// Returns whether a value means the same as leaving the key out.
fn is_nothing(value: &Value) -> bool {
    match value {
        Value::Null | Value::Flag(false) => true,
        Value::Text(text) => matches!(text.text.as_str(), "" | "false" | "0"),
        Value::Number(_, spelled) => spelled == "0",
        Value::List(items) => items.is_empty(),
        Value::Flag(true) | Value::Object(_) => false,
    }
}

/// Returns `text` as a path that is found from anywhere, without `.`, `..` and double slashes.
pub(super) fn absolute(text: &str, folder: &Path) -> String {
    let mut path = PathBuf::new();
    for part in folder.join(text).components() {
        match part {
            Component::ParentDir => {
                path.pop();
            }
            Component::CurDir => {}
            part => path.push(part),
        }
    }
    if text.is_empty() { String::new() } else { path.to_string_lossy().into_owned() }
}
