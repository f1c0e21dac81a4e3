//! Configurations of Vault Agent (and OpenBao's), consul-template and envconsul, taken as they are.
//!
//! ```text
//! text ── hcl | json ─▶ tree ── agent | consul_template | envconsul ─▶ draft: our configuration,
//!                                                                      places, what is lost
//! ```
//!
//! The result is in the words of our own configuration, so everything behind this room (merging,
//! checks, the plan) knows one language only, and every later message points at the foreign text.
//! What the foreign program does by default is written out: a configuration brought here does what
//! it did, and `leasehold convert` shows what could be tightened.

mod agent;
mod auth;
mod consul_template;
mod draft;
mod envconsul;
mod exec;
mod hcl;
mod json;
mod kinds;
mod listener;
mod log;
mod places;
mod print;
mod recognise;
mod stanza;
mod template;
mod tree;
mod unknown;
mod vault;
mod wait;

#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::path::Path;

use crate::value::Value;
use url::Url;

use self::draft::{Draft, Note, Weight};
use self::recognise::Program;
use self::stanza::{Desk, Stanza};
use self::tree::{At, Object};
use super::check::vault::is_loopback;
use super::document::{Document, HCL, decoded, flaw_of};
use super::keypath::KeyPath;
use super::problem::{Problem, Rejected, Severity};
use super::read::Text;
use leasehold_base::exit::Cause;

pub(super) use places::Places;
pub(super) use recognise::{is_foreign, is_of_both};

/// Foreign texts that are one configuration, translated into ours.
#[derive(Debug)]
pub(super) struct Reading {
    /// The value, in the words of our configuration.
    pub(super) value: Value,
    /// The documents, one for each text.
    pub(super) documents: Vec<Document>,
    /// The keys that were meant and could not be made.
    pub(super) broken: BTreeSet<KeyPath>,
    notes: Vec<Note>,
}

impl Reading {
    /// Returns what is wrong and what is lost. If somebody `asks`, it also returns what holds for some commands
    /// only.
    pub(super) fn problems(&self, asks: bool) -> Vec<Problem> {
        let is_told = |weight| weight != Weight::Moot && (asks || weight != Weight::Partly);
        let told = self.notes.iter().filter(|note| is_told(note.weight));
        told.map(|note| self.problem(note)).collect()
    }

    fn problem(&self, note: &Note) -> Problem {
        let document = &self.documents[note.at.source];
        Problem {
            severity: if note.weight == Weight::Refused { Severity::Error } else { Severity::Warning },
            place: document.place(note.at.mark),
            key: note.key.clone(),
            message: note.message.clone(),
            hint: note.hint.clone(),
            excerpt: document.excerpt(note.at.mark, false),
        }
    }
}

/// The keys of secrets, by their paths.
pub type Keys = BTreeMap<String, Vec<String>>;

/// Reads a file that a configuration names.
pub(super) type ReadFile<'a> = &'a dyn Fn(&Path) -> io::Result<Vec<u8>>;

/// The place where a foreign configuration runs.
#[derive(Clone, Copy)]
pub(super) struct Site<'a> {
    /// The folder that relative paths are relative to.
    pub(super) folder: &'a Path,
    /// The namespace that the environment names.
    pub(super) namespace: Option<&'a str>,
    /// Reads a template's file.
    pub(super) read_file: ReadFile<'a>,
    /// The keys of secrets, if the server was asked for them.
    pub(super) keys: Option<&'a Keys>,
    /// True if somebody asks what the configuration means, and does not run it.
    pub(super) asked: bool,
}

/// Reads texts that are one configuration of another program, at `site`.
///
/// # Errors
/// If one of them is not in the language.
pub(super) fn read(texts: &[Text], site: Site<'_>) -> Result<Reading, Vec<Problem>> {
    let (mut parsed, mut flaws) = (Vec::new(), Vec::new());
    for (source, text) in texts.iter().enumerate() {
        match parse(text, source) {
            Ok(one) => parsed.push(one),
            Err(found) => flaws.extend(found),
        }
    }
    if !flaws.is_empty() {
        return Err(flaws);
    }
    let items = parsed.iter().flat_map(|one| one.top.items.iter().cloned()).collect();
    let whole = Object { items };
    let draft = converted(&whole, site);
    let places = |source, spans| Places::new(draft.origins.clone(), source, spans);
    let documents = parsed.into_iter().enumerate().map(|(source, one)| match one.origin {
        Origin::Hcl { name, text, spans } => Document::foreign(&name, text, places(source, spans)),
        Origin::Json(document) => document.into_foreign(|spans| places(source, spans)),
    });
    let documents = documents.collect();
    Ok(Reading { value: draft.value, documents, broken: draft.broken, notes: draft.notes })
}

/// A text, and what its document will be made of.
struct Parsed {
    top: Object,
    origin: Origin,
}

enum Origin {
    Hcl { name: String, text: String, spans: Vec<super::places::Span> },
    Json(Document),
}

fn parse(text: &Text, source: usize) -> Result<Parsed, Vec<Problem>> {
    if recognise::is_json(&text.bytes) {
        let (document, value) = Document::read(&text.name, &text.bytes)?;
        return Ok(Parsed { top: json::object(&value, &document, source), origin: Origin::Json(document) });
    }
    let decoded = decoded(&text.name, &text.bytes)?;
    match hcl::read(&decoded, source) {
        Ok(hcl::Hcl { top, spans }) => {
            Ok(Parsed { top, origin: Origin::Hcl { name: text.name.clone(), text: decoded, spans } })
        }
        Err(flaw) => Err(vec![flaw_of(&text.name, &decoded, flaw, HCL)]),
    }
}

fn converted(whole: &Object, site: Site<'_>) -> Draft {
    let program = recognise::program(whole);
    let Site { folder, namespace, read_file, keys, .. } = site;
    let merges = program != Program::Agent;
    let mut desk = Desk { draft: Draft::default(), folder, namespace, read_file, keys, merges };
    let top = Stanza::new("", At::start(0), whole);
    match program {
        Program::Agent => agent::convert(&top, &mut desk),
        Program::ConsulTemplate => consul_template::convert(&top, &mut desk),
        Program::Envconsul => envconsul::convert(&top, &mut desk),
    }
    defaults(&mut desk.draft);
    desk.draft
}

/// Sets what all three programs do unless they are told otherwise.
fn defaults(draft: &mut Draft) {
    let address = draft.get(&KeyPath::of(&["vault", "address"])).and_then(Value::as_str);
    let url = address.and_then(|address| Url::parse(address).ok());
    if url.is_some_and(|url| url.scheme() == "http" && !is_loopback(&url)) {
        draft.put_default(&["vault", "plaintext"], "anywhere");
    }
    draft.put_default(&["vault", "timeout"], "60s");
    draft.put_default(&["require_tmpfs"], false);
    draft.put_default(&["defaults", "mode"], "0644");
    draft.put_default(&["defaults", "refresh"], "5m");
    // Go's `missingkey=zero`, which these programs set: what is missing prints `<no value>`, and a field of what is
    // missing is an error.
    draft.put_default(&["defaults", "missing_key"], "zero");
    draft.put_default(&["shutdown", "revoke"], false);
}

/// A foreign configuration in our own words.
#[derive(Debug)]
pub struct Converted {
    /// The configuration as a YAML text, with a comment for everything that has no equivalent.
    pub yaml: String,
    /// The problems: what is wrong and what is lost.
    pub problems: Vec<Problem>,
}

/// Writes what `texts` mean as our own configuration. Relative paths are relative to `folder`. If the `keys` of a
/// secret are known, each key is named.
///
/// # Errors
/// If the texts are not in the language of a known program.
pub fn convert(
    texts: &[Text],
    folder: &Path,
    read_file: &dyn Fn(&Path) -> io::Result<Vec<u8>>,
    keys: Option<&Keys>,
) -> Result<Converted, Rejected> {
    let refused = |problems| Rejected { cause: Cause::Config, problems };
    let ours = texts.iter().filter(|text| !is_foreign(text));
    let ours: Vec<Problem> = ours
        .map(|text| {
            let message = "not a configuration of Vault Agent, consul-template or envconsul";
            Problem::whole(&text.name, message, "Leasehold's own needs no conversion; HCL is known by .hcl")
        })
        .collect();
    if !ours.is_empty() {
        return Err(refused(ours));
    }
    // What is printed means the same wherever it is used, so that the environment does not count.
    let reading =
        read(texts, Site { folder, namespace: None, read_file, keys, asked: true }).map_err(refused)?;
    Ok(Converted { yaml: print::yaml(&reading), problems: reading.problems(true) })
}
