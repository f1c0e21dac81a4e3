//! What an answer without a lease says about its own end.
//!
//! Each field counts only beside the fields that show which engine wrote it, and never in an answer of a KV version
//! 1, whose secrets may have fields of any name. Seconds are a number, or a text with a number. A negative, malformed
//! or missing number counts as not given: such a secret is read every `refresh`.

use std::time::Duration;

use super::ssh;
use leasehold_base::response::{LONGEST, Response};
use leasehold_base::tree::{Map, Tree};
use leasehold_core::event::Life;

/// The last second of the year 9999, which is the end of a certificate without an end.
const LAST_DATE: i64 = 253_402_300_799;

/// Returns what `response` says.
pub(super) fn of(response: &Response) -> Life {
    // Only a KV version 1 says how long an answer holds that has no lease.
    if response.lease_id.is_empty() && response.lease_duration > 0 {
        return Life::Unknown;
    }
    let data = &response.data;
    certificate(data).or_else(|| minted(data)).or_else(|| rotated(data)).unwrap_or(Life::Unknown)
}

/// Returns the end of a certificate, which is a date: PKI puts it beside the certificate, SSH into it.
fn certificate(data: &Tree) -> Option<Life> {
    let has = |name| data.get(name).is_some();
    let end = if has("certificate") && has("expiration") {
        number(data, "expiration")
    } else {
        data.get("signed_key").and_then(Tree::as_str).and_then(ssh::valid_before).map(|end| end as f64)
    };
    // Seconds since 1970 fit a float exactly.
    let end = end.filter(|end| *end > 0.0)? as i64;
    Some(Life::Until(end.min(LAST_DATE)))
}

/// Returns the life of a value that every read makes anew.
fn minted(data: &Tree) -> Option<Life> {
    let has = |name| data.get(name).is_some();
    let ttl = if has("token") && has("client_id") {
        seconds(data, "ttl").filter(|ttl| !ttl.is_zero())
    } else if has("token") && has("expires_at_seconds") {
        seconds(data, "token_ttl").filter(|ttl| !ttl.is_zero())
    } else if has("secret_id") {
        // A secret id that does not end by itself says 0.
        let endless = |ttl: Duration| if ttl.is_zero() { Duration::from_secs(LONGEST) } else { ttl };
        seconds(data, "secret_id_ttl").map(endless)
    } else {
        None
    };
    ttl.map(Life::EndsIn)
}

/// Returns when the server itself replaces the value.
fn rotated(data: &Tree) -> Option<Life> {
    let rotates = data.get("rotation_period").is_some() || data.get("rotation_schedule").is_some();
    seconds(data, "ttl").filter(|_| rotates).map(Life::RotatesIn)
}

/// The fields that change with the clock, and not with the value beside them.
const COUNTDOWN: [&str; 1] = ["ttl"];
const TIMES: [&str; 2] = ["ttl", "last_vault_rotation"];

/// Returns whether an answer with this `life` brings something new, and whether the value that the server rotates has
/// changed.
pub(super) fn differs(life: Life, before: &Tree, now: &Tree) -> (bool, bool) {
    if matches!(life, Life::RotatesIn(_)) {
        (differ(before, now, &COUNTDOWN), differ(before, now, &TIMES))
    } else {
        let changed = before != now;
        (changed, changed)
    }
}

fn differ(before: &Tree, now: &Tree, but_for: &[&str]) -> bool {
    let (Some(old), Some(new)) = (before.as_map(), now.as_map()) else { return before != now };
    let counts = |name: &str| !but_for.contains(&name);
    let keys = |tree: &Map| tree.iter().filter(|(name, _)| counts(name)).count();
    keys(old) != keys(new) || new.iter().any(|(name, value)| counts(name) && before.get(name) != Some(value))
}

/// Returns whole seconds, a hundred years at most; OpenBao sends floats. `None` for what is not a count of seconds.
pub(super) fn seconds(data: &Tree, name: &str) -> Option<Duration> {
    let value = number(data, name)?;
    Duration::try_from_secs_f64(value.floor().min(Duration::from_secs(LONGEST).as_secs_f64())).ok()
}

/// Returns a number, or the number in a text.
fn number(data: &Tree, name: &str) -> Option<f64> {
    let value = data.get(name)?;
    value.as_f64().or_else(|| value.as_str()?.trim().parse().ok()).filter(|number: &f64| !number.is_nan())
}
