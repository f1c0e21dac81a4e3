//! What an engine shows of its definitions.

use std::collections::BTreeMap;
use std::time::Duration;

use leasehold::core::view::{Health, View};
use leasehold_base::time::{Moment, Now};

use super::super::definition::Key;
use super::super::handovers::Shows;
use super::super::roster::{Basis, key_of};
use super::{Board, Entry, Lease};

/// What an engine shows of one definition.
#[derive(Debug, Default)]
struct Shown<'v> {
    trouble: Option<&'v str>,
    failures: u64,
    usable: bool,
    /// The engine has just begun, and knows of no file of it that is published or in trouble.
    pending: bool,
    expires: Option<Moment>,
    /// When the first of its leases was granted or renewed last, and the accessor of the login that leased it.
    renewed: Option<(Moment, String)>,
}

impl Board {
    /// Takes over what an engine shows.
    pub(crate) fn show(&self, basis: &Basis, view: &View, now: Now, shows: &dyn Fn(&Key) -> Shows) {
        let mut state = self.state.borrow_mut();
        let mut troubles: BTreeMap<Key, Shown<'_>> = BTreeMap::new();
        for file in &view.files {
            let Some(key) = key_of(&file.name) else { continue };
            let shown = troubles.entry(key).or_insert_with(|| Shown { usable: true, ..Shown::default() });
            shown.failures += file.failures;
            shown.usable &=
                file.generation.is_some() && !matches!(file.health, Health::Expired(_) | Health::Missing);
            shown.expires = file.expires.into_iter().chain(shown.expires).min();
            for secret in file.secrets.iter().map(|at| &view.secrets[*at]) {
                // A batch token has no accessor, and of what another run has renewed the time may not be known.
                let accessor = secret.accessor.clone().filter(|_| secret.lease.is_some());
                let accessor = accessor.filter(|accessor| !accessor.is_empty());
                let renewed = secret.fresh.filter(|fresh| *fresh != Moment::default()).zip(accessor);
                shown.renewed = renewed.into_iter().chain(shown.renewed.take()).min();
            }
            shown.pending |= file.generation.is_none() && file.error.is_none();
            if shown.trouble.is_none() {
                shown.trouble = file.error.as_ref().map(|error| error.text.as_str());
            }
        }
        let login = state.logins.entry(basis.login.clone()).or_default();
        login.token_ttl =
            view.token.as_ref().and_then(|token| token.expires).map(|end| now.moment.until(end));
        login.renewed_below = view.token.as_ref().and_then(|token| token.granted).map(|granted| granted / 2);
        login.counters = view.counters;
        let refused = view.login.as_ref().map(|login| format!("could not log in: {}", login.why));
        let stores = view.stores.iter().filter_map(|store| store.outage.as_ref());
        let outage = view
            .outage
            .iter()
            .chain(stores)
            .next()
            .map(|outage| format!("the server does not answer: {}", outage.why));
        login.away = login.no_credentials.clone().or(refused).or(outage);
        login.definitions = troubles.keys().filter(|key| shows(key).trouble).cloned().collect();
        let no_credentials = login.no_credentials.clone();
        for (key, shown) in troubles {
            let Some(entry) = state.entries.get_mut(&key).filter(|entry| !entry.refused || entry.keeps)
            else {
                continue;
            };
            let shows = shows(&key);
            let knows = !shown.pending || shown.trouble.is_some();
            if shows.trouble {
                let more = shown.failures.saturating_sub(entry.failures);
                entry.errors += shown.trouble.map_or(0, |_| more);
                entry.failures = shown.failures;
            }
            if shows.trouble && knows && !entry.refused {
                let trouble = shown.trouble.map(|why| basis.in_words(why, no_credentials.as_deref()));
                self.show_trouble(&key, entry, trouble);
            }
            match shows.values {
                true if knows => entry.show(&shown, now),
                // The entry keeps what the former engine showed, until this engine knows more.
                true => entry.usable &= entry.expires.is_none_or(|end| end > now.wall),
                // The Secret has another login's values.
                false => {}
            }
            self.status(&key, entry);
        }
    }

    fn show_trouble(&self, key: &Key, entry: &mut Entry, trouble: Option<String>) {
        match trouble {
            Some(why) => self.trouble(key, entry, &why, "NotSynced"),
            None if entry.trouble.take().is_some() => {
                tracing::info!(definition = %key, secret = entry.secret, "synced again");
                let text = format!("the Secret {} is as defined again", entry.secret);
                self.note(key, entry, false, "Synced", text);
            }
            None => {}
        }
    }
}

impl Entry {
    /// Takes over what an engine shows of its values and their leases.
    fn show(&mut self, shown: &Shown<'_>, now: Now) {
        self.usable = shown.usable;
        let expires = shown.expires.map(|end| now.wall.saturating_add(seconds(now.moment.until(end))));
        self.expires = match (self.expires, expires) {
            (Some(before), Some(next)) => Some(steady(before, next)),
            (_, next) => next,
        };
        self.lease = shown.renewed.as_ref().map(|(renewed, accessor)| {
            let renewed = now.wall.saturating_sub(seconds(renewed.until(now.moment)));
            let before = self.lease.as_ref().map_or(renewed, |lease| lease.renewed);
            Lease { renewed: steady(before, renewed), accessor: accessor.clone() }
        });
    }
}

impl Basis {
    /// Returns a trouble as it is shown. The name of a token's file that a person has never seen says nothing.
    fn in_words(&self, why: &str, no_credentials: Option<&str>) -> String {
        match &self.token {
            Some(path) if why.contains(path.as_str()) => no_credentials
                .map_or_else(|| why.replace(path.as_str(), "the account's token"), str::to_owned),
            _ => why.to_owned(),
        }
    }
}

fn seconds(span: Duration) -> i64 {
    i64::try_from(span.as_secs()).unwrap_or(i64::MAX)
}

/// Keeps a time that is already shown, unless it differs by more than 2 s: the two clocks are read one after the other.
fn steady(before: i64, next: i64) -> i64 {
    if before.abs_diff(next) <= 2 { before } else { next }
}
