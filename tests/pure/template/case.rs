//! One template with its data, what became of it, and whether two outcomes agree.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold::template::function::Functions;
use leasehold::template::host::Nowhere;
use leasehold::template::value::Value;
use leasehold::template::{Limits, MissingKey, Template};
use leasehold::tree::Tree;
use serde_json::json;

use super::structs::secret;

/// A case as the oracle reads it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Case {
    pub(crate) name: String,
    pub(crate) template: Vec<u8>,
    /// JSON, or nothing for no data.
    pub(crate) data: String,
    /// Whether numbers in the data are Go's rather than `json.Number`.
    pub(crate) go_numbers: bool,
    /// `default`, `zero` or `error`.
    pub(crate) missing_key: String,
    pub(crate) left: String,
    pub(crate) right: String,
    /// The data is a secret's fields: dot is a pointer to a struct.
    pub(crate) secret: bool,
}

/// What became of a case.
#[derive(Clone, PartialEq, Eq)]
pub(crate) enum Outcome {
    Output(Vec<u8>),
    Parse(String),
    Exec(String),
}

/// Where we differ from Go in words, on purpose: Go shows the value itself, or what cannot be here.
const SHOWS_VALUES: [&str; 4] =
    ["range can't iterate over ", "non-comparable type", "if/with can't use", "can't use "];

impl std::fmt::Debug for Outcome {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Output(output) => write!(f, "output {:?}", String::from_utf8_lossy(output)),
            Self::Parse(message) | Self::Exec(message) => write!(f, "error {message}"),
        }
    }
}

impl Outcome {
    pub(crate) fn from_json(line: &serde_json::Value) -> Self {
        let text = |key: &str| line.get(key).and_then(serde_json::Value::as_str).unwrap_or_default();
        match (text("parse"), text("exec")) {
            ("", "") => Self::Output(STANDARD.decode(text("output")).expect("the oracle writes base64")),
            ("", exec) => Self::Exec(exec.to_owned()),
            (parse, _) => Self::Parse(parse.to_owned()),
        }
    }

    /// Whether both are the same bytes, or the same words at the same place.
    pub(crate) fn agrees(&self, go: &Self) -> bool {
        match (self, go) {
            (Self::Exec(ours), Self::Exec(gos)) => {
                ours == gos || SHOWS_VALUES.iter().any(|shown| up_to(ours, shown) == up_to(gos, shown))
            }
            _ => self == go,
        }
    }

    /// `name:line:column` of an error.
    pub(crate) fn place(&self) -> Option<&str> {
        let (Self::Exec(message) | Self::Parse(message)) = self else { return None };
        message.strip_prefix("template: ")?.split(": ").next()
    }
}

fn up_to<'m>(message: &'m str, mark: &str) -> Option<&'m str> {
    message.find(mark).map(|at| &message[..at])
}

impl Case {
    /// The case as one line for the oracle.
    pub(crate) fn to_json(&self) -> String {
        let head = json!({
            "name": self.name,
            "template": STANDARD.encode(&self.template),
            "numbers": if self.go_numbers { "go" } else { "json" },
            "missingkey": self.missing_key,
            "left": self.left,
            "right": self.right,
            "secret": self.secret,
        });
        let head = head.to_string();
        // The data goes in as it is spelled.
        let data = if self.data.is_empty() { "null" } else { &self.data };
        format!("{},\"data\":{data}}}", &head[..head.len() - 1])
    }

    /// What we make of it.
    pub(crate) fn run(&self, functions: &Functions) -> Outcome {
        let delimiters = Some((self.left.as_str(), self.right.as_str()));
        let template = match Template::parse(&self.name, &self.template, delimiters, functions) {
            Ok(template) => template,
            Err(mut error) => {
                error.hint = None;
                return Outcome::Parse(error.to_string());
            }
        };
        let tree = if self.data.is_empty() {
            Tree::Null
        } else {
            Tree::from_json(self.data.as_bytes()).expect("JSON")
        };
        let data = if self.secret {
            secret(&tree)
        } else if self.go_numbers {
            Value::from_data(&tree)
        } else {
            Value::from_tree(&tree)
        };
        let missing_key = match self.missing_key.as_str() {
            "error" => MissingKey::Error,
            "zero" => MissingKey::Zero,
            _ => MissingKey::Default,
        };
        match template.execute(data, missing_key, Limits::default(), &mut Nowhere) {
            Ok(output) => Outcome::Output(output.expose().to_vec()),
            Err(error) => Outcome::Exec(error.to_string()),
        }
    }
}
