//! Finds the keys of our configuration in a foreign text.

use std::collections::BTreeMap;

use super::draft::Origin;
use super::tree::Lies;
use crate::keypath::KeyPath;
use crate::mark::Mark;
use crate::places::{Found, Span};

/// The places of one text.
#[derive(Debug)]
pub(crate) struct Places {
    origins: BTreeMap<KeyPath, Origin>,
    /// The text's keys, values and comments, in its order.
    pub(crate) spans: Vec<Span>,
}

impl Places {
    /// Makes the places of those `origins` that are in the text `source`.
    pub(super) fn new(mut origins: BTreeMap<KeyPath, Origin>, source: usize, spans: Vec<Span>) -> Self {
        origins.retain(|_, origin| origin.value.source == source);
        Self { origins, spans }
    }

    /// Returns the place of `path`, or of the longest beginning of it that came from here.
    pub(crate) fn find(&self, path: &KeyPath) -> Found {
        let steps = path.steps().len();
        let known = (1..=steps).rev().find_map(|steps| Some((steps, self.origins.get(&path.first(steps))?)));
        let (steps, key, value) = match known {
            Some((steps, origin)) => (steps, origin.key.mark, origin.value.mark),
            None => (0, Mark::START, Mark::START),
        };
        Found { steps, key, value, literal: false, inline: None }
    }

    /// Returns where line `line` and column `column` of the text that `path` holds stand here.
    pub(crate) fn inside(&self, path: &KeyPath, line: usize, column: usize) -> Mark {
        let Some(origin) = self.origins.get(path) else { return self.find(path).value };
        let value = origin.value.mark;
        match origin.lies {
            Lies::Verbatim if line == 1 => Mark { line: value.line, column: value.column + column },
            Lies::Below { indent } => Mark { line: value.line + line, column: indent + column },
            _ => value,
        }
    }
}
