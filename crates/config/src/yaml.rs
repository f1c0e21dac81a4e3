//! Reads a text of YAML in one pass: its value, and where each part of it stands.
//!
//! The limits hold before anything is made of a text: its size, its depth, the size of what aliases expand to. A text
//! holds one document, and no map has a key twice.

use std::collections::BTreeMap;
use std::io::BufReader;

use libyaml_safer::{Event, EventData, Parser};

use super::mark::Mark;
use super::places::{Child, Entry, Marks, Node, Span};
use super::resolve;
use super::value::{Mapping, Value};
use super::yaml_error::{self, Flaw};

/// The size of the largest text that is read, in bytes. Aliases may add as much again.
pub const MAX_BYTES: usize = 8 * 1024 * 1024;

/// The depth to which lists and maps may nest. The parser's time grows with its square.
pub const MAX_DEPTH: usize = 64;

/// The number of duplicate keys that are reported. A hostile text could have millions.
const MOST_DUPLICATES: usize = 100;

/// The merge key of YAML 1.1.
pub(super) const MERGE: &str = "<<";

/// Reads `text`, which has at most [`MAX_BYTES`].
///
/// # Errors
/// Everything that keeps it from being read. Of duplicate keys, all.
pub(super) fn read(text: &str) -> Result<(Marks, Value), Vec<Flaw>> {
    yaml_error::check_characters(text).map_err(|flaw| vec![flaw])?;
    let mut reader = Reader::new(text);
    match reader.document() {
        Err(flaw) => Err(vec![flaw]),
        Ok(value) if reader.duplicates.is_empty() => Ok((reader.marks, value)),
        Ok(_) => Err(reader.duplicates),
    }
}

/// Makes marks and a value of the parser's events.
struct Reader<'a> {
    text: &'a str,
    parser: Parser<BufReader<&'a [u8]>>,
    marks: Marks,
    /// The complete nodes with an anchor. An alias inside a node therefore cannot mean that node.
    anchors: BTreeMap<String, (usize, Value)>,
    /// The bytes and nodes that each node is made of, with all aliases written out.
    weights: Vec<usize>,
    /// The bytes and nodes that aliases added so far.
    aliased: usize,
    duplicates: Vec<Flaw>,
}

/// A node at the place of its use, and its value.
type Read = (Child, Value);

impl<'a> Reader<'a> {
    fn new(text: &'a str) -> Self {
        let mut parser = Parser::new();
        parser.set_input(BufReader::with_capacity(16 * 1024, text.as_bytes()));
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

    fn document(&mut self) -> Result<Value, Flaw> {
        let mut whole = Value::Null;
        loop {
            let event = self.event()?;
            match event.data {
                EventData::StreamEnd => return Ok(whole),
                EventData::DocumentStart { .. } if self.marks.root.is_some() => {
                    return Err(Flaw::new(
                        event.start_mark.into(),
                        "a second YAML document",
                        "one text holds one configuration: give --config more than once",
                    ));
                }
                EventData::DocumentStart { .. } => {
                    let first = self.event()?;
                    let (root, value) = self.node(first, 0, false)?;
                    (self.marks.root, whole) = (Some(root), value);
                }
                _ => {}
            }
        }
    }

    /// Reads the node that begins with `event`, at `depth` collections below the top.
    fn node(&mut self, event: Event, depth: usize, key: bool) -> Result<Read, Flaw> {
        let mark = Mark::from(event.start_mark);
        if depth > MAX_DEPTH {
            return Err(Flaw::new(mark, format!("nested deeper than {MAX_DEPTH} levels"), "flatten it"));
        }
        let (node, weight, anchor, value) = match event.data {
            EventData::Alias { anchor } => return self.alias(&anchor, mark),
            EventData::Scalar { anchor, tag, value, style, .. } => {
                self.marks.scalars.push(Span { start: mark, end: event.end_mark.into(), key });
                let weight = value.len();
                let value = resolve::scalar(value, tag.as_deref(), style)
                    .ok_or_else(|| yaml_error::unfit_tag(mark))?;
                (Node::Scalar(style), weight, anchor, value)
            }
            EventData::SequenceStart { anchor, tag, .. } => {
                let (items, weight, values) = self.list(depth)?;
                (Node::List(items), weight, anchor, tagged(values.into(), tag.as_deref()))
            }
            EventData::MappingStart { anchor, tag, .. } => {
                let (entries, weight, map) = self.map(depth)?;
                (Node::Map(entries), weight, anchor, tagged(map.into(), tag.as_deref()))
            }
            // The parser's grammar has no other event at the place of a node.
            _ => return Err(Flaw::new(mark, yaml_error::NOT_YAML, "check the indentation here")),
        };
        let node = self.marks.add(node);
        self.weights.push(weight.saturating_add(1));
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, (node, value.clone()));
        }
        Ok((Child { node, mark }, value))
    }

    fn alias(&mut self, anchor: &str, mark: Mark) -> Result<Read, Flaw> {
        let Some((node, value)) = self.anchors.get(anchor) else {
            return Err(Flaw::new(
                mark,
                format!("`*{anchor}` refers to no anchor above it"),
                format!("name one with `&{anchor}` first"),
            ));
        };
        self.aliased = self.aliased.saturating_add(self.weights[*node]);
        if self.aliased > MAX_BYTES {
            return Err(Flaw::new(mark, "aliases expand to more than 8 MiB", "write the values out"));
        }
        Ok((Child { node: *node, mark }, value.clone()))
    }

    fn list(&mut self, depth: usize) -> Result<(Vec<Child>, usize, Vec<Value>), Flaw> {
        let (mut items, mut weight, mut values) = (Vec::new(), 0usize, Vec::new());
        loop {
            let event = self.event()?;
            if matches!(event.data, EventData::SequenceEnd) {
                return Ok((items, weight, values));
            }
            let (item, value) = self.node(event, depth + 1, false)?;
            weight = weight.saturating_add(self.weights[item.node]);
            items.push(item);
            values.push(value);
        }
    }

    fn map(&mut self, depth: usize) -> Result<(Vec<Entry>, usize, Mapping), Flaw> {
        let mut seen: BTreeMap<String, usize> = BTreeMap::new();
        let (mut entries, mut weight, mut map) = (Vec::new(), 0usize, Mapping::new());
        loop {
            let event = self.event()?;
            let mark = Mark::from(event.start_mark);
            let key = match &event.data {
                EventData::MappingEnd => break,
                EventData::Scalar { value, .. } => value.clone(),
                _ => return Err(yaml_error::odd_key(mark, self.text)),
            };
            let (_, name) = self.node(event, depth, true)?;
            let before = seen.insert(key.clone(), mark.line);
            if let Some(line) = before.filter(|_| self.duplicates.len() < MOST_DUPLICATES) {
                let hint = format!("it is on line {line} already: remove one");
                self.duplicates.push(Flaw::new(mark, format!("`{key}` stands here twice"), hint));
            }
            let event = self.event()?;
            let (child, value) = self.node(event, depth + 1, false)?;
            weight = weight.saturating_add(key.len()).saturating_add(self.weights[child.node]);
            entries.push(Entry { key, mark, value: child });
            map.push(name, value);
        }
        let map = merged(map).ok_or_else(|| {
            let merge = entries.iter().find(|entry| entry.key == MERGE);
            yaml_error::odd_merge(merge.map_or(Mark::START, |entry| entry.value.mark))
        })?;
        Ok((entries, weight, map))
    }
}

/// Puts what a merge key brings in below the entries of the map itself; `None` if its value is neither a map nor a
/// list of maps.
fn merged(mut map: Mapping) -> Option<Mapping> {
    match map.remove(MERGE) {
        None => {}
        Some(Value::Mapping(base)) => map.lay(base, |_, _, _| {}),
        Some(Value::Sequence(bases)) => {
            for base in bases {
                let Value::Mapping(base) = base else { return None };
                map.lay(base, |_, _, _| {});
            }
        }
        Some(_) => return None,
    }
    Some(map)
}

fn tagged(value: Value, tag: Option<&str>) -> Value {
    match tag {
        Some(tag) if tag.starts_with('!') => Value::Tagged(Box::new(value)),
        _ => value,
    }
}
