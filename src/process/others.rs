//! Checks whether any process is left that could use the files, if the containers of a pod share their processes
//! (`shareProcessNamespace: true`). If not, an end that is delayed for the application need not be delayed any
//! longer.

use rustix::process::{Pid, getpid};

use super::table::{self, Process};

/// What was seen of other processes so far.
#[derive(Debug, Default)]
pub(crate) struct Others {
    /// There were some, so that their absence means something.
    seen: bool,
}

impl Others {
    /// Searches, and returns whether the processes that were seen before are gone. If none was ever seen, as in a
    /// container with processes of its own, nothing is known.
    pub(crate) fn are_gone(&mut self) -> bool {
        let Ok(everyone) = table::all() else { return false };
        let there = are_there(&everyone, getpid());
        self.seen |= there;
        self.seen && !there
    }
}

/// Returns whether there is a process besides the first of all, which holds the pod's namespaces, the kernel's own,
/// and those of our program: ourselves, and probes.
fn are_there(everyone: &[Process], us: Pid) -> bool {
    let own = everyone.iter().find(|process| process.pid == us);
    let is_ours = |process: &Process| {
        process.pid == us || own.is_some_and(|own| super::find::is_same_program(own, process))
    };
    let counts = |process: &&Process| {
        process.pid != Pid::INIT && !process.dead && !process.command_line.is_empty() && !is_ours(process)
    };
    everyone.iter().any(|process| counts(&process))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn process(pid: i32, command_line: &str) -> Process {
        let comm = command_line.split(['/', '\0']).rfind(|part| !part.is_empty()).unwrap_or_default();
        Process {
            pid: Pid::from_raw(pid).expect("a positive number"),
            parent: 0,
            group: pid,
            start: 1,
            dead: false,
            comm: comm.as_bytes().to_vec(),
            command_line: command_line.as_bytes().to_vec(),
        }
    }

    #[test]
    fn only_what_could_use_the_files_counts() {
        let us = Pid::from_raw(7).expect("a positive number");
        let mut pod = vec![process(1, "/pause\0"), process(7, "/leasehold\0"), process(9, "/leasehold\0")];
        assert!(!are_there(&pod, us));
        pod.push(process(12, "/server\0"));
        assert!(are_there(&pod, us));
        pod[3].dead = true;
        assert!(!are_there(&pod, us), "it only waits to be reaped");
        pod.push(process(30, ""));
        assert!(!are_there(&pod, us), "the kernel's own");
    }

    #[test]
    fn who_was_never_seen_is_not_gone() {
        let mut others = Others::default();
        let seen = others.are_gone();
        assert!(!seen, "this test runs beside others");
        assert!(others.seen);
        assert!(!Others { seen: false }.seen);
    }
}
