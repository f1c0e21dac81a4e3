//! A fleet's load on its server: a restart of all at once, and a day with an outage in it, drawn.

use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::plot;
use crate::sim::fleet::{Fleet, Load, peak_and_mean};

const MINUTE: Duration = Duration::from_secs(60);
/// So many are restarted at once in the day.
const RESTARTED: u64 = 1000;

/// Prints what a restart of a thousand does, and what the days of `sidecars` come to; draws them.
///
/// # Errors
/// A broken promise, a peak of more than twice the mean after the restart, a file that cannot be written.
#[allow(clippy::print_stdout, reason = "a program for the terminal")]
pub(crate) fn report(sidecars: u64, hours: u32, svg: Option<&Path>) -> Result<(), String> {
    restart()?;
    let lasts = Duration::from_secs(3600) * hours;
    let (sealed, restarted) = (lasts / 3, lasts * 2 / 3);
    let fleet = Fleet {
        sidecars,
        lasts,
        rollout: 10 * MINUTE,
        sealed: Some((sealed, 10 * MINUTE)),
        restarted: Some((RESTARTED.min(sidecars), restarted)),
    };
    let load = fleet.live()?;
    println!("{sidecars} sidecars for {hours} h:");
    tell(&load, "the start, spread over 10 min", Duration::ZERO, 10 * MINUTE);
    tell(&load, "from then until the server is sealed", 10 * MINUTE, sealed);
    tell(&load, "10 min sealed", sealed, sealed + 10 * MINUTE);
    tell(&load, "the minute of its return", sealed + 10 * MINUTE, sealed + 11 * MINUTE);
    tell(&load, "from the hour after that on", sealed + 70 * MINUTE, lasts);
    tell(&load, "the minute of the restart", restarted, restarted + MINUTE);
    tell(&load, "all of it", Duration::ZERO, lasts);
    let Some(path) = svg else { return Ok(()) };
    let title = format!("{sidecars} sidecars for {hours} h: requests a second at the server");
    let marks = [
        (sealed, "sealed for 10 min".to_owned()),
        (restarted, format!("{} restarted", RESTARTED.min(sidecars))),
    ];
    let drawing = plot::draw(&title, &load.0, &marks);
    #[allow(clippy::disallowed_methods, reason = "a drawing, not a secret")]
    fs::write(path, drawing).map_err(|error| format!("could not write {}: {error}", path.display()))
}

/// A thousand at once: in the hour after, no ten seconds have more than twice the mean.
#[allow(clippy::print_stdout, reason = "a program for the terminal")]
fn restart() -> Result<(), String> {
    let fleet = Fleet::restarted();
    let load = fleet.live()?;
    let (_, at) = fleet.restarted.expect("they are");
    println!("{} sidecars, all restarted at once:", fleet.sidecars);
    tell(&load, "the hour before", at - 60 * MINUTE, at);
    tell(&load, "the minute of the restart", at, at + MINUTE);
    tell(&load, "the hour after", at, at + 60 * MINUTE);
    let (peak, mean) = peak_and_mean(&load.rates(at, at + 60 * MINUTE, 10));
    if peak > 2.0 * mean {
        return Err(format!("{peak:.2} requests a second in ten seconds, where the mean is {mean:.2}"));
    }
    Ok(())
}

#[allow(clippy::print_stdout, reason = "a program for the terminal")]
fn tell(load: &Load, when: &str, from: Duration, to: Duration) {
    let (second, mean) = peak_and_mean(&load.rates(from, to, 1));
    let (ten, _) = peak_and_mean(&load.rates(from, to, 10));
    let ratio = ten / mean;
    println!(
        "  {when:38} mean {mean:7.2}/s, busiest 10 s {ten:7.1}/s ({ratio:.2} x mean), busiest second {second:5.0}"
    );
}
