//! Files that appear whole, or not at all.
//!
//! - [`Set`]: the relative files, published together as one generation behind one link.
//! - [`SingleFile`]: one absolute path, replaced by a rename.
//!
//! Both keep what was published before when anything fails, leave nothing of the new behind, and write nothing if
//! bytes, mode and owner are on the disk already. The folder is shared with an application that may be compromised:
//! see `dir` for what keeps a write inside, and the two modules for their order of system calls, step by step.
//!
//! On tmpfs nothing here waits. On a disk `fsync` does, so the driver publishes from a thread of its own there: every
//! type is `Send`, and none holds a descriptor between two publishes.

mod alone;
mod claim;
mod dir;
mod error;
mod file;
mod generation;
mod handle;
mod inspect;
mod leaf;
mod lines;
mod links;
mod listed;
mod names;
mod published;
mod resolve;
mod set;
mod stamp;
mod sweep;

pub use alone::is_lock;
pub use claim::{Claims, Wanted, publisher};
pub use error::{Problem, PublishError};
pub use file::SingleFile;
pub use inspect::{Look, Loss};
pub use leaf::Attributes;
pub(crate) use lines::LineFile;
pub use listed::{Found, Listed};
pub use published::Published;
pub use set::{Content, Member, Set};

use std::path::Path;

/// Opens the folder at `path`, and creates what is missing of it with `mode`, for later.
///
/// # Errors
/// If it cannot be opened or created, or is not on tmpfs or ramfs although `require_tmpfs` is set.
pub fn prepare(path: &Path, mode: u32, require_tmpfs: bool) -> Result<(), PublishError> {
    let mut dir = dir::Dir::open(path, Some(resolve::Create { mode, in_memory: require_tmpfs }))?;
    if require_tmpfs { dir.require_memory() } else { Ok(()) }
}
