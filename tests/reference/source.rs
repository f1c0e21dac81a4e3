//! The program's own text, read as syntax: which messages it can say.
//!
//! A message is what an argument can be: a literal, a `format!` with `…` for what is filled in, a name that a
//! `let` or a constant gave to one, the branches of a `match`, what a function of the same file answers.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use syn::visit::{self, Visit};
use syn::{Attribute, Expr, ImplItemFn, Item, ItemFn, Lit, Local, Pat, Stmt};

use crate::support::repository;

/// More names that stand for names than these do not occur.
const DEEPEST: usize = 12;

/// One file of src, without its tests.
pub(crate) struct File {
    /// Below src.
    pub(crate) path: String,
    pub(crate) syntax: syn::File,
}

/// All of src, in the order of paths.
pub(crate) fn files() -> Vec<File> {
    let mut files = Vec::new();
    collect(&repository().join("src"), "", &mut files);
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

    /// Everything that the arguments can be together, so that what one branch says of several stays together.
    pub(crate) fn choices(&self, site: &Site<'f>) -> Vec<Chosen<'f>> {
        let named = site.arguments.iter().filter_map(|argument| self.look(site, &ident(argument)?));
        let Some(Named { expression, .. }) = named.into_iter().find(|named| named.part.is_some()) else {
            return vec![Chosen::new()];
        };
        let tuples = leaves(expression).into_iter().filter_map(|leaf| match leaf {
            Expr::Tuple(tuple) => Some(tuple),
            _ => None,
        });
        let parts = site.names.iter().filter(|(_, named)| std::ptr::eq(named.expression, expression));
        let parts: Vec<(&String, usize)> =
            parts.filter_map(|(name, named)| Some((name, named.part?))).collect();
        let choices: Vec<Chosen<'f>> = tuples
            .map(|tuple| {
                let chosen =
                    parts.iter().filter_map(|(name, part)| Some(((*name).clone(), tuple.elems.get(*part)?)));
                chosen.collect()
            })
            .collect();
        if choices.is_empty() { vec![Chosen::new()] } else { choices }
    }

    /// Every text that `expression` can be at `site`; none where that is not seen here.
    pub(crate) fn texts(&self, site: &Site<'f>, expression: &'f Expr, chosen: &Chosen<'f>) -> Vec<String> {
        self.texts_at(site, expression, chosen, 0)
    }

    fn texts_at(
        &self,
        site: &Site<'f>,
        expression: &'f Expr,
        chosen: &Chosen<'f>,
        depth: usize,
    ) -> Vec<String> {
        if depth > DEEPEST {
            return Vec::new();
        }
        let below = |expression: &'f Expr| self.texts_at(site, expression, chosen, depth + 1);
        let all = |of: Vec<&'f Expr>| of.into_iter().flat_map(below).collect::<Vec<_>>();
        match expression {
            Expr::Lit(_) => literal(expression).into_iter().collect(),
            Expr::Macro(it) if it.mac.path.is_ident("format") => {
                filled(&it.mac.tokens.to_string()).into_iter().collect()
            }
            Expr::MethodCall(it) => {
                let mut texts = below(&it.receiver);
                if chooses(&it.method.to_string()) {
                    texts.extend(it.args.iter().flat_map(below));
                }
                texts
            }
            Expr::Closure(it) => below(&it.body),
            Expr::Reference(it) => below(&it.expr),
            Expr::Call(it) => match ident(&it.func).and_then(|name| self.functions.get(&name)) {
                Some(block) => all(ends(block)),
                None => all(it.args.iter().collect()),
            },
            Expr::Path(_) => match ident(expression) {
                Some(name) => match (chosen.get(&name), self.look(site, &name)) {
                    (Some(it), _) => below(it),
                    (None, Some(named)) => all(meanings(named)),
                    (None, None) => Vec::new(),
                },
                None => Vec::new(),
            },
            Expr::If(_) | Expr::Match(_) | Expr::Block(_) | Expr::Paren(_) | Expr::Try(_) => {
                all(leaves(expression).into_iter().filter(|leaf| !std::ptr::eq(*leaf, expression)).collect())
            }
            _ => Vec::new(),
        }
    }

    /// The variants of `of` (`Cause`, `FailureKind`) that `expression` can be at `site`.
    pub(crate) fn variants(
        &self,
        site: &Site<'f>,
        expression: &'f Expr,
        of: &[&str],
        chosen: &Chosen<'f>,
    ) -> Vec<String> {
        let one = |leaf: &'f Expr| match ident(leaf) {
            Some(name) => match (chosen.get(&name), self.look(site, &name)) {
                (Some(it), _) => paths(it, of),
                (None, Some(named)) => meanings(named).into_iter().flat_map(|it| paths(it, of)).collect(),
                (None, None) => Vec::new(),
            },
            None => paths(leaf, of),
        };
        leaves(expression).into_iter().flat_map(one).collect()
    }

    /// The variants of `of` in a closure that is called `name` at `site`.
    pub(crate) fn closure_variants(&self, site: &Site<'f>, name: &str, of: &[&str]) -> Vec<String> {
        match self.look(site, name).map(|named| named.expression) {
            Some(Expr::Closure(it)) => paths(&it.body, of),
            _ => Vec::new(),
        }
    }
}

/// Whether a method's arguments are among what it answers: `or_else`, `map_or`, `unwrap_or`.
fn chooses(method: &str) -> bool {
    method.contains("or") && !method.contains("sort") || method == "map"
}

/// What a name stands for: the expression itself, or its part in each branch.
fn meanings(named: Named<'_>) -> Vec<&Expr> {
    let Some(part) = named.part else { return vec![named.expression] };
    let tuples = leaves(named.expression).into_iter().filter_map(|leaf| match leaf {
        Expr::Tuple(tuple) => tuple.elems.get(part),
        _ => None,
    });
    tuples.collect()
}

/// Every variant of `of` below an expression.
fn paths(expression: &Expr, of: &[&str]) -> Vec<String> {
    struct Paths<'a>(&'a [&'a str], Vec<String>);
    impl<'f> Visit<'f> for Paths<'_> {
        fn visit_path(&mut self, path: &'f syn::Path) {
            self.1.extend(variant(path, self.0));
        }
    }
    let mut paths = Paths(of, Vec::new());
    paths.visit_expr(expression);
    paths.1
}

fn variant(path: &syn::Path, of: &[&str]) -> Option<String> {
    let words: Vec<String> = path.segments.iter().map(|part| part.ident.to_string()).collect();
    match &words[..] {
        [.., kind, variant] if of.contains(&kind.as_str()) => Some(variant.clone()),
        _ => None,
    }
}

/// The name that an expression is, under references and conversions.
fn ident(expression: &Expr) -> Option<String> {
    match expression {
        Expr::Path(it) => it.path.get_ident().map(ToString::to_string),
        Expr::Reference(it) => ident(&it.expr),
        Expr::MethodCall(it) if it.args.is_empty() => ident(&it.receiver),
        _ => None,
    }
}

/// What an expression can be, behind branches, blocks and `Some`.
pub(crate) fn leaves(expression: &Expr) -> Vec<&Expr> {
    match expression {
        Expr::If(it) => {
            let mut all = tail(&it.then_branch);
            all.extend(it.else_branch.iter().flat_map(|(_, other)| leaves(other)));
            all
        }
        Expr::Match(it) => it.arms.iter().flat_map(|arm| leaves(&arm.body)).collect(),
        Expr::Block(it) => tail(&it.block),
        Expr::Paren(it) => leaves(&it.expr),
        Expr::Try(it) => leaves(&it.expr),
        Expr::Call(it) if matches!(ident(&it.func).as_deref(), Some("Some" | "Ok" | "Err")) => {
            it.args.iter().flat_map(leaves).collect()
        }
        _ => vec![expression],
    }
}

fn tail(block: &syn::Block) -> Vec<&Expr> {
    match block.stmts.last() {
        Some(Stmt::Expr(expression, None)) => leaves(expression),
        _ => Vec::new(),
    }
}

/// What a function can answer.
fn ends(block: &syn::Block) -> Vec<&Expr> {
    struct Returns<'f>(Vec<&'f Expr>);
    impl<'f> Visit<'f> for Returns<'f> {
        fn visit_expr_return(&mut self, it: &'f syn::ExprReturn) {
            self.0.extend(it.expr.iter().flat_map(|expression| leaves(expression)));
        }
    }
    let mut returns = Returns(tail(block));
    returns.visit_block(block);
    returns.0
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
