//! The names of Linux' signals. They are the same on every machine that we run on, and a configuration is also checked
//! where there is no Linux.

/// The names without `SIG`; the number of a signal is its place, counted from 1.
const NAMES: [&str; 31] = [
    "HUP", "INT", "QUIT", "ILL", "TRAP", "ABRT", "BUS", "FPE", "KILL", "USR1", "SEGV", "USR2", "PIPE",
    "ALRM", "TERM", "STKFLT", "CHLD", "CONT", "STOP", "TSTP", "TTIN", "TTOU", "URG", "XCPU", "XFSZ",
    "VTALRM", "PROF", "WINCH", "IO", "PWR", "SYS",
];

/// The signal that asks a process to end.
pub(super) const SIGTERM: i32 = 15;

/// Returns the number of the signal with this name, in capital letters and without `SIG`.
pub(super) fn number(name: &str) -> Option<i32> {
    NAMES.iter().position(|known| *known == name).and_then(|at| i32::try_from(at + 1).ok())
}

#[cfg(test)]
mod tests {
    use nix::sys::signal::Signal;

    use super::*;

    #[test]
    fn the_numbers_are_those_of_the_system() {
        assert_eq!(Signal::iterator().count(), NAMES.len());
        for signal in Signal::iterator() {
            assert_eq!(number(&signal.as_str()[3..]), Some(signal as i32), "{signal}");
        }
        assert_eq!(number("TERM"), Some(SIGTERM));
    }
}
