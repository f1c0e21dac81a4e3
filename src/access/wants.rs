//! Every path that a configuration asks for, as far as it says so itself; and the places where only
//! a rendering can know.

use std::collections::{BTreeMap, BTreeSet};

use crate::config::plan::{FileSource, Part, Plan, Source, TemplateSource, VariableSource};
use crate::secret::Secret;
use crate::template::Call;
use leasehold_base::request::{BadPath, Request, Verb};

/// A path that is asked for, in one way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Want {
    /// The kind of request.
    pub verb: Verb,
    /// The path as it is written.
    pub path: String,
    /// The files and variables that want it, by name, each once.
    pub users: BTreeSet<String>,
    /// The requests as written, which differ in their arguments, and for each the keys that must be
    /// there.
    pub requests: BTreeMap<Request, BTreeSet<String>>,
}

/// A place in a template that asks for a path which only a rendering can know.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unknown {
    /// `template:line:column`, from 1.
    pub place: String,
    /// The function that asks.
    pub function: String,
}

/// All of it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Wants {
    /// The requests to the Vault, sorted by path, then by verb.
    pub known: Vec<Want>,
    /// The requests to stores that are no Vault, sorted likewise.
    pub stored: Vec<Want>,
    /// The calls whose paths are not known, in the order of the configuration.
    pub unknown: Vec<Unknown>,
    /// True if a sink holds the token wrapped.
    pub wraps: bool,
}

/// Returns what `plan` asks for.
#[must_use]
pub fn of(plan: &Plan) -> Wants {
    let mut finder = Finder::default();
    for file in &plan.files {
        match &file.source {
            FileSource::Made(source) => finder.source(&file.name, source),
            FileSource::Token { wrap_ttl } => finder.wants.wraps |= wrap_ttl.is_some(),
        }
    }
    for variable in &plan.exec.env {
        finder.variable(&variable.label(), &variable.source);
    }
    if plan.exec.resolve_env.is_some() {
        let function = "the environment of `leasehold exec`".to_owned();
        finder.wants.unknown.push(Unknown { place: "exec.resolve_env".to_owned(), function });
    }
    let is_stored = |want: &Want| plan.store_of(&want.path).is_some();
    (finder.wants.stored, finder.wants.known) = finder.known.into_values().partition(is_stored);
    finder.wants
}

#[derive(Default)]
struct Finder {
    known: BTreeMap<(String, Verb), Want>,
    wants: Wants,
}

impl Finder {
    fn source(&mut self, user: &str, source: &Source) {
        match source {
            Source::Template(template) => self.template(user, template),
            Source::Field { request, key, .. } => self.add(user, request.clone(), Some(key)),
            Source::Value { request, .. } | Source::Json { request } => {
                self.add(user, request.clone(), None);
            }
        }
    }

    fn variable(&mut self, user: &str, source: &VariableSource) {
        match source {
            VariableSource::Made(source) => self.source(user, source),
            VariableSource::Parts(parts) => parts.iter().for_each(|part| match part {
                Part::Text(_) => {}
                Part::Field { request, key } => self.add(user, request.clone(), Some(key)),
            }),
        }
    }

    fn template(&mut self, user: &str, source: &TemplateSource) {
        for call in source.template.calls() {
            match asked(&call) {
                // A path that must not be sent is refused by the rendering, which says so.
                None | Some(Asked::Path(Err(_))) => {}
                Some(Asked::Path(Ok(request))) => self.add(user, request, None),
                Some(Asked::Unknown) => self.wants.unknown.push(Unknown {
                    place: format!("{}:{}:{}", source.name, call.position.line, call.position.column + 1),
                    function: call.function.to_owned(),
                }),
            }
        }
    }

    fn add(&mut self, user: &str, request: Request, key: Option<&String>) {
        let want = self.known.entry((request.path.clone(), request.verb)).or_insert_with(|| Want {
            verb: request.verb,
            path: request.path.clone(),
            users: BTreeSet::new(),
            requests: BTreeMap::new(),
        });
        want.users.insert(user.to_owned());
        want.requests.entry(request).or_default().extend(key.cloned());
    }
}

enum Asked {
    Path(Result<Request, BadPath>),
    Unknown,
}

/// Returns what a call asks of the server, or `None` if its function asks nothing.
fn asked(call: &Call<'_>) -> Option<Asked> {
    let verb = match (call.function, call.args.len()) {
        (_, 0) => return None,
        ("secret", 1) => Verb::Read,
        ("secret" | "pkiCert", _) => Verb::Write,
        ("secrets", _) => Verb::List,
        _ => return None,
    };
    let Some(path) = call.args.first().and_then(|path| path.and_then(Secret::expose_str)) else {
        return Some(Asked::Unknown);
    };
    if path.is_empty() {
        return None;
    }
    Some(Asked::Path(match verb {
        Verb::Read => Request::read(path),
        Verb::Write => Request::write(path, arguments(&call.args[1..])),
        Verb::List => Request::list(path),
    }))
}

/// Returns the arguments that are constants, by their keys. In a store they choose what is read.
fn arguments(args: &[Option<&Secret>]) -> BTreeMap<String, Secret> {
    let constants = args.iter().filter_map(|arg| arg.and_then(Secret::expose_str)?.split_once('='));
    constants.map(|(key, value)| (key.trim().to_owned(), Secret::from(value.trim()))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::test_plan as plan;

    #[test]
    fn constant_arguments_choose_what_is_asked_of_a_store() {
        let wants = of(&plan(
            "backends: {disk: {files: {dir: /x}}}
files:
  - path: a
    template: '{{ secret \"disk/a\" \" stage = AWSPREVIOUS\" \"\" (env \"X\") }}{{ secret \"disk/a\" \"stage=x\" }}'
",
        ));
        let asked: Vec<(Vec<&str>, Option<&str>)> = wants.stored[0]
            .requests
            .keys()
            .map(|request| {
                let stage = request.args.get("stage").and_then(Secret::expose_str);
                (request.args.keys().map(String::as_str).collect(), stage)
            })
            .collect();
        assert_eq!(asked, [(vec!["stage"], Some("AWSPREVIOUS")), (vec!["stage"], Some("x"))]);
    }

    #[test]
    fn paths_are_found_in_all_sources_and_in_templates_where_they_are_constants() {
        let wants = of(&plan(
            "files:
  - {path: a, secret: 'secret/web#key'}
  - {path: b, secret: 'secret/web?version=2'}
  - path: c
    template: |
      {{ with secret \"database/creds/web\" }}{{ .Data.username }}{{ end }}
      {{ with secret \"pki/issue/web\" \"ttl=1h\" }}{{ end }}{{ range secrets \"secret/metadata\" }}
      {{ with secret (print \"secret/\" .) }}{{ .Data.x }}{{ end }}{{ end }}{{ pkiCert \"pki/issue/b\" }}
exec: {env: {A: {secret: 'secret/web#other'}}, resolve_env: true}
sinks: [{path: t, wrap_ttl: 1m}]
",
        ));
        let known: Vec<(String, Verb, Vec<String>)> = wants
            .known
            .iter()
            .map(|want| (want.path.clone(), want.verb, want.users.iter().cloned().collect()))
            .collect();
        let row = |path: &str, verb, users: &[&str]| {
            (path.to_owned(), verb, users.iter().map(|user| (*user).to_owned()).collect::<Vec<_>>())
        };
        assert_eq!(
            known,
            [
                row("database/creds/web", Verb::Read, &["c"]),
                row("pki/issue/b", Verb::Write, &["c"]),
                row("pki/issue/web", Verb::Write, &["c"]),
                row("secret/metadata", Verb::List, &["c"]),
                row("secret/web", Verb::Read, &["a", "b", "exec.env.A"]),
            ]
        );
        let keys: Vec<Vec<&str>> =
            wants.known[4].requests.values().map(|keys| keys.iter().map(String::as_str).collect()).collect();
        assert_eq!(keys, [vec!["key", "other"], vec![]], "the version is a request of its own");
        let unknown: Vec<&str> = wants.unknown.iter().map(|unknown| unknown.place.as_str()).collect();
        assert_eq!(unknown, ["files[2].template:3:9", "exec.resolve_env"]);
        assert!(wants.wraps);
    }
}
