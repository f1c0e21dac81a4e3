//! The headline: the body of `/readyz`, the first line of `leasehold status` and what `systemctl status` shows. One
//! text for all of them, so that they cannot disagree.

use std::time::Duration;

use crate::core::view::{AwayStore, Outlook, Readiness};
use leasehold_base::time::Moment;

/// Returns one line: whether the files can be relied on, and then a count of what else is wrong.
/// [`Readiness::is_ready`] decides whether `/readyz` is 200 or 503.
#[must_use]
pub fn line(outlook: &Outlook) -> String {
    let (head, named) = head(outlook);
    let clauses =
        [files(outlook, named), notifiers(outlook), login(outlook, &head), server(outlook), stores(outlook)];
    let mut line = head;
    let comma = matches!(outlook.readiness, Readiness::Ready | Readiness::ReadyWithoutLogin { .. });
    for clause in clauses.into_iter().flatten() {
        line.push_str(if comma { ", " } else { "; " });
        line.push_str(&clause);
    }
    line
}

/// Counts the files that are not well by their state: "1 of 4 files failing, 2 stale". Returns `None` if all files
/// are well.
#[must_use]
pub fn files(outlook: &Outlook, named: usize) -> Option<String> {
    if outlook.troubled.len() <= named {
        return None;
    }
    let count = |name: &'static str| outlook.troubled.iter().filter(|one| one.health.name() == name).count();
    let counts = ["missing", "expired", "failing", "stale"].map(|name| (count(name), name));
    let mut words: Vec<String> = counts
        .into_iter()
        .filter(|(count, _)| *count > 0)
        .map(|(count, name)| format!("{count} {name}"))
        .collect();
    if let Some(first) = words.first_mut() {
        let (count, name) = first.split_once(' ')?;
        *first = format!("{count} of {} {name}", plural(outlook.files, "file"));
    }
    Some(words.join(", "))
}

/// Returns what is wrong with logging in: "not logged in since 14s: WHY".
#[must_use]
pub fn login_clause(outlook: &Outlook) -> Option<String> {
    let why = outlook.login.as_ref().map(|login| format!(": {}", login.why)).unwrap_or_default();
    match (outlook.logged_out, &outlook.login) {
        (Some(since), _) => Some(format!("not logged in since {}{why}", ago(since, outlook.now))),
        (None, Some(login)) => Some(format!("cannot log in since {}{why}", ago(login.since, outlook.now))),
        (None, None) => None,
    }
}

/// Returns the first words, and how many files they name.
fn head(outlook: &Outlook) -> (String, usize) {
    let because = |what: &str, file: &str, why: &str| {
        let why = if why.is_empty() { String::new() } else { format!(": {why}") };
        (format!("{what}: {file}{why}"), 1)
    };
    match &outlook.readiness {
        Readiness::Ready | Readiness::ReadyWithoutLogin { .. } => ("ready".to_owned(), 0),
        Readiness::ReadyWithoutServer { until: None } => ("server down, secrets still valid".to_owned(), 0),
        Readiness::ReadyWithoutServer { until: Some(until) } => {
            (format!("server down, secrets still valid for {}", ago(outlook.now, *until)), 0)
        }
        Readiness::ReadyWithoutStore { store, since, why } => {
            (format!("the store {store} does not answer since {}: {why}", ago(*since, outlook.now)), 0)
        }
        Readiness::NotRendered { file, why } => because("not yet rendered", file, why),
        Readiness::Lost { file, why } => because("lost", file, why),
        Readiness::Expired { file, why } => because("expired", file, why),
    }
}

fn notifiers(outlook: &Outlook) -> Option<String> {
    let failing = outlook.unheard.len();
    (failing > 0).then(|| format!("{failing} of {} failing", plural(outlook.notifiers, "notifier")))
}

/// Returns the line about the login. Before anything was published, a login that has not failed is simply under
/// way.
fn login(outlook: &Outlook, head: &str) -> Option<String> {
    let starting = matches!(outlook.readiness, Readiness::NotRendered { .. });
    let said = outlook.login.as_ref().map_or(starting, |login| head.contains(&login.why));
    let away = outlook.outage.is_some() && outlook.login.is_none();
    login_clause(outlook).filter(|_| !said && !away)
}

fn server(outlook: &Outlook) -> Option<String> {
    let Some(outage) = &outlook.outage else {
        return outlook.silence.map(|since| silent(ago(since, outlook.now)));
    };
    let said = matches!(outlook.readiness, Readiness::ReadyWithoutServer { .. });
    (!said).then(|| format!("server down since {}", ago(outage.since, outlook.now)))
}

/// Names the stores that do not answer and are not in the first words.
fn stores(outlook: &Outlook) -> Option<String> {
    let said = match &outlook.readiness {
        Readiness::ReadyWithoutStore { store, .. } => store.as_str(),
        _ => "",
    };
    let others: Vec<&AwayStore> = outlook.away.iter().filter(|store| store.name != said).collect();
    match others.as_slice() {
        [] => None,
        [one] => {
            let since = ago(one.outage.since, outlook.now);
            Some(format!("the store {} does not answer since {since}", one.name))
        }
        all => {
            let names: Vec<&str> = all.iter().map(|store| store.name.as_str()).collect();
            Some(format!("the stores {} do not answer", names.join(", ")))
        }
    }
}

/// Returns the words for a server that has not answered for this time.
pub(super) fn silent(length: impl std::fmt::Display) -> String {
    format!("the server has not answered for {length}")
}

pub(super) fn plural(count: usize, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Returns the time between two moments, in seconds.
pub(super) fn ago(since: Moment, now: Moment) -> humantime::FormattedDuration {
    humantime::format_duration(Duration::from_secs(since.until(now).as_secs()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::view::{Health, LoginTrouble, Outage};
    use crate::observe::sample;

    fn outlook(readiness: Readiness) -> Outlook {
        Outlook { readiness, ..sample::view_of_the_well().outlook() }
    }

    fn before(outlook: &Outlook, seconds: u64) -> Moment {
        outlook.now.before(Duration::from_secs(seconds))
    }

    #[test]
    fn the_words_tell_an_outage_from_an_expiry() {
        let now = sample::view().now;
        let line_of = |readiness| line(&outlook(readiness));
        assert_eq!(line_of(Readiness::Ready), "ready");
        let until = Some(now.after(Duration::from_millis(90_500)));
        assert_eq!(
            line_of(Readiness::ReadyWithoutServer { until }),
            "server down, secrets still valid for 1m 30s"
        );
        assert_eq!(
            line_of(Readiness::ReadyWithoutServer { until: None }),
            "server down, secrets still valid"
        );
        let why = "permission denied".to_owned();
        assert_eq!(
            line_of(Readiness::NotRendered { file: "api-key".into(), why }),
            "not yet rendered: api-key: permission denied"
        );
        assert_eq!(
            line_of(Readiness::Expired { file: "db.env".into(), why: String::new() }),
            "expired: db.env"
        );
    }

    #[test]
    fn a_lost_login_and_what_fails_are_in_the_headline_of_what_is_ready() {
        let mut view = sample::view();
        view.files[0].health = Health::Failing;
        let mut outlook = view.outlook();
        assert_eq!(line(&outlook), "ready, 1 of 2 files failing, 1 of 1 notifier failing");
        outlook.unheard.clear();
        let (since, why) = (before(&outlook, 14), "permission denied".to_owned());
        outlook.login = Some(LoginTrouble { since, why, next: None });
        assert_eq!(line(&outlook), "ready, 1 of 2 files failing, cannot log in since 14s: permission denied");
        outlook.logged_out = Some(since);
        assert_eq!(line(&outlook), "ready, 1 of 2 files failing, not logged in since 14s: permission denied");
        outlook.troubled[0].health = Health::Expired(since);
        outlook.readiness =
            Readiness::Expired { file: "db.env".into(), why: "its secret has expired".into() };
        assert_eq!(
            line(&outlook),
            "expired: db.env: its secret has expired; not logged in since 14s: permission denied"
        );
    }

    #[test]
    fn a_silent_server_is_named_before_it_is_down_and_only_then() {
        let mut outlook = outlook(Readiness::Ready);
        outlook.silence = Some(before(&outlook, 4));
        assert_eq!(line(&outlook), "ready, the server has not answered for 4s");
        outlook.outage = Some(Outage { since: outlook.now, why: "timed out".into() });
        outlook.readiness = Readiness::ReadyWithoutServer { until: None };
        assert_eq!(line(&outlook), "server down, secrets still valid");
    }

    #[test]
    fn what_the_first_words_say_already_is_not_said_twice() {
        let why = "could not log in: refused".to_owned();
        let mut starting = outlook(Readiness::NotRendered { file: "a".into(), why });
        starting.logged_out = Some(starting.now);
        assert_eq!(line(&starting), "not yet rendered: a: could not log in: refused");
        starting.login = Some(LoginTrouble { since: starting.now, why: "refused".into(), next: None });
        assert_eq!(line(&starting), "not yet rendered: a: could not log in: refused");
        let mut away = outlook(Readiness::ReadyWithoutServer { until: None });
        away.outage = Some(Outage { since: away.now, why: "refused".into() });
        assert_eq!(line(&away), "server down, secrets still valid");
        away.readiness = Readiness::Expired { file: "a".into(), why: "its secret has expired".into() };
        assert_eq!(line(&away), "expired: a: its secret has expired; server down since 0s");
    }

    #[test]
    fn a_store_that_is_away_is_named_whatever_else_is_wrong() {
        let now = sample::view().now;
        let away = |name: &str| AwayStore {
            name: name.into(),
            outage: Outage { since: now.before(Duration::from_secs(7)), why: "it hangs".into() },
        };
        let said = |readiness: Readiness, stores: &[&str]| {
            line(&Outlook { away: stores.iter().map(|name| away(name)).collect(), ..outlook(readiness) })
        };
        let down = Readiness::ReadyWithoutServer { until: None };
        assert!(said(down.clone(), &["disk"]).ends_with("; the store disk does not answer since 7s"));
        assert!(said(down, &["disk", "aws"]).ends_with("; the stores disk, aws do not answer"));
        let since = now.before(Duration::from_secs(7));
        let one = Readiness::ReadyWithoutStore { store: "disk".into(), since, why: "it hangs".into() };
        assert_eq!(said(one.clone(), &["disk"]), "the store disk does not answer since 7s: it hangs");
        assert_eq!(
            said(one, &["disk", "aws"]),
            "the store disk does not answer since 7s: it hangs; the store aws does not answer since 7s"
        );
    }
}
