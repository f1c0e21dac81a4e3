//! Many sidecars at one server. What they ask for together is bounded.

use std::time::Duration;

use leasehold_testkit::evidence;
use leasehold_testkit::sim::fleet::{Blow, Fleet, Flood};
use leasehold_testkit::sim::{HOUR, MINUTE, secs};

const BLOW: Duration = Duration::from_secs(2 * 3600);

#[test]
fn f16_a_thousand_sidecars_that_restart_together_do_not_meet_at_the_server() {
    let fault = evidence!(16, Simulated);
    let load = Fleet::of(1000, Blow::Restart).live().expect("every promise holds");
    let (before, after) = (load.between(BLOW - HOUR, BLOW), load.between(BLOW, BLOW + HOUR));
    assert!(after.ten_seconds <= 2.0 * before.mean, "{after:?} after {before:?}");
    fault.holds("in the hour after no ten seconds have more than twice the requests of the hour before");
}

#[test]
fn two_hundred_sidecars_that_restart_together_are_not_noticed_by_the_server() {
    let load = Fleet::of(200, Blow::Restart).live().expect("every promise holds");
    let (before, after) = (load.between(BLOW - HOUR, BLOW), load.between(BLOW, BLOW + HOUR));
    // So few are as uneven before: chance alone makes the busiest ten seconds of an hour twice the mean.
    assert!(after.ten_seconds <= before.ten_seconds * 1.25, "{after:?} after {before:?}");
    assert!(after.mean <= 1.1 * before.mean, "{after:?} after {before:?}");
}

#[test]
fn two_hundred_sidecars_that_start_together_do_not_look_together_from_then_on() {
    let load = Fleet::of(200, Blow::Recreation(Duration::ZERO)).live().expect("every promise holds");
    let first = load.between(BLOW, BLOW + secs(10));
    assert!(first.mean * 10.0 <= 5.1 * 200.0, "a login, two mounts and two reads each: {first:?}");
    let (before, after) = (load.between(BLOW - HOUR, BLOW), load.between(BLOW + MINUTE, BLOW + 25 * MINUTE));
    assert!(after.ten_seconds <= before.ten_seconds * 1.25, "{after:?} after {before:?}");
    // Then they renew together what they were granted together, spread by a tenth either way.
    let renewals = load.between(BLOW + 26 * MINUTE, BLOW + 34 * MINUTE);
    assert!(renewals.ten_seconds <= 2.5 * renewals.mean, "{renewals:?}");
}

#[test]
fn two_hundred_sidecars_ask_little_while_the_server_is_sealed_and_no_more_than_they_missed_when_it_is_back() {
    let sealed = 10 * MINUTE;
    let load = Fleet::of(200, Blow::Seal(sealed)).live().expect("every promise holds");
    let away = load.between(BLOW + MINUTE, BLOW + sealed);
    assert!(away.ten_seconds <= 0.3 * 200.0, "a probe every six seconds each, on the average: {away:?}");
    let back = load.between(BLOW + sealed, BLOW + sealed + secs(10));
    assert!(back.mean * 10.0 <= 3.0 * 200.0, "a probe, a look and what was due meanwhile: {back:?}");
    assert!(back.second <= 200.0, "spread over seconds: {back:?}");
    let (before, after) = (load.between(BLOW - HOUR, BLOW), load.between(BLOW + sealed + MINUTE, 3 * HOUR));
    assert!(after.ten_seconds <= before.ten_seconds * 1.5, "no echo of it: {after:?} after {before:?}");
}

#[test]
fn f53_a_server_that_is_back_is_asked_by_a_thousand_sidecars_over_ten_seconds_and_not_by_all_at_once() {
    let fault = evidence!(53, Simulated);
    let sealed = 10 * MINUTE;
    let load = Fleet::of(1000, Blow::Seal(sealed)).live().expect("every promise holds");
    let back = load.between(BLOW + sealed, BLOW + sealed + MINUTE);
    assert!(back.second <= 0.34 * 1000.0, "{back:?}");
    let (most, all) = (load.current(0, 95), load.current(0, 100));
    assert_eq!(load.back[0].len(), 1000, "each has what changed meanwhile");
    assert!(most <= secs(10) && all <= secs(15), "95 % within {most:?}, all within {all:?}");
    fault.holds(
        "the busiest second has a third of a request a sidecar, and 95 % of them are current within 10 s",
    );
}

/// With a quarter of that pace, and without the rule, 61 of 300 are current after two minutes: the rest wait in the
/// queue for longer than a client does, and ask again.
#[test]
fn a_server_whose_answers_take_long_is_asked_more_slowly_by_all_who_come_back_to_it() {
    let flood = |capacity| {
        Flood { sidecars: 300, sealed: 10 * MINUTE, capacity }.live().expect("every promise holds")
    };
    let (some, much) = (flood(60.0), flood(15.0));
    let longest = some.waits.iter().max().copied().unwrap_or_default();
    assert!(some.back.len() == 300 && longest <= secs(2), "{longest:?}");
    assert!(some.back[285] <= secs(13), "95 % within {:?}", some.back[285]);
    assert!(much.back.len() >= 85, "{} are current", much.back.len());
}
