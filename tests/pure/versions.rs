//! Every file that names an image, a package or a chart of ours names this version.

use std::fs;
use std::path::{Path, PathBuf};

use regex::Regex;

use crate::support::repository;

const VERSION: &str = env!("CARGO_PKG_VERSION");

fn files(path: &Path) -> Vec<PathBuf> {
    if path.is_file() {
        return vec![path.to_owned()];
    }
    let entries = fs::read_dir(path).expect("a folder of the repository");
    entries.flat_map(|entry| files(&entry.expect("it can be listed").path())).collect()
}

#[test]
fn images_packages_and_charts_are_of_this_version() {
    let named = Regex::new(r"leasehold(?:-kubernetes)?[:_-](\d+\.\d+\.\d+)|newTag: (\d+\.\d+\.\d+)")
        .expect("it is valid");
    let chart = Regex::new(r"(?m)^(?:version|appVersion): (\S+)$").expect("it is valid");
    let mut seen = 0;
    for path in
        ["manifests", "docs/guides", "README.md"].iter().flat_map(|path| files(&repository().join(path)))
    {
        let text = fs::read_to_string(&path).expect("a text of ours");
        let charts = path.ends_with("Chart.yaml").then(|| chart.captures_iter(&text)).into_iter().flatten();
        for found in named.captures_iter(&text).chain(charts) {
            let version = found.iter().skip(1).flatten().next().expect("one of them");
            assert_eq!(version.as_str(), VERSION, "{}: {}", path.display(), &found[0]);
            seen += 1;
        }
    }
    assert!(seen >= 20, "{seen} of them");
}

#[test]
fn the_changelog_has_a_section_for_this_version() {
    let text = fs::read_to_string(repository().join("CHANGELOG.md")).expect("a text of ours");
    assert!(text.contains(&format!("\n## {VERSION} - 20")), "{VERSION}");
}
