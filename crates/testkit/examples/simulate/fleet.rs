//! The load of a fleet on its server, drawn and described: a thousand sidecars that are restarted at once, and a day
//! with an outage and a restart of all sidecars in it.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::plot;
use leasehold_testkit::sim::fleet::{Blow, Fleet, Flood, Load};
use leasehold_testkit::sim::{HOUR, MINUTE};

/// How many sidecars meet each blow by itself.
const SOME: u64 = 1000;
/// How long the server is sealed.
const SEALED: Duration = Duration::from_secs(10 * 60);

/// How long the controllers of Kubernetes take to make [`SOME`] pods, with the 20 requests a second that they are
/// allowed by default (`--kube-api-qps`).
const DEPLOYED: Duration = Duration::from_secs(50);

/// The head of a table.
const HEAD: &str = "\
| | mean | busiest 10 s | of the mean | busiest second |
| --- | --- | --- | --- | --- |
";

/// Describes what a thousand sidecars do after each blow, and the load of `sidecars` over `hours`. Draws that load.
///
/// # Errors
/// A broken promise, a peak of more than twice the mean after the restart, or a file that cannot be written.
pub(crate) fn tell(
    sidecars: u64,
    hours: u32,
    svg: Option<&Path>,
    page: Option<&Path>,
) -> Result<String, String> {
    let lasts = HOUR * hours;
    let (sealed, restarted) = (lasts / 3, lasts * 2 / 3);
    let rollout = 10 * MINUTE;
    let blows = vec![(sealed, Blow::Seal(SEALED)), (restarted, Blow::Restart)];
    let load = Fleet { sidecars, lasts, rollout, blows }.live()?;
    if let Some(path) = svg {
        let title = format!("{sidecars} sidecars for {hours} h: requests a second at the server");
        let marks = [(sealed, "sealed for 10 min"), (restarted, "all restarted")];
        write(path, &plot::draw(&title, &load.seconds, &marks))?;
    }
    let drawing = svg.and_then(Path::file_name).and_then(|name| name.to_str()).unwrap_or_default();
    let mut text = format!(
        "{INTRODUCTION}\n## A day of {sidecars} sidecars\n\n\
         Started over ten minutes; the server is sealed for ten minutes after {} h, and all of them are killed and \
         started again after {} h.\n\n![requests a second]({drawing})\n\nRequests a second:\n\n{HEAD}",
        sealed.as_secs() / 3600,
        restarted.as_secs() / 3600,
    );
    let rows = [
        ("from an hour after the start until the outage", HOUR, sealed),
        ("ten minutes sealed: probes, which need no token", sealed, sealed + SEALED),
        ("the minute of its return", sealed + SEALED, sealed + SEALED + MINUTE),
        ("the hour after that", sealed + SEALED + MINUTE, sealed + SEALED + HOUR),
        ("the hour before the restart", restarted - HOUR, restarted),
        ("the hour after the restart", restarted, restarted + HOUR),
        ("the whole day", Duration::ZERO, lasts),
    ];
    for (when, from, to) in rows {
        row(&mut text, when, &load, from, to);
    }
    put(
        &mut text,
        format_args!(
            "\nA secret changes while the server is sealed. After its return half of the sidecars have the new version \
             within {:.1} s, 95 % within {:.1} s, all within {:.1} s.\n",
            load.current(0, 50).as_secs_f64(),
            load.current(0, 95).as_secs_f64(),
            load.current(0, 100).as_secs_f64(),
        ),
    );
    some(&mut text)?;
    flood(&mut text)?;
    if let Some(path) = page {
        write(path, &text)?;
    }
    Ok(text)
}

const INTRODUCTION: &str = "\
# What a fleet asks of its server

This page and its drawing are made by `make fleet`: the pure core in virtual time, with the model server, every
promise checked after every step of every sidecar. Each sidecar has a database credential of an hour and a secret of
KV v2 that is looked at every five minutes, under a token of an hour, and keeps a handoff.

- **Renewals** are at half-life, ±10 %, by a jitter that hangs on what is renewed: a restart does not move them.
- **Looks** at what has no lease are on the pod's own beat, one every `refresh`: sidecars that did something together,
  a start, an outage, do not look together ever after.
- **A restart** with a handoff asks nothing for its own sake. Whether the token still lives shows with its next use;
  where none is due within a quarter of an hour it is looked up, at the pod's own moment in that time.
- **An outage** costs one probe every 1 to 5 s for each sidecar (`sys/health`, no token), and after half a minute one
  every 2 to 10 s. When the server is back, each finds out within that time. What an application waits for and what is
  over goes within 1.5 s then, news within 3 s, and what lives on is renewed in the first tenth of what is left of it,
  within 30 s at the most.
- **Answers that take long** say that a server is flooded where no quota does. After one that took more than three seconds, and
  none that came quickly meanwhile, half as many requests go at once, down to two; and what returns is spread over longer, by five
  times what the last answer took beyond a second.
- **Pods made anew** need a login and one read for each secret before they are ready, and ask which engine is behind
  each mount. No start is put off: a thousand that start in the same instant are as many requests in the same second
  whatever they wait for within it. Controllers make pods one after another.
";

/// Adds what happens to a thousand sidecars at once. In the hour after a restart, no ten seconds may have more than
/// twice the mean.
fn some(text: &mut String) -> Result<(), String> {
    let at = 2 * HOUR;
    put(
        text,
        format_args!(
            "\n## {SOME} sidecars, and what befalls all of them at once\n\nRequests a second:\n\n{HEAD}"
        ),
    );
    for (what, blow) in [
        ("restarted, with their handoffs", Blow::Restart),
        ("made anew in one instant: each logs in and reads everything", Blow::Recreation(Duration::ZERO)),
        ("made anew over 50 s, as a Deployment makes them", Blow::Recreation(DEPLOYED)),
        ("the server sealed for ten minutes", Blow::Seal(SEALED)),
    ] {
        let load = Fleet::of(SOME, blow).live()?;
        let back = if let Blow::Seal(lasts) = blow { at + lasts } else { at };
        row(text, &format!("{what}: the hour before"), &load, at - HOUR, at);
        let current = load.current(0, 100);
        let after = if current.is_zero() {
            String::new()
        } else {
            format!(", all current within {:.1} s", current.as_secs_f64())
        };
        row(text, &format!("the minute after{after}"), &load, back, back + MINUTE);
        row(text, "from then on", &load, back + MINUTE, 3 * HOUR);
        let (before, after) = (load.between(at - HOUR, at), load.between(at, at + HOUR));
        if matches!(blow, Blow::Restart) && after.ten_seconds > 2.0 * before.mean {
            return Err(format!("after a restart {after:?}, before it {before:?}"));
        }
    }
    Ok(())
}

/// Adds what happens when many sidecars come back to a server that answers only so many requests a second.
fn flood(text: &mut String) -> Result<(), String> {
    const SIDECARS: u64 = 300;
    put(
        text,
        format_args!(
            "\n## {SIDECARS} sidecars, and a server that answers no more than so many requests a second\n\n\
             It was sealed for ten minutes, and a secret has changed. What it does not answer at once waits in its queue, \
             and after 15 s a client waits no longer.\n\n\
             | answers a second | longest wait | half current within | 95 % of those that are | current after two minutes |\n\
             | --- | --- | --- | --- | --- |\n"
        ),
    );
    for capacity in [60.0, 30.0, 20.0, 15.0] {
        let flooded = Flood { sidecars: SIDECARS, sealed: SEALED, capacity }.live()?;
        let back = &flooded.back;
        let within = |percent: usize| {
            let place = (back.len() * percent).div_ceil(100).saturating_sub(1);
            back.get(place).copied().unwrap_or_default().as_secs_f64()
        };
        let longest = flooded.waits.iter().max().copied().unwrap_or_default().as_secs_f64();
        let (half, most, all) = (within(50), within(95), back.len());
        put(text, format_args!("| {capacity} | {longest:.1} s | {half:.1} s | {most:.1} s | {all} |\n"));
    }
    Ok(())
}

fn row(text: &mut String, when: &str, load: &Load, from: Duration, to: Duration) {
    let all = load.between(from, to);
    let ratio = all.ten_seconds / all.mean;
    put(
        text,
        format_args!(
            "| {when} | {:.2} | {:.1} | {ratio:.2} x | {:.0} |\n",
            all.mean, all.ten_seconds, all.second
        ),
    );
}

fn put(text: &mut String, what: std::fmt::Arguments<'_>) {
    text.write_fmt(what).expect("a string takes everything");
}

fn write(path: &Path, text: &str) -> Result<(), String> {
    #[allow(clippy::disallowed_methods, reason = "a page for readers, not a secret")]
    fs::write(path, text).map_err(|error| format!("could not write {}: {error}", path.display()))
}
