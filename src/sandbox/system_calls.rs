//! Seccomp: system calls that we never make and an intruder would like to.
//!
//! A list of what is refused, not of what is allowed: the C library's choice of calls changes from
//! version to version, and a daemon that renews leases must not die of an update. What is refused
//! answers EPERM.

use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule,
};

use super::Lack;
use super::needs::Needs;

const LAYER: &str = "seccomp";

/// Refused whatever the arguments. One line for each purpose.
const REFUSED: &[i64] = &[
    // Other programs: nothing is run where this list is in force.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    libc::SYS_pidfd_getfd,
    libc::SYS_kcmp,
    // Parts of the kernel where most of its holes were found.
    libc::SYS_bpf,
    libc::SYS_perf_event_open,
    libc::SYS_userfaultfd,
    libc::SYS_io_uring_setup,
    libc::SYS_io_uring_enter,
    libc::SYS_io_uring_register,
    libc::SYS_vmsplice,
    libc::SYS_add_key,
    libc::SYS_request_key,
    libc::SYS_keyctl,
    // Namespaces and mounts.
    libc::SYS_unshare,
    libc::SYS_setns,
    libc::SYS_mount,
    libc::SYS_umount2,
    libc::SYS_pivot_root,
    libc::SYS_chroot,
    libc::SYS_move_mount,
    libc::SYS_open_tree,
    libc::SYS_fsopen,
    libc::SYS_fsconfig,
    libc::SYS_fsmount,
    libc::SYS_fspick,
    libc::SYS_mount_setattr,
    // Files by handle, which walks past every path rule.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // Other users.
    libc::SYS_setuid,
    libc::SYS_setgid,
    libc::SYS_setreuid,
    libc::SYS_setregid,
    libc::SYS_setresuid,
    libc::SYS_setresgid,
    libc::SYS_setgroups,
    libc::SYS_setfsuid,
    libc::SYS_setfsgid,
    // The machine.
    libc::SYS_reboot,
    libc::SYS_kexec_load,
    libc::SYS_kexec_file_load,
    libc::SYS_init_module,
    libc::SYS_finit_module,
    libc::SYS_delete_module,
    libc::SYS_swapon,
    libc::SYS_swapoff,
    libc::SYS_acct,
    libc::SYS_quotactl,
    libc::SYS_syslog,
    libc::SYS_settimeofday,
    libc::SYS_clock_settime,
    libc::SYS_clock_adjtime,
    libc::SYS_adjtimex,
    libc::SYS_sethostname,
    libc::SYS_setdomainname,
    libc::SYS_vhangup,
    libc::SYS_personality,
    libc::SYS_mknodat,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_mknod,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_ioperm,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_iopl,
    #[cfg(target_arch = "x86_64")]
    libc::SYS_modify_ldt,
];

/// Any of these flags of `clone` makes a namespace.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// Terminal requests that type into the terminal we were started from.
const TYPING: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// Installs the filters for this thread and what it starts.
pub(super) fn refuse(_: &Needs) -> Result<(), Lack> {
    for program in [refused(), unknown()] {
        let program = program.map_err(|why| Lack::new(LAYER, why))?;
        seccompiler::apply_filter(&program).map_err(|why| Lack::new(LAYER, why))?;
    }
    Ok(())
}

/// What answers EPERM.
fn refused() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> =
        REFUSED.iter().flat_map(|&call| both_ways(call)).map(|call| (call, Vec::new())).collect();
    // One bit a rule: a masked comparison has to match all the bits it names.
    let flags = (0..31).map(|bit| 1 << bit).filter(|flag| NAMESPACES & flag != 0);
    let namespace = flags.map(|flag: libc::c_int| {
        let flag = u64::from(flag.unsigned_abs());
        when(0, SeccompCmpOp::MaskedEq(flag), flag)
    });
    let namespace = namespace.collect::<Result<Vec<_>, _>>()?;
    let typing = TYPING
        .map(|request| when(1, SeccompCmpOp::Eq, request))
        .into_iter()
        .collect::<Result<Vec<_>, _>>()?;
    for (call, when) in [(libc::SYS_clone, namespace), (libc::SYS_ioctl, typing)] {
        rules.extend(both_ways(call).map(|call| (call, when.clone())));
    }
    rules.extend(others_of_x32().map(|call| (call, Vec::new())));
    program(rules, libc::EPERM)
}

/// The flags of `clone3` lie in memory, where no filter can see them. Answered as an old kernel
/// would, whereupon the C library uses `clone`.
fn unknown() -> Result<BpfProgram, BackendError> {
    program(both_ways(libc::SYS_clone3).map(|call| (call, Vec::new())).collect(), libc::ENOSYS)
}

fn program(rules: BTreeMap<i64, Vec<SeccompRule>>, answer: libc::c_int) -> Result<BpfProgram, BackendError> {
    let answer = SeccompAction::Errno(answer.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, machine)?.try_into()
}

fn when(argument: u8, is: SeccompCmpOp, value: u64) -> Result<SeccompRule, BackendError> {
    let condition = SeccompCondition::new(argument, SeccompCmpArgLen::Dword, is, value)?;
    SeccompRule::new(vec![condition])
}

/// Where x86-64 kernels also speak x32, the same call has a second number.
#[cfg(target_arch = "x86_64")]
fn both_ways(call: i64) -> impl Iterator<Item = i64> {
    [call, call | X32].into_iter()
}

#[cfg(not(target_arch = "x86_64"))]
fn both_ways(call: i64) -> impl Iterator<Item = i64> {
    std::iter::once(call)
}

#[cfg(target_arch = "x86_64")]
const X32: i64 = 0x4000_0000;

/// The calls that only x32 has, `execve` and `ptrace` in its own layout among them.
#[cfg(target_arch = "x86_64")]
fn others_of_x32() -> impl Iterator<Item = i64> {
    (512..=547).map(|call| call | X32)
}

#[cfg(not(target_arch = "x86_64"))]
fn others_of_x32() -> impl Iterator<Item = i64> {
    std::iter::empty()
}
