//! The places where templates may write beside their own file (`write_to_file`).

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

/// The folders that `writeToFile` may write below, and what in them is not for it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct WriteRules {
    /// The folders: absolute, of normal components. None of them holds `secrets_dir` or the handoff.
    pub folders: Vec<PathBuf>,
    /// The absolute paths that `files` publish.
    pub taken: BTreeSet<PathBuf>,
}

impl WriteRules {
    /// Checks that a template may write `path`.
    ///
    /// # Errors
    /// The reason why not, with the key that would allow it. The path is left out, because a template may have made
    /// it of a secret.
    pub fn check(&self, path: &str) -> Result<(), &'static str> {
        let Some(parts) = path.strip_prefix('/') else { return Err("the path is not absolute") };
        if let Some((rule, _)) = parts.split('/').find_map(odd_component) {
            return Err(rule);
        }
        let path = Path::new(path);
        if !self.folders.iter().any(|folder| path != folder && path.starts_with(folder)) {
            return Err("the path is below no folder that the configuration's `write_to_file` names");
        }
        let beside = |taken: &PathBuf| path.starts_with(taken) || taken.starts_with(path);
        if self.taken.iter().any(beside) {
            return Err("the path is in the way of one of the configuration's `files`");
        }
        Ok(())
    }
}

/// Returns the reason why a component cannot be part of a path, and what to do.
pub(super) fn odd_component(part: &str) -> Option<(&'static str, &'static str)> {
    match part {
        "" => Some(("an empty name in the path", "name a file, with one slash between folders")),
        "." | ".." => Some(("`.` or `..` in the path", "write where it leads")),
        // Generations and their symlink are named so, as kubelet does.
        _ if part.starts_with("..") => {
            Some(("a name that begins with `..`", "these are the set's own: use another"))
        }
        _ if part.chars().any(char::is_control) => Some(("a control character in the path", "remove it")),
        _ if part.len() > 255 => Some(("a name longer than 255 bytes", "shorten it")),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_lies_below_a_folder_named_may_be_written() {
        let rules = WriteRules {
            folders: vec!["/run/tls".into(), "/run/ca/web".into()],
            taken: BTreeSet::from(["/run/tls/own/key.pem".into()]),
        };
        for good in ["/run/tls/a", "/run/tls/b/c", "/run/ca/web/x", "/run/tls/own/cert.pem"] {
            assert_eq!(rules.check(good), Ok(()), "{good}");
        }
        let nowhere = "the path is below no folder that the configuration's `write_to_file` names";
        let in_the_way = "the path is in the way of one of the configuration's `files`";
        for (bad, why) in [
            ("/run/tls", nowhere),
            ("/run/tlsx/a", nowhere),
            ("/run/ca/a", nowhere),
            ("/", "an empty name in the path"),
            ("", "the path is not absolute"),
            ("run/tls/a", "the path is not absolute"),
            ("/run/tls/../shadow", "`.` or `..` in the path"),
            ("/run/tls/./a", "`.` or `..` in the path"),
            ("/run/tls//a", "an empty name in the path"),
            ("/run/tls/a/", "an empty name in the path"),
            ("/run/tls/a\0b", "a control character in the path"),
            ("/run/tls/..data", "a name that begins with `..`"),
            ("/run/tls/own/key.pem", in_the_way),
            ("/run/tls/own/key.pem/x", in_the_way),
            ("/run/tls/own", in_the_way),
        ] {
            assert_eq!(rules.check(bad), Err(why), "{bad:?}");
        }
        assert_eq!(WriteRules::default().check("/run/tls/a"), Err(nowhere));
    }
}
