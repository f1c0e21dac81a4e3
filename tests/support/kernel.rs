//! What a test needs of the kernel.

use super::need::need;

/// Whether the kernel has what a sandbox that is required takes.
pub fn has_landlock() -> bool {
    let list = std::fs::read_to_string("/sys/kernel/security/lsm");
    // Where it cannot be asked, the test itself will tell.
    let on = list.map_or(true, |list| list.contains("landlock"));
    need("Landlock", "a kernel from 6.7 on, with landlock in lsm=", on)
}
