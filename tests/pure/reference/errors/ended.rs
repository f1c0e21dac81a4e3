//! How a command ends, and what the client says of the server.

use std::collections::{BTreeMap, BTreeSet};

use leasehold::exit::Cause;
use leasehold::vault::verdict::{PROXY_HINT, RULES, Rule, Sign};
use syn::visit::Visit as _;

use super::enums::{Arms, Texts, docs};
use super::{each, known, paired, split};
use crate::reference::source::{Chosen, File, Scope, Site, scopes};

pub(super) fn endings(files: &[File]) -> Vec<Vec<String>> {
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
    rows.extend(
        login_advice(files)
            .into_iter()
            .map(|mend| vec!["77".to_owned(), "login refused: …".to_owned(), mend]),
    );
    rows.extend(template_advice(files));
    rows.sort();
    rows
}

/// What to do about a template that failed on its data, in the template's own words.
fn template_advice(files: &[File]) -> Vec<Vec<String>> {
    let mut texts = Texts(Vec::new());
    for file in files.iter().filter(|file| file.path == "template/advice") {
        for item in &file.syntax.items {
            if let syn::Item::Fn(function) = item {
                texts.visit_block(&function.block);
            }
        }
    }
    let sentences: Vec<String> = texts.0.into_iter().filter(|text| text.contains(' ')).collect();
    // The code compares with the beginning of one.
    let begun = |text: &String| sentences.iter().any(|other| other != text && other.starts_with(text));
    let whole = sentences.iter().filter(|text| !begun(text)).cloned();
    whole.map(|mend| vec!["65".to_owned(), "template: …: …".to_owned(), mend]).collect()
}

/// What to do where a login is refused, by the method.
fn login_advice(files: &[File]) -> Vec<String> {
    let of_methods =
        files.iter().flat_map(|file| super::enums::arms(file, "AuthPlan", "advice", "AuthMethod"));
    of_methods.flat_map(|(_, texts)| known(texts)).collect()
}

fn code_of(cause: &str) -> Option<String> {
    Cause::ALL.iter().find(|it| format!("{it:?}") == cause).map(|it| it.code().to_string())
}

/// What the client of Vault says, by what it means to the core.
pub(super) fn failures(files: &[File]) -> Vec<Vec<String>> {
    failures_in(&["http/", "vault/"], files, &mends(files))
}

/// The same of the stores that are no Vault, whose general advice stands above the table.
pub(super) fn failures_of_stores(files: &[File]) -> Vec<Vec<String>> {
    failures_in(&["stores/"], files, &BTreeMap::new())
}

fn failures_in(rooms: &[&str], files: &[File], mends: &BTreeMap<String, String>) -> Vec<Vec<String>> {
    let meanings = docs(files, "FailureKind");
    let mut rows = Vec::new();
    for file in files.iter().filter(|file| rooms.iter().any(|room| file.path.starts_with(room))) {
        let scopes = scopes(file);
        for (scope, site) in each(&scopes) {
            for chosen in scope.choices(site) {
                let Some((kinds, what)) = failure(scope, site, &chosen) else { continue };
                // Its kind is that of a rule, which has a row of its own.
                if kinds.is_empty() && file.path == "vault/verdict" {
                    continue;
                }
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
        if file.path == "vault/verdict/rules" {
            rows.extend(by_rule(&meanings, mends));
        }
    }
    rows
}

/// What an answer means by its status, of the table that the client runs on.
fn by_rule(meanings: &BTreeMap<String, String>, mends: &BTreeMap<String, String>) -> Vec<Vec<String>> {
    let row = |rule: &Rule| {
        let kind = format!("{:?}", rule.means?);
        let kind = kind.split('(').next().unwrap_or_default();
        let of = |texts: &BTreeMap<String, String>| texts.get(kind).cloned().unwrap_or_default();
        Some(match rule.sign {
            Sign::Page => vec![format!("{}: … with …", rule.why), PROXY_HINT.to_owned(), of(meanings)],
            _ => {
                let (what, mend) = split(rule.why);
                vec![what, if mend.is_empty() { of(mends) } else { mend }, of(meanings)]
            }
        })
    };
    RULES.iter().filter_map(row).collect()
}

const KINDS: [&str; 2] = ["FailureKind", "K"];

/// `Failure::new(KIND, WHY)`, `(KIND, WHY)`, or a call of a closure that makes one of them.
fn failure<'f>(
    scope: &Scope<'f>,
    site: &Site<'f>,
    chosen: &Chosen<'f>,
) -> Option<(Vec<String>, Vec<String>)> {
    match (site.name.as_str(), &site.arguments[..]) {
        ("Failure::new" | "Failure::advised" | "", [kind, what]) => {
            let kinds = scope.variants(site, kind, &KINDS, chosen);
            (!kinds.is_empty() || !site.name.is_empty()).then(|| (kinds, scope.texts(site, what, chosen)))
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
    let init = files.iter().find(|file| file.path == "core/run/init").expect("where endings are made");
    let mut arms = Arms { of: "FailureKind", found: Vec::new() };
    arms.visit_file(&init.syntax);
    let mut mends: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (kind, texts) in arms.found {
        let texts = texts.into_iter().filter(|text| !text.contains(": …"));
        mends.entry(kind).or_default().extend(texts);
    }
    mends.into_iter().map(|(kind, texts)| (kind, texts.join(" · "))).collect()
}
