//! Nobody else reads our memory: no core dump, no debugger, no `/proc/PID/mem` or `environ` for
//! other processes of the same user.

use rustix::process::{DumpableBehavior, set_dumpable_behavior};

use crate::process::limits;

/// Closes this process's memory to everybody but root, and forbids core dumps. Has nothing to do
/// with `sandbox`: nothing that we do or start needs it open.
///
/// "Not dumpable" also holds where `core_pattern` is a pipe, for which the kernel ignores the
/// limit. A child is dumpable again once it runs its program.
pub fn close() {
    if let Err(why) = limits::forbid_cores() {
        tracing::warn!("cannot set the limit of core dumps to nothing: {why}");
    }
    if let Err(why) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("others of the same user may read this process's memory: {why}");
    }
}
