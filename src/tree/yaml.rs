//! YAML in: a text's nodes, and a [`Tree`] of them whose numbers keep their spelling.
//!
//! serde's YAML makes a number of `1.50` before anyone can see how it was written, so this reads
//! the parser's events itself.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::BufReader;
use std::rc::Rc;
use std::sync::Arc;

use libyaml_safer::{EventData, Parser, ScalarStyle};

use super::Tree;
use super::comma::Apart;
use crate::secret::Secret;

/// How deep lists and maps may nest. The parser's time grows with the square of it.
const MAX_DEPTH: usize = 64;

/// The nodes that aliases may make of a text.
const MOST_NODES: usize = 1_000_000;

/// Where a text stops being YAML, and why. Never what stands there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YamlError {
    /// From 1.
    pub line: u64,
    /// From 1, in characters.
    pub column: u64,
    /// What is wrong there.
    pub problem: &'static str,
}

impl fmt::Display for YamlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "line {}, column {}: {}", self.line, self.column, self.problem)
    }
}

impl std::error::Error for YamlError {}

/// A node of a document, aliases already followed.
#[derive(Debug)]
pub(crate) enum Node {
    Scalar(Scalar),
    List(Vec<Rc<Node>>),
    Map(Vec<(Rc<Node>, Rc<Node>)>),
}

/// A scalar and what the text says of its type.
#[derive(Debug)]
pub(crate) struct Scalar {
    pub(crate) text: Secret,
    /// Whether it stands without quotes, so that its text decides its type.
    pub(crate) plain: bool,
    /// `tag:yaml.org,2002:str` and others.
    pub(crate) tag: Option<String>,
}

/// The first document of `text`; `None` where there is none.
pub(crate) fn compose(text: &[u8]) -> Result<Option<Rc<Node>>, YamlError> {
    let text = std::str::from_utf8(text).map_err(|error| not_utf8(text, error.valid_up_to()))?;
    if let Some(at) = text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) {
        return Err(at_offset(text, at, "control characters are not allowed"));
    }
    let apart = Apart::new(text).ok_or_else(|| at_offset(text, 0, "it has the character U+E001"))?;
    let mut parser = Parser::new();
    parser.set_input(BufReader::with_capacity(16 * 1024, apart.as_bytes()));
    let mut composer = Composer { parser, apart: &apart, anchors: HashMap::new() };
    loop {
        match composer.next()? {
            (EventData::StreamEnd, _) => return Ok(None),
            (EventData::DocumentStart { .. }, _) => {
                let (event, place) = composer.next()?;
                return composer.node(event, place, 0).map(Some);
            }
            _ => {}
        }
    }
}

type Place = (u64, u64);

struct Composer<'t> {
    parser: Parser<BufReader<&'t [u8]>>,
    apart: &'t Apart,
    /// Nodes that are complete, so that an alias cannot mean what it stands in.
    anchors: HashMap<String, Rc<Node>>,
}

impl Composer<'_> {
    fn next(&mut self) -> Result<(EventData, Place), YamlError> {
        match self.parser.parse() {
            Ok(event) => {
                let mark = event.start_mark;
                Ok((event.data, (mark.line + 1, mark.column + 1)))
            }
            Err(error) => {
                let (line, column) =
                    error.problem_mark().map_or((1, 1), |mark| (mark.line + 1, mark.column + 1));
                Err(YamlError { line, column, problem: "not YAML" })
            }
        }
    }

    fn node(&mut self, event: EventData, place: Place, depth: usize) -> Result<Rc<Node>, YamlError> {
        let wrong = |problem| YamlError { line: place.0, column: place.1, problem };
        if depth > MAX_DEPTH {
            return Err(wrong("nested too deeply"));
        }
        let (anchor, node) = match event {
            EventData::Alias { anchor } => {
                let node = self.anchors.get(&anchor).map(Rc::clone);
                return node.ok_or_else(|| wrong("an alias of nothing before it"));
            }
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                let plain = style == ScalarStyle::Plain && plain_implicit;
                let text = self.apart.scalar(value);
                let text =
                    text.ok_or_else(|| wrong("put a space behind the comma that follows an apostrophe"))?;
                (anchor, Node::Scalar(Scalar { text: text.into(), plain, tag }))
            }
            EventData::SequenceStart { anchor, .. } => {
                let mut items = Vec::new();
                loop {
                    let (event, place) = self.next()?;
                    if matches!(event, EventData::SequenceEnd) {
                        break;
                    }
                    items.push(self.node(event, place, depth + 1)?);
                }
                (anchor, Node::List(items))
            }
            EventData::MappingStart { anchor, .. } => {
                let mut entries = Vec::new();
                loop {
                    let (event, place) = self.next()?;
                    if matches!(event, EventData::MappingEnd) {
                        break;
                    }
                    let key = self.node(event, place, depth + 1)?;
                    let (event, place) = self.next()?;
                    entries.push((key, self.node(event, place, depth + 1)?));
                }
                (anchor, Node::Map(entries))
            }
            _ => return Err(wrong("not YAML")),
        };
        let node = Rc::new(node);
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, Rc::clone(&node));
        }
        Ok(node)
    }
}

impl Tree {
    /// Reads the first document of a YAML text, by the rules of YAML 1.2's JSON schema: without
    /// quotes `true`, `false`, `null` and what JSON takes for a number are such, in their spelling;
    /// everything else is a text. Of a key given twice the last counts.
    ///
    /// # Errors
    /// [`YamlError`] with the place, never the content.
    pub fn from_yaml(text: &[u8]) -> Result<Self, YamlError> {
        match compose(text)? {
            Some(node) => Reader { nodes: 0 }.tree(&node),
            None => Ok(Self::Null),
        }
    }
}

struct Reader {
    nodes: usize,
}

impl Reader {
    fn tree(&mut self, node: &Node) -> Result<Tree, YamlError> {
        self.nodes += 1;
        if self.nodes > MOST_NODES {
            return wrong("aliases make too much of it");
        }
        Ok(match node {
            Node::Scalar(scalar) => self::scalar(scalar),
            Node::List(items) => {
                Tree::List(Arc::new(items.iter().map(|item| self.tree(item)).collect::<Result<_, _>>()?))
            }
            Node::Map(entries) => {
                let mut map = BTreeMap::new();
                self.fill(&mut map, entries)?;
                Tree::Map(Arc::new(map.into()))
            }
        })
    }

    fn fill(
        &mut self,
        map: &mut BTreeMap<String, Tree>,
        entries: &[(Rc<Node>, Rc<Node>)],
    ) -> Result<(), YamlError> {
        for (key, value) in entries {
            let Node::Scalar(key) = &**key else { return wrong("a key that is a list or a map") };
            match &**value {
                Node::Map(merged) if key.plain && key.text.expose() == b"<<" => self.fill(map, merged)?,
                value => {
                    let name = String::from_utf8_lossy(key.text.expose()).into_owned();
                    map.insert(name, self.tree(value)?);
                }
            }
        }
        Ok(())
    }
}

/// Of the whole document: nodes keep no places.
fn wrong<T>(problem: &'static str) -> Result<T, YamlError> {
    Err(YamlError { line: 1, column: 1, problem })
}

fn scalar(scalar: &Scalar) -> Tree {
    let text = || Tree::Text(scalar.text.clone());
    if !scalar.plain {
        return text();
    }
    match scalar.text.expose() {
        b"" | b"~" | b"null" | b"Null" | b"NULL" => Tree::Null,
        b"true" | b"True" | b"TRUE" => Tree::Bool(true),
        b"false" | b"False" | b"FALSE" => Tree::Bool(false),
        [b'-' | b'0'..=b'9', ..] => match Tree::from_json(scalar.text.expose()) {
            Ok(number @ Tree::Number(_)) => number,
            _ => text(),
        },
        _ => text(),
    }
}

fn not_utf8(text: &[u8], valid: usize) -> YamlError {
    let valid = String::from_utf8_lossy(&text[..valid]);
    at_offset(&valid, valid.len(), "not UTF-8")
}

fn at_offset(text: &str, offset: usize, problem: &'static str) -> YamlError {
    let before = &text[..offset];
    let line = before.matches('\n').count() + 1;
    let column = before.rsplit('\n').next().map_or(0, |rest| rest.chars().count()) + 1;
    // A text in memory has neither lines nor columns past u64.
    YamlError { line: line as u64, column: column as u64, problem }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(yaml: &str) -> String {
        let tree = Tree::from_yaml(yaml.as_bytes()).expect("valid YAML");
        String::from_utf8(tree.to_json().to_vec()).expect("UTF-8")
    }

    #[test]
    fn numbers_keep_their_spelling() {
        assert_eq!(
            json("a: 1.50\nb: 1e3\nc: -0\nd: 010\ne: \"5\"\nf: 18446744073709551616"),
            r#"{"a":1.50,"b":1e3,"c":-0,"d":"010","e":"5","f":18446744073709551616}"#
        );
    }

    #[test]
    fn only_the_words_of_json_are_not_texts() {
        assert_eq!(
            json("[true, False, yes, on, ~, null, '', 2024-01-01]"),
            r#"[true,false,"yes","on",null,null,"","2024-01-01"]"#
        );
    }

    #[test]
    fn aliases_and_merges_are_followed() {
        assert_eq!(
            json("base: &b {x: 1, y: 2}\nuse: {<<: *b, y: 3}\nsame: *b"),
            r#"{"base":{"x":1,"y":2},"same":{"x":1,"y":2},"use":{"x":1,"y":3}}"#
        );
    }

    #[test]
    fn what_is_not_yaml_is_refused_with_its_place() {
        for (yaml, line, column) in
            [(&b"a: [1"[..], 2, 1), (b"a: *b", 1, 4), (b"a: \xff", 1, 4), (b"a:\n  \x01", 2, 3)]
        {
            let error = Tree::from_yaml(yaml).expect_err("not YAML");
            assert_eq!((error.line, error.column), (line, column), "{error}");
        }
    }

    #[test]
    fn aliases_cannot_make_much_out_of_little() {
        let mut yaml = String::from("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n");
        for level in 1..12 {
            let below = format!("*a{}", level - 1);
            yaml.push_str(&format!("a{level}: &a{level} [{}]\n", vec![below; 10].join(",")));
        }
        assert!(Tree::from_yaml(yaml.as_bytes()).is_err());
    }
}
