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

/// The fenced blocks of a page of Markdown, in their order, also those of a list's items.
pub fn blocks(page: &str) -> Vec<Block> {
    let (mut heading, mut blocks, mut open): (String, Vec<Block>, Option<(usize, Block)>) =
        Default::default();
    for (index, line) in page.lines().enumerate() {
        let indent = line.len() - line.trim_start().len();
        match (line.trim_start().strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let (heading, language) = (heading.clone(), language.trim().to_owned());
                let block = Block { heading, language, text: String::new(), line: index + 1 };
                open = Some((indent, block));
            }
            (Some(_), Some((outer, _))) if indent == *outer => {
                blocks.extend(open.take().map(|(_, block)| block));
            }
            (_, Some((outer, block))) => {
                block.text.push_str(line.get(*outer..).unwrap_or_default());
                block.text.push('\n');
            }
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

impl Block {
    /// What a `console` block has a person type, command by command, each with the lines on which it goes on. What is
    /// printed in between is left out.
    pub fn typed(&self) -> Vec<String> {
        let mut typed: Vec<String> = Vec::new();
        let mut goes_on = false;
        for line in self.text.lines() {
            match (line.strip_prefix("$ ").or_else(|| line.strip_prefix("# ")), typed.last_mut()) {
                (Some(command), _) => typed.push(command.to_owned()),
                (None, Some(last)) if goes_on => {
                    last.push('\n');
                    last.push_str(line);
                }
                (None, _) => continue,
            }
            goes_on = line.ends_with('\\');
        }
        typed
    }
}

/// What the `console` blocks of a page have a person type that stand under a heading; under any, where that is empty.
pub fn typed(page: &str, heading: &str) -> Vec<String> {
    let of = |block: &Block| block.language == "console" && (heading.is_empty() || block.heading == heading);
    blocks(page).iter().filter(|block| of(block)).flat_map(Block::typed).collect()
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
    // What a page starts in the background ends with it.
    let mut script =
        "set -euo pipefail\ntrap 'jobs -p | xargs -r kill 2>/dev/null || true' EXIT\n".to_owned();
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
