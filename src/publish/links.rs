//! The links of a set that readers go through.

use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use rustix::fs::FileType;

use super::dir::Dir;
use super::error::PublishError;
use super::names;

/// The visible names of a set: the first component of every path, sorted.
pub(super) fn visible(paths: &[&Path]) -> Vec<OsString> {
    let first = paths.iter().filter_map(|path| path.iter().next());
    first.map(OsStr::to_owned).collect::<BTreeSet<_>>().into_iter().collect()
}

/// The visible names that do not lead where they should, or are not there. Refuses where something other than a link
/// has such a name. It is not ours to replace: it may be the only copy of something.
pub(super) fn lacking(root: &Dir, visible: &[OsString]) -> Result<Vec<OsString>, PublishError> {
    let mut lacking = Vec::new();
    for name in visible {
        match root.link_target(name)? {
            Some(target) if target == names::link_target(name) => {}
            Some(_) => lacking.push(name.clone()),
            None if root.kind_of(name)?.is_some_and(|kind| kind != FileType::Symlink) => {
                return Err(root.taken(name));
            }
            None => lacking.push(name.clone()),
        }
    }
    Ok(lacking)
}

/// Makes every visible link lead where it should. Those made under a name that was free are
/// added to `made`; one that led elsewhere is replaced, never followed.
pub(super) fn create_missing(
    root: &Dir,
    visible: &[OsString],
    generation: u64,
    made: &mut Vec<OsString>,
) -> Result<(), PublishError> {
    for name in visible {
        let target = names::link_target(name);
        match root.link_target(name)? {
            Some(there) if there == target => {}
            Some(_) => point(root, name, &target, generation)?,
            None => {
                root.create_link(name, &target)?;
                made.push(name.clone());
            }
        }
    }
    Ok(())
}

/// Puts back visible links that somebody removed or changed.
pub(super) fn mend(root: &Dir, visible: &[OsString], generation: u64) -> Result<(), PublishError> {
    create_missing(root, visible, generation, &mut Vec::new())
}

/// Makes the link `name` lead to `target` in one step, whatever link it was before.
pub(super) fn point(root: &Dir, name: &OsStr, target: &OsStr, generation: u64) -> Result<(), PublishError> {
    let temporary = names::link_in_progress(generation);
    root.create_link(&temporary, target)?;
    root.rename(&temporary, name).inspect_err(|_| {
        // The error of the rename says why; this name is swept by the next start at the latest.
        let _ = root.remove_file(&temporary);
    })
}
