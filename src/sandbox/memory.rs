//! Keeps others from reading our memory. There is no core dump, no debugger, and no `/proc/PID/mem` or `environ`
//! for other processes of the same user. If the system allows it, there is no copy of our memory on a disk.

use std::fmt;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};

use rustix::io::Errno;
use rustix::mm::{MlockAllFlags, mlockall, munlockall};
use rustix::process::{DumpableBehavior, Resource, getrlimit, set_dumpable_behavior};
use rustix::thread::{CapabilitySet, capabilities};

use crate::process::limits;

/// True if later allocations depend on CAP_IPC_LOCK.
static BY_CAPABILITY: AtomicBool = AtomicBool::new(false);

/// True if our memory is locked on a machine that has no swap now.
static LOCKED_IN_VAIN: AtomicBool = AtomicBool::new(false);

/// Closes this process's memory to everybody but root, forbids core dumps, and keeps the memory out of swap if that
/// is allowed. It has nothing to do with `sandbox`, because nothing that we do or start needs the memory open.
///
/// "Not dumpable" also holds if `core_pattern` is a pipe, for which the kernel ignores the limit. A child is
/// dumpable again once it runs its program, and locks nothing.
pub fn close() {
    if let Err(why) = limits::forbid_cores() {
        tracing::warn!("cannot set the limit of core dumps to nothing: {why}");
    }
    if let Err(why) = set_dumpable_behavior(DumpableBehavior::NotDumpable) {
        tracing::warn!("others of the same user may read this process's memory: {why}");
    }
    let (locked, swaps) = (lock(), swap_is_on());
    LOCKED_IN_VAIN.store(locked.is_ok() && !swaps, Ordering::Relaxed);
    if let Err(why) = locked
        && swaps
    {
        tracing::warn!(
            "this machine swaps and {why}: secrets in Leasehold's memory may be written to disk; turn swap off, or let Leasehold lock memory (an unlimited RLIMIT_MEMLOCK, or CAP_IPC_LOCK)"
        );
    }
}

/// Does what the kernel refuses while our memory is locked: giving a part of the heap back. If the machine had swap
/// at the start, the memory stays locked, and `act` gives back what it can.
pub fn unlocked(act: impl FnOnce()) {
    let unlocked = LOCKED_IN_VAIN.load(Ordering::Relaxed) && munlockall().is_ok();
    act();
    if unlocked && let Err(why) = mlockall(everything()) {
        tracing::warn!("our memory is no longer locked: {why}");
    }
}

/// Returns whether our memory is locked beyond a limit, by the capability alone. The capability has to be kept
/// then, or later allocations would fail.
pub(super) fn stands_on_capability() -> bool {
    BY_CAPABILITY.load(Ordering::Relaxed)
}

/// Returns whether we have the capability, and it means something. The kernel asks for that of the first user
/// namespace, while the root of another one is shown all of them.
fn may_lock() -> bool {
    let users = fs::read_to_string("/proc/self/uid_map").unwrap_or_default();
    users.split_whitespace().eq(["0", "0", "4294967295"])
        && capabilities(None).is_ok_and(|ours| ours.effective.contains(CapabilitySet::IPC_LOCK))
}

/// The reason why our memory is not locked.
#[derive(Debug)]
enum Unlocked {
    /// The limit (RLIMIT_MEMLOCK), in KiB.
    Limit(u64),
    /// The kernel refused with this error.
    Refused(Errno),
}

impl fmt::Display for Unlocked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Limit(limit) => write!(f, "RLIMIT_MEMLOCK is {limit} KiB"),
            Self::Refused(why) => write!(f, "it cannot be locked ({why})"),
        }
    }
}

/// Locks every page, those of now and of later, once it is touched: what is never touched costs nothing.
///
/// All or nothing. Under a limit, which counts what is mapped and not what is touched, this call
/// fails, or later allocations do. Single pages are no way out either. Locks do not nest, so
/// unlocking one secret would unlock its neighbour, and the buffers of libraries would stay unlocked.
fn lock() -> Result<(), Unlocked> {
    if let Some(limit) = getrlimit(Resource::Memlock).current {
        if !may_lock() {
            return Err(Unlocked::Limit(limit / 1024));
        }
        BY_CAPABILITY.store(true, Ordering::Relaxed);
    }
    mlockall(everything()).map_err(Unlocked::Refused)
}

fn everything() -> MlockAllFlags {
    MlockAllFlags::CURRENT | MlockAllFlags::FUTURE | MlockAllFlags::ONFAULT
}

/// Returns whether our pages may go to a swap device. What cannot be read counts as on a kernel without swap.
fn swap_is_on() -> bool {
    let read = |path: &str| fs::read_to_string(path).unwrap_or_default();
    let group = read("/proc/self/cgroup");
    let limit = group
        .lines()
        .find_map(|line| line.strip_prefix("0::"))
        .map(|group| read(&format!("/sys/fs/cgroup{}/memory.swap.max", group.trim_end_matches('/'))));
    may_swap(&read("/proc/swaps"), &limit.unwrap_or_default())
}

/// Reads `/proc/swaps`, which has a heading and a line for each device, and our group's `memory.swap.max`.
fn may_swap(swaps: &str, limit: &str) -> bool {
    swaps.lines().count() > 1 && limit.trim() != "0"
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_goes_to_swap_where_there_is_some_and_our_group_may_use_it() {
        let heading = "Filename\t\t\t\tType\t\tSize\t\tUsed\t\tPriority\n";
        let device = format!("{heading}/dev/vda2 partition\t2097148\t0\t-2\n");
        assert!(!may_swap("", "") && !may_swap(heading, "max\n"));
        assert!(may_swap(&device, "max\n") && may_swap(&device, "") && may_swap(&device, "4096\n"));
        assert!(!may_swap(&device, "0\n"), "as MemorySwapMax=0 sets it");
    }
}
