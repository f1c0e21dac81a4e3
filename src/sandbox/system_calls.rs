//! Seccomp: refuses system calls that we never make and an intruder would like to.
//!
//! It is a list of what is refused, not of what is allowed: the C library's choice of calls changes from version to
//! version, and a daemon that renews leases must not die of an update. A refused call answers EPERM.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeMap;

use nix::libc;
use seccompiler::{
    BackendError, BpfProgram, SeccompAction, SeccompCmpArgLen, SeccompCmpOp, SeccompCondition, SeccompFilter,
    SeccompRule, sock_filter,
};

use super::Lack;
use super::needs::Needs;

const LAYER: &str = "seccomp";

/// The calls that are refused whatever their arguments, one line for each purpose.
const REFUSED: &[i64] = &[
    // Other programs: nothing is run where this list is in force.
    libc::SYS_execve,
    libc::SYS_execveat,
    // Other processes' memory and descriptors.
    libc::SYS_ptrace,
    libc::SYS_process_vm_readv,
    libc::SYS_process_vm_writev,
    libc::SYS_process_madvise,
    // Its memory, after it was killed.
    libc::SYS_process_mrelease,
    libc::SYS_migrate_pages,
    libc::SYS_move_pages,
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
    // What processes share without a path: no rule of Landlock's is about it.
    libc::SYS_shmget,
    libc::SYS_shmat,
    libc::SYS_shmctl,
    libc::SYS_msgget,
    libc::SYS_msgsnd,
    libc::SYS_msgrcv,
    libc::SYS_msgctl,
    libc::SYS_semget,
    libc::SYS_semop,
    libc::SYS_semtimedop,
    libc::SYS_semctl,
    libc::SYS_mq_open,
    libc::SYS_mq_unlink,
    // Namespaces and mounts, and lists of them.
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
    STATMOUNT,
    LISTMOUNT,
    OPEN_TREE_ATTR,
    LISTNS,
    // Files by handle, which walks past every path rule.
    libc::SYS_name_to_handle_at,
    libc::SYS_open_by_handle_at,
    // What others open, read and write, and a file's flags by its path.
    libc::SYS_fanotify_init,
    libc::SYS_fanotify_mark,
    FILE_SETATTR,
    // The label that another security module knows us by.
    LSM_SET_SELF_ATTR,
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
    libc::SYS_quotactl_fd,
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

/// The numbers of calls that are newer than the C library's table. They are the same on every machine.
///
/// The kernel's table was read to its end as of Linux 6.19. Of what came after `mount_setattr`, these calls are
/// left alone, because they only harden us, are what a newer C library may choose, or say nothing that an open
/// descriptor does not: `landlock_*`, `memfd_secret`, `futex_waitv`, `futex_wake`, `futex_wait`, `futex_requeue`,
/// `set_mempolicy_home_node`, `cachestat`, `fchmodat2`, `map_shadow_stack`, `mseal`, `lsm_get_self_attr`,
/// `lsm_list_modules`, `file_getattr`, and those of extended attributes, which the modes of the files govern as
/// they did before.
const STATMOUNT: i64 = 457;
const LISTMOUNT: i64 = 458;
const LSM_SET_SELF_ATTR: i64 = 460;
const OPEN_TREE_ATTR: i64 = 467;
const FILE_SETATTR: i64 = 469;
const LISTNS: i64 = 470;

/// The flags of `clone` that make a namespace, each of them.
const NAMESPACES: libc::c_int = libc::CLONE_NEWNS
    | libc::CLONE_NEWCGROUP
    | libc::CLONE_NEWUTS
    | libc::CLONE_NEWIPC
    | libc::CLONE_NEWUSER
    | libc::CLONE_NEWPID
    | libc::CLONE_NEWNET;

/// The requests to a terminal that type into the terminal we were started from.
const TYPING: [u64; 2] = [libc::TIOCSTI, libc::TIOCLINUX];

/// The families of sockets that we, and the look-up of names, have a use for. Most of the others are parts of the
/// kernel that have no maintainer, and some reach elsewhere (vsock, packets).
const FAMILIES: [libc::c_int; 4] = [libc::AF_UNIX, libc::AF_INET, libc::AF_INET6, libc::AF_NETLINK];

/// The protocols of these, 0 being the usual one. Landlock's ports are those of plain TCP: MPTCP, which
/// talks to any server of that, goes past them.
const PROTOCOLS: [libc::c_int; 3] = [0, libc::IPPROTO_TCP, libc::IPPROTO_UDP];

/// Types of Internet sockets that mean another protocol without naming one (SCTP, DCCP), or none at all.
const TYPES: [libc::c_int; 3] = [libc::SOCK_SEQPACKET, libc::SOCK_DCCP, libc::SOCK_RAW];

/// The calls that send, with the place of their flags. With this flag they connect, too, and Landlock checks
/// connect(2) alone.
const FAST_OPEN: (libc::c_int, [(i64, u8); 3]) =
    (libc::MSG_FASTOPEN, [(libc::SYS_sendto, 3), (libc::SYS_sendmsg, 2), (libc::SYS_sendmmsg, 3)]);

/// Installs the filter for this thread and what it starts.
pub(super) fn refuse(_: &Needs) -> Result<(), Lack> {
    let program = program().map_err(|why| Lack::new(LAYER, why))?;
    seccompiler::apply_filter(&program).map_err(|why| Lack::new(LAYER, why))
}

/// Returns the program: what a list of numbers cannot say, and then the list. It is one program, and a short one,
/// because the kernel compiles it at every start.
fn program() -> Result<BpfProgram, BackendError> {
    let mut program = apart();
    program.extend(listed()?);
    Ok(program)
}

/// Returns what is answered before the list is looked at.
///
/// The flags of `clone3` lie in memory, where no filter can see them. It is answered as an old kernel would,
/// whereupon the C library uses `clone`. If an x86-64 kernel also speaks x32, every call has a second number, and
/// some calls have only that. We make none of them.
fn apart() -> BpfProgram {
    const NUMBER: u32 = 0;
    let step = |code: u32, jf, k| sock_filter { code: code as u16, jt: 0, jf, k };
    let answer =
        |error: i32| step(libc::BPF_RET | libc::BPF_K, 0, libc::SECCOMP_RET_ERRNO | error.unsigned_abs());
    let unless = |how, k| step(libc::BPF_JMP | how | libc::BPF_K, 1, k);
    let mut program = vec![step(libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, 0, NUMBER)];
    #[cfg(target_arch = "x86_64")]
    program.extend([unless(libc::BPF_JGE, X32), answer(libc::EPERM)]);
    program.extend([unless(libc::BPF_JEQ, libc::SYS_clone3 as u32), answer(libc::ENOSYS)]);
    program
}

/// Returns what answers EPERM by its number, or by that and an argument.
fn listed() -> Result<BpfProgram, BackendError> {
    let mut rules: BTreeMap<i64, Vec<SeccompRule>> = REFUSED.iter().map(|&call| (call, Vec::new())).gather();
    // One bit a rule: a masked comparison has to match all the bits it names.
    let flags = (0..31).map(|bit| 1 << bit).filter(|flag| NAMESPACES & flag != 0);
    rules.insert(libc::SYS_clone, flags.map(|flag| has(0, flag)).collect::<Result<_, _>>()?);
    let typing = TYPING.map(|request| SeccompRule::new(vec![is(1, SeccompCmpOp::Eq, request)?]));
    rules.insert(libc::SYS_ioctl, typing.into_iter().collect::<Result<_, _>>()?);
    rules.insert(libc::SYS_socket, sockets()?);
    let (flag, calls) = FAST_OPEN;
    for (call, argument) in calls {
        rules.insert(call, vec![has(argument, flag)?]);
    }
    let answer = SeccompAction::Errno(libc::EPERM.unsigned_abs());
    let machine = std::env::consts::ARCH.try_into()?;
    SeccompFilter::new(rules, SeccompAction::Allow, answer, machine)?.try_into()
}

/// Returns the sockets that are refused.
fn sockets() -> Result<Vec<SeccompRule>, BackendError> {
    // What is above it in the argument are flags (close-on-exec).
    const TYPE: u64 = 0xf;
    let mut rules = vec![none_of(0, &FAMILIES)?, none_of(2, &PROTOCOLS)?];
    // The look-up of names, and of interfaces, asks for routes. The numbers of the other protocols of netlink
    // are those of Internet protocols by chance: 6 is TCP there and the keys of IPsec (XFRM) here.
    let netlink = is(0, SeccompCmpOp::Eq, u64::from(libc::AF_NETLINK.unsigned_abs()))?;
    let not_routes = is(2, SeccompCmpOp::Ne, u64::from(libc::NETLINK_ROUTE.unsigned_abs()))?;
    rules.push(SeccompRule::new(vec![netlink, not_routes])?);
    for family in [libc::AF_INET, libc::AF_INET6] {
        for kind in TYPES {
            let family = is(0, SeccompCmpOp::Eq, u64::from(family.unsigned_abs()))?;
            let kind = is(1, SeccompCmpOp::MaskedEq(TYPE), u64::from(kind.unsigned_abs()))?;
            rules.push(SeccompRule::new(vec![family, kind])?);
        }
    }
    Ok(rules)
}

/// Returns a rule for an argument that has this flag.
fn has(argument: u8, flag: libc::c_int) -> Result<SeccompRule, BackendError> {
    let flag = u64::from(flag.unsigned_abs());
    SeccompRule::new(vec![is(argument, SeccompCmpOp::MaskedEq(flag), flag)?])
}

/// Returns a rule for an argument that is none of these numbers.
fn none_of(argument: u8, numbers: &[libc::c_int]) -> Result<SeccompRule, BackendError> {
    let differs = |number: &libc::c_int| is(argument, SeccompCmpOp::Ne, u64::from(number.unsigned_abs()));
    SeccompRule::new(numbers.iter().map(differs).collect::<Result<_, _>>()?)
}

fn is(argument: u8, how: SeccompCmpOp, value: u64) -> Result<SeccompCondition, BackendError> {
    SeccompCondition::new(argument, SeccompCmpArgLen::Dword, how, value)
}

/// The bit that makes a number x32's.
#[cfg(target_arch = "x86_64")]
const X32: u32 = 0x4000_0000;

#[cfg(test)]
mod tests {
    use super::*;

    /// Returns what the kernel would make of a call: runs the program by the book.
    fn run(program: &[sock_filter], call: u32, arguments: &[u64]) -> u32 {
        let machine = if cfg!(target_arch = "x86_64") { 0xc000_003e } else { 0xc000_00b7 };
        let arguments = arguments.iter().copied().chain(std::iter::repeat(0)).take(6);
        let low_and_high = arguments.flat_map(|argument| [argument as u32, (argument >> 32) as u32]);
        let data: Vec<u32> = [call, machine, 0, 0].into_iter().chain(low_and_high).collect();
        let (mut at, mut held) = (0, 0);
        loop {
            let sock_filter { code, jt, jf, k } = program[at];
            let jump = |holds: bool| usize::from(if holds { jt } else { jf });
            at += 1;
            match u32::from(code) & !libc::BPF_K {
                code if code == libc::BPF_RET => return k,
                code if code == libc::BPF_LD | libc::BPF_ABS => held = data[k as usize / 4],
                code if code == libc::BPF_ALU | libc::BPF_AND => held &= k,
                code if code == libc::BPF_JMP | libc::BPF_JA => at += k as usize,
                code if code == libc::BPF_JMP | libc::BPF_JEQ => at += jump(held == k),
                code if code == libc::BPF_JMP | libc::BPF_JGE => at += jump(held >= k),
                code => panic!("an instruction that is not known here: {code:#x}"),
            }
        }
    }

    fn error(number: i32) -> u32 {
        libc::SECCOMP_RET_ERRNO | number.unsigned_abs()
    }

    #[test]
    fn what_is_listed_is_refused_by_both_its_numbers_and_nothing_else() {
        let program = program().expect("a good list");
        for call in 0..1024 {
            let refused = REFUSED.contains(&i64::from(call));
            let expected = match i64::from(call) {
                libc::SYS_clone3 => error(libc::ENOSYS),
                // The family 0 is none.
                libc::SYS_socket => error(libc::EPERM),
                _ if refused => error(libc::EPERM),
                _ => libc::SECCOMP_RET_ALLOW,
            };
            assert_eq!(run(&program, call, &[]), expected, "{call}");
            #[cfg(target_arch = "x86_64")]
            assert_eq!(run(&program, call | X32, &[]), error(libc::EPERM), "{call} of x32");
        }
    }

    #[test]
    fn what_newer_kernels_brought_is_refused_where_it_reaches_others() {
        let program = program().expect("a good list");
        for (name, call) in [
            ("quotactl_fd", 443),
            ("process_mrelease", 448),
            ("statmount", 457),
            ("listmount", 458),
            ("open_tree_attr", 467),
            ("listns", 470),
        ] {
            assert_eq!(run(&program, call, &[]), error(libc::EPERM), "{name}");
        }
        let fanotify = libc::SYS_fanotify_init as u32;
        assert_eq!(run(&program, fanotify, &[]), error(libc::EPERM));
        for (name, call) in
            [("futex_waitv", 449), ("fchmodat2", 452), ("map_shadow_stack", 453), ("mseal", 462)]
        {
            assert_eq!(run(&program, call, &[]), libc::SECCOMP_RET_ALLOW, "{name}");
        }
    }

    #[test]
    fn a_thread_may_be_made_and_a_namespace_not() {
        let program = program().expect("a good list");
        let clone = |flags: i32| run(&program, libc::SYS_clone as u32, &[u64::from(flags.unsigned_abs())]);
        assert_eq!(clone(libc::CLONE_VM | libc::CLONE_THREAD), libc::SECCOMP_RET_ALLOW);
        assert_eq!(clone(libc::CLONE_VM | libc::CLONE_NEWUSER), error(libc::EPERM));
        assert_eq!(clone(libc::CLONE_NEWNS), error(libc::EPERM));
        let ioctl = |request| run(&program, libc::SYS_ioctl as u32, &[0, request]);
        assert_eq!(ioctl(libc::TIOCSTI), error(libc::EPERM));
        assert_eq!(ioctl(libc::TCGETS), libc::SECCOMP_RET_ALLOW);
    }

    #[test]
    fn sockets_are_for_tcp_udp_the_kernel_and_this_machine_and_send_only_where_they_are_connected() {
        let program = program().expect("a good list");
        let number = |of: i32| u64::from(of.unsigned_abs());
        let typed = |family, kind: i32, protocol| {
            let kind = number(kind | libc::SOCK_CLOEXEC | libc::SOCK_NONBLOCK);
            run(&program, libc::SYS_socket as u32, &[number(family), kind, number(protocol)])
        };
        let socket = |family, protocol| typed(family, libc::SOCK_STREAM, protocol);
        for (family, protocol) in [
            (libc::AF_UNIX, 0),
            (libc::AF_INET, 0),
            (libc::AF_INET, libc::IPPROTO_TCP),
            (libc::AF_INET6, libc::IPPROTO_UDP),
            (libc::AF_NETLINK, libc::NETLINK_ROUTE),
        ] {
            assert_eq!(socket(family, protocol), libc::SECCOMP_RET_ALLOW, "{family} {protocol}");
        }
        for (family, protocol) in [
            (libc::AF_INET, libc::IPPROTO_MPTCP),
            (libc::AF_INET6, libc::IPPROTO_SCTP),
            (libc::AF_INET, libc::IPPROTO_RAW),
            (libc::AF_PACKET, 0),
            (libc::AF_VSOCK, 0),
            (libc::AF_NETLINK, libc::NETLINK_XFRM),
            (libc::AF_NETLINK, libc::NETLINK_AUDIT),
            (libc::AF_NETLINK, libc::NETLINK_GENERIC),
            (libc::AF_NETLINK, 17),
            (libc::AF_ALG, 0),
        ] {
            assert_eq!(socket(family, protocol), error(libc::EPERM), "{family} {protocol}");
        }
        for family in [libc::AF_INET, libc::AF_INET6] {
            // Which is SCTP, DCCP and what is below TCP, without a protocol's number.
            for kind in [libc::SOCK_SEQPACKET, libc::SOCK_DCCP, libc::SOCK_RAW] {
                assert_eq!(typed(family, kind, 0), error(libc::EPERM), "{family} {kind}");
            }
            assert_eq!(typed(family, libc::SOCK_DGRAM, 0), libc::SECCOMP_RET_ALLOW);
        }
        for (family, kind) in [(libc::AF_NETLINK, libc::SOCK_RAW), (libc::AF_UNIX, libc::SOCK_SEQPACKET)] {
            assert_eq!(typed(family, kind, 0), libc::SECCOMP_RET_ALLOW, "{family} {kind}");
        }
        let usual = number(libc::MSG_NOSIGNAL | libc::MSG_DONTWAIT);
        for (call, arguments) in
            [(libc::SYS_sendto, [3, 0, 9]), (libc::SYS_sendmsg, [3, 0, 0]), (libc::SYS_sendmmsg, [3, 0, 1])]
        {
            let behind = if call == libc::SYS_sendmsg { 2 } else { 3 };
            let with = |flags| run(&program, call as u32, &[&arguments[..behind], &[flags]].concat());
            assert_eq!(with(usual), libc::SECCOMP_RET_ALLOW, "{call}");
            assert_eq!(with(usual | number(libc::MSG_FASTOPEN)), error(libc::EPERM), "{call}");
        }
    }
}
