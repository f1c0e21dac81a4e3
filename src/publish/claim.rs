//! One run for each folder of a set.
//!
//! Two runs that publish different sets in one folder remove each other's files: each sweeps what is not
//! its own. So a run locks the folder's descriptor, which applications do not see, for as long as it lives.
//!
//! A single file needs no such lock: only its own name collides, and its temporary name is locked while it
//! is written. So several runs may publish different files in one folder, such as `/etc/app`.

use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{major, minor};

use super::dir::Dir;
use super::error::{Problem, PublishError};
use super::resolve::Create;
use super::stamp::Identity;

/// How long a start waits for a run that is about to end, as init's is when its sidecar starts.
const PATIENCE: Duration = Duration::from_secs(2);
const PAUSE: Duration = Duration::from_millis(50);

/// The folders that this process publishes sets in.
#[derive(Debug, Default)]
pub struct Claims(Vec<Claim>);

#[derive(Debug)]
struct Claim {
    path: PathBuf,
    folder: Identity,
    /// Open for its lock.
    _dir: Dir,
}

impl Claims {
    /// Claims the folder at `path`, which is created with `mode` where it is missing, and waits shortly for a
    /// run that holds it.
    ///
    /// # Errors
    /// `Claimed`: another run holds it still. Or it cannot be opened or created.
    pub fn wait(&mut self, path: &Path, mode: u32, require_tmpfs: bool) -> Result<(), PublishError> {
        let mut waited = Duration::ZERO;
        loop {
            match self.hold(path, mode, require_tmpfs) {
                Err(PublishError { problem: Problem::Claimed(_), .. }) if waited < PATIENCE => {
                    std::thread::sleep(PAUSE);
                    waited += PAUSE;
                }
                result => return result,
            }
        }
    }

    /// Claims the folder that is at `path` now; nothing to do where it is claimed already.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), at once.
    pub fn hold(&mut self, path: &Path, mode: u32, require_tmpfs: bool) -> Result<(), PublishError> {
        let dir = Dir::open(path, Some(Create { mode, in_memory: require_tmpfs }))?;
        let stat = dir.stat()?;
        let folder = Identity::of(&stat);
        if self.0.iter().any(|claim| claim.folder == folder) {
            return Ok(());
        }
        match dir.lock() {
            Err(PublishError { problem: Problem::Busy, .. }) => {
                return Err(PublishError::new(path, Problem::Claimed(holder(&stat))));
            }
            locked => locked?,
        }
        self.0.push(Claim { path: path.to_owned(), folder, _dir: dir });
        Ok(())
    }

    /// Gives up all folders but the one at `path`, if any.
    pub fn keep_only(&mut self, path: Option<&Path>) {
        // The last claim of a path is that of the folder which is there now.
        let last = self.0.iter().rposition(|claim| Some(claim.path.as_path()) == path);
        let kept = last.map(|index| self.0.swap_remove(index));
        self.0 = kept.into_iter().collect();
    }
}

/// The process that holds the lock on a folder, where `/proc/locks` shows it: not one of another container.
fn holder(folder: &rustix::fs::Stat) -> Option<i32> {
    let locks = std::fs::read_to_string("/proc/locks").ok()?;
    let place = format!("{:02x}:{:02x}:{}", major(folder.st_dev), minor(folder.st_dev), folder.st_ino);
    let holds = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (kind, pid, at) = (words.nth(1)?, words.nth(2)?, words.next()?);
        (kind == "FLOCK" && at == place).then(|| pid.parse().ok()).flatten()
    };
    locks.lines().find_map(holds).filter(|pid| *pid > 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_run_which_is_named_and_may_claim_it_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut first, mut second) = (Claims::default(), Claims::default());
        for _ in 0..2 {
            first.hold(dir.path(), 0o750, false).expect("free");
        }
        let error = second.hold(dir.path(), 0o750, false).expect_err("taken");
        let us = i32::try_from(std::process::id()).expect("small");
        assert_eq!(error.problem, Problem::Claimed(Some(us)));
        first.keep_only(Some(dir.path()));
        assert!(second.hold(dir.path(), 0o750, false).is_err(), "kept");
        first.keep_only(None);
        second.hold(dir.path(), 0o750, false).expect("given up");
    }

    #[test]
    fn a_folder_in_place_of_the_claimed_one_is_claimed_too() {
        let space = tempfile::tempdir().expect("a folder");
        let path = space.path().join("secrets");
        let mut claims = Claims::default();
        claims.hold(&path, 0o750, false).expect("made");
        std::fs::rename(&path, space.path().join("old")).expect("moved");
        claims.hold(&path, 0o750, false).expect("made anew");
        claims.keep_only(Some(&path));
        assert!(Claims::default().hold(&path, 0o750, false).is_err(), "the new one is kept");
        Claims::default().hold(&space.path().join("old"), 0o750, false).expect("the old one is free");
    }
}
