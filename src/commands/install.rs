//! `leasehold install`: this program, put where another container can run it.
//!
//! In `exec` mode the program is the parent of the application, and so has to be in the application's
//! container. The image has neither a shell nor `cp`; so the program copies itself.

use std::fs;
use std::path::Path;
use std::process::ExitCode;

use crate::exit::{Cause, Ending};
use crate::publish::{Attributes, PublishError, SingleFile};
use crate::secret::Secret;

/// The program as it runs, also where its file was replaced since.
const PROGRAM: &str = "/proc/self/exe";

/// The name of a copy in a folder.
const NAME: &str = "leasehold";

/// The mode of a copy: everybody may run it, and nobody may change it.
const MODE: u32 = 0o555;

/// Copies the program to `to`, or into it if that is a folder: as a whole or not at all. If the copy is there
/// already, nothing changes.
///
/// # Errors
/// 73 if it cannot be written, 70 if the program cannot read itself.
pub fn run(to: &Path) -> Result<ExitCode, Ending> {
    let program = fs::read(PROGRAM).map_err(|error| {
        Ending::new(Cause::Bug, format!("{PROGRAM} cannot be read: {error}"), "is /proc mounted?")
    })?;
    let path = if to.is_dir() { to.join(NAME) } else { to.to_owned() };
    let attributes = Attributes { mode: MODE, uid: None, gid: None };
    SingleFile::open(&path, 0o755, false)
        .and_then(|mut file| file.publish(&Secret::new(program), &attributes))
        .map_err(unwritten)?;
    Ok(ExitCode::SUCCESS)
}

fn unwritten(error: PublishError) -> Ending {
    Ending::new(Cause::Destination, error.to_string(), error.hint())
}
