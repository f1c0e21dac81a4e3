//! What is said of a configuration as a whole, wherever it is checked.

use crate::plan::Plan;
use crate::problem::{Problem, Rejected, Severity};

/// The result of reading one configuration.
pub type Checked = Result<(Plan, Vec<Problem>), Rejected>;

/// Returns all problems, in the order of the texts.
#[must_use]
pub fn problems(checked: &Checked) -> &[Problem] {
    match checked {
        Ok((_, notices)) => notices,
        Err(rejected) => &rejected.problems,
    }
}

/// Returns what a configuration has, if it is good: `1 file`, `0 notifiers`, `2 warnings`. Otherwise returns `1 error`
/// and `2 warnings`.
#[must_use]
pub fn counts(checked: &Checked) -> Vec<String> {
    let errors = problems(checked).iter().filter(|problem| problem.severity == Severity::Error).count();
    let warnings = count(problems(checked).len() - errors, "warning");
    match checked {
        Ok((plan, _)) => {
            vec![count(plan.files.len(), "file"), count(plan.notifiers.len(), "notifier"), warnings]
        }
        Err(_) => vec![count(errors, "error"), warnings],
    }
}

/// Counts things: `1 file`, `2 files`.
#[must_use]
pub fn count(number: usize, what: &str) -> String {
    if number == 1 { format!("1 {what}") } else { format!("{number} {what}s") }
}
