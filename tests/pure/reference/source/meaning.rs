//! Which messages an argument can be: a literal, a `format!` with `…` for what is filled in, a name that a `let` or a
//! constant gave to one, the branches of a `match`, what a function of the same file answers.

use syn::visit::Visit;
use syn::{Expr, Stmt};

use super::{Chosen, Named, Scope, Site, filled, literal};

/// More names that stand for names than these do not occur.
const DEEPEST: usize = 12;

impl<'f> Scope<'f> {
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
