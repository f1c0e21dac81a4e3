//! The few facts of `/proc` that tell one process from another.
//!
//! They are read by hand rather than through a crate: command lines must stay bytes (they need not be UTF-8), and
//! nothing here may ask for what needs ptrace rights (`exe`, `environ`) or what Landlock takes away.

use std::fs::File;
use std::io::{self, Read as _};

use rustix::process::Pid;

/// The length up to which command lines are read; a longer one is cut.
const MAX_COMMAND_LINE: u64 = 64 * 1024;

/// One process, as it was a moment ago.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Process {
    /// Its number, which another process may have next.
    pub(super) pid: Pid,
    /// Its parent's number; 0 if the parent is outside our namespace.
    pub(super) parent: i32,
    /// Its process group.
    pub(super) group: i32,
    /// When it started, in clock ticks since boot: with the number, its identity.
    pub(super) start: u64,
    /// It has ended, and only waits to be reaped.
    pub(super) dead: bool,
    /// The kernel's name for it: at most 15 bytes, and the process may change it.
    pub(super) comm: Vec<u8>,
    /// Its arguments, each ended by a NUL, unless the process wrote a title over them.
    pub(super) command_line: Vec<u8>,
}

impl Process {
    /// Reads one process; `None` if there is none with that number (any more).
    pub(super) fn read(pid: Pid) -> Option<Self> {
        let number = pid.as_raw_nonzero();
        let stat = read_capped(&format!("/proc/{number}/stat"), 4096).ok()?;
        let command_line = read_capped(&format!("/proc/{number}/cmdline"), MAX_COMMAND_LINE).ok()?;
        Self::parse(pid, &stat, command_line)
    }

    /// Reads the fields from `/proc/PID/stat`: `PID (comm) state ppid pgrp … starttime …`. The comm may itself hold
    /// spaces and parentheses, so the last `)` ends it.
    fn parse(pid: Pid, stat: &[u8], command_line: Vec<u8>) -> Option<Self> {
        let open = stat.iter().position(|&byte| byte == b'(')?;
        let close = stat.iter().rposition(|&byte| byte == b')')?;
        let comm = stat.get(open + 1..close)?.to_vec();
        let rest = std::str::from_utf8(stat.get(close + 1..)?).ok()?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        // proc(5) counts from 1 with the pid; `fields` begins at number 3.
        let field = |number: usize| fields.get(number - 3).copied();
        Some(Self {
            pid,
            parent: field(4)?.parse().ok()?,
            group: field(5)?.parse().ok()?,
            start: field(22)?.parse().ok()?,
            dead: matches!(field(3)?, "Z" | "X" | "x"),
            comm,
            command_line,
        })
    }

    /// Returns the last component of the first argument.
    pub(super) fn argv0_name(&self) -> &[u8] {
        let argv0 = self.command_line.split(|&byte| byte == 0).next().unwrap_or_default();
        argv0.rsplit(|&byte| byte == b'/').next().unwrap_or_default()
    }

    /// Returns the arguments joined by one space. Bytes that are not UTF-8 become U+FFFD.
    pub(super) fn joined(&self) -> String {
        let line = self.command_line.strip_suffix(&[0]).unwrap_or(&self.command_line);
        let spaced: Vec<u8> = line.iter().map(|&byte| if byte == 0 { b' ' } else { byte }).collect();
        String::from_utf8_lossy(&spaced).into_owned()
    }
}

/// Returns the real uid of a process; `None` if there is none with that number (any more). The owner of `/proc/PID`
/// would not do: it is root if a process gave up root by itself.
pub(super) fn user(pid: Pid) -> Option<u32> {
    let status = read_capped(&format!("/proc/{}/status", pid.as_raw_nonzero()), 4096).ok()?;
    let line = status.split(|&byte| byte == b'\n').find_map(|line| line.strip_prefix(b"Uid:"))?;
    std::str::from_utf8(line).ok()?.split_ascii_whitespace().next()?.parse().ok()
}

/// Returns every process that we can see, including the dead ones. A process that ends during the search is left out.
pub(super) fn all() -> io::Result<Vec<Process>> {
    let mut processes = Vec::new();
    for entry in std::fs::read_dir("/proc")? {
        let name = entry?.file_name();
        let Some(pid) = name.to_str().and_then(|text| text.parse().ok()).and_then(Pid::from_raw) else {
            continue;
        };
        processes.extend(Process::read(pid));
    }
    Ok(processes)
}

fn read_capped(path: &str, cap: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    File::open(path)?.take(cap).read_to_end(&mut bytes)?;
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pid(number: i32) -> Pid {
        Pid::from_raw(number).expect("a positive number")
    }

    #[test]
    fn a_comm_with_parentheses_and_spaces_does_not_shift_the_fields() {
        let stat =
            b"7 (a) b (c) S 3 5 5 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4242 1000 10 18446744073709551615\n";
        let process = Process::parse(pid(7), stat, b"/bin/x\0-y\0".to_vec()).expect("parses");
        assert_eq!((process.parent, process.group, process.start, process.dead), (3, 5, 4242, false));
        assert_eq!(process.comm, b"a) b (c");
        assert_eq!(process.argv0_name(), b"x");
        assert_eq!(process.joined(), "/bin/x -y");
    }

    #[test]
    fn cut_or_foreign_stat_lines_are_no_process() {
        for stat in [&b""[..], b"7", b"7 (x", b"7 (x) S", b"7 (x) S a b c", b")7(", b"7 (x) S 1 1 1"] {
            assert_eq!(Process::parse(pid(7), stat, Vec::new()), None, "{stat:?}");
        }
    }

    #[test]
    fn we_find_ourselves_with_our_parent_and_arguments() {
        let me = rustix::process::getpid();
        let process = Process::read(me).expect("we run");
        assert_eq!(
            process.parent,
            rustix::process::getppid().map_or(0, |parent| parent.as_raw_nonzero().get())
        );
        assert_eq!(process.group, rustix::process::getpgrp().as_raw_nonzero().get());
        assert!(!process.dead);
        assert_eq!(user(me), Some(rustix::process::getuid().as_raw()));
        assert!(all().expect("/proc is there").contains(&process));
    }
}
