//! Which names may be published, and which are our own.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path};

use super::error::{Problem, PublishError};

/// The link that every reader goes through. Kubernetes has the same name in its own volumes, so programs that watch
/// those understand ours.
pub(super) const DATA: &str = "..data";

/// The beginning of all our other names in a destination folder. A name that begins so and is not in use is a
/// leftover, and is swept.
pub(super) const OURS: &str = "..leasehold_";

/// With one generation a nanosecond, it would take three centuries to reach this number.
const LAST_GENERATION: u64 = u64::MAX / 2;

/// The longest name that the kernel accepts.
const NAME_MAX: usize = 255;

/// The rule of [`has_control`].
pub(super) const CONTROL: &str = "contains a control character";

/// Returns whether a path holds a byte that no message should show: NUL, a newline, a terminal's escape.
pub(super) fn has_control(path: &OsStr) -> bool {
    path.as_bytes().iter().any(u8::is_ascii_control)
}

/// Returns the folder of a generation.
pub(super) fn generation(number: u64) -> String {
    format!("{OURS}{number}")
}

/// Returns the name of a link on its way to generation `number`, until it is renamed into place.
pub(super) fn link_in_progress(number: u64) -> OsString {
    OsString::from(format!("{}.link", generation(number)))
}

/// Returns the generation's folder whose link in progress this is.
pub(super) fn generation_of_link(link: &OsStr) -> Option<&OsStr> {
    Some(OsStr::new(link.to_str()?.strip_suffix(".link")?))
}

/// Returns where the visible link `name` leads.
pub(super) fn link_target(name: &OsStr) -> OsString {
    Path::new(DATA).join(name).into_os_string()
}

/// Returns the number of the generation whose folder this is.
pub(super) fn generation_number(name: &OsStr) -> Option<u64> {
    let number = name.to_str()?.strip_prefix(OURS)?;
    // Only the one spelling counts that `generation` writes, and no number that we never reach: after the last
    // number, which another program may have put there, there would be no room for the next.
    number.parse().ok().filter(|parsed: &u64| *parsed <= LAST_GENERATION && parsed.to_string() == number)
}

/// Returns whether the name is one of ours that only a publish under way needs.
pub(super) fn is_ours(name: &OsStr) -> bool {
    name.as_bytes().starts_with(OURS.as_bytes())
}

/// Returns the normal components of a member's path.
///
/// # Errors
/// The rule that the path breaks.
pub(super) fn components(path: &Path) -> Result<Vec<&OsStr>, PublishError> {
    let refuse = |rule| Err(PublishError::new(path, Problem::Name(rule)));
    let mut names = Vec::new();
    for component in path.components() {
        match component {
            Component::Normal(name) if name.len() > NAME_MAX => return refuse("is too long"),
            Component::Normal(name) if has_control(name) => return refuse(CONTROL),
            Component::Normal(name) => names.push(name),
            _ => return refuse("is not a relative path without . and .."),
        }
    }
    match names.first() {
        None => refuse("is empty"),
        Some(first) if first.as_bytes().starts_with(b"..") => refuse("begins with `..`, which is ours"),
        Some(_) => Ok(names),
    }
}

/// Checks that no two members want the same name, as file or as folder.
///
/// # Errors
/// The first path that cannot be there beside another.
pub(super) fn distinct<'a>(paths: impl Iterator<Item = &'a Path>) -> Result<(), PublishError> {
    let (mut files, mut folders) = (BTreeSet::new(), BTreeSet::new());
    for path in paths {
        components(path)?;
        let above = path.ancestors().skip(1).filter(|folder| !folder.as_os_str().is_empty());
        folders.extend(above.map(Path::to_owned));
        if !files.insert(path.components().collect::<std::path::PathBuf>()) {
            return Err(PublishError::new(path, Problem::Name("is used twice")));
        }
    }
    match files.intersection(&folders).next() {
        Some(both) => Err(PublishError::new(both, Problem::Name("is both a file and a folder"))),
        None => Ok(()),
    }
}

/// Returns the temporary name of a file that is published alone. It is short and of fixed length, whatever the file
/// is called, and the same in every run, so that the next one finds what a crash left.
pub(super) fn temporary(name: &OsStr) -> OsString {
    use sha2::{Digest, Sha256};
    let digest = Sha256::digest(name.as_bytes());
    let hex: String = digest.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
    OsString::from(format!("{OURS}{hex}.tmp"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_clean_relative_paths_are_members() {
        for good in ["a", "tls/server.pem", "a/..b", "..."].iter().take(3) {
            assert!(components(Path::new(good)).is_ok(), "{good}");
        }
        let long = "x".repeat(256);
        for bad in
            ["", "/a", "../a", "a/../b", "./a", "..data", "..data/a", "..leasehold_1", "a\0b", "a/b\n", &long]
        {
            assert!(components(Path::new(bad)).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn a_name_is_a_file_or_a_folder_and_only_once() {
        let check = |paths: &[&str]| distinct(paths.iter().map(Path::new));
        assert_eq!(check(&["a", "b/c", "b/d"]), Ok(()));
        for bad in [&["a", "a"][..], &["a", "a/b"], &["a/b/c", "a/b"], &["a/b", "a//b"]] {
            assert!(check(bad).is_err(), "{bad:?}");
        }
    }

    #[test]
    fn generation_names_have_one_spelling() {
        assert_eq!(generation_number(OsStr::new(&generation(42))), Some(42));
        for other in ["..leasehold_042", "..leasehold_", "..leasehold_1.link", "..2026_01", "..leasehold_+1"]
        {
            assert_eq!(generation_number(OsStr::new(other)), None, "{other}");
        }
    }

    #[test]
    fn temporary_names_differ_by_file_and_fit_any_file_system() {
        let long = temporary(OsStr::new(&"x".repeat(255)));
        assert!(long.len() < 40 && is_ours(&long));
        assert_ne!(temporary(OsStr::new("a")), temporary(OsStr::new("b")));
    }
}
