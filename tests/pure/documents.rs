//! What the documents say about the code is so.

use std::collections::BTreeSet;
use std::fs;

/// The texts between backticks, in order.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_test_that_the_page_on_flaws_names_exists() {
    let page = crate::support::repository().join("docs/CVES.md");
    let page = fs::read_to_string(page).expect("the page is in the repository");
    let quoted = quoted(&page);
    let pairs: Vec<_> = quoted.windows(2).filter(|pair| pair[0].ends_with(".rs")).collect();
    assert!(pairs.len() > 20, "the page names its tests as `file.rs` `test`");
    for pair in pairs {
        let source = fs::read_to_string(crate::support::repository().join(pair[0]));
        let source = source.unwrap_or_else(|error| panic!("{}: {error}", pair[0]));
        assert!(source.contains(&format!("fn {}()", pair[1])), "{} has no test {}", pair[0], pair[1]);
    }
}

/// All of our own sources, with their paths from the top.
fn sources(below: &str) -> Vec<(String, String)> {
    let mut found = Vec::new();
    for entry in fs::read_dir(crate::support::repository().join(below)).expect("it is a folder") {
        let entry = entry.expect("it can be read");
        let path = format!("{below}/{}", entry.file_name().to_str().expect("plain names"));
        if entry.path().is_dir() {
            found.extend(sources(&path));
        } else if path.ends_with(".rs") {
            let text = fs::read_to_string(entry.path()).expect("it is text");
            found.push((path, text));
        }
    }
    found
}

#[test]
fn unsafe_code_stands_in_the_one_room_that_the_pages_name() {
    let with: Vec<String> = ["src", "crates"]
        .into_iter()
        .flat_map(sources)
        .filter(|(_, text)| text.contains("unsafe_code") || text.contains("unsafe {"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(with, ["src/pages.rs"]);
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "Cargo.toml"] {
        let text =
            fs::read_to_string(crate::support::repository().join(page)).expect("it is in the repository");
        assert!(text.contains("src/pages.rs"), "{page}");
    }
}

/// What a package's manifest names below `[dependencies]`, without our own crates.
fn dependencies(package: &str) -> BTreeSet<String> {
    let manifest = crate::support::repository().join(package).join("Cargo.toml");
    let manifest = fs::read_to_string(manifest).expect("a package has a manifest");
    let below = manifest.split("\n[dependencies]\n").nth(1).expect("there are some");
    let lines = below.lines().take_while(|line| !line.starts_with('['));
    let names = lines.filter_map(|line| line.split([' ', '.']).next()).filter(|name| !name.is_empty());
    names.filter(|name| !name.starts_with("leasehold-")).map(str::to_owned).collect()
}

/// What stands before the first `|` of each line of the table under `heading`.
fn first_column<'p>(page: &'p str, heading: &str) -> Vec<&'p str> {
    let below = page.split(heading).nth(1).expect("the page has the heading");
    let rows =
        below.lines().skip_while(|line| !line.starts_with('|')).take_while(|line| line.starts_with('|'));
    rows.skip(2).filter_map(|row| row.split('|').nth(1)).map(str::trim).collect()
}

#[test]
fn every_dependency_is_named_with_what_it_is_for_and_all_are_counted() {
    let page = crate::support::repository().join("ARCHITECTURE.md");
    let page = fs::read_to_string(page).expect("the page is in the repository");
    let rows = first_column(&page, "## Dependencies");
    let mut named: Vec<&str> = rows
        .iter()
        .flat_map(|row| row.split(", "))
        .filter_map(|name| name.split_whitespace().next())
        .collect();
    named.sort_unstable();

    let crates = ["", "crates/base", "crates/core", "crates/stores", "crates/template", "crates/vault"];
    let used: BTreeSet<String> = crates.into_iter().flat_map(dependencies).collect();
    assert_eq!(named, Vec::from_iter(&used), "the table of ARCHITECTURE.md and the manifests of the binary");

    let command = "cargo tree -p leasehold -e normal --prefix none --no-dedupe | sort -u | wc -l";
    let (_, said) = page.split_once(&format!("`{command}` says: ")).expect("the page gives the command");
    let said: String = said.chars().take_while(char::is_ascii_digit).collect();
    let offline = command.replace("cargo tree", "cargo tree --offline --locked");
    let output = std::process::Command::new("sh")
        .args(["-c", &offline])
        .current_dir(crate::support::repository())
        .output()
        .expect("a shell");
    assert_eq!(String::from_utf8_lossy(&output.stdout).trim(), said, "crates in the binary");
}

#[test]
fn nothing_that_is_for_the_cluster_is_linked_into_the_agent() {
    let output = std::process::Command::new("cargo")
        .args(["tree", "--offline", "--locked", "-p", "leasehold", "-e", "normal", "--prefix", "none"])
        .current_dir(crate::support::repository())
        .output()
        .expect("cargo");
    let tree = String::from_utf8_lossy(&output.stdout);
    assert!(tree.lines().count() > 100, "{}", String::from_utf8_lossy(&output.stderr));
    let strangers = ["kube", "k8s-openapi", "leasehold-kubernetes", "json-patch"];
    let found: Vec<&str> =
        tree.lines().filter(|line| strangers.iter().any(|name| line.starts_with(name))).collect();
    assert_eq!(found, [""; 0]);
}
