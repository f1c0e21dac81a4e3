//! A page of docs/guides: its blocks, and the commands in them as one script.

use std::fs;

use super::script::repository;

/// One fenced block.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Block {
    /// The heading that it stands under.
    pub heading: String,
    /// What stands behind the fence: `sh` is run by a test, `console` is shown.
    pub language: String,
    /// The text between the fences.
    pub text: String,
    /// The line of the opening fence, from 1.
    pub line: usize,
}

/// The fenced blocks of a page of Markdown, in their order.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut heading, mut blocks, mut open): (String, Vec<Block>, Option<Block>) = Default::default();
    for (index, line) in page.lines().enumerate() {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let (heading, language) = (heading.clone(), language.trim().to_owned());
                open = Some(Block { heading, language, text: String::new(), line: index + 1 });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => block.text.push_str(&format!("{line}\n")),
            (None, None) => {
                if let Some(text) = line.strip_prefix("## ") {
                    heading = text.to_owned();
                }
            }
        }
    }
    assert!(open.is_none(), "a fence is not closed");
    blocks
}

/// A page of the repository.
pub fn page(path: &str) -> String {
    fs::read_to_string(repository().join(path)).unwrap_or_else(|error| panic!("{path}: {error}"))
}

/// What stands before the name of a section, and the time, in the output of [`commands`].
pub const STEP: &str = "@step";

/// The `sh` blocks of a page as one script of bash, which stops at the first command that fails; a line
/// `@step SECONDS HEADING` stands before the output of each section, and a last one `@step SECONDS` behind all.
pub fn commands(page: &str) -> String {
    let mut script = "set -euo pipefail\n".to_owned();
    let mut heading = String::new();
    for block in blocks(page).into_iter().filter(|block| block.language == "sh") {
        if block.heading != heading {
            heading = block.heading;
            script.push_str(&format!("echo \"{STEP} $EPOCHREALTIME {heading}\"\n"));
        }
        script.push_str(&block.text);
    }
    script + &format!("echo \"{STEP} $EPOCHREALTIME\"\n")
}

/// How long each section took, in seconds, out of what [`commands`] wrote.
pub fn steps(output: &str) -> Vec<(String, f64)> {
    let marks: Vec<(f64, &str)> = output
        .lines()
        .filter_map(|line| {
            let (time, heading) = line.strip_prefix(STEP)?.trim().split_once(' ').unwrap_or((line, ""));
            let time = time.strip_prefix(STEP).unwrap_or(time).trim();
            Some((time.replace(',', ".").parse().ok()?, heading))
        })
        .collect();
    marks.windows(2).map(|pair| (pair[0].1.to_owned(), pair[1].0 - pair[0].0)).collect()
}
