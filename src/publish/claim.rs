//! One run for each folder of a set, and for each absolute file.
//!
//! Two runs that publish different sets in one folder remove each other's files: each sweeps what is not its own. So
//! a run locks the folder's descriptor, which applications do not see, for as long as it lives.
//!
//! Several runs may publish different absolute files in one folder, such as `/etc/app`: see [`alone`].

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};
use std::time::Duration;

use rustix::fs::{major, minor};

use super::alone::{self, Locks};
use super::dir::Dir;
use super::error::{Problem, PublishError};
use super::resolve::Create;
use super::stamp::Identity;

/// A start waits two seconds for a run that is about to end: this many tries, with this pause.
const TRIES: u32 = 40;
const PAUSE: Duration = Duration::from_millis(50);

/// Where a run publishes.
#[derive(Debug, Clone, Default)]
pub struct Wanted<'p> {
    /// The folder of the set.
    pub set: Option<&'p Path>,
    /// The absolute files.
    pub alone: Vec<&'p Path>,
    /// The mode of folders that are missing.
    pub dir_mode: u32,
    /// Whether to refuse to create a folder outside tmpfs and ramfs.
    pub require_tmpfs: bool,
}

/// What this process publishes, and no other does.
#[derive(Debug, Default)]
pub struct Claims {
    sets: Vec<Claim>,
    alone: Locks,
}

#[derive(Debug)]
struct Claim {
    path: PathBuf,
    folder: Identity,
    /// Open for its lock.
    _dir: Dir,
}

impl Claims {
    /// Claims everything that is wanted, and waits shortly for a run that holds some of it. It blocks, since at a
    /// start there is no loop yet that something else could wait in.
    ///
    /// # Errors
    /// `Claimed` or `Taken`: another run still holds it. Or a folder cannot be opened or created.
    pub fn wait(&mut self, wanted: &Wanted<'_>) -> Result<(), PublishError> {
        for _ in 0..TRIES {
            match self.hold(wanted) {
                Err(error) if error.is_held_elsewhere() => std::thread::sleep(PAUSE),
                result => return result,
            }
        }
        self.hold(wanted)
    }

    /// Claims what is there now of everything that is wanted; does nothing for what is claimed already.
    ///
    /// # Errors
    /// As [`wait`](Self::wait), at once.
    pub fn hold(&mut self, wanted: &Wanted<'_>) -> Result<(), PublishError> {
        let create = Create { mode: wanted.dir_mode, in_memory: wanted.require_tmpfs };
        if let Some(folder) = wanted.set {
            self.hold_set(folder, create)?;
        }
        // All runs take files in the same order, so that of two runs with several files in common one gets all of
        // them.
        let mut alone = wanted.alone.clone();
        alone.sort_unstable();
        let mut last = None;
        alone.into_iter().try_for_each(|path| self.alone.take(path, create, &mut last))
    }

    fn hold_set(&mut self, path: &Path, create: Create) -> Result<(), PublishError> {
        let dir = Dir::open(path, Some(create))?;
        let stat = dir.stat()?;
        let folder = Identity::of(&stat);
        if self.sets.iter().any(|claim| claim.folder == folder) {
            return Ok(());
        }
        match dir.lock() {
            Err(PublishError { problem: Problem::Busy, .. }) => {
                return Err(PublishError::new(path, Problem::Claimed(holder(&stat))));
            }
            locked => locked?,
        }
        self.sets.push(Claim { path: path.to_owned(), folder, _dir: dir });
        Ok(())
    }

    /// Gives up everything that is not wanted.
    pub fn keep_only(&mut self, wanted: &Wanted<'_>) {
        // The last claim of a path is the claim of the folder that is there now.
        let last = self.sets.iter().rposition(|claim| Some(claim.path.as_path()) == wanted.set);
        let kept = last.map(|index| self.sets.swap_remove(index));
        self.sets = kept.into_iter().collect();
        self.alone.keep_only(&wanted.alone);
    }
}

/// Returns the process that publishes some of what is wanted, if the kernel shows it: not one of another container.
#[must_use]
pub fn publisher(wanted: &Wanted<'_>) -> Option<i32> {
    let of_set = |folder| holder(&rustix::fs::stat(folder).ok()?);
    wanted.set.and_then(of_set).or_else(|| wanted.alone.iter().find_map(|path| alone::publisher(path)))
}

/// Returns the process that holds the lock on a folder, if `/proc/locks` shows it: not one of another container.
fn holder(folder: &rustix::fs::Stat) -> Option<i32> {
    let place = format!("{:02x}:{:02x}:{}", major(folder.st_dev), minor(folder.st_dev), folder.st_ino);
    let holds = |line: &str| {
        let mut words = line.split_ascii_whitespace();
        let (kind, pid, at) = (words.nth(1)?, words.nth(2)?, words.next()?);
        (kind == "FLOCK" && at == place).then(|| pid.parse().ok()).flatten()
    };
    let look = |_| locks().ok()?.lines().find_map(holds).filter(|pid| *pid > 0);
    (0..LOOKS).find_map(look)
}

/// How often the locks are read for one that is not among them. Between two reads the kernel goes on by the number of
/// a lock in its list: if an earlier one was given up, the next one is left out.
const LOOKS: u32 = 3;

/// The kernel fills at most a page for each read, and a page is all of one moment. `fs::read_to_string` first asks for
/// 32 bytes, which makes a gap after the first line.
const PAGE: usize = 4096;

/// Returns what `/proc/locks` shows.
pub(super) fn locks() -> io::Result<String> {
    let mut file = File::open("/proc/locks")?;
    let mut text = Vec::new();
    let mut page = [0; PAGE];
    loop {
        match file.read(&mut page)? {
            0 => return Ok(String::from_utf8_lossy(&text).into_owned()),
            read => text.extend_from_slice(&page[..read]),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use super::*;

    fn set(path: &Path) -> Wanted<'_> {
        Wanted { set: Some(path), dir_mode: 0o750, ..Wanted::default() }
    }

    #[test]
    fn a_folder_has_one_run_which_is_named_and_may_claim_it_again() {
        let dir = tempfile::tempdir().expect("a folder");
        let (mut first, mut second) = (Claims::default(), Claims::default());
        for _ in 0..2 {
            first.hold(&set(dir.path())).expect("free");
        }
        let error = second.hold(&set(dir.path())).expect_err("taken");
        let us = i32::try_from(std::process::id()).expect("small");
        assert_eq!(error.problem, Problem::Claimed(Some(us)));
        assert_eq!(publisher(&set(dir.path())), Some(us));
        first.keep_only(&set(dir.path()));
        assert!(second.hold(&set(dir.path())).is_err(), "kept");
        first.keep_only(&Wanted::default());
        assert_eq!(publisher(&set(dir.path())), None, "nobody does");
        second.hold(&set(dir.path())).expect("given up");
    }

    #[test]
    fn the_run_of_a_folder_is_named_while_others_lock_and_unlock() {
        let dir = tempfile::tempdir().expect("a folder");
        let folder = dir.path().join("secrets");
        let mut claims = Claims::default();
        claims.hold(&set(&folder)).expect("free");
        let us = i32::try_from(std::process::id()).expect("small");
        let over = AtomicBool::new(false);
        let lock_and_unlock = |index: u32| {
            let file = File::create(dir.path().join(index.to_string())).expect("a file");
            while !over.load(Ordering::Relaxed) {
                file.lock().expect("free");
                file.unlock().expect("ours");
            }
        };
        std::thread::scope(|scope| {
            for index in 0..3 {
                let lock_and_unlock = &lock_and_unlock;
                scope.spawn(move || lock_and_unlock(index));
            }
            let missed = (0..2_000).filter(|_| publisher(&set(&folder)) != Some(us)).count();
            over.store(true, Ordering::Relaxed);
            assert_eq!(missed, 0);
        });
    }

    #[test]
    fn a_folder_in_place_of_the_claimed_one_is_claimed_too() {
        let space = tempfile::tempdir().expect("a folder");
        let path = space.path().join("secrets");
        let mut claims = Claims::default();
        claims.hold(&set(&path)).expect("made");
        std::fs::rename(&path, space.path().join("old")).expect("moved");
        claims.hold(&set(&path)).expect("made anew");
        claims.keep_only(&set(&path));
        assert!(Claims::default().hold(&set(&path)).is_err(), "the new one is kept");
        Claims::default().hold(&set(&space.path().join("old"))).expect("the old one is free");
    }
}
