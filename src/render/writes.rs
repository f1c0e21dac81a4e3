//! What a template writes beside its own file. It is checked and gathered here. The driver publishes it together
//! with the rendering, or throws it away with it.

use std::path::{Path, PathBuf};

use super::ReadFile;
use crate::config::accounts::{self, Account};
use crate::config::plan::WriteRules;
use crate::secret::Secret;
use crate::template::host::{HostError, WrittenFile};
use crate::template::{Buffer, Limits};

/// The most files that one rendering writes.
const MOST: usize = 1_000;

/// A file that `writeToFile` made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Write {
    /// The path: allowed, absolute, of normal components.
    pub path: PathBuf,
    /// The permission bits, at most 0o777.
    pub mode: u32,
    /// The owner, by number; ours if there is none.
    pub uid: Option<u32>,
    /// The group, by number.
    pub gid: Option<u32>,
    /// True if `content` is appended to what is in the file already, unless that ends with it.
    pub append: bool,
    /// The content.
    pub content: Secret,
}

/// The writes of one rendering, each path once.
#[derive(Debug, Default)]
pub(super) struct Writes {
    files: Vec<Write>,
    bytes: usize,
}

impl Writes {
    /// Takes one more write, or says why it may not be.
    pub(super) fn add(
        &mut self,
        file: &WrittenFile,
        rules: &WriteRules,
        read_file: &ReadFile,
    ) -> Result<(), HostError> {
        rules.check(&file.path).map_err(refused)?;
        let mode = u32::from_str_radix(&file.mode, 8).ok().filter(|mode| *mode <= 0o777);
        let mode = mode.ok_or_else(|| refused("the mode is not one of a file, like 0440"))?;
        let uid = owner(&file.user, Account::User, read_file)?;
        let gid = owner(&file.group, Account::Group, read_file)?;
        let path = Path::new(&file.path);
        let earlier = self.files.iter().position(|write| write.path == path);
        let write = Write {
            path: path.to_owned(),
            mode,
            uid,
            gid,
            append: file.append && earlier.is_none_or(|index| self.files[index].append),
            content: match earlier.filter(|_| file.append) {
                Some(index) => joined(&self.files[index].content, &file.content),
                None => file.content.clone(),
            },
        };
        // What is appended to counts again: it was copied.
        self.bytes += write.content.len();
        if self.bytes > Limits::default().output || earlier.is_none() && self.files.len() == MOST {
            return Err(refused("too much is written by one rendering"));
        }
        match earlier {
            Some(index) => self.files[index] = write,
            None => self.files.push(write),
        }
        Ok(())
    }

    /// Returns all of them, in the order of the first write of each.
    pub(super) fn take(self) -> Vec<Write> {
        self.files
    }
}

/// Returns `first` with `second` behind it.
pub(crate) fn joined(first: &Secret, second: &Secret) -> Secret {
    let mut both = Buffer::new(first.len() + second.len());
    both.push(first.expose());
    both.push(second.expose());
    both.into_secret()
}

fn refused(why: &str) -> HostError {
    HostError(why.to_owned())
}

/// Returns the number that `name` stands for: itself, or what the machine's book says. `None` for "".
fn owner(name: &str, kind: Account, read_file: &ReadFile) -> Result<Option<u32>, HostError> {
    if name.is_empty() {
        return Ok(None);
    }
    // The last number means "leave it as it is" to chown.
    if let Some(number) = name.parse().ok().filter(|number| *number != u32::MAX) {
        return Ok(Some(number));
    }
    let book =
        read_file(Path::new(kind.file())).map_err(|why| HostError(format!("{}: {}", kind.file(), why.0)))?;
    let number = accounts::look_up(book.expose(), name);
    number.map(Some).ok_or_else(|| HostError(format!("the owner's name is not in {}", kind.file())))
}
