//! Enums of errors: a row for each variant.

use std::collections::BTreeMap;

use syn::visit::{self, Visit};
use syn::{ImplItem, Item};

use super::{known, split};
use crate::reference::source::{self, File, doc};

/// Enums of errors: what a section is called, the type that is shown, the enum with the variants.
pub(super) const ENUMS: [(&str, &str, &str); 10] = [
    ("Files that cannot be written (73)", "PublishError", "Problem"),
    ("Notifiers", "NotifyError", "NotifyError"),
    ("Pid files", "PidFileFault", "PidFileFault"),
    ("The handoff (73)", "HandoffError", "HandoffError"),
    ("A handoff that is not used: Leasehold logs in anew", "Unusable", "Unusable"),
    ("Paths of secrets", "BadPath", "BadPath"),
    ("Secrets that a person wrote down, for `render` (65)", "BadGiven", "BadGiven"),
    ("Certificates of the listener (`listen_tls`, 78)", "TlsError", "TlsError"),
    (
        "Files of Google's credentials, behind their name (`GOOGLE_APPLICATION_CREDENTIALS`)",
        "KeyFault",
        "KeyFault",
    ),
    ("References in the environment (`exec.resolve_env`, 78)", "BadReference", "BadReference"),
];

/// Enums that can be shown and are no errors, or parts of a line in the log.
const NO_ERRORS: [&str; 5] = ["Type", "Number", "NumberError", "Stays", "Unlocked"];

/// Fails where an enum of the source can be shown, and stands in no list: a new error must have its section.
pub(super) fn complete(files: &[File]) {
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

/// What the variants of an enum say about themselves.
pub(super) fn docs(files: &[File], of: &str) -> BTreeMap<String, String> {
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
pub(super) fn variants(files: &[File], shown: &str, of: &str) -> Vec<Vec<String>> {
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
            // In a pod and on a machine, or for kinds of the same variant, there may be several.
            let several = mend.iter().filter(|(of, _)| *of == variant);
            let advice: Vec<String> = several.flat_map(|(_, texts)| known(texts.clone())).collect();
            let advice = if advice.is_empty() { behind } else { advice.join(" · ") };
            vec![what, advice, why.get(&variant).cloned().unwrap_or_default()]
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
pub(super) fn arms(file: &File, of_type: &str, method: &str, of: &str) -> Vec<(String, Vec<String>)> {
    let mut found = Vec::new();
    for item in &file.syntax.items {
        let Item::Impl(block) = item else { continue };
        if !matches!(&*block.self_ty, syn::Type::Path(it) if it.path.is_ident(of_type)) {
            continue;
        }
        for item in &block.items {
            let ImplItem::Fn(function) = item else { continue };
            // Advice that fits the place is in a method of its own.
            if function.sig.ident == method || function.sig.ident == format!("{method}_in") {
                let mut arms = Arms { of, found: Vec::new() };
                arms.visit_block(&function.block);
                found.extend(arms.found);
            }
        }
    }
    found
}

pub(super) struct Arms<'a> {
    pub(super) of: &'a str,
    pub(super) found: Vec<(String, Vec<String>)>,
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
pub(super) struct Texts(pub(super) Vec<String>);

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
