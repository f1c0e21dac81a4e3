//! Members and volumes as the tests write them, and what is on a volume.

use std::fs;
use std::mem::MaybeUninit;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};

use leasehold::publish::{Attributes, Content, Member, Set, SingleFile};
use leasehold::secret::Secret;
use rustix::fs::inotify;

/// Readable by owner and group, owned by us.
pub(crate) const PLAIN: Attributes = Attributes { mode: 0o440, uid: None, gid: None };

/// A member with these bytes.
pub(crate) fn member(path: &str, bytes: &str) -> Member {
    Member { path: path.into(), content: Content::Bytes(Secret::from(bytes)), attributes: PLAIN }
}

/// A member whose published bytes stay.
pub(crate) fn kept(path: &str) -> Member {
    Member { path: path.into(), content: Content::Keep, attributes: PLAIN }
}

/// The set in `path`, which must be a tmpfs.
pub(crate) fn open(path: &Path) -> Set {
    Set::open(path, 0o750, true).expect("a folder on tmpfs")
}

/// What a reader finds under the visible name.
pub(crate) fn read(root: &Path, name: &str) -> Option<String> {
    fs::read_to_string(root.join(name)).ok()
}

/// All names directly in `root`, sorted.
pub(crate) fn names(root: &Path) -> Vec<String> {
    let entries = fs::read_dir(root).expect("a readable folder");
    let mut names: Vec<_> = entries
        .map(|entry| entry.expect("an entry").file_name().into_string().expect("names are UTF-8 here"))
        .collect();
    names.sort();
    names
}

/// Path, mode, owner, group, inode and bytes of everything in a folder.
pub(crate) type Census = Vec<(PathBuf, u32, u32, u32, u64, Vec<u8>)>;

/// Everything below `root` with kind, mode, owner, inode and bytes: equal only if nothing happened.
pub(crate) fn census(root: &Path) -> Census {
    let mut found = Vec::new();
    for name in names(root) {
        let path = root.join(name);
        let meta = fs::symlink_metadata(&path).expect("it is there");
        let bytes = if meta.is_file() {
            fs::read(&path).expect("readable")
        } else if meta.is_symlink() {
            fs::read_link(&path).expect("a link").into_os_string().into_encoded_bytes()
        } else {
            Vec::new()
        };
        found.push((path.clone(), meta.mode(), meta.uid(), meta.gid(), meta.ino(), bytes));
        if meta.is_dir() {
            found.extend(census(&path));
        }
    }
    found
}

/// The permission bits at `path`, of what a link leads to.
pub(crate) fn mode(path: &Path) -> u32 {
    fs::metadata(path).expect("it is there").permissions().mode() & 0o7777
}

/// Publishes `first`, and tells under which name the file was prepared in `folder`.
pub(crate) fn temporary_name(folder: &Path, file: &mut SingleFile) -> String {
    let watch = inotify::init(inotify::CreateFlags::NONBLOCK).expect("inotify");
    inotify::add_watch(&watch, folder, inotify::WatchFlags::CREATE).expect("watched");
    file.publish(&"first".into(), &PLAIN).expect("published");
    let mut buffer = [MaybeUninit::uninit(); 1024];
    let mut events = inotify::Reader::new(&watch, &mut buffer);
    let event = events.next().expect("a file was created");
    event.file_name().and_then(|name| name.to_str().ok()).expect("a name of ours").to_owned()
}
