//! Handles a bug in Leasehold: the place is printed, and the process ends with 70.
//!
//! The message of a panic is not printed, because it may quote the data that led to it (`unwrap` on an error, an
//! index out of a value). Nothing is unwound: if one thread were gone while the others run on, secrets would expire
//! unseen.

use std::panic::PanicHookInfo;

use super::stderr;
use crate::exit::{Cause, Ending};

/// Makes every later panic, of any thread, end the process; `last` is done before.
pub fn install(last: fn()) {
    std::panic::set_hook(Box::new(move |info| {
        let ending = ending(info);
        // A log that is not read must not keep the process of `exec` from being stopped.
        stderr::say_last(&ending.to_string());
        last();
        std::process::exit(i32::from(ending.cause.code()));
    }));
}

fn ending(info: &PanicHookInfo<'_>) -> Ending {
    let place = info.location().map_or_else(
        || "an unknown place".to_owned(),
        |location| format!("{}:{}", location.file(), location.line()),
    );
    Ending::new(
        Cause::Bug,
        format!("a bug in Leasehold at {place}"),
        "report it with this line; files stay as they are",
    )
}

#[cfg(test)]
mod tests {
    use std::process::Command;

    const CHILD: &str = "LEASEHOLD_TEST_PANIC";

    #[test]
    fn a_panic_prints_the_place_and_nothing_else_and_exits_70() {
        if std::env::var_os(CHILD).is_some() {
            super::install(|| ());
            // A value that is no number: the message of this panic quotes it.
            let parse = || "canary".parse::<u8>().map_err(|_| "canary").expect("a number");
            std::thread::spawn(parse).join().expect("never joined");
            return;
        }
        let this = std::env::current_exe().expect("a path");
        let name = "observe::panic::tests::a_panic_prints_the_place_and_nothing_else_and_exits_70";
        let child =
            Command::new(this).args(["--exact", name, "--nocapture"]).env(CHILD, "1").output().expect("runs");
        assert_eq!(child.status.code(), Some(70));
        let printed = String::from_utf8_lossy(&child.stderr);
        assert!(printed.contains("a bug in Leasehold at src/observe/panic.rs:"), "{printed}");
        assert!(!printed.contains("canary"), "{printed}");
    }
}
