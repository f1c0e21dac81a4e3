//! What the documents say about the code is so.

mod support;

use std::fs;

/// The texts between backticks, in order.
fn quoted(text: &str) -> Vec<&str> {
    text.split('`').skip(1).step_by(2).collect()
}

#[test]
fn every_test_that_the_page_on_flaws_names_exists() {
    let page = support::repository().join("docs/CVES.md");
    let page = fs::read_to_string(page).expect("the page is in the repository");
    let quoted = quoted(&page);
    let pairs: Vec<_> = quoted.windows(2).filter(|pair| pair[0].ends_with(".rs")).collect();
    assert!(pairs.len() > 20, "the page names its tests as `file.rs` `test`");
    for pair in pairs {
        let source = fs::read_to_string(support::repository().join(pair[0]));
        let source = source.unwrap_or_else(|error| panic!("{}: {error}", pair[0]));
        assert!(source.contains(&format!("fn {}()", pair[1])), "{} has no test {}", pair[0], pair[1]);
    }
}
