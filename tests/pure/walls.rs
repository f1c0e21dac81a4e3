//! The walls within the agent, the configuration, the core and leasehold-kubernetes: each room imports what the tables of ARCHITECTURE.md
//! allow, and nothing else.
//!
//! Cargo divides the packages. Rooms are modules, and a module may import whatever it likes, so this test reads
//! the paths in their sources. It reads tokens, not text: comments and texts do not count, and paths in macros do.
//! Code that is compiled for tests only is left out.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::iter::Peekable;
use std::path::Path;

use proc_macro2::{Delimiter, TokenStream, TokenTree, token_stream::IntoIter};

use crate::support::repository;

/// An import, and the file that it stands in.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct Import {
    file: String,
    path: String,
}

/// A package whose rooms have a table.
struct House {
    /// The heading of the table in ARCHITECTURE.md.
    heading: &'static str,
    /// The folder of its sources.
    sources: &'static str,
    /// The room that the modules at the top are parts of, if they are no rooms themselves.
    whole: Option<&'static str>,
    /// What its `lib.rs` shows under another path at the top: a path that begins with `crate`, and where that leads.
    other_names: &'static [(&'static str, &'static str)],
    /// The circles of rooms that are there today, each with the reason.
    circles: &'static [(&'static [&'static str], &'static str)],
}

const AGENT: House = House {
    heading: "The rooms of the agent",
    sources: "src",
    whole: None,
    other_names: &[
        ("exit", "base::exit"),
        ("secret", "base::secret"),
        ("tree", "base::tree"),
        ("functions", "template::functions"),
    ],
    circles: &[],
};

const CONFIG: House = House {
    heading: "The rooms of leasehold-config",
    sources: "crates/config/src",
    whole: Some("config"),
    other_names: &[],
    circles: &[(
        &["config", "config::foreign"],
        "a foreign configuration is reported at the same desk as ours, and translated before ours is read",
    )],
};

const CORE: House = House {
    heading: "The rooms of the core",
    sources: "crates/core/src",
    whole: None,
    other_names: &[
        ("Engine", "engine::Engine"),
        ("action", "interface::action"),
        ("event", "interface::event"),
        ("ids", "interface::ids"),
        ("policy", "interface::policy"),
        ("snapshot", "interface::snapshot"),
        ("view", "interface::view"),
        ("no_login", "run::init::no_login"),
    ],
    circles: &[(
        &["engine", "files", "run", "secrets", "stores", "upstream"],
        "these rooms are parts of one state machine: each adds its steps to `Engine`, which has a part of each",
    )],
};

const KUBERNETES: House = House {
    heading: "The rooms of leasehold-kubernetes",
    sources: "crates/kubernetes/src",
    whole: None,
    other_names: &[
        ("Outcome", "inject::Outcome"),
        ("Request", "inject::Request"),
        ("Refusal", "refusal::Refusal"),
        ("review", "webhook::review"),
        // What the agent shows of other packages.
        ("leasehold::core", "core"),
        ("leasehold::functions", "template::functions"),
        ("leasehold::template", "template"),
        ("leasehold::tree", "base::tree"),
        ("leasehold::vault", "vault"),
    ],
    circles: &[],
};

/// Returns the room that a path belongs to: the longest name in the table that the path begins with.
fn room_of<'t>(path: &str, rooms: impl Iterator<Item = &'t str>) -> Option<&'t str> {
    rooms.filter(|room| begins_with(path, room)).max_by_key(|room| room.len())
}

/// Returns whether a path is `start` or goes on from there.
fn begins_with(path: &str, start: &str) -> bool {
    path.strip_prefix(start).is_some_and(|rest| rest.is_empty() || rest.starts_with("::"))
}

/// Returns every path of a source that leaves its module. A path begins at the top of the agent, or with the name
/// of a package. `module` is the module of the source, from which `super` goes up.
fn paths(source: TokenStream, module: &[String]) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut tokens = source.into_iter().peekable();
    while let Some(token) = tokens.next() {
        match token {
            TokenTree::Punct(mark) if mark.as_char() == '#' => skip_what_is_for_tests(&mut tokens),
            TokenTree::Group(group) => found.extend(paths(group.stream(), module)),
            TokenTree::Ident(word) if word == "pub" => skip_scope(&mut tokens),
            TokenTree::Ident(word) => {
                let start = match word.to_string().as_str() {
                    "crate" => Some(Vec::new()),
                    "super" => Some(module[..module.len().saturating_sub(1)].to_vec()),
                    "leasehold" => Some(vec!["leasehold".to_owned()]),
                    word => word.strip_prefix("leasehold_").map(|package| vec![package.to_owned()]),
                };
                if let Some(start) = start {
                    rest_of_path(&mut tokens, start, &mut found);
                }
            }
            _ => {}
        }
    }
    found
}

/// Skips the attribute behind a `#`. If the attribute is `cfg(test)`, skips the item behind it, too.
fn skip_what_is_for_tests(tokens: &mut Peekable<IntoIter>) {
    let Some(TokenTree::Group(attribute)) = tokens.peek() else { return };
    let for_tests = attribute.stream().to_string().replace(' ', "").starts_with("cfg(test)");
    tokens.next();
    if for_tests {
        // An item ends with its body or with a semicolon.
        let _ = tokens.find(|token| match token {
            TokenTree::Group(group) => group.delimiter() == Delimiter::Brace,
            TokenTree::Punct(mark) => mark.as_char() == ';',
            _ => false,
        });
    }
}

/// Skips `(crate)`, `(super)` or `(in path)` behind a `pub`, which import nothing.
fn skip_scope(tokens: &mut Peekable<IntoIter>) {
    let Some(TokenTree::Group(scope)) = tokens.peek() else { return };
    let words: Vec<TokenTree> = scope.stream().into_iter().collect();
    let is_scope = match &words[..] {
        [TokenTree::Ident(one)] => one == "crate" || one == "super" || one == "self",
        [TokenTree::Ident(first), ..] => first == "in",
        _ => false,
    };
    if is_scope {
        tokens.next();
    }
}

/// Follows a path, through the braces of a `use`, and records where each of its branches leads.
fn rest_of_path(tokens: &mut Peekable<IntoIter>, mut path: Vec<String>, found: &mut BTreeSet<String>) {
    while is_mark(tokens.peek(), ':') {
        tokens.next();
        if !is_mark(tokens.peek(), ':') {
            // The colon in front of a type.
            break;
        }
        tokens.next();
        match tokens.next() {
            Some(TokenTree::Ident(word)) if word == "super" => drop(path.pop()),
            Some(TokenTree::Ident(word)) => path.push(word.to_string()),
            Some(TokenTree::Group(branches)) => {
                let mut inner = branches.stream().into_iter().peekable();
                while let Some(token) = inner.next() {
                    if let TokenTree::Ident(word) = token {
                        let mut branch = path.clone();
                        if word != "self" {
                            branch.push(word.to_string());
                        }
                        rest_of_path(&mut inner, branch, found);
                        skip_new_name(&mut inner);
                    }
                }
                return;
            }
            _ => break,
        }
    }
    found.insert(path.join("::"));
}

fn is_mark(token: Option<&TokenTree>, mark: char) -> bool {
    matches!(token, Some(TokenTree::Punct(it)) if it.as_char() == mark)
}

/// Skips `as Name`, which is no path.
fn skip_new_name(tokens: &mut Peekable<IntoIter>) {
    if matches!(tokens.peek(), Some(TokenTree::Ident(word)) if word == "as") {
        tokens.next();
        tokens.next();
    }
}

/// Returns the paths in all sources of a package, each with its module and its file. Files of tests are left out.
fn imports(house: &House) -> Vec<(Vec<String>, Import)> {
    let mut all = imports_below(&repository().join(house.sources), &[], house.sources);
    if let Some(whole) = house.whole {
        put_below(whole, &mut all);
    }
    for (_, import) in &mut all {
        import.path = by_real_name(&import.path, house.other_names);
    }
    all
}

/// Makes the modules at the top of a package parts of the room `whole`, with the paths that lead to them.
fn put_below(whole: &str, imports: &mut [(Vec<String>, Import)]) {
    for (module, import) in imports {
        module.insert(0, whole.to_owned());
        let first = import.path.split("::").next().unwrap_or_default();
        if !repository().join("crates").join(first).is_dir() {
            import.path = format!("{whole}::{}", import.path);
        }
    }
}

/// Returns the same of the sources below `folder`, which belong to `module`.
fn imports_below(folder: &Path, module: &[String], file: &str) -> Vec<(Vec<String>, Import)> {
    let mut all = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder of the repository") {
        let entry = entry.expect("it can be listed").path();
        let name = entry.file_name().and_then(|name| name.to_str()).expect("plain names").to_owned();
        let stem = name.trim_end_matches(".rs").to_owned();
        if matches!(stem.as_str(), "tests" | "sample") {
            continue;
        }
        let mut inner = module.to_vec();
        if stem != "mod" {
            inner.push(stem);
        }
        let file = format!("{file}/{name}");
        if entry.is_dir() {
            all.extend(imports_below(&entry, &inner, &file));
        } else if name.ends_with(".rs") {
            let source = fs::read_to_string(&entry).expect("it is text");
            let source: TokenStream = source.parse().expect("it compiles");
            let here = paths(source, &inner).into_iter();
            all.extend(here.map(|path| (inner.clone(), Import { file: file.clone(), path })));
        }
    }
    all
}

/// Replaces the name that a package shows at its top by the path that it leads to.
fn by_real_name(path: &str, other_names: &[(&str, &str)]) -> String {
    let renamed = other_names.iter().find(|(ours, _)| begins_with(path, ours));
    renamed.map_or_else(|| path.to_owned(), |(ours, real)| path.replacen(ours, real, 1))
}

/// Reads the table below a heading: each room, and what it may use.
fn table<'p>(page: &'p str, heading: &str) -> BTreeMap<&'p str, BTreeSet<&'p str>> {
    let (_, below) = page.split_once(&format!("\n## {heading}\n")).expect("the page has the table");
    let rows =
        below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2)
        .map(|row| {
            let cells: Vec<&str> = row.trim_matches('|').split(" | ").collect();
            let [room, _, uses] = cells[..] else { panic!("three columns: {row}") };
            let mut rooms = quoted(room);
            let (Some(room), None) = (rooms.next(), rooms.next()) else { panic!("one room in a row: {row}") };
            (room, quoted(uses).collect())
        })
        .collect()
}

/// The texts between backticks, in order.
fn quoted(cell: &str) -> impl Iterator<Item = &str> {
    cell.split('`').skip(1).step_by(2)
}

/// Compares the table with the imports, and returns a line for each difference.
fn compared(table: &BTreeMap<&str, BTreeSet<&str>>, imports: &[(Vec<String>, Import)]) -> Vec<String> {
    let mut wrong = Vec::new();
    let mut used: BTreeSet<(&str, &str)> = BTreeSet::new();
    // The program and the library join the rooms and belong to none. Their modules are at the top.
    let rooms =
        |(module, _): &&(Vec<String>, _)| !matches!(&module[..], [top] if top == "main" || top == "lib");
    for (module, Import { file, path }) in imports.iter().filter(rooms) {
        let Some(room) = room_of(&module.join("::"), table.keys().copied()) else {
            wrong.push(format!("{file}: it belongs to no room of the table"));
            continue;
        };
        // All rooms share the base, but only some may read a clock.
        let shared = begins_with(path, "base") && !begins_with(path, "base::clock");
        if shared || room_of(path, table.keys().copied()) == Some(room) {
            continue;
        }
        match room_of(path, table[room].iter().copied()) {
            Some(allowed) => drop(used.insert((room, allowed))),
            None => wrong.push(format!("{file} imports {path}, and the table does not let `{room}` use it")),
        }
    }
    for (room, allowed) in table {
        let idle = allowed.iter().filter(|it| !used.contains(&(*room, **it)));
        wrong.extend(idle.map(|it| format!("the table lets `{room}` use `{it}`, and nothing in it does")));
    }
    wrong
}

/// Returns the groups of rooms that reach one another by what the table lets them use.
fn circles<'p>(table: &BTreeMap<&'p str, BTreeSet<&'p str>>) -> BTreeSet<Vec<&'p str>> {
    let reached = |start: &str| {
        let mut seen: BTreeSet<&str> = BTreeSet::new();
        let mut left = vec![start];
        while let Some(used) = left.pop().and_then(|room| table.get(room)) {
            let rooms = used.iter().filter_map(|used| room_of(used, table.keys().copied()));
            left.extend(rooms.filter(|room| seen.insert(room)).collect::<Vec<_>>());
        }
        seen
    };
    let reached: BTreeMap<&str, BTreeSet<&str>> = table.keys().map(|room| (*room, reached(room))).collect();
    let both = |one: &str, other: &str| reached[one].contains(other) && reached[other].contains(one);
    let of = |room: &str| table.keys().copied().filter(|other| both(room, other)).collect::<Vec<_>>();
    table.keys().map(|room| of(room)).filter(|group| group.len() > 1).collect()
}

#[test]
fn each_room_imports_what_the_table_names_and_nothing_else() {
    let page = fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("it is in the repository");
    let mut wrong = Vec::new();
    for house in [AGENT, CONFIG, CORE, KUBERNETES] {
        let imports = imports(&house);
        assert!(imports.len() > 250, "the sources are read: {}", imports.len());
        let told = compared(&table(&page, house.heading), &imports);
        wrong.extend(told.into_iter().map(|line| format!("{}: {line}", house.heading)));
    }
    assert!(wrong.is_empty(), "ARCHITECTURE.md:\n{}", wrong.join("\n"));
}

#[test]
fn no_rooms_import_one_another_in_a_circle_but_those_with_a_reason() {
    let page = fs::read_to_string(repository().join("ARCHITECTURE.md")).expect("it is in the repository");
    for house in [AGENT, CONFIG, CORE, KUBERNETES] {
        let known: BTreeSet<Vec<&str>> = house.circles.iter().map(|(rooms, _)| rooms.to_vec()).collect();
        assert_eq!(circles(&table(&page, house.heading)), known, "{}", house.heading);
    }
}

#[test]
fn the_pure_packages_name_no_clock() {
    for package in ["config", "core", "settings", "template"] {
        let imports = imports_below(&repository().join("crates").join(package).join("src"), &[], package);
        assert!(!imports.is_empty(), "the sources are read");
        let clocks =
            imports.into_iter().map(|(_, import)| import).find(|it| begins_with(&it.path, "base::clock"));
        assert_eq!(clocks, None, "a clock in a pure package");
    }
}

#[test]
fn an_import_that_the_table_does_not_name_is_found_however_it_is_written() {
    let module = ["render".to_owned(), "value".to_owned()];
    let source = r#"
        //! crate::in_a_comment
        use crate::{one::A, two::{self, B as crateless}};
        use super::super::three::C;
        use super::here::D;
        fn f(driver: &str) { format!("crate::in_a_text {}", crate::four::e()); leasehold_base::clock::now(); }
        #[cfg(test)]
        use crate::for_tests;
        #[cfg(test)]
        mod tests { use crate::within_tests; }
        #[derive(Debug)]
        pub(in crate::scope) struct G(pub(crate) crate::five::H);
    "#;
    let found = paths(source.parse().expect("tokens"), &module);
    let expected =
        ["base::clock::now", "five::H", "four::e", "one::A", "render::here::D", "three::C", "two", "two::B"];
    assert_eq!(Vec::from_iter(found), expected);
}

#[test]
fn a_wrong_table_is_reported_by_file_and_import() {
    let page = "\n## The rooms of the agent\n\n| room | what | may use |\n| --- | --- | --- |\n\
                | `a` | - | `b::x`, `c` |\n| `b` | - | – |\n";
    let import = |module: &str, path: &str| {
        let import = Import { file: format!("src/{module}.rs"), path: path.to_owned() };
        (vec![module.to_owned()], import)
    };
    let imports =
        [import("a", "b::x::Y"), import("a", "b::z"), import("a", "base::time"), import("b", "b::x")];
    let wrong = [
        "src/a.rs imports b::z, and the table does not let `a` use it",
        "the table lets `a` use `c`, and nothing in it does",
    ];
    assert_eq!(compared(&table(page, "The rooms of the agent"), &imports), wrong);
}

#[test]
fn rooms_that_reach_one_another_are_a_circle() {
    let page = "\n## Rooms\n\n| room | what | may use |\n| --- | --- | --- |\n\
                | `a` | - | `b::x`, `d` |\n| `b` | - | `c`, `core` |\n| `c` | - | `a` |\n| `d` | - | `e` |\n| `e` | - | – |\n";
    assert_eq!(circles(&table(page, "Rooms")), BTreeSet::from([vec!["a", "b", "c"]]));
}
