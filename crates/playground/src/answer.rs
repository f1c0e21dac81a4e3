//! What the page gets back.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold_base::given::{BadGiven, spelled};
use leasehold_base::tree::Tree;
use leasehold_template::host::Request;
use leasehold_template::{ExecError, ParseError, Position, Secret, advice};

use crate::configuration::Report;

/// The output of a template, or why there is none, or what is known of a configuration.
pub(crate) enum Answer {
    Rendered(Secret),
    Checked(Box<Report>),
    Failed(Failure),
}

/// Why there is no output.
#[derive(Default)]
pub(crate) struct Failure {
    /// The text that is to be corrected: `template`, `secrets` or `variables`.
    within: &'static str,
    /// The line and the column in characters, from 1.
    place: Option<(usize, usize)>,
    what: String,
    hint: String,
}

impl Answer {
    pub(crate) fn unparsable(text: &[u8], error: &ParseError) -> Self {
        let (what, hint) = (error.message.clone(), error.advice().to_owned());
        Self::Failed(Failure { within: "template", place: place(text, error.position), what, hint })
    }

    pub(crate) fn failed(text: &[u8], error: &ExecError, answers: &[advice::Answer<'_>]) -> Self {
        let ExecError { name, executing, message, at, .. } = error;
        let within = if executing == name { String::new() } else { format!("in \"{executing}\" ") };
        let (at, what) = match at {
            None => (None, message.clone()),
            Some((position, node)) => (place(text, *position), format!("{within}at <{node}>: {message}")),
        };
        Self::Failed(Failure { within: "template", place: at, what, hint: error.advice(answers) })
    }

    pub(crate) fn of_secrets(error: &BadGiven) -> Self {
        let place = match error {
            BadGiven::Yaml(error) => {
                Some((error.line, error.column)).map(|(line, column)| (line as usize, column as usize))
            }
            _ => None,
        };
        let what = match error {
            BadGiven::Yaml(error) => error.problem.to_owned(),
            other => other.to_string(),
        };
        let hint = "write a map from paths to secrets, as YAML or JSON".to_owned();
        Self::Failed(Failure { within: "secrets", place, what, hint })
    }

    pub(crate) fn without_secret(request: &Request) -> Self {
        let what = format!("{} is not among the secrets", spelled(request));
        Self::Failed(Failure {
            within: "secrets",
            what,
            hint: "add it to the secrets".to_owned(),
            place: None,
        })
    }

    pub(crate) fn without_variable(name: &str) -> Self {
        let what = format!("the template reads the variable {name}, and a browser has no environment");
        let hint = format!("write {name}=… into the environment, one variable a line");
        Self::Failed(Failure { within: "variables", what, hint, place: None })
    }

    /// Returns the answer to a question that cannot be read. The page itself is at fault.
    pub(crate) fn of_the_page() -> Self {
        let what = "what is to be tried has too many characters or is not Unicode".to_owned();
        let hint = "make it smaller, or use the program `leasehold`".to_owned();
        Self::Failed(Failure { within: "template", what, hint, place: None })
    }

    pub(crate) fn to_json(&self) -> Vec<u8> {
        let tree = match self {
            Self::Rendered(bytes) => match bytes.expose_str() {
                Some(_) => Tree::map([("output", Tree::Text(bytes.clone()))]),
                None => Tree::map([("base64", Tree::text(STANDARD.encode(bytes.expose())))]),
            },
            Self::Checked(report) => report.to_tree(),
            Self::Failed(failure) => failure.to_tree(),
        };
        tree.to_json().to_vec()
    }
}

impl Failure {
    fn to_tree(&self) -> Tree {
        let mut pairs = vec![
            ("error", Tree::text(self.what.as_str())),
            ("hint", Tree::text(self.hint.as_str())),
            ("within", Tree::text(self.within)),
        ];
        if let Some((line, column)) = self.place {
            pairs.extend([("line", number(line)), ("column", number(column))]);
        }
        Tree::map(pairs)
    }
}

pub(crate) fn number(number: usize) -> Tree {
    Tree::Number(Secret::from(number.to_string()))
}

#[allow(clippy::unnecessary_wraps, reason = "an error may have no place")]
fn place(text: &[u8], position: Position) -> Option<(usize, usize)> {
    Some(position.in_characters(text))
}
