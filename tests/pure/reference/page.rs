//! Pages that are made, and the folder that holds these and no others.

use std::collections::BTreeMap;
use std::fs;
use std::path::PathBuf;

use crate::support::repository;

/// The pages of a folder of the repository.
pub(crate) struct Folder {
    path: PathBuf,
    pages: BTreeMap<String, String>,
}

impl Folder {
    pub(crate) fn new(path: &str) -> Self {
        Self { path: repository().join(path), pages: BTreeMap::new() }
    }

    pub(crate) fn page(&mut self, name: &str, text: String) {
        self.pages.insert(name.to_owned(), text);
    }

    /// Fails where the folder holds anything else; with `BLESS` makes it so.
    #[track_caller]
    pub(crate) fn hold(&self) {
        if std::env::var_os("BLESS").is_some() {
            self.write();
        }
        let there = self.there();
        let behind: Vec<&String> = (self.pages.iter().filter(|(name, text)| there.get(*name) != Some(*text)))
            .map(|(name, _)| name)
            .chain(there.keys().filter(|name| !self.pages.contains_key(*name)))
            .collect();
        let folder = self.path.display();
        assert!(behind.is_empty(), "{folder}: {behind:?} is behind the code; run `make docs` and commit it");
    }

    fn there(&self) -> BTreeMap<String, String> {
        let Ok(entries) = fs::read_dir(&self.path) else { return BTreeMap::new() };
        entries
            .map(|entry| {
                let path = entry.expect("it can be listed").path();
                let name = path.file_name().expect("a name").to_string_lossy().into_owned();
                (name, fs::read_to_string(path).unwrap_or_default())
            })
            .collect()
    }

    fn write(&self) {
        fs::create_dir_all(&self.path).expect("the repository can be written");
        for name in self.there().keys().filter(|name| !self.pages.contains_key(*name)) {
            fs::remove_file(self.path.join(name)).expect("the repository can be written");
        }
        let there = self.there();
        for (name, text) in self.pages.iter().filter(|(name, text)| there.get(*name) != Some(*text)) {
            fs::write(self.path.join(name), text).expect("the repository can be written");
        }
    }
}

/// Text for a cell of a table: on one line, and no end of the cell in it.
pub(crate) fn cell(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ").replace('|', "\\|")
}

/// Text as code, in a cell.
pub(crate) fn code(text: &str) -> String {
    // A backtick in code needs a fence of two.
    let fence = if text.contains('`') { "`` " } else { "`" };
    let end: String = fence.chars().rev().collect();
    if text.is_empty() { String::new() } else { format!("{fence}{}{end}", cell(text)) }
}
