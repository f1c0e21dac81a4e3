//! The links of a set that readers go through.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;
use std::ffi::{OsStr, OsString};
use std::path::Path;

use super::dir::{Dir, Named};
use super::error::PublishError;
use super::names;

/// Returns the visible names of a set: the first component of every path, sorted.
pub(super) fn visible(paths: &[&Path]) -> Vec<OsString> {
    let first = paths.iter().filter_map(|path| path.iter().next());
    first.map(OsStr::to_owned).gather::<BTreeSet<_>>().into_iter().collect()
}

/// Returns the visible names that are missing or do not lead where they should. Refuses if something other than a
/// link has such a name. We must not replace it: it may be the only copy of something.
pub(super) fn lacking(root: &Dir, visible: &[OsString]) -> Result<Vec<OsString>, PublishError> {
    let mut lacking = Vec::new();
    for name in visible {
        match root.named(name)? {
            Named::Link(target) if target == names::link_target(name) => {}
            Named::Link(_) | Named::Nothing => lacking.push(name.clone()),
            Named::Other => return Err(root.taken(name)),
        }
    }
    Ok(lacking)
}

/// Makes these visible links, which are missing or lead elsewhere. A link under a name that was free is added to
/// `made`. A link that led elsewhere is replaced, never followed.
pub(super) fn create_missing(
    root: &Dir,
    visible: &[OsString],
    generation: u64,
    made: &mut Vec<OsString>,
) -> Result<(), PublishError> {
    for name in visible {
        let target = names::link_target(name);
        if root.create_free_link(name, &target)? {
            made.push(name.clone());
            continue;
        }
        match root.named(name)? {
            Named::Link(there) if there == target => {}
            Named::Link(_) => point(root, name, &target, generation)?,
            Named::Nothing | Named::Other => return Err(root.taken(name)),
        }
    }
    Ok(())
}

/// Puts back visible links that another process removed or changed.
pub(super) fn mend(root: &Dir, visible: &[OsString], generation: u64) -> Result<(), PublishError> {
    create_missing(root, &lacking(root, visible)?, generation, &mut Vec::new())
}

/// Makes the link `name` lead to `target` in one step, whatever link it was before.
pub(super) fn point(root: &Dir, name: &OsStr, target: &OsStr, generation: u64) -> Result<(), PublishError> {
    let temporary = names::link_in_progress(generation);
    root.create_link(&temporary, target)?;
    root.rename(&temporary, name).inspect_err(|_| {
        // The error of the rename says why. The next start at the latest sweeps this name.
        let _ = root.remove_file(&temporary);
    })
}
