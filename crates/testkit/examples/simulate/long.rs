//! `--days`: what one sidecar asks and holds, week by week.

use leasehold_testkit::sim::long::{self, Week};

/// Returns a table of the first weeks and the last, and whether anything grows.
pub(crate) fn tell(days: u32) -> (String, bool) {
    let weeks = match long::live(days) {
        Ok(weeks) => weeks,
        Err(why) => return (why, true),
    };
    let row = |(index, week): (usize, &Week)| {
        let Week { requests, peak, engine, handoff, leases } = week;
        format!("| {} | {requests} | {peak} | {engine} | {handoff} | {leases} |", index + 2)
    };
    let all = weeks.iter().enumerate().map(row);
    let shown: Vec<String> = all.clone().take(3).chain(all.skip(weeks.len() - 3)).collect();
    let grown = long::grown(&weeks);
    let verdict = if grown.is_empty() { "nothing grows".to_owned() } else { grown.join("; ") };
    let head = "| week | requests | busiest second | engine, characters | handoff, characters | leases |\n| --- | --- | --- | --- | --- | --- |";
    (format!("{head}\n{}\n\n{days} days: {verdict}", shown.join("\n")), !grown.is_empty())
}
