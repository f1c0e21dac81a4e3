//! Checks `sinks`: files that hold the token, and a login that is wrapped for the reader of the sink.

use std::time::Duration;

use crate::desk::Desk;
use crate::file::{Auth, File, Method, SinkEntry};
use crate::keypath::KeyPath;
use crate::plan::{FilePlan, FileSource};

use super::files::Clerk;

/// The server takes whole seconds.
const LEAST_WRAP: Duration = Duration::from_secs(1);

/// Checks the sinks, and returns them as files that come behind all others.
pub(super) fn check(entries: &[SinkEntry], clerk: &mut Clerk<'_>, desk: &mut Desk<'_>) -> Vec<FilePlan> {
    let at = KeyPath::of(&["sinks"]);
    let mut sinks = Vec::new();
    for (index, entry) in entries.iter().enumerate() {
        let at = at.index(index);
        wrap_ttl(entry.wrap_ttl, &at.key("wrap_ttl"), desk);
        let place = clerk.place(&entry.place(), "a sink", &at, desk);
        sinks.extend(place.map(|place| place.holding(FileSource::Token { wrap_ttl: entry.wrap_ttl })));
    }
    sinks
}

fn wrap_ttl(ttl: Option<Duration>, at: &KeyPath, desk: &mut Desk<'_>) {
    if ttl.is_some_and(|ttl| ttl < LEAST_WRAP) {
        desk.wrong_value(at, "too short for a reader to open it in time", "use a second or more");
    }
}

/// Checks what a wrapped login allows: one sink, and no secret that would have to be read.
pub(super) fn wrapped_login(file: &File, auth: &Auth, desk: &mut Desk<'_>) {
    if auth.wrap_ttl.is_none() {
        return;
    }
    let at = KeyPath::of(&["auth", "wrap_ttl"]);
    wrap_ttl(auth.wrap_ttl, &at, desk);
    if matches!(auth.method, Some(Method::Token | Method::TokenFile)) {
        let message = "a token that is given cannot be wrapped, because no login makes it";
        return desk.wrong_value(&at, message, "use `wrap_ttl` in the sink");
    }
    let reads = !file.files.is_empty() || !file.exec.env.is_empty() || file.exec.resolve_env == Some(true);
    let (message, hint) = match &file.sinks[..] {
        [] => ("a wrapped login without a sink to put it into", "add one to `sinks`"),
        [_, _, ..] => ("a wrapped login can be opened by one reader, and there are more sinks", "keep one"),
        [sink] if sink.wrap_ttl.is_some() => {
            ("the login and the sink are both wrapped", "keep one of the two `wrap_ttl`")
        }
        _ if reads => (
            "Leasehold cannot read secrets with a wrapped login",
            "wrap the token in the sink instead: sinks: [{path: token, wrap_ttl: 5m}]",
        ),
        _ if file.handoff.file.is_some() => {
            ("a wrapped login cannot be handed over", "take `handoff` out: the next run logs in anew")
        }
        _ => return,
    };
    desk.wrong_value(&at, message, hint);
}
