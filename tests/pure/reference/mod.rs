//! docs/reference, docs/man and docs/completions are what the code says: made of the tables and the command
//! line that the program itself runs on.
//!
//! `make docs` (`BLESS=1 cargo test --test pure reference::`) writes them anew.

mod annotations;
mod answers;
mod commands;
mod configuration;
mod errors;
mod exit_codes;
mod functions;
mod metrics;
mod page;
mod schema;
mod source;
mod valid;

use page::Folder;

#[test]
fn the_pages_of_the_reference_are_what_the_code_says() {
    let mut folder = Folder::new("docs/reference");
    folder.page("README.md", index());
    folder.page("annotations.md", annotations::page());
    folder.page("answers.md", answers::page());
    folder.page("commands.md", commands::page());
    folder.page("configuration.md", configuration::page());
    folder.page("configuration.schema.json", schema::text());
    folder.page("errors.md", errors::page());
    folder.page("exit-codes.md", exit_codes::page());
    folder.page("functions.md", functions::page());
    folder.page("metrics.md", metrics::page());
    folder.hold();
}

#[test]
fn the_man_pages_are_what_the_command_line_says() {
    let mut folder = Folder::new("docs/man");
    for (name, text) in commands::man_pages() {
        folder.page(&name, text);
    }
    folder.hold();
}

#[test]
fn the_completions_are_what_the_command_line_says() {
    let mut folder = Folder::new("docs/completions");
    for (name, text) in commands::completions() {
        folder.page(&name, text);
    }
    folder.hold();
}

fn index() -> String {
    "# Reference

These pages are made of the code by `make docs`, and a test fails where one is behind it.

| page | what is in it |
| --- | --- |
| [annotations.md](annotations.md) | every annotation of a pod that `leasehold-kubernetes` reads, and how each compares with vault-k8s |
| [answers.md](answers.md) | what an answer of the server, or of a proxy in front of it, means and what is done |
| [commands.md](commands.md) | every command and flag; as man pages in [docs/man](../man), for shells in [docs/completions](../completions) |
| [configuration.md](configuration.md) | every key: shape, default, meaning |
| [configuration.schema.json](configuration.schema.json) | the same for editors, as JSON Schema |
| [errors.md](errors.md) | every message: what, why, what to do |
| [exit-codes.md](exit-codes.md) | every exit code |
| [functions.md](functions.md) | every function that a template can call |
| [metrics.md](metrics.md) | every metric |
"
    .to_owned()
}
