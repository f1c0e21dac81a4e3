//! Takes texts, the environment and flags, and returns a plan, or every problem with its place. It reads nothing by
//! itself.

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use serde::Deserialize as _;

use super::check;
use super::desk::{Desk, Finding, On};
use super::document::Document;
use super::excerpt::excerpt;
use super::file::File;
use super::foreign::{self, Site};
use super::keypath::KeyPath;
use super::keys;
use super::layers::{self, Setting};
use super::mark::Mark;
use super::plan::{Anchor, Origin, Plan, TemplateSource};
use super::problem::{Location, Problem, Rejected, Severity};
use super::relative;
use super::shape;
use super::value::Value;
use leasehold_base::exit::Cause;
use leasehold_template::function::Functions;

/// A text of the configuration.
#[derive(Debug, Clone)]
pub struct Text {
    /// The name that messages use.
    pub name: String,
    /// The content, which may be any bytes.
    pub bytes: Vec<u8>,
}

/// All that a configuration is made from.
pub struct Inputs<'a> {
    /// The texts, later ones laid upon earlier ones.
    pub texts: &'a [Text],
    /// The settings of flags. They win over everything.
    pub flags: &'a [Setting],
    /// The environment.
    pub env: &'a dyn Fn(&str) -> Option<String>,
    /// Reads what the configuration names: template files, /etc/passwd, /etc/group.
    pub read_file: &'a dyn Fn(&Path) -> io::Result<Vec<u8>>,
    /// The functions that templates may call.
    pub functions: &'a Functions,
    /// Finds out what is at a path of this machine, for a check of what the texts name; `None` if there is no such
    /// check.
    pub look: Option<&'a dyn Fn(&Path) -> Seen>,
    /// True if Leasehold is to run on another machine, so that files and names that this one lacks are no error.
    pub elsewhere: bool,
    /// The folder that relative paths in a configuration of another program are relative to: where this process
    /// runs.
    pub folder: &'a Path,
}

/// What there is at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Seen {
    /// Nothing.
    Nothing,
    /// A file that can be run.
    Program,
    /// Something else.
    Other,
    /// Anything may be there, because we may not look.
    Unknown,
}

/// Returns the plan, and what should be logged once at the start: insecure choices, and values that override
/// others.
///
/// # Errors
/// [`Rejected`] with everything that is wrong, and the warnings besides.
pub fn read(inputs: &Inputs<'_>) -> Result<(Plan, Vec<Problem>), Rejected> {
    let mut settings = layers::from_environment(inputs.env);
    let outer = settings.iter().rfind(|setting| setting.key == KeyPath::of(&["vault", "namespace"]));
    let namespace = outer.map(|setting| setting.value.as_str());
    let mut stack = Stack::of(
        inputs.texts,
        Site {
            folder: inputs.folder,
            namespace,
            read_file: inputs.read_file,
            keys: None,
            asked: inputs.look.is_some(),
        },
    )?;
    let mut desk = Desk::new(inputs.env, inputs.read_file, inputs.functions);
    // If there are mistakes to correct, warnings about the surroundings are left out.
    desk.look =
        inputs.look.filter(|_| stack.told.iter().all(|problem| problem.severity == Severity::Warning));
    desk.asked = inputs.look.is_some();
    desk.elsewhere = inputs.elsewhere;
    for path in std::mem::take(&mut stack.broken) {
        desk.break_off(path);
    }
    if stack.ignores_environment() {
        settings.clear();
    }
    settings.extend_from_slice(inputs.flags);
    let overrides = stack.apply(&settings);
    shape::check(&mut stack.value, &mut desk);
    // What is left has the table's shape, and a test holds table and types together.
    let file = File::deserialize_from(std::mem::take(&mut stack.value), &mut desk);
    let mut plan = check::check(&file, &mut desk);
    if let Some(plan) = &mut plan {
        stack.give_origins(plan);
        plan.overrides = overrides;
    }
    stack.skipped_verification(inputs.env);
    let problems = stack.problems(desk.findings, desk.more);
    match plan {
        Some(plan) if problems.iter().all(|problem| problem.severity == Severity::Warning) => {
            Ok((plan, problems))
        }
        _ => Err(Rejected { cause: Cause::Config, problems }),
    }
}

/// Returns whether something is at a path, even if it cannot be read.
fn is_there(read_file: &dyn Fn(&Path) -> io::Result<Vec<u8>>, path: &Path) -> bool {
    use io::ErrorKind::{NotADirectory, NotFound};
    read_file(path).err().is_none_or(|error| !matches!(error.kind(), NotFound | NotADirectory))
}

impl File {
    fn deserialize_from(value: Value, desk: &mut Desk<'_>) -> Self {
        Self::deserialize(value).unwrap_or_else(|error| {
            desk.wrong_value(&KeyPath::top(), format!("not a configuration: {error}"), "");
            Self::default()
        })
    }
}

/// The texts laid upon one another, and whose each value is.
struct Stack {
    documents: Vec<Document>,
    value: Value,
    owners: BTreeMap<KeyPath, String>,
    /// The problems that were found before the values were checked.
    told: Vec<Problem>,
    /// The keys that a text means and does not say right.
    broken: Vec<KeyPath>,
}

impl Stack {
    fn of(texts: &[Text], site: Site<'_>) -> Result<Self, Rejected> {
        let mut stack = Self {
            documents: Vec::new(),
            value: Value::Null,
            owners: BTreeMap::new(),
            told: Vec::new(),
            broken: Vec::new(),
        };
        let mut problems = Vec::new();
        let any = texts.iter().any(foreign::is_foreign);
        let is_foreign = |text: &Text| foreign::is_foreign(text) || any && foreign::is_of_both(text);
        let mut rest = texts;
        while let Some((first, behind)) = rest.split_first() {
            let foreign = rest.iter().take_while(|text| is_foreign(text)).count();
            if foreign > 0 {
                match foreign::read(&rest[..foreign], site) {
                    Ok(reading) => stack.adopt(reading, site.asked),
                    Err(flaws) => problems.extend(flaws),
                }
                rest = &rest[foreign..];
                continue;
            }
            match Document::read(&first.name, &first.bytes) {
                Ok((document, mut value)) => {
                    relative::resolve(&mut value, &first.name, &|path| is_there(site.read_file, path));
                    stack.lay(vec![document], value);
                }
                Err(flaws) => problems.extend(flaws),
            }
            rest = behind;
        }
        if problems.is_empty() { Ok(stack) } else { Err(Rejected { cause: Cause::Config, problems }) }
    }

    /// Takes over what another program's configuration means, and reports once what of it is lost.
    fn adopt(&mut self, reading: foreign::Reading, asked: bool) {
        self.told.extend(reading.problems(asked));
        self.broken.extend(reading.broken);
        self.lay(reading.documents, reading.value);
    }

    /// Lays what `documents` together say upon what is there.
    fn lay(&mut self, documents: Vec<Document>, value: Value) {
        let mut replaced = Vec::new();
        layers::merge(&mut self.value, value, &KeyPath::top(), &mut replaced);
        for path in replaced {
            let before = self.place(&path, Side::Value).0;
            let Some(document) = documents.iter().max_by_key(|document| document.find(&path).steps) else {
                continue;
            };
            let mark = document.find(&path).key;
            let message = format!("`{path}` overrides the one of {before}");
            self.told.push(Problem {
                severity: Severity::Warning,
                place: document.place(mark),
                key: path.to_string(),
                message,
                hint: String::new(),
                excerpt: document.excerpt(mark, false),
            });
        }
        self.documents.extend(documents);
    }

    /// Returns whether the texts say that the environment sets nothing.
    fn ignores_environment(&self) -> bool {
        let word = self.value.get("vault").and_then(|vault| vault.get("environment"));
        word.and_then(Value::as_str) == Some("ignore")
    }

    /// Lays `settings` upon the texts. Returns those that are in force in place of another value, in words.
    fn apply(&mut self, settings: &[Setting]) -> Vec<String> {
        let (owners, replaced) = layers::apply(&mut self.value, settings);
        let in_force = |setting: &Setting| owners.get(&setting.key) == Some(&setting.by);
        let overrides = replaced.iter().map(|one| &one.setting).filter(|setting| in_force(setting));
        let overrides =
            overrides.map(|setting| format!("{} overrides `{}`", setting.by, setting.key)).collect();
        for layers::Replaced { setting, before } in replaced {
            let before = before.unwrap_or_else(|| self.place(&setting.key, Side::Value).0.to_string());
            let value = if keys::is_private(&setting.key) {
                String::new()
            } else {
                format!(" with {}", setting.value)
            };
            let message = format!("overrides `{}` of {before}{value}", setting.key);
            let hint = "unset the variable, or write `environment: ignore` below `vault`";
            let mut warning = Problem::whole(&setting.by, message, hint);
            warning.severity = Severity::Warning;
            warning.key = setting.key.to_string();
            self.told.push(warning);
        }
        self.owners = owners;
        overrides
    }

    /// Notes where each template stands, for what goes wrong when it is rendered.
    fn give_origins(&self, plan: &mut Plan) {
        let files = KeyPath::of(&["files"]);
        for (index, file) in plan.files.iter_mut().enumerate() {
            self.give_origin(&files.index(index).key("template"), file.source.template_mut());
        }
        let env = KeyPath::of(&["exec", "env"]);
        for variable in &mut plan.exec.env {
            self.give_origin(&env.key(&variable.name).key("template"), variable.source.template_mut());
        }
    }

    fn give_origin(&self, at: &KeyPath, template: Option<&mut TemplateSource>) {
        let Some(template) = template else { return };
        if template.file.is_some() {
            return;
        }
        let (_, Some((document, _, true))) = self.place(at, Side::Value) else { return };
        let text = String::from_utf8_lossy(template.template.text());
        let anchor = |line| {
            let [start, next] = [1, 2].map(|column| document.inside(at, &text, line, column));
            let exact = next.line == start.line && next.column == start.column + 1;
            Anchor { line: start.line, column: start.column, exact }
        };
        template.origin = Some(Origin { source: document.name.clone(), first: anchor(1), rest: anchor(2) });
    }

    /// Says that the one variable of theirs that weakens TLS does nothing here.
    fn skipped_verification(&mut self, env: &dyn Fn(&str) -> Option<String>) {
        for variable in ["VAULT_SKIP_VERIFY", "BAO_SKIP_VERIFY"] {
            if env(variable).is_some_and(|value| !matches!(value.as_str(), "" | "0" | "false")) {
                let message = "is ignored: the server's certificate is always verified";
                let mut warning =
                    Problem::whole(variable, message, "trust its authority with `vault.ca_file`");
                warning.severity = Severity::Warning;
                self.told.push(warning);
            }
        }
    }

    /// Returns the place of `path`. If it is in a text, returns that text, too, with the mark in it.
    fn place(&self, path: &KeyPath, part: Side) -> (Location, Option<(&Document, Mark, bool)>) {
        if let Some(owner) = self.owners.get(path) {
            return (Location::whole(owner), None);
        }
        // The last of those that go furthest: what they share is the last one's.
        let best = self.documents.iter().max_by_key(|document| document.find(path).steps);
        let Some(document) = best else { return (Location::whole("configuration"), None) };
        let found = document.find(path);
        let whole = found.steps == path.steps().len();
        let mark = match part {
            Side::Value if whole => found.value,
            _ => found.key,
        };
        (Location::at(&document.name, mark.line, mark.column), Some((document, mark, whole)))
    }

    fn problem(&self, finding: Finding) -> Problem {
        let key = finding.at.to_string();
        let part = if matches!(finding.on, On::Key) { Side::Key } else { Side::Value };
        let (place, document) = self.place(&finding.at, part);
        let (place, excerpt) = match (finding.on, document) {
            (On::File(file, spot), _) => {
                let mark = Mark { line: spot.line, column: spot.column };
                let excerpt = excerpt(&spot.text, &[], mark, true);
                (Location::at(file, spot.line, spot.column), excerpt)
            }
            (_, None) => (place, None),
            // What the other program does by default stands nowhere in its configuration.
            (_, Some((document, mark, false)))
                if mark == Mark::START && document.is_foreign() && finding.severity == Severity::Warning =>
            {
                (Location::whole(&document.name), None)
            }
            // Something is missing at the top: no line shows that.
            (_, Some((_, mark, false))) if mark == Mark::START => (place, None),
            (On::Inside(spot), Some((document, _, _))) => {
                let mark = document.inside(&finding.at, &spot.text, spot.line, spot.column);
                (document.place(mark), document.excerpt(mark, true))
            }
            (on, Some((document, mark, whole))) => {
                let reveal = whole && matches!(on, On::Value) && !keys::is_private(&finding.at);
                (place, document.excerpt(mark, reveal))
            }
        };
        let Finding { severity, message, hint, .. } = finding;
        Problem { severity, place, key, message, hint, excerpt }
    }

    /// Returns all problems, by text, and by place in each.
    fn problems(self, findings: Vec<Finding>, more: usize) -> Vec<Problem> {
        let mut problems: Vec<Problem> = findings.into_iter().map(|finding| self.problem(finding)).collect();
        let order = |problem: &Problem| {
            let source = self.documents.iter().position(|document| document.name == problem.place.source);
            (source, problem.place.line, problem.place.column)
        };
        problems.extend(self.told.iter().cloned());
        problems.sort_by_key(order);
        if more > 0 {
            let message = format!("{more} more problems are not shown");
            problems.push(Problem::whole("configuration", message, "correct these first"));
        }
        problems
    }
}

/// The part of an entry that is meant.
#[derive(Clone, Copy)]
enum Side {
    Key,
    Value,
}
