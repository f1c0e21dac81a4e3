//! Reads YAML: the nodes of a text, and a [`Tree`] made of them whose numbers keep their spelling.
//!
//! serde's YAML makes a number of `1.50` and loses how it was written. So this module reads
//! the parser's events itself.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::io::BufReader;
use std::rc::Rc;
use std::sync::Arc;

use libyaml_safer::{EventData, Parser, ScalarStyle};

use super::Tree;
use crate::secret::Secret;

/// The depth to which lists and maps may nest. The parser's time grows with its square.
const MAX_DEPTH: usize = 64;

/// The number of nodes that a [`Tree`] may have, with all aliases followed.
const MOST_NODES: usize = 1_000_000;

/// Where a text stops being YAML, and why. It never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct YamlError {
    /// The line, from 1.
    pub line: u64,
    /// The column in characters, from 1.
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

/// A node of a document. Aliases are followed already.
#[derive(Debug)]
pub enum YamlNode {
    /// A text, a number or a word.
    Scalar(YamlScalar),
    /// A sequence.
    List(Vec<Rc<YamlNode>>),
    /// A mapping, in the order of the text.
    Map(Vec<(Rc<YamlNode>, Rc<YamlNode>)>),
}

/// A scalar, and what the text says about its type.
#[derive(Debug)]
pub struct YamlScalar {
    /// The content, without quotes.
    pub text: Secret,
    /// True if it stands without quotes and tag, so that its content decides its type.
    pub plain: bool,
    /// The tag, such as `tag:yaml.org,2002:str`.
    pub tag: Option<String>,
}

/// Reads the first document of `text`; `None` if there is none.
///
/// With all aliases followed, the document is at most 64 levels deep and has at most `most` nodes. Texts come out of secrets,
/// and each alias may stand in the next. The bounds make sure that a walk over the document ends and does not overflow the
/// stack.
///
/// # Errors
/// [`YamlError`] if the text is not YAML or beyond the bounds.
pub fn compose(text: &[u8], most: usize) -> Result<Option<Rc<YamlNode>>, YamlError> {
    let text = std::str::from_utf8(text).map_err(|error| not_utf8(text, error.valid_up_to()))?;
    if let Some(at) = text.find(|c: char| c.is_control() && !matches!(c, '\t' | '\n' | '\r' | '\u{85}')) {
        return Err(at_offset(text, at, "control characters are not allowed"));
    }
    let mut parser = Parser::new();
    parser.set_input(BufReader::with_capacity(16 * 1024, text.as_bytes()));
    let mut composer = Composer { parser, most, anchors: HashMap::new() };
    loop {
        match composer.next()? {
            (EventData::StreamEnd, _) => return Ok(None),
            (EventData::DocumentStart { .. }, _) => {
                let (event, place) = composer.next()?;
                return composer.node(event, place, 0).map(|built| Some(built.node));
            }
            _ => {}
        }
    }
}

type Place = (u64, u64);

/// A complete node, and its size with all its aliases followed.
#[derive(Clone)]
struct Built {
    node: Rc<YamlNode>,
    size: Size,
}

#[derive(Clone, Copy)]
struct Size {
    /// The levels below the node.
    height: usize,
    /// The number of nodes: this one and all below it.
    nodes: usize,
}

struct Composer<'t> {
    parser: Parser<BufReader<&'t [u8]>>,
    most: usize,
    /// The complete nodes with an anchor. An alias inside a node therefore cannot mean that node.
    anchors: HashMap<String, Built>,
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

    fn node(&mut self, event: EventData, place: Place, depth: usize) -> Result<Built, YamlError> {
        let mut size = Size { height: 0, nodes: 1 };
        let (anchor, node) = match event {
            EventData::Alias { anchor } => {
                let Some(built) = self.anchors.get(&anchor) else {
                    return wrong(place, "an alias of nothing before it");
                };
                return if depth + built.size.height > MAX_DEPTH {
                    too_deep(place)
                } else {
                    Ok(built.clone())
                };
            }
            _ if depth > MAX_DEPTH => return too_deep(place),
            EventData::Scalar { anchor, tag, value, plain_implicit, style, .. } => {
                let plain = style == ScalarStyle::Plain && plain_implicit;
                (anchor, YamlNode::Scalar(YamlScalar { text: value.into(), plain, tag }))
            }
            EventData::SequenceStart { anchor, .. } => {
                let mut items = Vec::new();
                while let Some(item) = self.below(depth, &mut size)? {
                    items.push(item);
                }
                (anchor, YamlNode::List(items))
            }
            EventData::MappingStart { anchor, .. } => {
                let mut entries = Vec::new();
                while let Some(key) = self.below(depth, &mut size)? {
                    let Some(value) = self.below(depth, &mut size)? else { return wrong(place, "not YAML") };
                    entries.push((key, value));
                }
                (anchor, YamlNode::Map(entries))
            }
            _ => return wrong(place, "not YAML"),
        };
        let built = Built { node: Rc::new(node), size };
        if let Some(anchor) = anchor {
            self.anchors.insert(anchor, built.clone());
        }
        Ok(built)
    }

    /// Reads the next node in a list or map at `depth`, and adds it to `size`; `None` at the end of the list or map.
    fn below(&mut self, depth: usize, size: &mut Size) -> Result<Option<Rc<YamlNode>>, YamlError> {
        let (event, place) = self.next()?;
        if matches!(event, EventData::SequenceEnd | EventData::MappingEnd) {
            return Ok(None);
        }
        let built = self.node(event, place, depth + 1)?;
        size.height = size.height.max(built.size.height + 1);
        size.nodes = size.nodes.saturating_add(built.size.nodes);
        if size.nodes > self.most {
            wrong(place, "too many values, aliases followed")
        } else {
            Ok(Some(built.node))
        }
    }
}

fn wrong<T>((line, column): Place, problem: &'static str) -> Result<T, YamlError> {
    Err(YamlError { line, column, problem })
}

fn too_deep<T>(place: Place) -> Result<T, YamlError> {
    wrong(place, "nested too deeply")
}

impl Tree {
    /// Reads the first document of a YAML text, by the rules of YAML 1.2's JSON schema. Scalars without
    /// quotes that are `true`, `false`, `null` or a number of JSON are such, in their spelling;
    /// everything else is a text. The last of equal keys counts.
    ///
    /// # Errors
    /// [`YamlError`] with the position, and never with content.
    pub fn from_yaml(text: &[u8]) -> Result<Self, YamlError> {
        compose(text, MOST_NODES)?.map_or(Ok(Self::Null), |node| tree(&node))
    }
}

fn tree(node: &YamlNode) -> Result<Tree, YamlError> {
    Ok(match node {
        YamlNode::Scalar(scalar) => self::scalar(scalar),
        YamlNode::List(items) => {
            Tree::List(Arc::new(items.iter().map(|item| tree(item)).collect::<Result<_, _>>()?))
        }
        YamlNode::Map(entries) => {
            let mut map = BTreeMap::new();
            fill(&mut map, entries)?;
            Tree::Map(Arc::new(map.into()))
        }
    })
}

fn fill(map: &mut BTreeMap<String, Tree>, entries: &[(Rc<YamlNode>, Rc<YamlNode>)]) -> Result<(), YamlError> {
    for (key, value) in entries {
        // The error is about the whole document: nodes keep no positions.
        let YamlNode::Scalar(key) = &**key else { return wrong((1, 1), "a key that is a list or a map") };
        match &**value {
            YamlNode::Map(merged) if key.plain && key.text.expose() == b"<<" => fill(map, merged)?,
            value => {
                let name = String::from_utf8_lossy(key.text.expose()).into_owned();
                map.insert(name, tree(value)?);
            }
        }
    }
    Ok(())
}

fn scalar(scalar: &YamlScalar) -> Tree {
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
    fn a_tag_before_a_comma_is_read_and_texts_stay_as_they_are() {
        for (yaml, wanted) in [
            ("[!!str, a]", r#"["","a"]"#),
            ("{a: !x, b: 1}", r#"{"a":"","b":1}"#),
            ("['HIGH,!aNULL,!MD5', 'Hi!', \"a!,b\", c!, d]", r#"["HIGH,!aNULL,!MD5","Hi!","a!,b","c!","d"]"#),
            (
                "a: HIGH:!aNULL,!MD5,x\nb: |\n  f(!a, !b,c)\n",
                r#"{"a":"HIGH:!aNULL,!MD5,x","b":"f(!a, !b,c)\u000a"}"#,
            ),
            ("\"!a\\tb,\"", r#""!a\u0009b,""#),
            ("\"it's !x', y\"", r#""it's !x', y""#),
            ("a: \u{e001}", "{\"a\":\"\u{e001}\"}"),
        ] {
            assert_eq!(json(yaml), wanted, "{yaml}");
        }
    }

    /// The parser's zeros behind the end are no line end, so the last line of a block has none.
    #[test]
    fn a_block_at_the_very_end_has_the_line_end_that_the_text_has() {
        for (yaml, wanted) in [
            ("a: |", r#"{"a":""}"#),
            ("a: >-", r#"{"a":""}"#),
            ("a: |\n  b", r#"{"a":"b"}"#),
            ("a: |\n  b\n", r#"{"a":"b\u000a"}"#),
            ("|", r#""""#),
        ] {
            assert_eq!(json(yaml), wanted, "{yaml:?}");
        }
    }

    #[test]
    fn no_tag_and_no_end_makes_the_parser_panic() {
        for tag in
            ["!", "!x", "!!x", "!<a,b>", "!x'", "!'", "!%41", "&a !", "!x!y", "!é", "!<", "!%4", "\"\\"]
        {
            for before in [
                "", " ", "[", "{", "{a: ", "{\"a\":", "{'a':", "[a]", "{}", "''", "\"\"", "- ", "? ", "%TAG ",
            ] {
                for behind in ["", "\n", ",", ", a]", ",a}", " ,", ",,", "\\", "\"", "'"] {
                    let _ = Tree::from_yaml(format!("{before}{tag}{behind}").as_bytes());
                }
            }
        }
        for odd in [
            "a: |1", "a: |+", "a: >1-", "\"\\", "\"\\x", "'", "&", "*", "%", "%YAML", "%YAML 1.", "?", "-",
            "a: \\",
        ] {
            let _ = Tree::from_yaml(odd.as_bytes());
        }
    }

    proptest::proptest! {
        #![proptest_config(proptest::prelude::ProptestConfig { cases: 2000, failure_persistence: None, ..Default::default() })]

        #[test]
        fn no_text_makes_the_parser_panic(text in "[-a:!,%&*|>'\"\\\\{}\\[\\]?# 1x\n\r\u{85}\u{2028}é<.]{0,24}") {
            let _ = Tree::from_yaml(text.as_bytes());
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

    #[test]
    fn merges_of_nothing_cannot_be_walked_for_ever() {
        let mut yaml = String::from("a0: &a0 {}\n");
        for level in 1..20 {
            let below = format!("*a{}", level - 1);
            yaml.push_str(&format!("a{level}: &a{level} {{<<: [{}]}}\n", vec![below; 10].join(",")));
        }
        let error = Tree::from_yaml(yaml.as_bytes()).expect_err("ten to the nineteenth maps");
        assert_eq!(error.problem, "too many values, aliases followed");
    }

    #[test]
    fn aliases_nest_no_deeper_than_what_is_written_out() {
        for (first, open, close) in [("1", "[", "]"), ("{}", "{<<: ", "}")] {
            let chain = |levels: usize| {
                let link = |level| format!("- &a{level} {open}*a{}{close}\n", level - 1);
                format!("- &a0 {first}\n{}", (1..levels).map(link).collect::<String>())
            };
            assert!(Tree::from_yaml(chain(MAX_DEPTH).as_bytes()).is_ok(), "{open}");
            // So long that to drop it one in another would overflow the stack.
            let error = Tree::from_yaml(chain(100_000).as_bytes()).expect_err("too deep");
            assert_eq!(error.problem, "nested too deeply", "{open}");
        }
    }
}
