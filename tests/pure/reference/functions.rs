//! The functions that a template can call.

use leasehold::functions::manual::{ManualEntry, absent, entries};
use leasehold::template::function::Function;

use crate::reference::page::{cell, code};

const HEAD: &str = "# Functions

What a template can call. All of it is Go's, consul-template's (and so Vault Agent's) or Sprig's: Leasehold has none
of its own, so that a template can go back. The last argument can be piped in: `secret | toJSON`. One that ends in
`…` may be left out, or repeat. [TEMPLATES.md](../TEMPLATES.md) says what differs on purpose.
";

pub(crate) fn page() -> String {
    let mut page = HEAD.to_owned();
    let mut group = "";
    for entry in entries() {
        if entry.group != group {
            group = entry.group;
            page.push_str(&format!(
                "\n## {group}\n\n| call | answers | what | from |\n| --- | --- | --- | --- |\n"
            ));
        }
        page.push_str(&format!(
            "| {} | {} | {} | {} |\n",
            code(&call(&entry)),
            entry.function().map_or_else(String::new, |function| code(&function.returns.to_string())),
            cell(entry.line),
            entry.origin()
        ));
    }
    page.push_str("\n## Not here\n\n| function | why |\n| --- | --- |\n");
    for (name, why) in absent() {
        page.push_str(&format!("| `{name}` | {} |\n", cell(why)));
    }
    page
}

/// `join SEPARATOR:string LIST:[]string`; of built-ins and what takes anything, the names alone.
fn call(entry: &ManualEntry) -> String {
    let typed = entry.arguments.iter().enumerate().map(|(index, name)| {
        let of = entry.function().and_then(|function| type_of(function, index));
        of.map_or_else(|| format!(" {name}"), |of| format!(" {name}:{of}"))
    });
    entry.name.to_owned() + &typed.collect::<String>()
}

fn type_of(function: &Function, index: usize) -> Option<String> {
    Some(function.param(index).to_string()).filter(|of| of != "interface {}")
}
