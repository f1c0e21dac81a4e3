//! Reads and writes a [`Tree`] as JSON (RFC 8259). Every copy of a text on the way is wiped.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::Tree;
use crate::secret::Secret;

/// The depth to which lists and maps may nest. Go's decoder stops at 10,000; no secret needs more than this.
pub const MAX_DEPTH: usize = 128;

/// The memory, in bytes, that the values of one text may take beside their own bytes. A text of four MiB like `[0,0,…]` would
/// become a tree of 200 MiB. This is room for sixty thousand values.
const ROOM: usize = 6 * 1024 * 1024;

/// The memory of a value: itself in its list or map, what it shares, and the allocator's rounding.
const VALUE: usize = 96;

/// What a map takes in addition: its first node has room for eleven keys.
const MAP: usize = 480;

/// What a key takes in addition to its bytes.
const KEY: usize = 56;

/// Where a text stops being JSON, and why. It never holds any of the text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct JsonError {
    /// The bytes from the start of the text, from 0.
    pub offset: usize,
    /// What is wrong there.
    pub problem: JsonProblem,
}

/// What may be wrong with a JSON text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum JsonProblem {
    /// The text ends too early, such as a truncated body.
    Truncated,
    /// Another character is expected here.
    Unexpected,
    /// Lists and maps nest deeper than [`MAX_DEPTH`].
    TooDeep,
    /// There are more values than the memory limit allows.
    TooMany,
    /// A text is not UTF-8.
    NotUtf8,
    /// Something follows the value.
    Trailing,
}

impl fmt::Display for JsonError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let problem = match self.problem {
            JsonProblem::Truncated => "it ends too early",
            JsonProblem::Unexpected => "unexpected character",
            JsonProblem::TooDeep => "nested too deeply",
            JsonProblem::TooMany => "too many values",
            JsonProblem::NotUtf8 => "a text that is not UTF-8",
            JsonProblem::Trailing => "something follows the value",
        };
        write!(f, "not JSON: {problem} at byte {}", self.offset)
    }
}

impl std::error::Error for JsonError {}

impl Tree {
    /// Reads one JSON value that fills `bytes`. The last of equal keys counts, as in Go. A text may nest [`MAX_DEPTH`] levels and
    /// have some sixty thousand values.
    ///
    /// # Errors
    /// [`JsonError`] with the position, and never with content.
    pub fn from_json(bytes: &[u8]) -> Result<Self, JsonError> {
        Self::from_json_within(bytes, ROOM)
    }

    /// Reads one JSON value like [`Tree::from_json`], with `room` bytes of memory for the values in addition to their own bytes.
    ///
    /// # Errors
    /// [`JsonError`] with the position, and never with content.
    pub fn from_json_within(bytes: &[u8], room: usize) -> Result<Self, JsonError> {
        let mut reader = JsonReader { bytes, at: 0, room };
        let tree = reader.value(0)?;
        reader.space();
        if reader.at < bytes.len() { Err(reader.error(JsonProblem::Trailing)) } else { Ok(tree) }
    }

    /// Writes the value as compact JSON, with its secrets in clear text. The agent uses it for requests and the handoff.
    #[must_use]
    pub fn to_json(&self) -> Zeroizing<Vec<u8>> {
        let mut out = Zeroizing::new(Vec::with_capacity(self.json_len()));
        self.write_json(&mut out);
        out
    }

    /// Writes the value as compact JSON behind what is in `out` already. Where that has to move to have room, the place
    /// that it leaves is wiped.
    pub fn append_json(&self, out: &mut Zeroizing<Vec<u8>>) {
        reserve(out, self.json_len());
        self.write_json(out);
    }

    /// Returns the length of the JSON or a little more, so that the buffer with the secrets never moves.
    fn json_len(&self) -> usize {
        match self {
            Self::Null | Self::Bool(_) => 5,
            Self::Number(text) => text.len(),
            Self::Text(text) => text_len(text.expose()),
            Self::List(list) => list.iter().map(|item| item.json_len() + 1).sum::<usize>() + 2,
            Self::Map(map) => {
                map.iter().map(|(k, v)| text_len(k.as_bytes()) + v.json_len() + 2).sum::<usize>() + 2
            }
        }
    }

    fn write_json(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => out.extend(b"null"),
            Self::Bool(value) => out.extend(if *value { &b"true"[..] } else { b"false" }),
            Self::Number(spelling) => out.extend(spelling.expose()),
            Self::Text(text) => write_text(text.expose(), out),
            Self::List(list) => {
                out.push(b'[');
                for (index, item) in list.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    item.write_json(out);
                }
                out.push(b']');
            }
            Self::Map(map) => {
                out.push(b'{');
                for (index, (key, item)) in map.iter().enumerate() {
                    if index > 0 {
                        out.push(b',');
                    }
                    write_text(key.as_bytes(), out);
                    out.push(b':');
                    item.write_json(out);
                }
                out.push(b'}');
            }
        }
    }
}

/// Puts `bytes` behind what is in `out` already; as [`Tree::append_json`].
pub fn append(bytes: &[u8], out: &mut Zeroizing<Vec<u8>>) {
    reserve(out, bytes.len());
    out.extend_from_slice(bytes);
}

/// Makes room for `more` bytes in `out`. Where it has to move, the place that it leaves is wiped.
fn reserve(out: &mut Zeroizing<Vec<u8>>, more: usize) {
    let needed = out.len() + more;
    if out.capacity() < needed {
        let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(out.capacity() * 2)));
        larger.extend_from_slice(out);
        *out = larger;
    }
}

/// Returns how many bytes [`write_text`] writes.
fn text_len(text: &[u8]) -> usize {
    let escaped = |byte: &u8| match byte {
        b'"' | b'\\' => 2,
        0..=0x1f => 6,
        _ => 1,
    };
    text.iter().map(escaped).sum::<usize>() + 2
}

fn write_text(text: &[u8], out: &mut Vec<u8>) {
    const HEX: &[u8; 16] = b"0123456789abcdef";
    out.push(b'"');
    for &byte in text {
        match byte {
            b'"' | b'\\' => out.extend([b'\\', byte]),
            0..=0x1f => out.extend([
                b'\\',
                b'u',
                b'0',
                b'0',
                HEX[usize::from(byte >> 4)],
                HEX[usize::from(byte & 15)],
            ]),
            _ => out.push(byte),
        }
    }
    out.push(b'"');
}

struct JsonReader<'a> {
    bytes: &'a [u8],
    at: usize,
    /// What is left for further values.
    room: usize,
}

impl JsonReader<'_> {
    fn error(&self, problem: JsonProblem) -> JsonError {
        JsonError { offset: self.at, problem }
    }

    fn unexpected<T>(&self) -> Result<T, JsonError> {
        let truncated = self.at >= self.bytes.len();
        Err(self.error(if truncated { JsonProblem::Truncated } else { JsonProblem::Unexpected }))
    }

    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn space(&mut self) {
        while matches!(self.peek(), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
    }

    fn take(&mut self, byte: u8) -> bool {
        let here = self.peek() == Some(byte);
        self.at += usize::from(here);
        here
    }

    /// Takes what one more value costs.
    fn take_room(&mut self, cost: usize) -> Result<(), JsonError> {
        self.room = self.room.checked_sub(cost).ok_or_else(|| self.error(JsonProblem::TooMany))?;
        Ok(())
    }

    fn value(&mut self, depth: usize) -> Result<Tree, JsonError> {
        self.space();
        self.take_room(VALUE)?;
        match self.peek() {
            Some(b'n') => self.word(b"null", Tree::Null),
            Some(b't') => self.word(b"true", Tree::Bool(true)),
            Some(b'f') => self.word(b"false", Tree::Bool(false)),
            Some(b'"') => Ok(Tree::Text(Secret::new(std::mem::take(&mut *self.text()?)))),
            Some(b'-' | b'0'..=b'9') => self.number(),
            Some(b'[' | b'{') if depth >= MAX_DEPTH => Err(self.error(JsonProblem::TooDeep)),
            Some(b'[') => self.list(depth + 1),
            Some(b'{') => self.map(depth + 1),
            _ => self.unexpected(),
        }
    }

    fn word(&mut self, word: &[u8], tree: Tree) -> Result<Tree, JsonError> {
        for &byte in word {
            if !self.take(byte) {
                return self.unexpected();
            }
        }
        Ok(tree)
    }

    fn digits(&mut self) -> Result<(), JsonError> {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte.is_ascii_digit()) {
            self.at += 1;
        }
        if self.at == start { self.unexpected() } else { Ok(()) }
    }

    fn number(&mut self) -> Result<Tree, JsonError> {
        let start = self.at;
        self.take(b'-');
        if !self.take(b'0') {
            self.digits()?;
        }
        if self.take(b'.') {
            self.digits()?;
        }
        if self.take(b'e') || self.take(b'E') {
            let _sign = self.take(b'+') || self.take(b'-');
            self.digits()?;
        }
        Ok(Tree::Number(Secret::new(self.bytes[start..self.at].to_vec())))
    }

    fn list(&mut self, depth: usize) -> Result<Tree, JsonError> {
        self.at += 1;
        let mut list = Vec::new();
        self.space();
        if self.take(b']') {
            return Ok(Tree::List(Arc::new(list)));
        }
        loop {
            list.push(self.value(depth)?);
            self.space();
            if self.take(b']') {
                return Ok(Tree::List(Arc::new(list)));
            }
            if !self.take(b',') {
                return self.unexpected();
            }
        }
    }

    fn map(&mut self, depth: usize) -> Result<Tree, JsonError> {
        self.at += 1;
        let mut map = BTreeMap::new();
        self.space();
        if self.take(b'}') {
            return Ok(Tree::Map(Arc::new(map.into())));
        }
        self.take_room(MAP)?;
        loop {
            self.space();
            if self.peek() != Some(b'"') {
                return self.unexpected();
            }
            self.take_room(KEY)?;
            let key = String::from_utf8(std::mem::take(&mut *self.text()?))
                .map_err(|_| self.error(JsonProblem::NotUtf8))?;
            self.space();
            if !self.take(b':') {
                return self.unexpected();
            }
            map.insert(key, self.value(depth)?);
            self.space();
            if self.take(b'}') {
                return Ok(Tree::Map(Arc::new(map.into())));
            }
            if !self.take(b',') {
                return self.unexpected();
            }
        }
    }

    /// Reads a text and replaces its escapes. The buffer has room for the escaped text, so it never moves.
    fn text(&mut self) -> Result<Zeroizing<Vec<u8>>, JsonError> {
        self.at += 1;
        let start = self.at;
        let mut out = Zeroizing::new(Vec::with_capacity(self.escaped_len()));
        loop {
            match self.peek() {
                None => return Err(self.error(JsonProblem::Truncated)),
                Some(b'"') => break,
                Some(b'\\') => {
                    self.at += 1;
                    self.escape(&mut out)?;
                }
                Some(0..=0x1f) => return self.unexpected(),
                Some(byte) => {
                    out.push(byte);
                    self.at += 1;
                }
            }
        }
        self.at += 1;
        if std::str::from_utf8(&out).is_err() {
            return Err(JsonError { offset: start, problem: JsonProblem::NotUtf8 });
        }
        Ok(out)
    }

    fn escaped_len(&self) -> usize {
        let rest = &self.bytes[self.at..];
        let mut at = 0;
        while at < rest.len() && rest[at] != b'"' {
            at += if rest[at] == b'\\' { 2 } else { 1 };
        }
        at.min(rest.len())
    }

    fn escape(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let Some(byte) = self.peek() else { return self.unexpected() };
        let plain = match byte {
            b'"' | b'\\' | b'/' => byte,
            b'b' => 8,
            b'f' => 12,
            b'n' => b'\n',
            b'r' => b'\r',
            b't' => b'\t',
            b'u' => return self.unicode(out),
            _ => return self.unexpected(),
        };
        self.at += 1;
        out.push(plain);
        Ok(())
    }

    /// Reads `\uXXXX` and appends its character to `out`. A lone half of a surrogate pair becomes U+FFFD, as in Go.
    fn unicode(&mut self, out: &mut Vec<u8>) -> Result<(), JsonError> {
        let mut code = self.hex4()?;
        if (0xd800..0xdc00).contains(&code) && self.bytes[self.at..].starts_with(b"\\u") {
            let back = self.at;
            self.at += 1;
            let low = self.hex4()?;
            if (0xdc00..0xe000).contains(&low) {
                code = 0x10000 + ((code - 0xd800) << 10) + (low - 0xdc00);
            } else {
                self.at = back;
            }
        }
        let character = char::from_u32(code).unwrap_or(char::REPLACEMENT_CHARACTER);
        out.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
        Ok(())
    }

    fn hex4(&mut self) -> Result<u32, JsonError> {
        self.at += 1;
        let mut code = 0;
        for _ in 0..4 {
            let Some(digit) = self.peek().and_then(|byte| char::from(byte).to_digit(16)) else {
                return self.unexpected();
            };
            code = code * 16 + digit;
            self.at += 1;
        }
        Ok(code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn numbers_keep_their_spelling_through_a_round_trip() {
        let json = r#"{"a":1.50,"b":1e3,"c":18446744073709551616,"d":[null,true,"x"],"e":-0}"#;
        let tree = Tree::from_json(json.as_bytes()).expect("valid JSON");
        assert_eq!(std::str::from_utf8(&tree.to_json()), Ok(json));
    }

    #[test]
    fn texts_are_unescaped_as_go_does() {
        let tree = Tree::from_json(br#" "a\n\u00e9\ud83d\ude00\ud83d!\/" "#).expect("valid JSON");
        assert_eq!(tree.as_str(), Some("a\né😀\u{fffd}!/"));
    }

    #[test]
    fn what_is_not_json_is_refused_with_its_place() {
        use JsonProblem::{NotUtf8, TooDeep, Trailing, Truncated, Unexpected};
        let deep = "[".repeat(100_000);
        for (json, offset, problem) in [
            (&b"{\"a\":"[..], 5, Truncated),
            (b"{\"a\" 1}", 5, Unexpected),
            (b"[1,]", 3, Unexpected),
            (b"01", 1, Trailing),
            (b"1.", 2, Truncated),
            (b"\"\xff\"", 1, NotUtf8),
            (b"\"a\x00\"", 2, Unexpected),
            (b"\"\\x\"", 2, Unexpected),
            (b"nul", 3, Truncated),
            (b"", 0, Truncated),
            (deep.as_bytes(), MAX_DEPTH, TooDeep),
        ] {
            assert_eq!(Tree::from_json(json), Err(JsonError { offset, problem }));
        }
    }

    #[test]
    fn values_take_no_more_than_there_is_room_for() {
        for unit in ["0", "[]", "\"\"", "{}", "[0]", "null", r#"{"":0}"#, r#"{"a":{"b":null}}"#] {
            let most = vec![unit; ROOM / VALUE].join(",");
            let error = Tree::from_json(format!("[{most}]").as_bytes()).expect_err("too many");
            assert_eq!(error.problem, JsonProblem::TooMany, "{unit}");
            Tree::from_json_within(format!("[{most}]").as_bytes(), 16 * ROOM).expect("there is room");
        }
        let names = vec![r#""a-name-of-thirty-two-characters.""#; 60_000].join(",");
        Tree::from_json(format!("[{names}]").as_bytes()).expect("a long list of names fits");
    }

    fn any_tree() -> impl Strategy<Value = Tree> {
        let leaf = prop_oneof![
            Just(Tree::Null),
            any::<bool>().prop_map(Tree::Bool),
            any::<f64>()
                .prop_filter("finite", |f| f.is_finite())
                .prop_map(|f| Tree::Number(format!("{f:e}").into())),
            any::<String>().prop_map(Tree::text),
        ];
        leaf.prop_recursive(4, 32, 6, |inner| {
            prop_oneof![
                prop::collection::vec(inner.clone(), 0..6).prop_map(Tree::list),
                prop::collection::btree_map(any::<String>(), inner, 0..6).prop_map(Tree::map),
            ]
        })
    }

    proptest! {
        #[test]
        fn what_is_written_reads_back_the_same(tree in any_tree()) {
            let json = tree.to_json();
            prop_assert!(json.len() <= tree.json_len(), "the buffer moved");
            prop_assert_eq!(Tree::from_json(&json).expect("reads back"), tree);
        }

        #[test]
        fn accepts_what_serde_json_accepts(text in r#"[\[\]{}",:0-9eE+\-.ntf\\u ]{0,24}"#) {
            let theirs = serde_json::from_str::<serde_json::Value>(&text);
            let ours = Tree::from_json(text.as_bytes());
            // serde_json refuses lone surrogates and numbers beyond f64, which Go takes.
            if theirs.is_ok() {
                prop_assert!(ours.is_ok(), "{}", text);
            }
        }
    }
}
