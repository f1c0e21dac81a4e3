//! The desk: what a check has at hand, and where it reports what it finds.

use std::collections::BTreeSet;
use std::io;
use std::path::Path;

use super::keypath::KeyPath;
use super::problem::Severity;
use super::read::Seen;
use leasehold_template::function::Functions;

/// The most findings that are kept. A reader wants no more, and a hostile text could have millions.
const MOST_FINDINGS: usize = 200;

/// A finding whose place has not been looked up yet.
#[derive(Debug)]
pub(super) struct Finding {
    pub(super) severity: Severity,
    pub(super) at: KeyPath,
    pub(super) on: On,
    pub(super) message: String,
    pub(super) hint: String,
}

/// The part of an entry that a finding is about.
#[derive(Debug)]
pub(super) enum On {
    Key,
    Value,
    /// A place in the text that it is.
    Inside(Spot),
    /// A place in the file that it names.
    File(String, Spot),
}

/// A place in a text, line and column from 1, in characters.
#[derive(Debug)]
pub(super) struct Spot {
    pub(super) text: String,
    pub(super) line: usize,
    pub(super) column: usize,
}

/// Findings so far, and the world as the caller gives it.
pub(super) struct Desk<'a> {
    /// The environment.
    pub(super) env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads a file that the configuration names.
    pub(super) read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// The functions that templates may call.
    pub(super) functions: &'a Functions,
    /// Finds out what is at a path; `None` if the check is not to look.
    pub(super) look: Option<&'a dyn Fn(&Path) -> Seen>,
    /// A person asked for a check: what another machine may have is only a warning.
    pub(super) asked: bool,
    /// True if Leasehold is to run on another machine.
    pub(super) elsewhere: bool,
    /// The names of the stores that are no Vault.
    pub(super) stores: BTreeSet<String>,
    pub(super) findings: Vec<Finding>,
    /// The number of findings that were not kept.
    pub(super) more: usize,
    broken: BTreeSet<KeyPath>,
}

impl<'a> Desk<'a> {
    pub(super) fn new(
        env: &'a dyn Fn(&str) -> Option<String>,
        read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
        functions: &'a Functions,
    ) -> Self {
        Self {
            env,
            read_file,
            functions,
            look: None,
            asked: false,
            elsewhere: false,
            stores: BTreeSet::new(),
            findings: Vec::new(),
            more: 0,
            broken: BTreeSet::new(),
        }
    }

    /// Returns whether `path` is read in a store that is no Vault.
    pub(super) fn is_stored(&self, path: &str) -> bool {
        self.stores.contains(path.split('/').next().unwrap_or_default())
    }

    /// Reports an error about a key itself.
    pub(super) fn wrong_key(&mut self, at: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.break_off(at.clone());
        self.put(Severity::Error, at, On::Key, message, hint);
    }

    /// Reports an error about a value.
    pub(super) fn wrong_value(&mut self, at: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.break_off(at.clone());
        self.put(Severity::Error, at, On::Value, message, hint);
    }

    /// Reports an error about a key that is not there, unless it was there and wrong.
    pub(super) fn missing(&mut self, at: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        if !self.is_broken(at) {
            self.wrong_key(at, message, hint);
        }
    }

    /// Reports an error inside a text that is the value, or in the file that the value names.
    pub(super) fn wrong_text(
        &mut self,
        at: &KeyPath,
        on: On,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.break_off(at.clone());
        self.put(Severity::Error, at, on, message, hint);
    }

    /// Returns whether findings are only counted from now on.
    pub(super) const fn is_full(&self) -> bool {
        self.findings.len() == MOST_FINDINGS
    }

    /// Returns whether nothing was found wrong so far.
    pub(super) fn is_clean(&self) -> bool {
        self.findings.iter().all(|finding| finding.severity == Severity::Warning)
    }

    /// Reports something to know, although nothing is wrong.
    pub(super) fn warn(&mut self, at: &KeyPath, message: impl Into<String>, hint: impl Into<String>) {
        self.put(Severity::Warning, at, On::Value, message, hint);
    }

    /// Reports something to know inside a text that is the value, or in the file that the value names.
    pub(super) fn warn_text(
        &mut self,
        at: &KeyPath,
        on: On,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        self.put(Severity::Warning, at, on, message, hint);
    }

    /// Notes that the value at `at` was found wrong, so that nothing is built or said upon it.
    pub(super) fn break_off(&mut self, at: KeyPath) {
        self.broken.insert(at);
    }

    /// Returns whether the value at `at`, or one that it is a part of, was found wrong.
    pub(super) fn is_broken(&self, at: &KeyPath) -> bool {
        (0..=at.steps().len()).any(|steps| self.broken.contains(&at.first(steps)))
    }

    fn put(
        &mut self,
        severity: Severity,
        at: &KeyPath,
        on: On,
        message: impl Into<String>,
        hint: impl Into<String>,
    ) {
        if self.is_full() {
            self.more += 1;
            return;
        }
        self.findings.push(Finding {
            severity,
            at: at.clone(),
            on,
            message: message.into(),
            hint: hint.into(),
        });
    }
}
