//! The program's own text, read as syntax: the calls in it, and what names stand for there.

mod meaning;

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItemFn, Item, ItemFn, Lit, Local, Pat};

use crate::support::repository;

/// One file of the product, without its tests.
pub(crate) struct File {
    /// Below `src`, or the crate's name and what is below its `src`.
    pub(crate) path: String,
    pub(crate) syntax: syn::File,
}

/// All of the agent and of the crates that it is made of, in the order of paths.
pub(crate) fn files() -> Vec<File> {
    let mut files = Vec::new();
    collect(&repository().join("src"), "", &mut files);
    for name in ["base", "config", "core", "http", "settings", "stores", "template", "vault"] {
        collect(&repository().join("crates").join(name).join("src"), &format!("{name}/"), &mut files);
    }
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn collect(folder: &Path, above: &str, files: &mut Vec<File>) {
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let path = entry.expect("it can be listed").path();
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        if path.is_dir() && name != "tests" {
            collect(&path, &format!("{above}{name}/"), files);
        } else if let Some(stem) =
            name.strip_suffix(".rs").filter(|stem| !matches!(*stem, "tests" | "sample"))
        {
            let text = fs::read_to_string(&path).expect("a file of ours");
            let mut syntax = syn::parse_file(&text).expect("it compiles");
            syntax.items.retain(|item| !is_test(item));
            files.push(File { path: format!("{above}{stem}"), syntax });
        }
    }
}

fn is_test(item: &Item) -> bool {
    let Item::Mod(module) = item else { return false };
    module.ident == "tests"
}

/// The lines of a documentation comment.
pub(crate) fn doc(attributes: &[Attribute]) -> String {
    let lines = attributes.iter().filter_map(|attribute| match &attribute.meta {
        syn::Meta::NameValue(pair) if pair.path.is_ident("doc") => literal(&pair.value),
        _ => None,
    });
    lines.collect::<String>().trim().to_owned()
}

fn literal(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Lit(it) => match &it.lit {
            Lit::Str(text) => Some(text.value()),
            _ => None,
        },
        _ => None,
    }
}

/// A call, a macro or a tuple, and what it is called: `Ending::new`, `warn`, `warn!`, nothing.
pub(crate) struct Site<'f> {
    pub(crate) name: String,
    pub(crate) arguments: Vec<&'f Expr>,
    /// The text of a macro that begins with one.
    pub(crate) text: Option<String>,
    /// What names stand for there.
    names: Names<'f>,
}

type Names<'f> = BTreeMap<String, Named<'f>>;

/// Names that stand for something, in one function.
pub(crate) struct Scope<'f> {
    functions: BTreeMap<String, &'f syn::Block>,
    names: Names<'f>,
    pub(crate) sites: Vec<Site<'f>>,
}

/// What a name stands for: an expression, or one part of the tuples that it makes.
#[derive(Clone, Copy)]
pub(crate) struct Named<'f> {
    expression: &'f Expr,
    part: Option<usize>,
}

/// Names whose meaning was chosen: one branch of those that give several names at once.
pub(crate) type Chosen<'f> = BTreeMap<String, &'f Expr>;

/// Every function of `file`, with the names and the sites in it; the first is what stands outside of all.
pub(crate) fn scopes(file: &File) -> Vec<Scope<'_>> {
    let mut walk = Walk { outer: Scope::new(), done: Vec::new() };
    walk.visit_file(&file.syntax);
    let Walk { outer, mut done } = walk;
    for scope in &mut done {
        for (name, named) in &outer.names {
            scope.names.entry(name.clone()).or_insert(*named);
        }
        scope.functions.clone_from(&outer.functions);
    }
    done.insert(0, outer);
    done
}

struct Walk<'f> {
    outer: Scope<'f>,
    done: Vec<Scope<'f>>,
}

impl<'f> Walk<'f> {
    fn function(&mut self, name: String, block: &'f syn::Block) {
        self.outer.functions.insert(name, block);
        let mut scope = Scope::new();
        scope.visit_block(block);
        self.done.push(scope);
    }
}

impl<'f> Visit<'f> for Walk<'f> {
    fn visit_item_fn(&mut self, item: &'f ItemFn) {
        self.function(item.sig.ident.to_string(), &item.block);
    }

    fn visit_impl_item_fn(&mut self, item: &'f ImplItemFn) {
        self.function(item.sig.ident.to_string(), &item.block);
    }

    fn visit_item_const(&mut self, item: &'f syn::ItemConst) {
        self.outer.visit_item_const(item);
    }

    fn visit_item_static(&mut self, item: &'f syn::ItemStatic) {
        self.outer.visit_expr(&item.expr);
    }
}

impl<'f> Visit<'f> for Scope<'f> {
    fn visit_local(&mut self, local: &'f Local) {
        visit::visit_local(self, local);
        if let Some(init) = &local.init {
            self.bind(&local.pat, &init.expr, None);
        }
    }

    fn visit_item_const(&mut self, item: &'f syn::ItemConst) {
        self.name(item.ident.to_string(), &item.expr, None);
        self.visit_expr(&item.expr);
    }

    fn visit_expr_call(&mut self, call: &'f syn::ExprCall) {
        if let Expr::Path(path) = &*call.func {
            let words: Vec<String> = path.path.segments.iter().map(|part| part.ident.to_string()).collect();
            let name = words[words.len().saturating_sub(2)..].join("::");
            self.site(name, call.args.iter().collect(), None);
        }
        visit::visit_expr_call(self, call);
    }

    fn visit_expr_method_call(&mut self, call: &'f syn::ExprMethodCall) {
        self.site(format!(".{}", call.method), call.args.iter().collect(), None);
        visit::visit_expr_method_call(self, call);
    }

    fn visit_expr_tuple(&mut self, tuple: &'f syn::ExprTuple) {
        self.site(String::new(), tuple.elems.iter().collect(), None);
        visit::visit_expr_tuple(self, tuple);
    }

    fn visit_macro(&mut self, it: &'f syn::Macro) {
        let name = it.path.segments.last().map(|part| format!("{}!", part.ident)).unwrap_or_default();
        self.site(name, Vec::new(), filled(&it.tokens.to_string()));
    }
}

impl<'f> Scope<'f> {
    fn new() -> Self {
        Self { functions: BTreeMap::new(), names: BTreeMap::new(), sites: Vec::new() }
    }

    fn name(&mut self, name: String, expression: &'f Expr, part: Option<usize>) {
        self.names.insert(name, Named { expression, part });
    }

    fn site(&mut self, name: String, arguments: Vec<&'f Expr>, text: Option<String>) {
        self.sites.push(Site { name, arguments, text, names: self.names.clone() });
    }

    /// What `name` stands for at `site`: what was said last before it, or outside of the function.
    fn look(&self, site: &Site<'f>, name: &str) -> Option<Named<'f>> {
        site.names.get(name).or_else(|| self.names.get(name)).copied()
    }

    fn bind(&mut self, pattern: &'f Pat, expression: &'f Expr, part: Option<usize>) {
        match pattern {
            Pat::Ident(it) => self.name(it.ident.to_string(), expression, part),
            Pat::Type(it) => self.bind(&it.pat, expression, part),
            Pat::Tuple(it) if part.is_none() => {
                for (index, pattern) in it.elems.iter().enumerate() {
                    self.bind(pattern, expression, Some(index));
                }
            }
            _ => {}
        }
    }
}

/// The format that a macro's tokens begin with (behind fields, in the log's), with `…` for what is filled in.
pub(crate) fn filled(tokens: &str) -> Option<String> {
    let parsed: proc_macro2::TokenStream = tokens.parse().ok()?;
    let text = parsed.into_iter().find_map(|token| match token {
        proc_macro2::TokenTree::Literal(it) => syn::parse_str::<syn::LitStr>(&it.to_string()).ok(),
        _ => None,
    })?;
    let (mut out, mut rest) = (String::new(), text.value());
    while let Some(at) = rest.find(['{', '}']) {
        out.push_str(&rest[..at]);
        let doubled = rest[at + 1..].starts_with(&rest[at..=at]);
        let end = if doubled { at + 2 } else { rest[at..].find('}').map_or(rest.len(), |end| at + end + 1) };
        out.push_str(if doubled { &rest[at..=at] } else { "…" });
        rest = rest[end..].to_owned();
    }
    Some(out + &rest)
}
