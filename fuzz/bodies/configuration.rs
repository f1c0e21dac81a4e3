//! Any texts as a configuration: a plan, or problems that can be shown, never a panic.

use std::path::Path;

use leasehold::config::Severity;
use leasehold::config::read::{Inputs, Text, read};
use leasehold::functions;

/// Never in UTF-8: two texts of a configuration, in any of the languages that are known by how they
/// begin, and one that every file holds which they name.
const BETWEEN: u8 = 0xff;

/// One or two texts, and what the files hold that they name.
pub fn run(input: &[u8]) {
    let mut parts = input.split(|byte| *byte == BETWEEN);
    let text = |name: &str, bytes: &[u8]| Text { name: name.to_owned(), bytes: bytes.to_vec() };
    let mut texts = vec![text("first", parts.next().unwrap_or_default())];
    texts.extend(parts.next().map(|bytes| text("second", bytes)));
    let file = parts.next().unwrap_or(b"root:x:0:0::/:\n");
    let env = |name: &str| (name == "TOKEN").then(|| "s.canaryCANARYcanary".to_owned());
    let read_file = |_: &Path| Ok(file.to_vec());
    let inputs = Inputs {
        texts: &texts,
        flags: &[],
        env: &env,
        read_file: &read_file,
        functions: functions::all(),
        look: None,
        elsewhere: false,
        folder: Path::new("/"),
    };
    let problems = match read(&inputs) {
        Ok((plan, warnings)) => {
            let again = read(&inputs).map(|(plan, _)| plan.digest);
            assert_eq!(again.ok(), Some(plan.digest), "the same texts are the same plan");
            assert!(warnings.iter().all(|problem| problem.severity == Severity::Warning));
            warnings
        }
        Err(rejected) => {
            assert!(rejected.problems.iter().any(|problem| problem.severity == Severity::Error));
            rejected.problems
        }
    };
    for problem in problems {
        assert!(problem.place.line != Some(0) && problem.place.column != Some(0), "from 1");
        assert!(!problem.one_line().contains("canaryCANARY"), "a value of the environment");
        let _ = problem.to_string();
    }
}
