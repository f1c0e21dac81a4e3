//! What the page asks.

use leasehold_base::tree::Tree;
use leasehold_template::host::WallTime;
use leasehold_template::{MissingKey, Secret};

use crate::configuration::Language;

/// What the page asks.
pub(crate) enum Question {
    /// What a template renders to.
    Template(Template),
    /// What is wrong with a configuration, and what it means.
    Configuration(Language, Secret),
}

/// A template with all that it may see.
pub(crate) struct Template {
    pub(crate) template: Secret,
    pub(crate) secrets: Secret,
    pub(crate) left: String,
    pub(crate) right: String,
    pub(crate) missing_key: MissingKey,
    /// The environment, if there is one: one `NAME=value` on each line.
    pub(crate) variables: Option<Secret>,
    pub(crate) now: WallTime,
    /// Random bytes of the browser, from which all others are made.
    pub(crate) seed: Secret,
}

impl Question {
    /// Reads a question. Returns `None` if the page did not write it.
    pub(crate) fn read(json: &[u8]) -> Option<Self> {
        let tree = Tree::from_json(json).ok()?;
        let language = match tree.get("kind").and_then(Tree::as_str) {
            Some("yaml") => Language::Yaml,
            Some("hcl") => Language::Hcl,
            _ => return Template::of(&tree).map(Self::Template),
        };
        Some(Self::Configuration(language, tree.get("configuration")?.as_text()?.clone()))
    }
}

impl Template {
    fn of(tree: &Tree) -> Option<Self> {
        let text = |key: &str| tree.get(key).and_then(Tree::as_text).cloned().unwrap_or_default();
        let word = |key: &str| text(key).expose_str().unwrap_or_default().to_owned();
        let missing_key = match word("missing_key").as_str() {
            "default" => MissingKey::Default,
            "zero" => MissingKey::Zero,
            _ => MissingKey::Error,
        };
        Some(Self {
            template: tree.get("template")?.as_text()?.clone(),
            secrets: text("secrets"),
            left: word("left"),
            right: word("right"),
            missing_key,
            variables: Some(text("variables")).filter(|lines| !lines.is_empty()),
            now: wall_time(&word("now")),
            seed: text("seed"),
        })
    }
}

/// Reads milliseconds since 1970, as a browser counts them.
fn wall_time(milliseconds: &str) -> WallTime {
    let milliseconds: i64 = milliseconds.parse().unwrap_or_default();
    let rest = u32::try_from(milliseconds.rem_euclid(1000)).unwrap_or_default();
    WallTime { seconds: milliseconds.div_euclid(1000), nanoseconds: rest * 1_000_000 }
}
