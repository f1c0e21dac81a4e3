//! Values of the environment that stand for a secret, as bank-vaults writes them:
//!
//! - `vault:PATH#KEY` and `vault:PATH#KEY#VERSION` are the value, all of it.
//! - `vault:PATH#${.user}:${.password}` is made of several keys of one secret.
//! - `text ${vault:PATH#KEY} text` has values within other text.
//!
//! What else bank-vaults can do (functions in `${…}`, writes with `>>vault:`) is refused, with the advice to use a
//! template. Otherwise the application would get it as it stands.

use std::fmt;
use std::time::Duration;

use super::plan::{Part, Source, VariablePlan, VariableSource};
use leasehold_base::request::{BadPath, Request};
use leasehold_base::secret::Secret;

const WHOLE: &str = "vault:";
const WRITE: &str = ">>vault:";
const WITHIN: &str = "${vault:";

/// The reason why a value that looks like a reference is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadReference {
    /// Nothing behind the path says which key.
    NoKey,
    /// The path must not be sent.
    Path(BadPath),
    /// The version is not a number.
    Version,
    /// A `${` without its `}`.
    Open,
    /// `${…}` with anything but one key.
    Function,
    /// `>>vault:`.
    Write,
}

impl fmt::Display for BadReference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoKey => f.write_str("a reference without #KEY"),
            Self::Path(bad) => bad.fmt(f),
            Self::Version => f.write_str("the version behind the second # is not a number"),
            Self::Open => f.write_str("a ${ without its }"),
            Self::Function => f.write_str("only ${.key} is known here; use a template in `exec.env`"),
            Self::Write => f.write_str(">>vault: writes, which takes a template in `exec.env`"),
        }
    }
}

/// Returns the variable that asks for a secret by its value, or `None` if it is a value like any other.
///
/// # Errors
/// If the value looks like a reference and is none. The error never repeats the value.
pub fn variable(name: &str, value: &str, refresh: Duration) -> Result<Option<VariablePlan>, BadReference> {
    let source = source(value)?;
    Ok(source.map(|source| VariablePlan { name: name.to_owned(), source, spread: None, refresh }))
}

fn source(value: &str) -> Result<Option<VariableSource>, BadReference> {
    if value.starts_with(WRITE) {
        return Err(BadReference::Write);
    }
    if let Some(reference) = value.strip_prefix(WHOLE) {
        let mut parts = Vec::new();
        refer(reference, &mut parts)?;
        return Ok(Some(match parts.pop() {
            Some(Part::Field { request, key }) if parts.is_empty() => {
                VariableSource::Made(Source::Field { request, key, base64: false })
            }
            last => VariableSource::Parts(parts.into_iter().chain(last).collect()),
        }));
    }
    if !value.contains(WITHIN) {
        return Ok(None);
    }
    let (mut parts, mut rest) = (Vec::new(), value);
    while let Some((before, after)) = rest.split_once(WITHIN) {
        text(before, &mut parts);
        let (reference, after) = after.split_once('}').ok_or(BadReference::Open)?;
        refer(reference, &mut parts)?;
        rest = after;
    }
    text(rest, &mut parts);
    Ok(Some(VariableSource::Parts(parts)))
}

/// Reads `PATH#KEY` or `PATH#KEY#VERSION`.
fn refer(reference: &str, parts: &mut Vec<Part>) -> Result<(), BadReference> {
    let (path, key) = reference.split_once('#').ok_or(BadReference::NoKey)?;
    let (key, version) = match key.rsplit_once('#') {
        Some((key, version)) => (key, Some(version)),
        None => (key, None),
    };
    if key.is_empty() {
        return Err(BadReference::NoKey);
    }
    let mut request = Request::read(path).map_err(BadReference::Path)?;
    if let Some(version) = version {
        let number: u64 = version.parse().map_err(|_| BadReference::Version)?;
        request.args.insert("version".to_owned(), Secret::from(number.to_string()));
    }
    keys(key, &request, parts)
}

/// Reads one key, or a text with `${.key}` in it.
fn keys(key: &str, request: &Request, parts: &mut Vec<Part>) -> Result<(), BadReference> {
    let field = |key: &str| Part::Field { request: request.clone(), key: key.to_owned() };
    if !key.contains("${") {
        parts.push(field(key));
        return Ok(());
    }
    let mut rest = key;
    while let Some((before, after)) = rest.split_once("${") {
        text(before, parts);
        let (inner, after) = after.split_once('}').ok_or(BadReference::Open)?;
        let name = inner.trim().strip_prefix('.').ok_or(BadReference::Function)?;
        let is_name = |c: char| c.is_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(is_name) {
            return Err(BadReference::Function);
        }
        parts.push(field(name));
        rest = after;
    }
    text(rest, parts);
    Ok(())
}

fn text(text: &str, parts: &mut Vec<Part>) {
    if !text.is_empty() {
        parts.push(Part::Text(Secret::from(text)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pieces in words: `text`, `path#key`, `path?version#key`.
    fn pieces(value: &str) -> Option<Vec<String>> {
        let field = |request: &Request, key: &str| {
            let version = request.args.get("version").and_then(Secret::expose_str);
            format!("{}{}#{key}", request.path, version.map_or(String::new(), |v| format!("?{v}")))
        };
        source(value).expect("a good value").map(|source| match source {
            VariableSource::Made(Source::Field { request, key, base64: false }) => {
                vec![field(&request, &key)]
            }
            VariableSource::Parts(parts) => parts
                .iter()
                .map(|part| match part {
                    Part::Text(text) => text.expose_str().expect("text").to_owned(),
                    Part::Field { request, key } => field(request, key),
                })
                .collect(),
            other => panic!("{other:?}"),
        })
    }

    #[test]
    fn references_are_read_as_bank_vaults_writes_them() {
        for (value, wanted) in [
            ("vault:secret/data/web#password", &["secret/data/web#password"][..]),
            ("vault:secret/data/web#password#3", &["secret/data/web?3#password"]),
            ("vault:kv/db#${.user}:${ .pass }@db", &["kv/db#user", ":", "kv/db#pass", "@db"]),
            ("vault:kv/db#${.user}", &["kv/db#user"]),
            ("pg://${vault:kv/db#u}:${vault:kv/db#p#2}@h", &["pg://", "kv/db#u", ":", "kv/db?2#p", "@h"]),
            ("${vault:kv/db#u}", &["kv/db#u"]),
        ] {
            assert_eq!(pieces(value).expect(value), wanted, "{value}");
        }
    }

    #[test]
    fn other_values_are_left_as_they_are() {
        for value in ["", "vault", "https://vault:8200", "a ${HOME}", "VAULT:x#y", " vault:x#y"] {
            assert_eq!(pieces(value), None, "{value}");
        }
    }

    #[test]
    fn what_looks_like_a_reference_and_is_none_is_refused() {
        for (value, bad) in [
            ("vault:secret/web", BadReference::NoKey),
            ("vault:8200", BadReference::NoKey),
            ("vault:secret/web#", BadReference::NoKey),
            ("vault:#key", BadReference::Path(BadPath::Empty)),
            ("vault:a/../b#key", BadReference::Path(BadPath::Dots)),
            ("vault:a#b#latest", BadReference::Version),
            ("vault:a#${.b", BadReference::Open),
            ("x ${vault:a#b", BadReference::Open),
            ("vault:a#${.b | toUpper}", BadReference::Function),
            ("vault:a#${ }", BadReference::Function),
            (">>vault:pki/issue/web#certificate", BadReference::Write),
        ] {
            assert_eq!(source(value).err(), Some(bad), "{value}");
        }
    }
}
