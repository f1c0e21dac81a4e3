//! Answers that a person wrote down, for rendering without a server: a map from paths to secrets, as YAML or JSON.

use std::collections::{BTreeMap, HashMap};
use std::fmt;
use std::sync::Arc;

use crate::request::{BadPath, Request, Verb};
use crate::response::{Response, WrongType};
use crate::secret::Secret;
use crate::tree::{Tree, YamlError};

/// The answers of one text: what `leasehold render --secrets` and the playground read.
///
/// A key is `path`, or `path key=value key=value` for a write. A value is the `data` of an answer, or a whole answer if it
/// has a `lease_id` or a `request_id` beside its `data`. A text or a number is what a store keeps.
#[derive(Debug, Default)]
pub struct Given(HashMap<Request, Arc<Response>>);

/// Why a text gives no answers. It never holds a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BadGiven {
    /// It is not YAML.
    Yaml(YamlError),
    /// It is YAML, and something else than a map.
    NoMap,
    /// The words after this path are not pairs of `key=value`.
    NoPair(String),
    /// This path must not be sent.
    Path(String, BadPath),
    /// The answer to this request is none.
    Answer(String, WrongType),
}

impl fmt::Display for BadGiven {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Yaml(error) => write!(f, "{error}"),
            Self::NoMap => f.write_str("it is not a map from paths to secrets"),
            Self::NoPair(path) => write!(f, "{path}: an argument is not key=value"),
            Self::Path(path, error) => write!(f, "{path}: {error}"),
            Self::Answer(request, error) => write!(f, "{request}: {error}"),
        }
    }
}

impl std::error::Error for BadGiven {}

impl Given {
    /// Reads YAML or JSON. An empty text gives no answers.
    ///
    /// # Errors
    /// [`BadGiven`] for the first thing that is wrong.
    pub fn from_yaml(text: &[u8]) -> Result<Self, BadGiven> {
        // JSON is not quite a part of YAML 1.1, which takes a line separator (U+2028) for a line break, folds it, and drops
        // the blanks around it.
        let tree = Tree::from_json(text).or_else(|_| Tree::from_yaml(text)).map_err(BadGiven::Yaml)?;
        let map = match &tree {
            Tree::Null => return Ok(Self::default()),
            Tree::Map(map) => map,
            _ => return Err(BadGiven::NoMap),
        };
        let mut given = HashMap::new();
        for (key, answer) in map.iter() {
            let request = request(key)?;
            let answer = response(answer).map_err(|error| BadGiven::Answer(spelled(&request), error))?;
            given.insert(request, Arc::new(answer));
        }
        Ok(Self(given))
    }

    /// Returns the answer to `request`. A list is given under the path alone, as a read is: what is asked of it tells them
    /// apart.
    #[must_use]
    pub fn get(&self, request: &Request) -> Option<Arc<Response>> {
        match request.verb {
            Verb::List => self.0.get(&Request { verb: Verb::Read, ..request.clone() }),
            Verb::Read | Verb::Write => self.0.get(request),
        }
        .cloned()
    }
}

/// Returns a request as a person would write its key, with the values of its arguments left out.
#[must_use]
pub fn spelled(request: &Request) -> String {
    let args = request.args.keys().map(|key| format!(" {key}=…"));
    std::iter::once(request.path.clone()).chain(args).collect()
}

/// Reads a key. A piece without `=` belongs to the value before it, which has a space in it.
fn request(key: &str) -> Result<Request, BadGiven> {
    let (path, rest) = key.split_once(' ').unwrap_or((key, ""));
    let mut args: Vec<(String, String)> = Vec::new();
    for piece in rest.split(' ').filter(|_| !rest.is_empty()) {
        match (piece.split_once('='), args.last_mut()) {
            (Some((name, value)), _) => args.push((name.to_owned(), value.to_owned())),
            (None, Some((_, value))) => *value = format!("{value} {piece}"),
            (None, None) => return Err(BadGiven::NoPair(path.to_owned())),
        }
    }
    let bad = |error| BadGiven::Path(path.to_owned(), error);
    if args.is_empty() {
        return Request::read(path).map_err(bad);
    }
    let args: BTreeMap<_, _> = args.into_iter().map(|(name, value)| (name, Secret::from(value))).collect();
    Request::write(path, args).map_err(bad)
}

/// Reads a whole answer, if `data` stands beside what only an answer has; otherwise the `data` of one.
fn response(answer: &Tree) -> Result<Response, WrongType> {
    if let Tree::Text(value) | Tree::Number(value) = answer {
        return Ok(Response::of_value(value.clone()));
    }
    let whole = answer.get("data").is_some()
        && ["lease_id", "request_id"].iter().any(|key| answer.get(key).is_some());
    if whole {
        return Response::from_tree(answer);
    }
    Ok(Response { data: answer.clone(), ..Response::default() })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given(yaml: &str) -> Given {
        Given::from_yaml(yaml.as_bytes()).expect("good secrets")
    }

    fn json(given: &Given, request: &Request) -> Option<String> {
        let answer = given.get(request)?;
        Some(String::from_utf8(answer.data.to_json().to_vec()).expect("UTF-8"))
    }

    #[test]
    fn a_path_leads_to_data_and_numbers_keep_their_spelling() {
        let given = given("secret/web: {port: 1.50, big: 1e3, name: x}");
        let read = Request::read("secret/web").expect("a path");
        assert_eq!(json(&given, &read).as_deref(), Some(r#"{"big":1e3,"name":"x","port":1.50}"#));
        assert_eq!(json(&given, &Request::read("secret/other").expect("a path")), None);
    }

    #[test]
    fn arguments_are_told_apart_in_any_order_and_may_hold_spaces() {
        let given = given("pki/issue/web common_name=a b ttl=1h: {certificate: C}");
        let args = [("ttl", "1h"), ("common_name", "a b")];
        let args = args.map(|(key, value)| (key.to_owned(), Secret::from(value)));
        let write = Request::write("pki/issue/web", args.into()).expect("a path");
        assert_eq!(json(&given, &write).as_deref(), Some(r#"{"certificate":"C"}"#));
        assert!(given.get(&Request::read("pki/issue/web").expect("a path")).is_none());
    }

    #[test]
    fn a_value_of_a_store_is_written_as_it_is_there() {
        let given =
            given("gcp/api-key: hunter2\ngcp/port: 5432\naws/db stage=AWSPREVIOUS: '{\"user\": \"web\"}'");
        let read = |path| json(&given, &Request::read(path).expect("a path"));
        assert_eq!(read("gcp/api-key").as_deref(), Some(r#"{"value":"hunter2"}"#));
        assert_eq!(read("gcp/port").as_deref(), Some(r#"{"value":"5432"}"#));
        let stage = [("stage".to_owned(), Secret::from("AWSPREVIOUS"))];
        let before = Request::write("aws/db", stage.into()).expect("a path");
        assert_eq!(json(&given, &before).as_deref(), Some(r#"{"user":"web"}"#));
    }

    #[test]
    fn a_whole_response_and_a_list_are_taken_as_such() {
        let given = given("db: {lease_id: l/1, lease_duration: 60, data: {u: x}}\nls/: {keys: [a, b]}");
        let answer = given.get(&Request::read("db").expect("a path")).expect("an answer");
        assert_eq!((answer.lease_id.as_str(), answer.lease_duration), ("l/1", 60));
        let list = Request::list("ls").expect("a path");
        assert_eq!(json(&given, &list).as_deref(), Some(r#"{"keys":["a","b"]}"#));
    }

    #[test]
    fn json_keeps_the_blanks_around_a_line_separator_which_yaml_would_fold() {
        let given = given("{\"kv/web\": {\"text\": \"a \u{2028} b\"}}");
        let answer = given.get(&Request::read("kv/web").expect("a path")).expect("an answer");
        assert_eq!(answer.data.get("text").and_then(Tree::as_str), Some("a \u{2028} b"));
    }

    #[test]
    fn what_is_no_map_of_secrets_is_refused_with_its_place_and_without_its_values() {
        let said = |yaml: &str| Given::from_yaml(yaml.as_bytes()).expect_err(yaml).to_string();
        assert_eq!(said("- hunter2"), "it is not a map from paths to secrets");
        assert_eq!(said("a: b\n\tc: hunter2"), "line 2, column 1: not YAML");
        assert_eq!(said("a/../b: {k: hunter2}"), "a/../b: the path has a segment `.` or `..`");
        assert_eq!(said("pki/issue hunter2: {}"), "pki/issue: an argument is not key=value");
    }
}
