//! The files that templates write beside their own: published with the rendering that wrote them.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;

use crate::core::ids::FileId;
use crate::publish::{Attributes, Look, Loss, PublishError, SingleFile};
use crate::render::{Write, joined};

/// The files beside those of one unit.
#[derive(Debug)]
pub(super) struct Written {
    dir_mode: u32,
    require_tmpfs: bool,
    files: BTreeMap<PathBuf, SingleFile>,
    /// The files whose writes changed something since the unit was last published.
    changed: BTreeSet<FileId>,
}

impl Written {
    /// Makes one without files. Missing folders are created with `dir_mode`.
    pub(super) fn new(dir_mode: u32, require_tmpfs: bool) -> Self {
        Self { dir_mode, require_tmpfs, files: BTreeMap::new(), changed: BTreeSet::new() }
    }

    /// Publishes what the rendering of `file` wrote; does nothing if that is on the disk already.
    ///
    /// # Errors
    /// The first file that cannot be written. The files before it are there, each whole, and still count as changed
    /// when the unit can be published.
    pub(super) fn publish(&mut self, file: FileId, writes: &[Write]) -> Result<(), PublishError> {
        for write in writes {
            if self.publish_one(write)? {
                self.changed.insert(file);
            }
        }
        Ok(())
    }

    /// Returns whether readers see writes that no publish of the unit has told of yet.
    pub(super) fn shows_news(&self) -> bool {
        !self.changed.is_empty()
    }

    /// Takes the files whose writes changed something since the last call, since the unit is published.
    pub(super) fn take_changed(&mut self) -> BTreeSet<FileId> {
        std::mem::take(&mut self.changed)
    }

    /// Returns what became of the first of these files that is not there as published.
    ///
    /// # Errors
    /// If a folder cannot be read.
    pub(super) fn inspect(&mut self, writes: &[Write], look: Look) -> Result<Option<Loss>, PublishError> {
        for write in writes {
            let Some(file) = self.files.get_mut(&write.path) else { continue };
            // What other programs append to a file that is appended to is theirs, and no reason to append to it once
            // more.
            let bytes = Some(&write.content).filter(|_| !write.append);
            let attributes = Attributes { mode: write.mode, uid: write.uid, gid: write.gid };
            if let Some(loss) = file.inspect(bytes, &attributes, look)? {
                return Ok(Some(loss));
            }
        }
        Ok(None)
    }

    fn publish_one(&mut self, write: &Write) -> Result<bool, PublishError> {
        if !self.files.contains_key(&write.path) {
            let file = SingleFile::open(&write.path, self.dir_mode, self.require_tmpfs)?;
            self.files.insert(write.path.clone(), file);
        }
        let file = self.files.get_mut(&write.path).expect("it was put there if it was not");
        let before = if write.append { file.content()? } else { None };
        let bytes = match before {
            // It was written before. Appending it again at every rendering would grow the file without end.
            Some(before) if before.expose().ends_with(write.content.expose()) => before,
            Some(before) => joined(&before, &write.content),
            None => write.content.clone(),
        };
        let attributes = Attributes { mode: write.mode, uid: write.uid, gid: write.gid };
        let published = file.publish(&bytes, &attributes).map_err(|error| error.named(&write.path))?;
        if let Some(leftover) = &published.aftermath {
            tracing::warn!("written, but {leftover}");
        }
        Ok(!published.changed.is_empty())
    }
}

#[cfg(test)]
#[expect(clippy::disallowed_methods, reason = "somebody else's files")]
mod tests {
    use std::fs;
    use std::os::unix::fs::{MetadataExt as _, symlink};
    use std::path::Path;

    use super::*;
    use crate::publish::Problem;

    fn write(path: &Path, content: &str, append: bool) -> Write {
        Write { path: path.to_owned(), mode: 0o440, uid: None, gid: None, append, content: content.into() }
    }

    fn written() -> Written {
        Written::new(0o750, false)
    }

    #[test]
    fn what_is_there_already_is_not_written_again_and_changes_are_told_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("sub/a");
        let mut here = written();
        here.publish(FileId(3), &[write(&path, "one", false)]).expect("written");
        assert_eq!(here.take_changed(), [FileId(3)].into());
        let before = fs::metadata(&path).expect("there");
        assert_eq!(before.mode() & 0o7777, 0o440);
        for again in [&mut here, &mut written()] {
            again.publish(FileId(3), &[write(&path, "one", false)]).expect("nothing to do");
            assert!(again.take_changed().is_empty());
        }
        assert_eq!(fs::metadata(&path).expect("there").ino(), before.ino(), "the same file");
    }

    #[test]
    fn what_is_added_stays_and_does_not_grow_with_every_rendering_or_restart() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("bundle");
        fs::write(&path, "theirs\n").expect("written");
        for _ in 0..2 {
            let mut here = written();
            for _ in 0..2 {
                here.publish(FileId(0), &[write(&path, "ours\n", true)]).expect("written");
            }
        }
        assert_eq!(fs::read(&path).expect("there"), b"theirs\nours\n");
        written().publish(FileId(0), &[write(&path, "new\n", true)]).expect("written");
        assert_eq!(fs::read(&path).expect("there"), b"theirs\nours\nnew\n");
        let giant = fs::File::options().write(true).open(dir.path().join("bundle"));
        let grown = giant.and_then(|file| file.set_len((8 << 20) + 1));
        // Published read-only; root may write all the same, and only root gets past this line.
        if grown.is_ok() {
            let error = written().publish(FileId(0), &[write(&path, "x", true)]).expect_err("too large");
            assert_eq!(error.problem, Problem::TooLarge);
        }
    }

    #[test]
    fn a_change_before_a_failure_is_told_when_the_unit_is_published_at_last() {
        let dir = tempfile::tempdir().expect("a folder");
        let (good, bad) = (dir.path().join("a"), dir.path().join("b"));
        fs::create_dir(&bad).expect("made");
        let mut here = written();
        let writes = [write(&good, "one", false), write(&bad, "two", false)];
        let error = here.publish(FileId(1), &writes).expect_err("a folder is in the way");
        assert_eq!(error.problem, Problem::InTheWay("a directory"));
        fs::remove_dir(&bad).expect("removed");
        here.publish(FileId(1), &writes[..1]).expect("nothing to do");
        assert!(here.shows_news(), "readers see it, and nobody was notified");
        assert_eq!(here.take_changed(), [FileId(1)].into());
        assert!(!here.shows_news());
    }

    #[test]
    fn a_link_is_never_followed() {
        let dir = tempfile::tempdir().expect("a folder");
        // Anyone may make links in it, as an application may in a volume that it shares with us.
        let shared = dir.path().join("shared");
        fs::create_dir(&shared).expect("made");
        fs::set_permissions(&shared, std::os::unix::fs::PermissionsExt::from_mode(0o777)).expect("set");
        let outside = dir.path().join("outside");
        fs::create_dir(&outside).expect("made");
        fs::write(outside.join("precious"), "old").expect("written");
        symlink(&outside, shared.join("folder")).expect("linked");
        let error = written()
            .publish(FileId(0), &[write(&shared.join("folder/precious"), "new", false)])
            .expect_err("a link on the way");
        assert_eq!(error.problem, Problem::Link);
        for append in [false, true] {
            let path = shared.join("file");
            symlink(outside.join("precious"), &path).expect("linked");
            // Replaced where it may be, refused where adding would read through it.
            let _either = written().publish(FileId(0), &[write(&path, "new", append)]);
            let _ = fs::remove_file(&path);
            assert_eq!(fs::read(outside.join("precious")).expect("there"), b"old", "append: {append}");
        }
        assert_eq!(fs::read_dir(&outside).expect("a folder").count(), 1);
    }
}
