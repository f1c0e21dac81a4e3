//! Where each key and value of a YAML text stands, and the limits that hold before anything is
//! made of it: size, depth, what aliases expand to, one document, no key twice.
//!
//! serde_yaml keeps no places and stops at its first error. This reads the events of the same
//! grammar (both are ports of libyaml, so what one accepts the other does) into a tree of marks.

use std::collections::BTreeMap;
use std::io::{BufReader, Chain, Read};

use libyaml_safer::{Event, EventData, Parser, ScalarStyle};

use super::keypath::{KeyPath, Step};
use super::mark::Mark;
use super::yaml_error::{self, Flaw};
use crate::tree::comma;

/// Largest text read, bytes. Also the most that aliases may add to it.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// Deepest nesting read. The YAML parser's time grows with the square of it.
pub const MAX_DEPTH: usize = 64;

/// More than these nobody reads, and a hostile text could have millions.
const MOST_DUPLICATES: usize = 100;

/// The marks of one text.
#[derive(Debug, Default)]
pub(super) struct Marks {
    nodes: Vec<Node>,
    root: Option<Child>,
    /// Every scalar, in the order of the text.
    pub(super) scalars: Vec<Span>,
}

/// Where one scalar starts and ends, and what it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Span {
    pub(super) start: Mark,
    /// Behind its last character.
    pub(super) end: Mark,
    pub(super) key: bool,
}

/// A use of a node. An alias is a use too, so a node's mark is not always its use's.
#[derive(Debug, Clone, Copy)]
struct Child {
    node: usize,
    mark: Mark,
}

#[derive(Debug)]
enum Node {
    Scalar(ScalarStyle),
    List(Vec<Child>),
    Map(Vec<Entry>),
}

#[derive(Debug)]
struct Entry {
    key: String,
    mark: Mark,
    value: Child,
}

/// What [`Marks::find`] found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Found {
    /// How many steps of the path exist.
    pub(super) steps: usize,
    /// The last of these steps' key; the value's own mark in a list and at the top.
    pub(super) key: Mark,
    /// Its value.
    pub(super) value: Mark,
    /// Whether the value is a literal block (`|`), whose lines are those of the text.
    pub(super) literal: bool,
    /// Whether it is a plain or quoted scalar, which starts where its text does.
    pub(super) inline: Option<ScalarStyle>,
}

impl Marks {
    /// Reads `text`.
    ///
    /// # Errors
    /// Everything that keeps it from being read; of duplicate keys all.
    pub(super) fn read(text: &str) -> Result<Self, Vec<Flaw>> {
        yaml_error::check_characters(text).map_err(|flaw| vec![flaw])?;
        let text = comma::blanked(text).map_err(|at| vec![close_comma(text, at)])?;
        let mut reader = Reader::new(&text);
        match reader.document() {
            Err(flaw) => Err(vec![flaw]),
            Ok(()) if reader.duplicates.is_empty() => Ok(reader.marks),
            Ok(()) => Err(reader.duplicates),
        }
    }

    /// The place of `path`, or of the longest beginning of it that exists.
    pub(super) fn find(&self, path: &KeyPath) -> Found {
        let Some(root) = self.root else {
            return Found { steps: 0, key: Mark::START, value: Mark::START, literal: false, inline: None };
        };
        let (mut at, mut key, mut steps) = (root, root.mark, 0);
        for step in path.steps() {
            let Some((mark, child)) = self.step(at, step) else { break };
            (key, at, steps) = (mark, child, steps + 1);
        }
        let style = match &self.nodes[at.node] {
            Node::Scalar(style) => Some(*style),
            _ => None,
        };
        Found {
            steps,
            key,
            value: at.mark,
            literal: style == Some(ScalarStyle::Literal),
            inline: style.filter(|style| !matches!(style, ScalarStyle::Literal | ScalarStyle::Folded)),
        }
    }

    fn step(&self, at: Child, step: &Step) -> Option<(Mark, Child)> {
        match (&self.nodes[at.node], step) {
            (Node::List(items), Step::Index(index)) => items.get(*index).map(|item| (item.mark, *item)),
            (Node::Map(entries), Step::Key(name)) => entries
                .iter()
                .find(|entry| entry.key == *name)
                .map(|entry| (entry.mark, entry.value))
                .or_else(|| self.merged(entries, step)),
            _ => None,
        }
    }

    /// What a merge key (`<<`) brings in. The depth of these is that of the text, so this ends.
    fn merged(&self, entries: &[Entry], step: &Step) -> Option<(Mark, Child)> {
        let merge = entries.iter().find(|entry| entry.key == "<<")?;
        match &self.nodes[merge.value.node] {
            Node::List(items) => items.iter().find_map(|item| self.step(*item, step)),
            _ => self.step(merge.value, step),
        }
    }
}

/// That the comma at this offset may follow a tag.
fn close_comma(text: &str, at: usize) -> Flaw {
    let before = &text[..at];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    Flaw::new(Mark { line, column }, "a comma that may follow a tag", "put a space before it")
}

/// Makes [`Marks`] of events.
struct Reader<'a> {
    text: &'a str,
    parser: Parser<BufReader<Chain<&'a [u8], &'static [u8]>>>,
    marks: Marks,
    /// Completed nodes with an anchor, so that an alias cannot mean what it stands in.
    anchors: BTreeMap<String, usize>,
    /// By node, the bytes and nodes it is made of with all aliases written out.
    weights: Vec<usize>,
    /// What aliases added so far.
    aliased: usize,
    duplicates: Vec<Flaw>,
}

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut parser = Parser::new();
        // The scanner panics where the input ends in the header of a block, so the last line is ended.
        let end: &[u8] = if text.ends_with('\n') { b"" } else { b"\n" };
        parser.set_input(BufReader::with_capacity(16 * 1024, text.as_bytes().chain(end)));
        Self {
            text,
            parser,
            marks: Marks::default(),
            anchors: BTreeMap::new(),
            weights: Vec::new(),
            aliased: 0,
            duplicates: Vec::new(),
        }
    }

    fn event(&mut self) -> Result<Event, Flaw> {
        self.parser.parse().map_err(|error| yaml_error::syntax(&error, self.text))
    }

    fn document(&mut self) -> Result<(), Flaw> {
        loop {
            let event = self.event()?;
            match event.data {
                EventData::StreamEnd => return Ok(()),
                EventData::DocumentStart { .. } if self.marks.root.is_some() => {
                    return Err(Flaw::new(
                        event.start_mark.into(),
                        "a second YAML document",
                        "one text holds one configuration: give --config more than once",
                    ));
                }
                EventData::DocumentStart { .. } => {
                    let first = self.event()?;
                    self.marks.root = Some(self.node(first, 0, false)?);
                }
                _ => {}
            }
        }
    }

    /// The node that begins with `event`, at `depth` collections below the top.
    fn node(&mut self, event: Event, depth: usize, key: bool) -> Result<Child, Flaw> {
        let mark = Mark::from(event.start_mark);
        if depth > MAX_DEPTH {
            return Err(Flaw::new(mark, format!("nested deeper than {MAX_DEPTH} levels"), "flatten it"));
        }
        let (node, weight, anchor) = match event.data {
            EventData::Alias { anchor } => return self.alias(&anchor, mark),
            EventData::Scalar { anchor, value, style, .. } => {
                self.marks.scalars.push(Span { start: mark, end: event.end_mark.into(), key });
                (Node::Scalar(style), value.len(), anchor)
            }
            EventData::SequenceStart { anchor, .. } => {
                let (items, weight) = self.list(depth)?;
                (Node::List(items), weight, anchor)
            }
            EventData::MappingStart { anchor, .. } => {
                let (entries, weight) = self.map(depth)?;
                (Node::Map(entries), weight, anchor)
            }
            // The parser's grammar has no other event where a node is due.
            _ => return Err(Flaw::new(mark, yaml_error::NOT_YAML, "check the indentation here")),
        };
        self.marks.nodes.push(node);
        self.weights.push(weight.saturating_add(1));
        let node = self.marks.nodes.len() - 1;
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, node);
        }
        Ok(Child { node, mark })
    }

    fn alias(&mut self, anchor: &str, mark: Mark) -> Result<Child, Flaw> {
        let Some(&node) = self.anchors.get(anchor) else {
            return Err(Flaw::new(
                mark,
                format!("`*{anchor}` refers to no anchor above it"),
                format!("name one with `&{anchor}` first"),
            ));
        };
        self.aliased = self.aliased.saturating_add(self.weights[node]);
        if self.aliased > MAX_BYTES {
            return Err(Flaw::new(mark, "aliases expand to more than 8 MiB", "write the values out"));
        }
        Ok(Child { node, mark })
    }

    fn list(&mut self, depth: usize) -> Result<(Vec<Child>, usize), Flaw> {
        let (mut items, mut weight) = (Vec::new(), 0usize);
        loop {
            let event = self.event()?;
            if matches!(event.data, EventData::SequenceEnd) {
                return Ok((items, weight));
            }
            let item = self.node(event, depth + 1, false)?;
            weight = weight.saturating_add(self.weights[item.node]);
            items.push(item);
        }
    }

    /// A key as the text has it, without the end of line that only the scanner was given.
    fn key(&self, read: &str, end: u64) -> String {
        match read.strip_suffix('\n') {
            Some(line) if end > self.text.chars().count() as u64 => line.to_owned(),
            _ => read.to_owned(),
        }
    }

    fn map(&mut self, depth: usize) -> Result<(Vec<Entry>, usize), Flaw> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let (mut entries, mut weight) = (Vec::new(), 0usize);
        loop {
            let event = self.event()?;
            let mark = Mark::from(event.start_mark);
            let key = match &event.data {
                EventData::MappingEnd => return Ok((entries, weight)),
                EventData::Scalar { value, .. } => self.key(value, event.end_mark.index),
                _ => return Err(yaml_error::odd_key(mark, self.text)),
            };
            self.node(event, depth, true)?;
            let before = seen.insert(key.clone(), mark.line);
            if let Some(line) = before.filter(|_| self.duplicates.len() < MOST_DUPLICATES) {
                let hint = format!("it is on line {line} already: remove one");
                self.duplicates.push(Flaw::new(mark, format!("`{key}` stands here twice"), hint));
            }
            let event = self.event()?;
            let value = self.node(event, depth + 1, false)?;
            weight = weight.saturating_add(key.len()).saturating_add(self.weights[value.node]);
            entries.push(Entry { key, mark, value });
        }
    }
}
