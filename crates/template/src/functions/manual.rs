//! What every function does, in one line each. Leasehold's reference is made of it. No rendering reads it, so a program that
//! does not either does not contain it.

use super::all;
use crate::builtins::Builtin;
use crate::function::Function;

/// `# GROUP`, and below it `NAME ARGUMENT… | LINE`. An argument that ends in `…` may repeat or be left out.
const TEXT: &str = include_str!("manual.txt");

/// The description of one function.
#[derive(Debug)]
pub struct ManualEntry {
    /// The heading that the function is listed under.
    pub group: &'static str,
    /// The name that templates call.
    pub name: &'static str,
    /// The names of the arguments. One that ends in `…` may repeat or be left out.
    pub arguments: Vec<&'static str>,
    /// What the function returns: one line of Markdown.
    pub line: &'static str,
}

impl ManualEntry {
    /// Returns the function with its Go types, or `None` for a built-in of Go, which takes arguments of any type.
    #[must_use]
    pub fn function(&self) -> Option<&'static Function> {
        all().get(self.name)
    }

    /// Returns where the function comes from: `Go`, `consul-template` or `Sprig`.
    #[must_use]
    pub fn origin(&self) -> &'static str {
        match self.name {
            name if name.starts_with("sprig_") => "Sprig",
            name if Builtin::named(name).is_some() => "Go",
            _ => "consul-template",
        }
    }
}

/// Returns every function, in the order of the reference.
pub fn entries() -> impl Iterator<Item = ManualEntry> {
    TEXT.lines()
        .scan("", |group, line| {
            if let Some(heading) = line.strip_prefix("# ") {
                *group = heading;
            }
            Some(line.split_once(" | ").map(|(call, line)| {
                let mut words = call.split(' ');
                let name = words.next().unwrap_or_default();
                ManualEntry { group, name, arguments: words.collect(), line }
            }))
        })
        .flatten()
}

/// Returns the functions that the agents have and this crate has not, sorted by name, each with the reason.
pub fn absent() -> impl Iterator<Item = (&'static str, &'static str)> {
    all().absent()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn every_function_has_one_line() {
        let mut known: Vec<&str> = all().names().chain(Builtin::ALL.map(Builtin::name)).collect();
        known.sort_unstable();
        let mut told: Vec<&str> = entries().map(|entry| entry.name).collect();
        told.sort_unstable();
        assert_eq!(told, known, "manual.txt and the functions");
        let lines = TEXT.lines().filter(|line| !line.is_empty() && !line.starts_with("# "));
        assert_eq!(lines.count(), told.len(), "a line of manual.txt is no entry");
    }

    #[test]
    fn every_line_names_as_many_arguments_as_the_function_takes() {
        for entry in entries() {
            let Some(function) = entry.function() else { continue };
            let (more, fixed): (Vec<&str>, Vec<&str>) =
                entry.arguments.iter().partition(|argument| argument.ends_with('…'));
            // Some Go functions count themselves what they are given, and say so at run time only.
            let counted = function.variadic && fixed.len() > function.fixed();
            assert!(counted || fixed.len() == function.fixed(), "{}", entry.name);
            assert_eq!(more.len(), usize::from(function.variadic), "{}", entry.name);
            assert!(entry.line.ends_with(['.', '`']), "{}: {}", entry.name, entry.line);
        }
    }

    #[test]
    fn what_is_another_name_names_a_function_of_the_same_types() {
        let others = entries().filter_map(|entry| {
            let (_, rest) = entry.line.split_once("Another name of `")?;
            Some((entry.name, rest.split('`').next()?))
        });
        let pairs: Vec<_> = others.collect();
        assert!(pairs.len() > 30, "{pairs:?}");
        for (name, other) in pairs {
            let types = |name| all().get(name).map(|it| (it.params, it.variadic, it.returns));
            assert_eq!(types(name), types(other), "{name} and {other}");
        }
    }

    #[test]
    fn groups_are_not_repeated() {
        let headings: Vec<&str> = TEXT.lines().filter(|line| line.starts_with("# ")).collect();
        assert_eq!(headings.iter().collect::<BTreeSet<_>>().len(), headings.len());
    }
}
