//! A folder in which each file is a secret, as for systemd's credentials, a mounted Kubernetes Secret and Docker's
//! secrets.

use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
use leasehold_base::secret::Secret;
use rustix::fs::{Access, AtFlags, CWD, Mode, OFlags, ResolveFlags};
use rustix::io::Errno;

use crate::answer;

/// A folder.
#[derive(Debug)]
pub struct Files {
    dir: PathBuf,
}

impl Files {
    pub(crate) fn new(dir: &Path) -> Self {
        Self { dir: dir.to_owned() }
    }

    pub(crate) fn read(&self, name: &str) -> Result<Response, Failure> {
        let open = || {
            let file = self.open(name, OFlags::RDONLY | OFlags::NONBLOCK)?;
            let facts = file.metadata()?;
            Ok((file, facts))
        };
        let (mut file, facts) = open().map_err(|error| self.failure(name, &error))?;
        if !facts.is_file() {
            let what = if facts.is_dir() { "a folder" } else { "no ordinary file" };
            let why = format!("{} is {what}", self.dir.join(name).display());
            return Err(Failure::new(FailureKind::Rejected, why));
        }
        let size = usize::try_from(facts.len()).unwrap_or(usize::MAX);
        if size > answer::MOST_BYTES {
            return Err(answer::too_large());
        }
        // The room for it is there from the beginning: a vector that grows leaves copies behind.
        let mut bytes = vec![0; size];
        let filled = fill(&mut file, &mut bytes).map_err(|error| self.failure(name, &error))?;
        // A file that is written in place may be shorter by now. A file that is replaced by a rename is read whole.
        bytes.truncate(filled);
        Ok(Response::of_value(Secret::new(bytes)))
    }

    pub(crate) fn list(&self, name: &str) -> Result<Response, Failure> {
        let list = || {
            let folder = self.open(name, OFlags::RDONLY | OFlags::DIRECTORY)?;
            let mut names = Vec::new();
            for entry in rustix::fs::Dir::read_from(&folder)? {
                let entry = entry?;
                let Ok(own) = entry.file_name().to_str() else { continue };
                // Kubernetes keeps what is published in `..data`, and in folders named by the time.
                if own == "." || own.starts_with("..") {
                    continue;
                }
                let is_folder = rustix::fs::statat(&folder, entry.file_name(), rustix::fs::AtFlags::empty())
                    .is_ok_and(|facts| rustix::fs::FileType::from_raw_mode(facts.st_mode).is_dir());
                names.push(if is_folder { format!("{own}/") } else { own.to_owned() });
            }
            Ok(names)
        };
        list().map(answer::list).map_err(|error| self.failure(name, &error))
    }

    /// Opens what is below the folder, and nothing else: a path that leaves it, by `..` or by a link, is not found.
    fn open(&self, name: &str, flags: OFlags) -> io::Result<File> {
        let folder = rustix::fs::openat(
            CWD,
            &self.dir,
            OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC,
            Mode::empty(),
        )?;
        let name = if name.is_empty() { "." } else { name };
        let within = ResolveFlags::BENEATH | ResolveFlags::NO_MAGICLINKS;
        let flags = flags | OFlags::CLOEXEC;
        loop {
            match rustix::fs::openat2(&folder, name, flags, Mode::empty(), within) {
                // The folder was renamed meanwhile, and the kernel cannot tell whether the path left it.
                Err(Errno::AGAIN | Errno::INTR) => {}
                opened => return Ok(File::from(opened?)),
            }
        }
    }

    fn failure(&self, name: &str, error: &io::Error) -> Failure {
        let full = self.dir.join(name);
        let path = full.display();
        let (kind, why) = match Errno::from_io_error(error) {
            Some(Errno::NOENT | Errno::NOTDIR) if !self.dir.is_dir() => {
                (FailureKind::Missing, format!("the folder {} is not there", self.dir.display()))
            }
            Some(Errno::NOENT | Errno::NOTDIR) => (FailureKind::Missing, format!("{path} is not there")),
            Some(Errno::ACCESS)
                if rustix::fs::accessat(CWD, &full, Access::READ_OK, AtFlags::empty()).is_ok() =>
            {
                let why = format!(
                    "{path} may not be read, although its mode allows it: the sandbox of this process denies it, or another security module; restart leasehold, so that the sandbox is made for the folder as it is now, or use `sandbox: off`"
                );
                return Failure::advised(FailureKind::Denied, why);
            }
            Some(Errno::PERM)
                if rustix::fs::accessat(CWD, &full, Access::READ_OK, AtFlags::empty()).is_ok() =>
            {
                let why = "openat2(2) is refused, as by the seccomp profile of a container runtime from before Linux 5.6: use a newer one";
                (FailureKind::Local, why.to_owned())
            }
            Some(Errno::ACCESS | Errno::PERM) => {
                let uid = rustix::process::geteuid().as_raw();
                (FailureKind::Denied, format!("{path} may not be read by our uid, {uid}"))
            }
            Some(Errno::NAMETOOLONG) => (FailureKind::Rejected, "no file has so long a name".to_owned()),
            Some(Errno::XDEV | Errno::LOOP) => {
                (FailureKind::Rejected, format!("{path} leads out of the folder {}", self.dir.display()))
            }
            Some(Errno::NOSYS) => {
                (FailureKind::Local, "the kernel has no openat2(2): Linux 5.6 or later is needed".to_owned())
            }
            _ => (FailureKind::Fault, format!("{path} cannot be read: {error}")),
        };
        Failure::new(kind, why)
    }
}

/// Reads until `bytes` is full, or the file ends. Returns how much was read.
fn fill(file: &mut File, bytes: &mut [u8]) -> io::Result<usize> {
    let mut filled = 0;
    while filled < bytes.len() {
        match file.read(&mut bytes[filled..]) {
            Ok(0) => break,
            Ok(more) => filled += more,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(filled)
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use super::*;
    use leasehold_base::tree::Tree;
    use std::fs;
    use std::os::unix::fs::symlink;

    fn folder() -> (tempfile::TempDir, Files) {
        let dir = tempfile::tempdir().expect("a folder");
        let store = Files::new(&dir.path().join("secrets"));
        fs::create_dir_all(dir.path().join("secrets/db")).expect("folders");
        fs::write(dir.path().join("secrets/token"), "hunter2\n").expect("a file");
        fs::write(dir.path().join("secrets/db/web"), "{\"password\": \"p\"}").expect("a file");
        fs::write(dir.path().join("outside"), "not ours").expect("a file");
        (dir, store)
    }

    fn kind(result: Result<Response, Failure>) -> FailureKind {
        result.expect_err("it fails").kind
    }

    #[test]
    fn a_file_is_a_secret_with_every_byte_that_it_has() {
        let (_dir, store) = folder();
        assert_eq!(store.read("token").expect("it is there").raw.expect("raw").expose(), b"hunter2\n");
        let web = store.read("db/web").expect("it is there");
        assert_eq!(web.data.get("password").and_then(Tree::as_str), Some("p"));
    }

    #[test]
    fn a_mounted_kubernetes_secret_is_read_through_its_links() {
        let (dir, store) = folder();
        let secrets = dir.path().join("secrets");
        fs::create_dir(secrets.join("..2026_11_29")).expect("a folder");
        fs::write(secrets.join("..2026_11_29/key"), "k").expect("a file");
        symlink("..2026_11_29", secrets.join("..data")).expect("a link");
        symlink("..data/key", secrets.join("key")).expect("a link");
        assert_eq!(store.read("key").expect("it is there").raw.expect("raw").expose(), b"k");
        let listed = store.list("").expect("it is there");
        let keys = listed.data.get("keys").and_then(Tree::as_list).expect("a list");
        let keys: Vec<&str> = keys.iter().filter_map(Tree::as_str).collect();
        assert_eq!(keys, ["db/", "key", "token"]);
    }

    #[test]
    fn nothing_outside_of_the_folder_is_reached() {
        let (dir, store) = folder();
        symlink("../outside", dir.path().join("secrets/up")).expect("a link");
        symlink(dir.path().join("outside"), dir.path().join("secrets/absolute")).expect("a link");
        symlink("/proc/self/environ", dir.path().join("secrets/magic")).expect("a link");
        for name in ["../outside", "up", "absolute", "magic", "db/../../outside"] {
            let result = store.read(name);
            assert_eq!(kind(result), FailureKind::Rejected, "{name}");
        }
    }

    #[test]
    fn what_is_missing_too_large_or_no_file_is_named() {
        let (dir, store) = folder();
        assert_eq!(kind(store.read("absent")), FailureKind::Missing);
        assert_eq!(kind(store.read("token/below")), FailureKind::Missing);
        assert_eq!(kind(store.read("db")), FailureKind::Rejected);
        rustix::fs::mknodat(CWD, dir.path().join("secrets/pipe"), rustix::fs::FileType::Fifo, Mode::RUSR, 0)
            .expect("a pipe");
        assert_eq!(kind(store.read("pipe")), FailureKind::Rejected, "and no wait for a writer");
        let large = File::create(dir.path().join("secrets/large")).expect("a file");
        large.set_len(2 * 1024 * 1024).expect("a size");
        assert_eq!(kind(store.read("large")), FailureKind::Rejected);
        let gone = Files::new(Path::new("/nonexistent/folder")).read("x").expect_err("no folder");
        assert!(gone.why.contains("the folder /nonexistent/folder is not there"), "{gone}");
    }
}
