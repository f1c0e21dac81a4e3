//! What the documents say about the code is so.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::PermissionsExt;

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

/// The names of all fields below `schema`.
fn fields(schema: &serde_json::Value) -> Vec<String> {
    let Some(map) = schema.as_object() else { return Vec::new() };
    let own = schema["properties"].as_object().into_iter().flat_map(|fields| fields.keys().cloned());
    own.chain(map.values().flat_map(fields)).collect()
}

#[test]
fn no_resource_of_a_tenant_has_a_field_that_says_where_vault_is() {
    let manifest = crate::support::repository().join("manifests/sync/crd.yaml");
    let manifest = fs::read_to_string(manifest).expect("it is in the repository");
    let mut names = BTreeSet::new();
    for document in manifest.split("\n---\n") {
        let definition: serde_json::Value = serde_yaml::from_str(document).expect("YAML");
        let spec = &definition["spec"]["versions"][0]["schema"]["openAPIV3Schema"]["properties"]["spec"];
        names.extend(fields(spec));
    }
    assert!(names.contains("serviceAccount") && names.contains("keysMap"), "{names:?}");
    for word in ["address", "url", "host", "server", "endpoint", "proxy", "vault"] {
        assert!(names.iter().all(|name| !name.to_lowercase().contains(word)), "{word}: {names:?}");
    }
}

/// Each row of the OSPS Baseline, with its answer and the files that it names.
fn answers(page: &str) -> Vec<(&str, &str, Vec<&str>)> {
    let rows = page.lines().filter(|line| line.starts_with("| OSPS-"));
    rows.map(|row| {
        let cells: Vec<&str> = row.split('|').map(str::trim).collect();
        (cells[1], cells[2], quoted(cells[3]))
    })
    .collect()
}

#[test]
fn every_row_of_the_baseline_is_answered_once_and_counted_and_names_files_that_exist() {
    let page = fs::read_to_string(crate::support::repository().join("docs/OSPS.md")).expect("a page");
    let answers = answers(&page);
    let rows: BTreeSet<&str> = answers.iter().map(|(row, ..)| *row).collect();
    assert_eq!((rows.len(), answers.len()), (64, 64), "64 rows, each once");
    for (level, part) in page.split("\n## Level ").skip(1).enumerate() {
        let of_level: Vec<_> = self::answers(part);
        let count = |answer: &str| of_level.iter().filter(|(_, it, _)| *it == answer).count();
        let counted = format!("| {} | {} | {} | {} |", level + 1, count("yes"), count("forge"), count("no"));
        assert!(page.contains(&counted), "{counted}");
        assert_eq!(count("yes") + count("forge") + count("no"), of_level.len());
    }
    for (row, _, names) in answers {
        for name in names.into_iter().filter(|name| name.contains('/') || name.ends_with(".md")) {
            let exists = crate::support::repository().join(name).exists();
            assert!(exists || name.starts_with("permissions"), "{row}: {name}");
        }
    }
}

#[test]
fn the_page_of_evidence_is_what_the_commands_left() {
    let output = std::process::Command::new(crate::support::repository().join("scripts/evidence"))
        .arg("check")
        .output()
        .expect("it is in the repository");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}

#[test]
fn every_command_of_the_evidence_is_a_target_of_make_or_a_script_that_can_be_run() {
    let root = crate::support::repository();
    let read = |name: &str| fs::read_to_string(root.join(name)).expect("it is in the repository");
    let (methods, makefile) = (read("docs/evidence/methods.toml"), read("Makefile"));
    let commands: Vec<&str> = methods
        .lines()
        .filter_map(|line| line.strip_prefix("command = ").or_else(|| line.strip_prefix("short = ")))
        .map(|command| command.trim_matches('"'))
        .collect();
    assert_eq!(commands.len(), 2 * methods.matches("\ntitle = ").count(), "two of each method");
    for command in commands {
        // Variables may stand in front.
        let mut words = command.split(' ').skip_while(|word| word.contains('='));
        match (words.next(), words.next()) {
            (Some("make"), Some(target)) => {
                assert!(makefile.contains(&format!("\n{target}: ")), "{command}");
            }
            (Some(script), _) => {
                let mode =
                    fs::metadata(root.join(script)).unwrap_or_else(|error| panic!("{command}: {error}"));
                assert_ne!(mode.permissions().mode() & 0o100, 0, "{command}");
            }
            (None, _) => panic!("no command: {command}"),
        }
    }
}

#[test]
fn the_book_has_every_page_once_and_in_an_order() {
    let folder = tempfile::tempdir().expect("a folder");
    let made = std::process::Command::new("python3")
        .arg("-B")
        .arg(crate::support::repository().join("scripts/book.py"))
        .arg(folder.path().join("book"))
        .status()
        .expect("python3");
    assert!(made.success());
    let summary = fs::read_to_string(folder.path().join("book/src/SUMMARY.md")).expect("it was made");
    for below in ["docs", "docs/guides", "docs/reference", "docs/decisions"] {
        for entry in fs::read_dir(crate::support::repository().join(below)).expect("a folder") {
            let name = entry.expect("an entry").file_name().into_string().expect("plain names");
            if name.ends_with(".md") {
                assert_eq!(summary.matches(&format!("({below}/{name})")).count(), 1, "{below}/{name}");
            }
        }
    }
    assert!(summary.contains("(docs/man/leasehold-init.1.md)"));
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

/// The files that may have more than 500 lines without their tests, each with what it has, and why.
const LONG: [(&str, usize, &str); 2] = [
    (
        "tests/server/agents.rs",
        652,
        "the configurations that the real agents and ours read stand beside one another",
    ),
    ("tests/server/logins.rs", 542, "every login method goes through the same tests"),
];

#[test]
fn no_rust_file_has_more_than_500_lines_without_its_tests() {
    let folders = ["src", "crates", "tests", "benches", "examples", "fuzz"];
    let mut seen = 0;
    for (path, text) in folders.into_iter().flat_map(sources) {
        let lines = text.split("\n#[cfg(test)]\nmod tests {").next().expect("a first part").lines().count();
        let allowed = LONG.iter().find(|(long, ..)| *long == path).map_or(500, |(_, lines, _)| *lines);
        assert!(lines <= allowed, "{path} has {lines} lines, and may have {allowed}");
        seen += 1;
    }
    assert!(seen > 600, "the files are read: {seen}");
}

/// Where there is unsafe code.
const UNSAFE: [&str; 2] = ["src/pages.rs", "crates/playground/src/wasm.rs"];

#[test]
fn unsafe_code_stands_in_the_two_files_that_the_pages_name() {
    let with: Vec<String> = ["src", "crates"]
        .into_iter()
        .flat_map(sources)
        .filter(|(_, text)| text.contains("unsafe_code") || text.contains("unsafe {"))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(with, UNSAFE);
    for page in ["ARCHITECTURE.md", "CONTRIBUTING.md", "Cargo.toml"] {
        let text =
            fs::read_to_string(crate::support::repository().join(page)).expect("it is in the repository");
        assert!(UNSAFE.iter().all(|file| text.contains(file)), "{page}");
    }
}

/// Each is looked for where it would be changed; a rule that fits nothing would be noticed by nobody until somebody
/// has the hours for all of them.
#[test]
fn each_rule_and_each_known_fault_that_is_tried_fits_the_code() {
    for script in ["scripts/mutants", "scripts/regressions"] {
        let output = std::process::Command::new(crate::support::repository().join(script))
            .arg("check")
            .output()
            .expect("it is in the repository");
        assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
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

/// The packages that may be published are those whose manifest does not forbid it.
#[test]
fn each_package_that_may_be_published_is_complete_and_depends_on_no_other_that_may_not() {
    let root = crate::support::repository();
    let manifest = |name: &str| {
        let path = root.join("crates").join(name).join("Cargo.toml");
        fs::read_to_string(path).expect("a package has a manifest")
    };
    let published = |name: &str| !manifest(name).contains("publish = false");
    let names = fs::read_dir(root.join("crates")).expect("a folder");
    let names = names.map(|entry| entry.expect("an entry").file_name().into_string().expect("plain names"));
    let names: Vec<String> = names.filter(|name| published(name)).collect();
    assert!(names.contains(&"template".to_owned()) && names.len() < 4, "{names:?}");
    for name in names {
        let ours = manifest(&name);
        for key in ["description = ", "license", "repository", "readme = "] {
            assert!(ours.contains(&format!("\n{key}")), "{name}: {key}");
        }
        let others = ours
            .lines()
            .filter_map(|line| line.strip_prefix("leasehold-"))
            .filter_map(|line| line.split('.').next());
        assert!(others.clone().all(published), "{name}: {:?}", others.collect::<Vec<_>>());
        let output = std::process::Command::new("cargo")
            .args([
                "package",
                "--list",
                "--allow-dirty",
                "--offline",
                "--package",
                &format!("leasehold-{name}"),
            ])
            .current_dir(&root)
            .output()
            .expect("cargo");
        let listed = String::from_utf8_lossy(&output.stdout);
        let listed: BTreeSet<&str> = listed.lines().collect();
        let folder = format!("crates/{name}/src");
        let missing = sources(&folder).into_iter().flat_map(|(path, text)| {
            let own = path.replacen(&format!("crates/{name}/"), "", 1);
            // What a source includes lies beside it, or at the top of the package.
            let beside = own.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
            let included = text.split("include_str!(\"").skip(1).filter_map(|rest| rest.split('"').next());
            let included = included.map(|file| match file.strip_prefix("../") {
                Some(file) if beside == "src" => file.to_owned(),
                _ => format!("{beside}/{file}"),
            });
            included.chain([own.clone()]).collect::<Vec<_>>()
        });
        let missing: Vec<String> =
            missing.chain(["LICENSE".to_owned()]).filter(|file| !listed.contains(&**file)).collect();
        assert!(missing.is_empty(), "{name} lacks {missing:?}: {}", String::from_utf8_lossy(&output.stderr));
    }
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

    let crates = ["base", "config", "core", "http", "settings", "stores", "template", "vault"]
        .map(|name| format!("crates/{name}"));
    let crates = std::iter::once(String::new()).chain(crates);
    let used: BTreeSet<String> = crates.flat_map(|package| dependencies(&package)).collect();
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

/// A room of the core that moved is found where the page says.
#[test]
fn each_room_of_the_core_that_architecture_names_is_there() {
    let root = crate::support::repository();
    let page = fs::read_to_string(root.join("ARCHITECTURE.md")).expect("it is in the repository");
    let library = fs::read_to_string(root.join("crates/core/src/lib.rs")).expect("it is in the repository");
    let names: Vec<&str> = page.split('`').filter_map(|word| word.strip_prefix("core::")).collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        let room = root.join("crates/core/src").join(name.replace("::", "/"));
        // What other crates see is at the root for them, functions too.
        let seen = root.join("crates/core/src/interface").join(name);
        let is_there = [&room, &seen].iter().any(|path| path.is_dir() || path.with_extension("rs").is_file());
        assert!(is_there || library.contains(name), "core::{name}");
    }
}
