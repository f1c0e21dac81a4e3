//! Every message: what, why, what to do. Out of the source, so that none is forgotten.

use std::collections::{BTreeMap, BTreeSet};

use leasehold::exit::Cause;
use leasehold::render::failed;
use leasehold::template::error::{ExecError, ParseError, Place};
use syn::visit::{self, Visit};
use syn::{Expr, ImplItem, Item};

use crate::page::cell;
use crate::source::{self, Chosen, File, Scope, Site, doc, files, scopes};

const HEAD: &str = "# Messages

Every message that Leasehold has, out of its source; `…` is what is filled in. Search for a part of yours. The guide to
the most frequent is [troubleshooting.md](../guides/troubleshooting.md).

";

/// What tells the desk of a configuration about a problem: the last two arguments are what is wrong and what to do.
const TOLD: &[&str] = &[
    ".wrong_key",
    ".wrong_value",
    ".missing",
    ".wrong_text",
    ".warn",
    ".mistake",
    ".note",
    "Flaw::new",
    "Problem::whole",
    "bad",
    "refuse",
    "To::Refused",
    "To::Lost",
    "close_comma",
    "told",
    ".refuse",
];

/// Enums of errors: what a section is called, the type that is shown, the enum with the variants.
const ENUMS: [(&str, &str, &str); 7] = [
    ("Files that cannot be written (73)", "PublishError", "Problem"),
    ("Notifiers", "NotifyError", "NotifyError"),
    ("Pid files", "PidFileFault", "PidFileFault"),
    ("The handoff (73)", "HandoffError", "HandoffError"),
    ("A handoff that is not used: Leasehold logs in anew", "Unusable", "Unusable"),
    ("Paths of secrets", "BadPath", "BadPath"),
    ("References in the environment (`exec.resolve_env`, 78)", "BadReference", "BadReference"),
];

/// Enums that can be shown and are no errors.
const NO_ERRORS: [&str; 3] = ["Type", "Step", "Sort"];

pub(crate) fn page() -> String {
    let files = files();
    complete(&files);
    let mut page = HEAD.to_owned();
    page.push_str(
        "## How a command ends\n\nThe last line on standard error is `leasehold: WHAT; WHAT TO DO`. Where all of it is `…`, the words are those of a\ntable below.\n\n",
    );
    page.push_str("| code | what | what to do |\n| --- | --- | --- |\n");
    page.push_str(&lines(endings(&files)));
    page.push_str("\n## The server, and the way to it\n\nBehind `could not log in:`, `could not read PATH:` and the like. Where nothing is said to do, Leasehold asks again by\nitself, and the server's own log says more.\n\n");
    page.push_str("| what | what to do | which means |\n| --- | --- | --- |\n");
    page.push_str(&lines(failures(&files)));
    for (title, shown, of) in ENUMS {
        page.push_str(&format!("\n## {title}\n\n| what | what to do | why |\n| --- | --- | --- |\n"));
        page.push_str(&lines(variants(&files, shown, of)));
    }
    page.push_str("\n## The configuration\n\n`leasehold check` shows each with its line and a caret; exit code 78 but for warnings.\n\n");
    page.push_str("| what | what to do |\n| --- | --- |\n");
    page.push_str(&lines(problems(&files)));
    page.push_str("\n## Templates\n\nGo's words, behind the template's name, line and column. Never a value.\n\n| what | what to do |\n| --- | --- |\n");
    page.push_str(&lines(templates(&files)));
    page.push_str("\n## Warnings and errors in the log\n\n| what | what to do |\n| --- | --- |\n");
    page.push_str(&lines(logged(&files)));
    page
}

/// Rows, each once, in their order.
fn lines(rows: Vec<Vec<String>>) -> String {
    let mut seen = BTreeSet::new();
    let line = |row: Vec<String>| {
        let cells: Vec<String> = row.iter().map(|text| cell(text)).collect();
        format!("| {} |\n", cells.join(" | "))
    };
    rows.into_iter().map(line).filter(|line| seen.insert(line.clone())).collect()
}

/// Fails where an enum of the source can be shown, and stands in no list: a new error must have its section.
fn complete(files: &[File]) {
    for file in files {
        let shown = file.syntax.items.iter().filter_map(|item| match item {
            Item::Enum(it) if !arms(file, &it.ident.to_string(), "fmt", &it.ident.to_string()).is_empty() => {
                Some(it.ident.to_string())
            }
            _ => None,
        });
        for name in shown {
            let listed = ENUMS.iter().any(|(_, shown, of)| name == *shown || name == *of);
            assert!(
                listed || NO_ERRORS.contains(&&*name),
                "{}: {name} is in no section of errors.md",
                file.path
            );
        }
    }
}

/// Texts with a word in them, or `…` where nothing is known; nothing where it is nothing.
fn known(texts: Vec<String>) -> Vec<String> {
    let nothing = !texts.is_empty() && texts.iter().all(String::is_empty);
    let words = |text: &String| text.chars().filter(|c| c.is_alphabetic()).count() > 2;
    let texts: Vec<String> = texts.into_iter().filter(words).collect();
    match texts.is_empty() {
        true if nothing => vec![String::new()],
        true => vec!["…".to_owned()],
        false => texts,
    }
}

/// Each text of the first with what belongs to it of the second.
fn paired(what: Vec<String>, mend: Vec<String>) -> Vec<(String, String)> {
    let mend = known(mend).join(" · ");
    known(what).into_iter().map(|what| (what, mend.clone())).collect()
}

/// What stands behind the semicolon is what to do, where no other argument says so.
fn split(text: &str) -> (String, String) {
    let (what, mend) = text.split_once("; ").unwrap_or((text, ""));
    (what.to_owned(), mend.to_owned())
}

/// Every site of a file, with the scope that it is in.
fn each<'f>(scopes: &'f [Scope<'f>]) -> impl Iterator<Item = (&'f Scope<'f>, &'f Site<'f>)> {
    scopes.iter().flat_map(|scope| scope.sites.iter().map(move |site| (scope, site)))
}

fn endings(files: &[File]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for file in files {
        let scopes = scopes(file);
        for (scope, site) in each(&scopes).filter(|(_, site)| site.name == "Ending::new") {
            let [cause, what, mend] = site.arguments[..] else { continue };
            for chosen in scope.choices(site) {
                let causes = scope.variants(site, cause, &["Cause"], &chosen);
                let mends = scope.texts(site, mend, &chosen);
                for (what, mend) in paired(scope.texts(site, what, &chosen), mends) {
                    if what == "…" && mend == "…" {
                        continue;
                    }
                    let codes: BTreeSet<String> = causes.iter().filter_map(|cause| code_of(cause)).collect();
                    let codes = codes.into_iter().collect::<Vec<_>>().join(", ");
                    rows.push(vec![codes, what, mend]);
                }
            }
        }
    }
    rows.sort();
    rows
}

fn code_of(cause: &str) -> Option<String> {
    Cause::ALL.iter().find(|it| format!("{it:?}") == cause).map(|it| it.code().to_string())
}

/// What the client says, by what it means to the core.
fn failures(files: &[File]) -> Vec<Vec<String>> {
    let meanings = docs(files, "FailureKind");
    let mends = mends(files);
    let mut rows = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("vault/")) {
        let scopes = scopes(file);
        for (scope, site) in each(&scopes) {
            for chosen in scope.choices(site) {
                let Some((kinds, what)) = failure(scope, site, &chosen) else { continue };
                let meaning: Vec<&str> =
                    kinds.iter().filter_map(|kind| meanings.get(kind)).map(String::as_str).collect();
                for what in known(what).into_iter().filter(|what| what != "…") {
                    let (what, mut mend) = split(&what);
                    if mend.is_empty() {
                        let all = kinds.iter().filter_map(|kind| mends.get(kind)).cloned();
                        mend = all.collect::<Vec<_>>().join(" · ");
                    }
                    rows.push(vec![what, mend, meaning.join(" · ")]);
                }
            }
        }
    }
    rows
}

const KINDS: [&str; 2] = ["FailureKind", "K"];

/// `Failure::new(KIND, WHY)`, `(KIND, WHY)`, or a call of a closure that makes one of them.
fn failure<'f>(
    scope: &Scope<'f>,
    site: &Site<'f>,
    chosen: &Chosen<'f>,
) -> Option<(Vec<String>, Vec<String>)> {
    match (site.name.as_str(), &site.arguments[..]) {
        ("Failure::new" | "", [kind, what]) => {
            let kinds = scope.variants(site, kind, &KINDS, chosen);
            (!kinds.is_empty() || site.name == "Failure::new")
                .then(|| (kinds, scope.texts(site, what, chosen)))
        }
        (name, [what]) => {
            let kinds = scope.closure_variants(site, name, &KINDS);
            (!kinds.is_empty()).then(|| (kinds, scope.texts(site, what, chosen)))
        }
        _ => None,
    }
}

/// What a command that ends with a failure of a kind says to do, by the kind.
fn mends(files: &[File]) -> BTreeMap<String, String> {
    let init = files.iter().find(|file| file.path == "core/init").expect("where endings are made");
    let mut arms = Arms { of: "FailureKind", found: Vec::new() };
    arms.visit_file(&init.syntax);
    let mut mends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, texts) in arms.found {
        let texts = texts.into_iter().filter(|text| !text.contains(": …"));
        mends.entry(kind).or_default().extend(texts);
    }
    mends.into_iter().map(|(kind, texts)| (kind, texts.join(" · "))).collect()
}

/// What the variants of an enum say about themselves.
fn docs(files: &[File], of: &str) -> BTreeMap<String, String> {
    let items = files.iter().flat_map(|file| &file.syntax.items);
    let enums = items.filter_map(|item| match item {
        Item::Enum(it) if it.ident == of => Some(it),
        _ => None,
    });
    enums
        .flat_map(|it| &it.variants)
        .map(|variant| (variant.ident.to_string(), doc(&variant.attrs)))
        .collect()
}

/// The arms of `Display` of `shown`, with those of its `hint`, and what the variants of `of` are.
fn variants(files: &[File], shown: &str, of: &str) -> Vec<Vec<String>> {
    let file = files.iter().find(|file| declares(file, shown)).unwrap_or_else(|| panic!("no type {shown}"));
    let why: BTreeMap<String, String> = docs(std::slice::from_ref(file), of);
    let text = arms(file, shown, "fmt", of);
    let mut mend = arms(file, shown, "hint", of);
    if mend.is_empty() {
        mend = arms(file, "Ending", "from", of);
    }
    text.into_iter()
        .map(|(variant, texts)| {
            let (what, behind) = split(&known(texts).join(" · "));
            let mend =
                mend.iter().find(|(of, _)| *of == variant).map(|(_, texts)| known(texts.clone()).join(" · "));
            vec![what, mend.unwrap_or(behind), why.get(&variant).cloned().unwrap_or_default()]
        })
        .collect()
}

fn declares(file: &File, name: &str) -> bool {
    file.syntax.items.iter().any(|item| match item {
        Item::Enum(it) => it.ident == name,
        Item::Struct(it) => it.ident == name,
        _ => false,
    })
}

/// The arms of `method` of an `impl` for `of_type`: the variant of `of`, and its texts.
fn arms(file: &File, of_type: &str, method: &str, of: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for item in &file.syntax.items {
        let Item::Impl(block) = item else { continue };
        if !matches!(&*block.self_ty, syn::Type::Path(it) if it.path.is_ident(of_type)) {
            continue;
        }
        for item in &block.items {
            let ImplItem::Fn(function) = item else { continue };
            if function.sig.ident == method {
                let mut arms = Arms { of, found: Vec::new() };
                arms.visit_block(&function.block);
                found.extend(arms.found);
            }
        }
    }
    found
}

struct Arms<'a> {
    of: &'a str,
    found: Vec<(String, Vec<String>)>,
}

impl<'f> Visit<'f> for Arms<'_> {
    fn visit_arm(&mut self, arm: &'f syn::Arm) {
        let mut texts = Texts(Vec::new());
        texts.visit_expr(&arm.body);
        for variant in named(&arm.pat, self.of) {
            self.found.push((variant, texts.0.clone()));
        }
        visit::visit_arm(self, arm);
    }
}

/// Every literal and format below an expression.
struct Texts(Vec<String>);

impl<'f> Visit<'f> for Texts {
    fn visit_lit_str(&mut self, it: &'f syn::LitStr) {
        self.0.push(it.value());
    }

    fn visit_macro(&mut self, it: &'f syn::Macro) {
        self.0.extend(source::filled(&it.tokens.to_string()));
    }
}

/// The variants of `of` (or of `Self`) that a pattern names.
fn named(pattern: &syn::Pat, of: &str) -> Vec<String> {
    let path = match pattern {
        syn::Pat::Path(it) => &it.path,
        syn::Pat::TupleStruct(it) => &it.path,
        syn::Pat::Struct(it) => &it.path,
        syn::Pat::Or(it) => return it.cases.iter().flat_map(|case| named(case, of)).collect(),
        _ => return Vec::new(),
    };
    let words: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
    match &words[..] {
        [kind, variant] if kind == of || kind == "Self" => vec![variant.clone()],
        _ => Vec::new(),
    }
}

fn problems(files: &[File]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for file in files.iter().filter(|file| file.path.starts_with("config/")) {
        let scopes = scopes(file);
        for (scope, site) in each(&scopes) {
            let told = TOLD.contains(&site.name.as_str()) && site.arguments.len() >= 2;
            // A rule that another function finds, or a pair in a table.
            let words = file.path == "config/yaml_error" && site.name.is_empty() && site.arguments.len() == 4;
            let pair = words || is_pair(scope, site, &file.path);
            if !told && !pair {
                continue;
            }
            let (what, mend) = match site.arguments[..] {
                // The words for what the YAML parser says.
                [_, what, _, mend] if site.name.is_empty() => (what, mend),
                [.., what, mend] => (what, mend),
                _ => continue,
            };
            for chosen in scope.choices(site) {
                let pairs = paired(scope.texts(site, what, &chosen), scope.texts(site, mend, &chosen));
                rows.extend(
                    pairs.into_iter().filter(|(what, _)| what != "…").map(|(what, mend)| vec![what, mend]),
                );
            }
        }
    }
    rows
}

/// Whether a tuple, or the arguments of a function, are what is wrong and what to do: two texts of several words.
fn is_pair<'f>(scope: &Scope<'f>, site: &Site<'f>, path: &str) -> bool {
    let words = |expression: &'f Expr| {
        let texts = scope.texts(site, expression, &Chosen::new());
        (!texts.is_empty()).then(|| texts.iter().all(|text| text.contains(' ')))
    };
    match site.arguments[..] {
        // In that room tuples are what the desk is told, and a caller may have given what to do.
        [what, mend] => {
            words(what) == Some(true) && words(mend).unwrap_or(path.starts_with("config/foreign/"))
        }
        _ => false,
    }
}

fn templates(files: &[File]) -> Vec<Vec<String>> {
    // The last is given the words for its error.
    const FAILING: [&str; 6] = ["fail", "failed", "FunctionError::new", ".error", "HostError", ".quoted"];
    let mut rows = Vec::new();
    for file in files {
        let room = file.path.split('/').next().unwrap_or_default();
        if !matches!(room, "template" | "functions" | "render") {
            continue;
        }
        let read = file.path.starts_with("template/lex") || file.path.starts_with("template/parse");
        let scopes = scopes(file);
        for (scope, site) in each(&scopes).filter(|(_, site)| FAILING.contains(&site.name.as_str())) {
            let Some(what) = site.arguments.last() else { continue };
            for what in known(scope.texts(site, what, &Chosen::new())) {
                if what.chars().any(|c| c.is_alphabetic()) {
                    let mend = if read { parse_mend(&what) } else { failure_mend(&what) };
                    rows.push(vec![what, mend]);
                }
            }
        }
    }
    rows.sort();
    rows
}

/// What the program itself says to do about a text that is no template.
fn parse_mend(message: &str) -> String {
    let place = Place { offset: 0, line: 1, column: 0 };
    let error = ParseError { name: String::new(), place, line: 1, message: message.to_owned(), hint: None };
    error.mend().to_owned()
}

/// What it says to do about a rendering that failed.
fn failure_mend(message: &str) -> String {
    let (name, executing) = (String::new(), String::new());
    failed(None, &ExecError { name, executing, at: None, message: message.to_owned(), limit: false }).hint
}

fn logged(files: &[File]) -> Vec<Vec<String>> {
    let mut rows = Vec::new();
    for file in files {
        let scopes = scopes(file);
        for (scope, site) in each(&scopes) {
            let texts = match (site.name.as_str(), &site.arguments[..]) {
                ("warn!" | "error!", _) => site.text.clone().into_iter().collect(),
                (".say", [level, text])
                    if scope
                        .variants(site, level, &["Level"], &Chosen::new())
                        .iter()
                        .any(|it| it == "Warn" || it == "Error") =>
                {
                    scope.texts(site, text, &Chosen::new())
                }
                _ => Vec::new(),
            };
            for text in texts.into_iter().filter(|text| text.contains(' ')) {
                let (what, mend) = split(&text);
                rows.push(vec![what, mend]);
            }
        }
    }
    rows
}
