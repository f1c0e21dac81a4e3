//! What a state names that no run goes on from, since it was written for another configuration or in another version
//! of the format. Its logins and leases are only revoked, and refused logins are remembered.
//!
//! It is read field by field: whatever can be read is revoked, and the rest expires by itself.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;
use std::time::Duration;

use super::format::{self, Parsed, flag_or, get, get_bytes, get_duration, get_moment, list, present, string};
use super::{Kept, published};
use crate::core::ids::{LeaseId, TokenId};
use crate::core::snapshot::{KeptLease, KeptToken, Snapshot};
use crate::secret::Secret;
use crate::tree::Tree;
use leasehold_base::time::Moment;

/// The slack between two readings. Two processes of one boot read one clock, but at different moments.
const SLACK: Duration = Duration::from_secs(5);

/// Returns the logins and leases in `tree`, each only to be revoked; `owns` stands for what an older build did not
/// write down.
pub(super) fn of(tree: &Tree, owns: bool) -> Kept {
    let mut kept = Kept { opened: format::opened(tree), published: published::of(tree), ..Kept::default() };
    kept.children = format::children(tree);
    for (token, secret) in entries(tree, "tokens").filter_map(|entry| token(entry, owns).ok()) {
        kept.tokens.insert(token.id, secret);
        kept.snapshot.tokens.push(token);
    }
    let held = entries(tree, "secrets").filter_map(|secret| present(secret, "lease"));
    let leases = held.chain(entries(tree, "retiring")).filter_map(|entry| lease(entry).ok());
    let names = entries(tree, "untold").filter_map(Tree::as_str).map(str::to_owned);
    let untold: BTreeSet<String> = names.gather();
    // The server counts refused logins by account, whatever else the configuration says.
    let refusals = present(tree, "refusals").and_then(|refusals| format::refusals_of(refusals).ok());
    kept.refused_with = refusals.as_ref().and(string(tree, "refused_with").ok()).map(str::to_owned);
    kept.snapshot = Snapshot { retiring: leases.collect(), untold, refusals, ..kept.snapshot };
    kept
}

fn entries<'a>(tree: &'a Tree, field: &'static str) -> impl Iterator<Item = &'a Tree> {
    list(tree, field).unwrap_or_default().iter()
}

fn token(tree: &Tree, owns: bool) -> Parsed<(KeptToken, Secret)> {
    let secret = get_bytes(tree.get("secret").unwrap_or(&Tree::Null), "secret")?;
    let expires = get_moment(tree, "expires").ok();
    let token = KeptToken {
        id: TokenId(get(tree, "id")?),
        accessor: string(tree, "accessor").unwrap_or_default().to_owned(),
        expires,
        latest: get_moment(tree, "latest").ok().or(expires),
        granted: get_duration(tree, "granted").ok(),
        renewable: false,
        batch: flag_or(tree, "batch", false).unwrap_or_default(),
        uses: get(tree, "uses").ok(),
        undated: false,
        leaving: true,
        exposed: false,
        owned: flag_or(tree, "owned", owns).unwrap_or_default(),
    };
    Ok((token, secret))
}

fn lease(tree: &Tree) -> Parsed<KeptLease> {
    let granted = get_duration(tree, "granted")?;
    let expires = get_moment(tree, "expires")?;
    Ok(KeptLease {
        id: LeaseId(string(tree, "id")?.to_owned()),
        token: TokenId(get(tree, "token")?),
        expires,
        latest: get_moment(tree, "latest").unwrap_or(expires),
        granted,
        renewable: false,
        orphan: flag_or(tree, "orphan", false).unwrap_or_default(),
        undated: false,
    })
}

/// Returns whether times lie ahead of our clock that were past, or counted from then, when they were written. Then
/// they are on another clock. A machine that was restored, and a time namespace, keep the name of the boot.
pub(super) fn is_ahead(kept: &Kept, now: Moment) -> bool {
    let now = now.after(SLACK);
    let Snapshot { tokens, secrets, retiring, refusals, .. } = &kept.snapshot;
    let lease = |lease: &KeptLease| !lease.undated && lease.expires.before(lease.granted) > now;
    let token = |token: &KeptToken| match (token.expires, token.granted) {
        (Some(expires), Some(granted)) => !token.undated && expires.before(granted) > now,
        _ => false,
    };
    secrets.iter().any(|secret| secret.read > now || secret.lease.as_ref().is_some_and(lease))
        || tokens.iter().any(token)
        || retiring.iter().any(lease)
        || refusals.as_ref().is_some_and(|refusals| refusals.last > now)
}
