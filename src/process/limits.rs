//! Our own resource limits, which our children must not inherit.

use std::io;
use std::sync::OnceLock;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

/// The limit of core dumps that we were started with.
static CORE_AS_FOUND: OnceLock<Rlimit> = OnceLock::new();

/// Forbids core dumps of this process. Only the soft limit is lowered: raising a hard limit again, for a child, takes
/// a privilege.
///
/// # Errors
/// The system's.
pub(crate) fn forbid_cores() -> io::Result<()> {
    let found = *CORE_AS_FOUND.get_or_init(|| getrlimit(Resource::Core));
    Ok(setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: found.maximum })?)
}

/// Starts a child with the limits that we were started with.
///
/// They are ours for that moment, since a child copies them when it is made, and setting them afterwards would race
/// with the child. Our memory stays out of a dump even then: we are not dumpable.
pub(super) fn as_found<T>(start: impl FnOnce() -> T) -> T {
    let Some(found) = CORE_AS_FOUND.get() else { return start() };
    // A soft limit may always be set to anything up to the hard one.
    let _allowed = setrlimit(Resource::Core, *found);
    let started = start();
    let _allowed = setrlimit(Resource::Core, Rlimit { current: Some(0), maximum: found.maximum });
    started
}
