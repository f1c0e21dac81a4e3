//! docs/reference/errors.md as a set of messages: every one that there is, with `…` for what is filled in.

use super::guide;

/// The messages and what to do about them, each as the parts that stand between what is filled in.
#[derive(Debug)]
pub struct Messages(Vec<Vec<String>>);

impl Messages {
    /// Those of the page.
    pub fn read() -> Self {
        let page = guide::page("docs/reference/errors.md");
        let rows = page.lines().filter(|line| line.starts_with("| "));
        let cells = rows.flat_map(|row| {
            row.trim_matches('|').replace("\\|", "\u{1}").split('|').map(str::to_owned).collect::<Vec<_>>()
        });
        // Several things to do, of which one is meant, stand in one cell.
        let texts = cells.flat_map(|cell| cell.split(" · ").map(str::to_owned).collect::<Vec<_>>());
        let parts = texts.map(|text| {
            let text = text.trim().replace('\u{1}', "|");
            text.split('…').map(str::to_owned).filter(|part| !part.is_empty()).collect::<Vec<_>>()
        });
        // A row of nothing but what is filled in says nothing.
        Self(parts.filter(|parts| parts.iter().any(|part| part.trim().len() > 3)).collect())
    }

    /// Whether `message` is one of them.
    pub fn has(&self, message: &str) -> bool {
        let fits = |parts: &Vec<String>| {
            let mut rest = message;
            parts.iter().all(|part| match rest.split_once(part.as_str()) {
                Some((_, behind)) => {
                    rest = behind;
                    true
                }
                None => false,
            })
        };
        self.0.iter().any(fits)
    }
}
