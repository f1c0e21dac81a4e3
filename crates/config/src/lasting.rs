//! Finds folders that are on a disk of this machine although they must be in memory. A run would end because of
//! them, so a check reports them before. If not even the first part of a folder is there, it may be a mount that is
//! made later.

use std::path::{Path, PathBuf};

use super::plan::{Plan, Target};
use super::problem::{Problem, Severity};

/// Returns the warnings about the folders of `plan`. `is_in_memory` says of an existing path whether it is in
/// memory.
pub fn warnings(plan: &Plan, is_in_memory: &dyn Fn(&Path) -> Option<bool>) -> Vec<Problem> {
    if !plan.require_tmpfs {
        return Vec::new();
    }
    let handoff = plan.handoff.as_deref().and_then(Path::parent);
    let alone = plan.files.iter().filter_map(|file| match &file.target {
        target if target.is_nowhere() => None,
        Target::Alone(path) => path.parent(),
        Target::Member(_) => None,
    });
    let mut folders: Vec<&Path> = plan.set_folder().into_iter().chain(handoff).chain(alone).collect();
    folders.dedup();
    folders.into_iter().filter(|folder| is_on_disk(folder, is_in_memory)).map(warning).collect()
}

fn is_on_disk(folder: &Path, is_in_memory: &dyn Fn(&Path) -> Option<bool>) -> bool {
    // The root is no sign of anything: below it a container has its mounts.
    let mut above = folder.ancestors().filter(|path| path.file_name().is_some());
    above.find_map(is_in_memory) == Some(false)
}

fn warning(folder: &Path) -> Problem {
    let folder = PathBuf::from(folder);
    let message = "is on a disk of this machine, where secrets outlive the run: a run ends with 73";
    let hint = "use a folder on a tmpfs (`findmnt -t tmpfs` lists them), or set require_tmpfs: false if secrets may be written to a disk";
    Problem { severity: Severity::Warning, ..Problem::whole(folder.to_string_lossy(), message, hint) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tests::World;

    fn told(folder: &str, rest: &str) -> Vec<String> {
        let yaml = format!(
            "vault: {{address: 'https://v:8200'}}\nauth: {{method: kubernetes, role: web}}\nsecrets_dir: {folder}\nfiles: [{{path: a, secret: 'kv/a#b'}}]\n{rest}"
        );
        let plan = World::empty().text("c.yaml", &yaml).plan();
        let is_in_memory = |path: &Path| match path.to_str()? {
            "/run" => Some(true),
            "/var" | "/" => Some(false),
            _ => None,
        };
        warnings(&plan, &is_in_memory).iter().map(Problem::one_line).collect()
    }

    #[test]
    fn a_folder_on_a_disk_is_a_warning_and_one_that_may_be_mounted_later_is_none() {
        assert_eq!(
            told("/var/lib/app", ""),
            [
                "/var/lib/app: warning: is on a disk of this machine, where secrets outlive the run: a run ends with 73; use a folder on a tmpfs (`findmnt -t tmpfs` lists them), or set require_tmpfs: false if secrets may be written to a disk"
            ]
        );
        assert_eq!(told("/run/app", ""), [""; 0]);
        assert_eq!(told("/leasehold/secrets", ""), [""; 0]);
        assert_eq!(told("/var/lib/app", "require_tmpfs: false\n"), [""; 0]);
        assert_eq!(told("/run/app", "handoff: {file: /var/x/state}\n").len(), 1);
    }
}
