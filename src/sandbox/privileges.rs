//! No new privileges, and of those we have only what the work needs.

use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities, set_no_new_privs};

use super::Lack;
use super::memory;
use super::needs::Needs;

/// The capabilities for files of other users and groups: to read credentials, to publish into a folder that belongs
/// to the application, to give it the file. Landlock decides what of it can be reached.
const FILES: CapabilitySet = CapabilitySet::CHOWN
    .union(CapabilitySet::DAC_OVERRIDE)
    .union(CapabilitySet::DAC_READ_SEARCH)
    .union(CapabilitySet::FOWNER)
    .union(CapabilitySet::FSETID);

/// Gives up new privileges: from now on, no program that is run gives us what we do not have, neither by set-uid
/// nor by file capabilities.
pub(super) fn give_up_new_ones(_: &Needs) -> Result<(), Lack> {
    set_no_new_privs(true).map_err(|why| Lack::new("no_new_privs", why))
}

/// Drops every capability that `needs` does not name. Ambient ones go with the inheritable ones;
/// the bounding set does not matter once no program can give privileges.
pub(super) fn keep_needed(needs: &Needs) -> Result<(), Lack> {
    let lack = |why| Lack::new("reduced capabilities", why);
    let mut keep = FILES;
    keep.set(CapabilitySet::KILL, needs.signals);
    keep.set(CapabilitySet::IPC_LOCK, memory::stands_on_capability());
    keep.set(CapabilitySet::NET_BIND_SERVICE, needs.bind.iter().any(|port| (1..1024).contains(port)));
    let ours = capabilities(None).map_err(lack)?;
    let reduced = CapabilitySets {
        effective: ours.effective & keep,
        permitted: ours.permitted & keep,
        inheritable: CapabilitySet::empty(),
    };
    set_capabilities(None, reduced).map_err(lack)
}
