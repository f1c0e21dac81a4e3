//! Every key of the configuration, out of the table that the parser reads.

use leasehold::config::keys::{Key, Kind, TOP};

use crate::reference::page::{cell, code};

const HEAD: &str = "# Configuration

The configuration is YAML, so it can be JSON, too. An unknown key is an error. The column *without it* shows the default; a key
without one is empty there. `leasehold check` says which keys belong together, and which must be there.

Editors check and complete a configuration with [configuration.schema.json](configuration.schema.json), if its first line is

```yaml
# yaml-language-server: $schema=https://raw.githubusercontent.com/leasehold/leasehold/main/docs/reference/configuration.schema.json
```

If there are several files, a later file wins over an earlier one, key by key. A list is replaced as a whole. `null` removes what
an earlier file says, which is how a later file changes the method of `auth`.

- A duration is written like `250ms`, `30s`, `5m` or `1h30m`.
- *Elsewhere* is the name of the key in Vault Agent and its kin. That name is an error here, and the message gives ours.
- `NAME` is a name of your choice, and `[]` is one entry of a list.
";

const TABLE: &str =
    "| key | shape | without it | what it is | elsewhere |\n| --- | --- | --- | --- | --- |\n";

pub(crate) fn page() -> String {
    let mut page = format!("{HEAD}\n## At the top\n\n{TABLE}");
    for key in TOP {
        if inner(&key.kind).is_none() {
            page.push_str(&row(key.name, key));
        }
    }
    for key in TOP {
        let Some((below, keys)) = inner(&key.kind) else { continue };
        page.push_str(&format!("\n## {}\n\n{}.\n\n{TABLE}", key.name, capital(key.doc)));
        rows(&format!("{}{below}", key.name), keys, &mut page);
    }
    page
}

/// The keys that a value of this kind has, and how they are reached from its own key.
fn inner(kind: &Kind) -> Option<(&'static str, &'static [Key])> {
    match kind {
        Kind::Map(keys) => Some((".", keys)),
        Kind::List(Kind::Map(keys)) => Some(("[].", keys)),
        Kind::Named(Kind::Map(keys)) => Some((".NAME.", keys)),
        _ => None,
    }
}

fn rows(above: &str, keys: &[Key], page: &mut String) {
    for key in keys {
        let path = format!("{above}{}", key.name);
        match inner(&key.kind) {
            Some((below, keys)) => rows(&format!("{path}{below}"), keys, page),
            None => page.push_str(&row(&path, key)),
        }
    }
}

fn row(path: &str, key: &Key) -> String {
    let also: Vec<String> = key.also.iter().map(|name| code(name)).collect();
    format!(
        "| {} | {} | {} | {} | {} |\n",
        code(path),
        shape(&key.kind),
        default(key),
        cell(key.doc),
        also.join(", ")
    )
}

fn shape(kind: &Kind) -> String {
    match kind {
        Kind::Text => "text".to_owned(),
        Kind::Word => "a name or a number".to_owned(),
        Kind::Flag => "`true` or `false`".to_owned(),
        Kind::Count => "a whole number from 1".to_owned(),
        Kind::Rate => "a number above 0".to_owned(),
        Kind::Duration => "duration".to_owned(),
        Kind::Mode => "octal digits in quotes".to_owned(),
        Kind::Choice(words) => words.iter().map(|word| code(word)).collect::<Vec<_>>().join(", "),
        Kind::List(kind) => format!("list: {}", shape(kind)),
        Kind::Named(kind) => format!("map of NAME: {}", shape(kind)),
        Kind::Map(_) => "map".to_owned(),
        Kind::TextOr(keys) => {
            let keys: Vec<String> = keys.iter().map(|key| format!("`{{{}: …}}`", key.name)).collect();
            format!("text, or {}", keys.join(", "))
        }
    }
}

/// A default is a value as it is typed, or words that say where it comes from.
fn default(key: &Key) -> String {
    let words = key.default.contains(' ') && !key.default.starts_with(['{', '[', '"']);
    if words { cell(key.default) } else { code(key.default) }
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| first.to_uppercase().chain(chars).collect())
}
