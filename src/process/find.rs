//! Finds the processes that a name, a command line or a pid file means.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};

use regex_lite::Regex;

use super::NotifyError;
use super::hook::Running;
use super::pid_file::Memory;
use super::table::{self, Process};
use super::trust::Bound;
use crate::config::plan::ProcessTarget;

/// The length at which the kernel cuts the name of a process, in bytes.
const COMM_LEN: usize = 15;

/// The processes that were found, and how to check that they are still the ones that were meant.
#[derive(Debug)]
pub(super) struct Found {
    /// The processes: at least one, and none of them dead.
    pub(super) processes: Vec<Process>,
    /// What they matched.
    pub(super) matcher: Matcher,
    /// The target in words, for errors.
    pub(super) target: String,
}

/// What a process must look like.
#[derive(Debug)]
pub(super) enum Matcher {
    /// Its name.
    Name(Vec<u8>),
    /// Its command line.
    CommandLine(Regex),
    /// Anything, as long as it belongs to these users: the pid file's number was the whole question.
    Numbered(Bound),
}

impl Matcher {
    /// Returns whether this process is one of those that are meant.
    pub(super) fn matches(&self, process: &Process) -> bool {
        match self {
            Self::Name(name) => named(process, name),
            Self::CommandLine(pattern) => {
                !process.command_line.is_empty() && pattern.is_match(&process.joined())
            }
            Self::Numbered(bound) => {
                table::user(process.pid).is_some_and(|user| bound.broken_by(user).is_none())
            }
        }
    }
}

/// Returns whether a process has this name: as its program, or as the kernel knows it.
///
/// Two long names may share their first 15 bytes, and the wrong process must not be signalled. So a name that the
/// kernel had to cut counts only if the command line holds all of it (a script's argument, a title that the process
/// wrote).
fn named(process: &Process, name: &[u8]) -> bool {
    if process.argv0_name() == name {
        return true;
    }
    match name.get(..COMM_LEN) {
        Some(cut) if name.len() > COMM_LEN => {
            process.comm == cut && process.command_line.windows(name.len()).any(|part| part == name)
        }
        _ => process.comm == name,
    }
}

/// Looks for the target among all processes, afresh.
///
/// It never finds ourselves or another run of our program, nor a running hook or what that started. In a tree of
/// processes only the topmost match counts (a master notifies its workers itself); in several trees, all of the
/// topmost ones do.
pub(super) fn find(
    target: &ProcessTarget,
    hooks: &Running,
    pid_files: &Memory,
) -> Result<Found, NotifyError> {
    let (matcher, target) = match target {
        ProcessTarget::PidFile(path) => {
            let (process, bound) = pid_files.find(path, hooks)?;
            let target = format!("is left of pid file {}", path.display());
            return Ok(Found { processes: vec![process], matcher: Matcher::Numbered(bound), target });
        }
        ProcessTarget::Name(name) => (Matcher::Name(name.as_bytes().to_vec()), format!("is named {name}")),
        ProcessTarget::CommandLine(pattern) => {
            let regex = Regex::new(pattern).map_err(NotifyError::Pattern)?;
            (Matcher::CommandLine(regex), format!("has a command line that matches {pattern}"))
        }
    };
    let everyone = table::all().map_err(NotifyError::ProcessList)?;
    let us = everyone.iter().find(|process| process.pid == rustix::process::getpid());
    let processes = topmost(&everyone, |process| {
        is_theirs(process, hooks)
            && !us.is_some_and(|us| is_same_program(us, process))
            && matcher.matches(process)
    });
    if processes.is_empty() {
        return Err(NotifyError::NoProcess { target });
    }
    Ok(Found { processes, matcher, target })
}

/// Returns whether a process is alive and neither ourselves nor one of our hooks. Our other children (the application
/// in `exec` mode, and orphans that were left to us as PID 1) may be signalled like any process.
pub(super) fn is_theirs(process: &Process, hooks: &Running) -> bool {
    !process.dead && process.pid != rustix::process::getpid() && !hooks.is_group(process.group)
}

/// Returns whether a process runs our own program: a probe (`leasehold status --config nginx.yaml`) comes and goes
/// beside us, and a pattern that means nginx must not end it.
pub(super) fn is_same_program(us: &Process, process: &Process) -> bool {
    us.comm == process.comm && us.argv0_name() == process.argv0_name()
}

/// Returns the processes that match and have no ancestor that does.
fn topmost(everyone: &[Process], matches: impl Fn(&Process) -> bool) -> Vec<Process> {
    let number = |process: &Process| process.pid.as_raw_nonzero().get();
    let parents: BTreeMap<i32, i32> =
        everyone.iter().map(|process| (number(process), process.parent)).gather();
    let matching: Vec<&Process> = everyone.iter().filter(|process| matches(process)).collect();
    let numbers: BTreeSet<i32> = matching.iter().map(|process| number(process)).gather();
    let below_a_match = |process: &Process| {
        // Processes come and go during the search, so that numbers that are used twice could even make a ring.
        let ancestors = std::iter::successors(Some(process.parent), |pid| parents.get(pid).copied());
        ancestors.take(parents.len()).any(|pid| pid != number(process) && numbers.contains(&pid))
    };
    matching.into_iter().filter(|process| !below_a_match(process)).cloned().collect()
}

#[cfg(test)]
mod tests {
    use rustix::process::Pid;

    use super::*;

    fn process(pid: i32, parent: i32, comm: &str, command_line: &str) -> Process {
        Process {
            pid: Pid::from_raw(pid).expect("a positive number"),
            parent,
            group: pid,
            start: 1,
            dead: false,
            comm: comm.as_bytes().to_vec(),
            command_line: command_line.as_bytes().to_vec(),
        }
    }

    fn name(text: &str) -> Matcher {
        Matcher::Name(text.as_bytes().to_vec())
    }

    #[test]
    fn a_name_is_the_program_or_what_the_kernel_calls_it() {
        let nginx = process(2, 1, "nginx", "nginx: master process /usr/sbin/nginx\0");
        assert!(name("nginx").matches(&nginx));
        assert!(!name("ngin").matches(&nginx));
        let java = process(2, 1, "main", "/opt/java/bin/java\0-jar\0app.jar\0");
        assert!(name("java").matches(&java));
        assert!(!name("app.jar").matches(&java));
        assert!(!name("/opt/java/bin/java").matches(&java));
        assert!(!name("").matches(&java));
    }

    #[test]
    fn of_two_long_names_with_the_same_beginning_only_the_right_one_matches() {
        let a = process(2, 1, "payment-service", "python3\0/srv/payment-service-a\0");
        let b = process(3, 1, "payment-service", "python3\0/srv/payment-service-b\0");
        assert!(name("payment-service-a").matches(&a));
        assert!(!name("payment-service-a").matches(&b));
        let exact = process(4, 1, "payment-service", "title\0");
        assert!(name("payment-service").matches(&exact), "15 bytes are not cut");
    }

    #[test]
    fn a_pattern_sees_arguments_joined_by_one_space_and_never_a_kernel_thread() {
        let pattern = |text: &str| Matcher::CommandLine(Regex::new(text).expect("a pattern"));
        let java = process(2, 1, "java", "/opt/java/bin/java\0-jar\0app.jar\0");
        assert!(pattern("-jar app\\.jar$").matches(&java));
        assert!(!pattern("^java").matches(&java));
        assert!(!pattern(".*").matches(&process(3, 2, "kworker/0:1", "")));
    }

    #[test]
    fn the_topmost_match_of_every_tree_is_told() {
        let everyone = [
            process(1, 0, "pause", "pause\0"),
            process(10, 1, "app", "app\0"),
            process(11, 10, "sh", "sh\0"),
            process(12, 11, "app", "app\0worker\0"),
            process(20, 1, "sh", "sh\0"),
            process(21, 20, "app", "app\0"),
        ];
        let found = topmost(&everyone, |process| name("app").matches(process));
        assert_eq!(found.iter().map(|one| one.pid.as_raw_nonzero().get()).collect::<Vec<_>>(), [10, 21]);
    }

    #[test]
    fn a_ring_of_parents_ends_the_search() {
        let everyone = [process(10, 11, "app", "app\0"), process(11, 10, "sh", "sh\0")];
        assert_eq!(topmost(&everyone, |process| name("app").matches(process)).len(), 1);
    }
}
