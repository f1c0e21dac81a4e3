//! Commands that are run after a change. Most of them send a signal, which Leasehold does by itself.

use super::Notify;

/// Returns the signal that a command sends, if the command does nothing else.
/// Examples are `pkill -HUP nginx`, `killall -s USR1 web` and `sh -c "kill -HUP $(pidof nginx)"`.
pub(super) fn signal(command: &str) -> Option<Notify> {
    let inner = unwrapped(command.trim());
    let words: Vec<&str> = inner.split_whitespace().collect();
    let (program, rest) = words.split_first()?;
    let (signal, rest) = option(rest);
    let process = match (*program, rest) {
        ("pkill", [process] | ["-x", process]) | ("killall", [process]) => (*process).to_owned(),
        ("kill", rest) => looked_up(&rest.join(" "))?,
        _ => return None,
    };
    let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let plain = !process.is_empty() && !process.starts_with('-') && process.chars().all(is_name);
    plain.then_some(Notify::Signal { signal, process })
}

/// Returns the command that `sh -c "…"` runs. Any other command is returned as it is.
fn unwrapped(command: &str) -> &str {
    let inner = ["/bin/sh -c ", "sh -c "].into_iter().find_map(|shell| command.strip_prefix(shell));
    let Some(inner) = inner.map(str::trim) else { return command };
    let quoted = |quote: char| inner.strip_prefix(quote)?.strip_suffix(quote);
    quoted('"').or_else(|| quoted('\'')).unwrap_or(inner)
}

/// Returns the signal of `-HUP`, `-s HUP` or `-SIGHUP`, and the words behind it. Without such an option, the signal is
/// `TERM`.
fn option<'w, 'a>(words: &'w [&'a str]) -> (String, &'w [&'a str]) {
    let (name, rest) = match words {
        ["-s" | "--signal", name, rest @ ..] => (*name, rest),
        [first, rest @ ..] if is_signal(first.trim_start_matches('-')) && first.starts_with('-') => {
            (first.trim_start_matches('-'), rest)
        }
        rest => ("TERM", rest),
    };
    (name.strip_prefix("SIG").unwrap_or(name).to_owned(), rest)
}

fn is_signal(name: &str) -> bool {
    const NAMES: [&str; 9] = ["HUP", "INT", "QUIT", "USR1", "USR2", "TERM", "WINCH", "KILL", "ALRM"];
    NAMES.contains(&name.strip_prefix("SIG").unwrap_or(name)) || name.parse::<u8>().is_ok_and(|n| n > 0)
}

/// Returns the name of the process that `$(pidof NAME)` or `` `pidof NAME` `` looks up.
fn looked_up(text: &str) -> Option<String> {
    let text = text.trim_matches('"');
    let inner = text.strip_prefix("$(").and_then(|rest| rest.strip_suffix(')'));
    let inner = inner.or_else(|| text.strip_prefix('`').and_then(|rest| rest.strip_suffix('`')))?;
    let name = ["pidof -s ", "pidof ", "pgrep -x ", "pgrep -o ", "pgrep "];
    let process = name.into_iter().find_map(|look_up| inner.trim().strip_prefix(look_up))?;
    Some(process.trim().to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_that_only_sends_a_signal_is_one() {
        for (command, signal_name, name) in [
            ("pkill -HUP nginx", "HUP", "nginx"),
            ("pkill nginx", "TERM", "nginx"),
            ("killall -s USR1 web-server", "USR1", "web-server"),
            ("sh -c \"kill -SIGHUP $(pidof nginx)\"", "HUP", "nginx"),
            ("/bin/sh -c 'pkill -x web'", "TERM", "web"),
            ("kill -1 `pidof haproxy`", "1", "haproxy"),
        ] {
            let expected = Notify::Signal { signal: signal_name.to_owned(), process: name.to_owned() };
            assert_eq!(signal(command), Some(expected), "{command}");
        }
        for command in [
            "",
            "nginx -s reload",
            "pkill -HUP nginx; rm -rf /",
            "kill -HUP 1",
            "pkill -f 'a b'",
            "sh -c \"pkill -HUP nginx || true\"",
            "kill -HUP $(cat /pid)",
            "pkill -HUP $NAME",
        ] {
            assert_eq!(signal(command), None, "{command}");
        }
    }
}
