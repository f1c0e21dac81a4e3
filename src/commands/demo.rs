//! `leasehold demo`: all of it on a development server, where `bao` or `vault` is on the path. It is a script, which shows each
//! command that a person would type.

use std::net::{Ipv4Addr, TcpListener};
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use crate::config::problem::io_words;
use crate::exit::{Cause, Ending};

const SCRIPT: &str = include_str!("../../demo/short.sh");

/// The beginnings of variables that would lead the demo to another server, or to another configuration.
const PREFIXES: [&str; 3] = ["VAULT_", "BAO_", "LEASEHOLD_"];

/// Becomes the script.
///
/// # Errors
/// 69 if there is no shell. The script ends with 69 if there is no server to start, and with the code of the step
/// that fails.
pub fn run() -> Result<ExitCode, Ending> {
    let failed = |what: &str, why: &std::io::Error| {
        let what = format!("the demo {what}: {}", io_words(why));
        Ending::new(Cause::Unavailable, what, "run it on a machine with a shell and loopback")
    };
    let program = std::env::current_exe().map_err(|why| failed("does not find leasehold", &why))?;
    // Both are held until both are known. The server also takes the port behind its own.
    let held = [ports(), ports()];
    let mut numbers = Vec::new();
    for one in held {
        let (listener, port) = one.map_err(|why| failed("has no free port", &why))?;
        numbers.push((listener, port.to_string()));
    }
    let numbers: Vec<String> = numbers.into_iter().map(|(_, number)| number).collect();
    let mut shell = Command::new("sh");
    shell.args(["-c", SCRIPT, "leasehold-demo"]).arg(program).args(numbers);
    for (name, _) in std::env::vars_os() {
        if PREFIXES.iter().any(|prefix| name.as_encoded_bytes().starts_with(prefix.as_bytes())) {
            shell.env_remove(name);
        }
    }
    Err(failed("cannot start sh", &shell.exec()))
}

/// Returns a free port of loopback. It is free for as long as its listener is held.
fn ports() -> std::io::Result<(TcpListener, u16)> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?;
    let port = listener.local_addr()?.port();
    Ok((listener, port))
}
