//! The surroundings of this process, as templates see them.

use std::fs::OpenOptions;
use std::io::Read as _;
use std::os::unix::ffi::OsStringExt as _;
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::sync::Arc;

use rustix::time::{ClockId, clock_gettime};

use crate::config::problem::io_words;
use crate::publish;
use crate::render::Environment;
use crate::secret::Secret;
use crate::template::host::{HostError, WallTime};

/// The largest file that `file` reads, bytes.
const LARGEST_FILE: u64 = 8 << 20;

/// Returns the environment, files, clock and dice of this process.
pub(super) fn of_this_process() -> Environment {
    let variables = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, Secret::new(value.into_vec()))));
    Environment {
        variables: Arc::new(variables.collect()),
        read_file: Arc::new(read_file),
        now: wall,
        zone: super::zones::of_this_machine,
        network: super::network::of_this_machine,
        random,
    }
}

/// Returns the wall clock as templates see it.
fn wall() -> WallTime {
    let time = clock_gettime(ClockId::Realtime);
    WallTime { seconds: time.tv_sec, nanoseconds: u32::try_from(time.tv_nsec).unwrap_or(0) }
}

/// Returns the content of a regular file. It is opened without blocking, because a template could name a FIFO. The
/// error leaves the path out: a template may have made the path of a secret, and if it did not, its own error shows
/// the call.
pub(super) fn read_file(path: &Path) -> Result<Secret, HostError> {
    let why = |error: std::io::Error| HostError(io_words(&error));
    if publish::is_lock(path) {
        return Err(HostError("a lock file of Leasehold, which is empty and must not be read".to_owned()));
    }
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NONBLOCK).open(path).map_err(why)?;
    let metadata = file.metadata().map_err(why)?;
    if !metadata.is_file() {
        return Err(HostError("not a regular file".to_owned()));
    }
    if metadata.len() > LARGEST_FILE {
        return Err(HostError("larger than 8 MiB".to_owned()));
    }
    // With room for all of it the buffer does not move; it may have grown since.
    let mut content =
        zeroize::Zeroizing::new(Vec::with_capacity(LARGEST_FILE.min(metadata.len() + 1) as usize));
    file.take(LARGEST_FILE).read_to_end(&mut content).map_err(why)?;
    Ok(Secret::new(std::mem::take(&mut *content)))
}

/// Fills `bytes` with random bytes of the kernel.
fn random(mut bytes: &mut [u8]) {
    while !bytes.is_empty() {
        // Interrupted by a signal it is asked again; there is no other failure for a valid buffer.
        if let Ok(count) = rustix::rand::getrandom(&mut *bytes, rustix::rand::GetRandomFlags::empty()) {
            bytes = &mut bytes[count..];
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_reads_files_but_no_lock_file_since_closing_it_would_give_up_the_locks() {
        let dir = tempfile::tempdir().expect("a folder");
        for name in ["ordinary", "..leasehold.lock"] {
            std::fs::File::create(dir.path().join(name)).expect("a file");
        }
        assert_eq!(read_file(&dir.path().join("ordinary")), Ok(Secret::from("")));
        assert!(read_file(&dir.path().join("..leasehold.lock")).is_err());
    }
}
