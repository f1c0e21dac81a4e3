//! Decides what the log says of the life of a run: ready, expired, ready again, login lost and regained, and once a
//! minute whatever stays wrong. Pure: what is seen comes in with its time, and lines come out.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use super::readiness::{self, ago, plural};
use crate::core::action::Level;
use crate::core::view::{Health, Outlook, TroubledFile};
use leasehold_base::gather::Gather as _;
use leasehold_base::time::Moment;

/// The time after which a trouble that stays is logged again.
const EVERY: Duration = Duration::from_secs(60);
/// The most kinds of trouble with files that are distinguished in one minute.
const MOST_KINDS: usize = 10;
/// The most files that one line names.
const MOST_NAMES: usize = 3;

/// A line for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// The level of the line.
    pub level: Level,
    /// The event, in words.
    pub text: String,
    /// The number of failures since it was logged last.
    pub held_back: Option<u64>,
}

/// The state that was seen last, and since when something is wrong.
#[derive(Debug, Default)]
pub struct Life {
    /// True if it was ready; `None` before the first time.
    ready: Option<bool>,
    /// The moment since which it is not ready any more.
    unready: Option<Moment>,
    expired: BTreeSet<String>,
    /// True if there was a login.
    was_in: bool,
    /// The moment since which there is no login any more.
    out: Option<Moment>,
    /// The moment when the server's silence was logged last.
    silence_said: Option<Moment>,
    lasting: BTreeMap<String, Lasting>,
}

/// Something that stays wrong.
#[derive(Debug)]
struct Lasting {
    since: Moment,
    said: Moment,
    /// The number of failures at that time.
    failures: u64,
}

/// Something that is wrong now.
struct Trouble {
    /// The same for as long as it is the same trouble.
    key: String,
    since: Option<Moment>,
    level: Level,
    what: String,
    why: String,
    failures: u64,
}

impl Life {
    /// Takes in how things are; what is new in it.
    pub fn look(&mut self, outlook: &Outlook) -> Vec<Line> {
        let mut lines: Vec<Line> = self.silence(outlook).into_iter().chain(self.logins(outlook)).collect();
        lines.extend(self.ends(outlook));
        lines.extend(self.turns(outlook));
        lines.extend(self.stays(outlook));
        lines
    }

    /// Notes that another engine takes over. It has to render and publish before it is ready, and that is no loss.
    pub fn reloading(&mut self) {
        (self.ready, self.unready, self.was_in) = (None, None, false);
    }

    /// Returns when it has to look again although nothing happens.
    #[must_use]
    pub fn next(&self) -> Option<Moment> {
        self.lasting.values().map(|one| one.said.after(EVERY)).min()
    }

    /// Returns a line once for each silence, and not again within a minute. Either the silence becomes an outage,
    /// which is logged, or it is over.
    fn silence(&mut self, outlook: &Outlook) -> Option<Line> {
        let since = outlook.silence.filter(|_| outlook.outage.is_none())?;
        if self.silence_said.is_some_and(|said| said >= since || said.until(outlook.now) < EVERY) {
            return None;
        }
        self.silence_said = Some(outlook.now);
        let silent = readiness::silent(ago(since, outlook.now));
        Some(line(Level::Warn, format!("{silent}; a request may take up to `vault.timeout`")))
    }

    fn logins(&mut self, outlook: &Outlook) -> Option<Line> {
        match (outlook.logged_out, self.out) {
            (Some(since), None) if self.was_in => {
                self.out = Some(since);
                let what = if outlook.outage.is_some() {
                    "its token has ended"
                } else {
                    "its token is denied or over"
                };
                Some(line(Level::Warn, format!("login lost: {what}; logging in anew")))
            }
            (None, out) => {
                (self.was_in, self.out) = (true, None);
                let took = ago(out?, outlook.now);
                Some(line(Level::Info, format!("logged in again after {took}")))
            }
            _ => None,
        }
    }

    /// Returns a line for each file that is past its end from now on.
    fn ends(&mut self, outlook: &Outlook) -> Vec<Line> {
        let over = outlook.troubled.iter().filter(|one| matches!(one.health, Health::Expired(_)));
        let over: Vec<&TroubledFile> = over.collect();
        let names: BTreeSet<&str> = over.iter().map(|one| one.name.as_str()).gather();
        self.expired.retain(|name| names.contains(name.as_str()));
        let new = over.into_iter().filter(|one| self.expired.insert(one.name.clone()));
        let why = |one: &TroubledFile| match (&one.error, readiness::login_clause(outlook), &outlook.outage) {
            (Some(fault), _, _) => fault.text.clone(),
            (None, _, Some(outage)) => format!("the server is away since {}", ago(outage.since, outlook.now)),
            (None, Some(clause), None) => clause,
            (None, None, None) => "its successor is not there yet".to_owned(),
        };
        new.map(|one| line(Level::Error, format!("{} has expired: {}", one.name, why(one)))).collect()
    }

    fn turns(&mut self, outlook: &Outlook) -> Option<Line> {
        let ready = outlook.readiness.is_ready();
        match (self.ready.replace(ready), ready) {
            (Some(true), false) => {
                self.unready = Some(outlook.now);
                let files = readiness::files(outlook, 0).unwrap_or_default();
                Some(line(Level::Error, format!("not ready any more: {files}")))
            }
            (Some(false), true) => {
                let took = ago(self.unready.take()?, outlook.now);
                Some(line(Level::Info, format!("ready again after {took}")))
            }
            // Until the first time it is only on its way.
            (None, false) => {
                self.ready = None;
                None
            }
            _ => None,
        }
    }

    /// Returns what has been wrong for a minute or more, once a minute.
    fn stays(&mut self, outlook: &Outlook) -> Vec<Line> {
        let now = outlook.now;
        let troubles = troubles(outlook);
        let keys: BTreeSet<&str> = troubles.iter().map(|one| one.key.as_str()).gather();
        self.lasting.retain(|key, _| keys.contains(key.as_str()));
        let mut lines = Vec::new();
        for Trouble { key, since, level, what, why, failures } in troubles {
            let first = Lasting { since: since.unwrap_or(now), said: now, failures };
            let lasting = self.lasting.entry(key).or_insert(first);
            if lasting.said.until(now) < EVERY {
                continue;
            }
            let held_back = failures.saturating_sub(lasting.failures);
            let text = format!("{what} for {}: {why}", ago(lasting.since, now));
            lines.push(Line { level, text, held_back: (held_back > 0).then_some(held_back) });
            (lasting.said, lasting.failures) = (now, failures);
        }
        lines
    }
}

fn line(level: Level, text: String) -> Line {
    Line { level, text, held_back: None }
}

/// Returns everything that is wrong now: first the server and the login, which explain what is stale, then files,
/// with those of one reason together, and then notifiers.
fn troubles(outlook: &Outlook) -> Vec<Trouble> {
    let mut all = Vec::new();
    let hit = readiness::files(outlook, 0).map(|files| format!(" ({files})")).unwrap_or_default();
    if let Some(outage) = &outlook.outage {
        all.push(Trouble {
            key: "server".to_owned(),
            since: Some(outage.since),
            level: Level::Warn,
            what: "the server has been away".to_owned(),
            why: outage.why.clone() + &hit,
            failures: outlook.counters.failures,
        });
    }
    if let Some(login) = &outlook.login {
        let (what, since) = match outlook.logged_out {
            Some(since) => ("not logged in", since),
            None => ("logins have failed", login.since),
        };
        all.push(Trouble {
            key: "login".to_owned(),
            since: Some(since),
            level: Level::Error,
            what: what.to_owned(),
            why: login.why.clone() + &hit,
            failures: outlook.counters.failed_logins,
        });
    }
    all.extend(files(outlook));
    all.extend(outlook.unheard.iter().map(|one| Trouble {
        key: format!("notifier {}", one.name),
        since: None,
        level: Level::Warn,
        what: format!("{} could not be notified", one.name),
        why: one.why.clone(),
        failures: one.failures,
    }));
    all
}

fn files(outlook: &Outlook) -> Vec<Trouble> {
    let mut kinds: BTreeMap<(&str, &str), Vec<&TroubledFile>> = BTreeMap::new();
    for one in &outlook.troubled {
        // What is only stale is so by the server or the login.
        if let Some(fault) = &one.error {
            kinds.entry((one.health.name(), &fault.text)).or_default().push(one);
        } else if matches!(one.health, Health::Expired(_)) {
            kinds.entry((one.health.name(), "no successor could be had")).or_default().push(one);
        }
    }
    let trouble = |((state, why), of): ((&str, &str), Vec<&TroubledFile>)| {
        let since = of.iter().find_map(|one| match one.health {
            Health::Expired(since) | Health::Stale(since) => Some(since),
            _ => None,
        });
        Trouble {
            key: format!("files {state} {why}"),
            since,
            level: if state == "expired" { Level::Error } else { Level::Warn },
            what: format!("{} been {state}", names(&of)),
            why: why.to_owned(),
            failures: of.iter().map(|one| one.failures).max().unwrap_or_default(),
        }
    };
    kinds.into_iter().take(MOST_KINDS).map(trouble).collect()
}

/// Names files with their verb: "a has", "a, b and c have", "a, b, c and 997 more files have".
fn names(of: &[&TroubledFile]) -> String {
    let named: Vec<&str> = of.iter().take(MOST_NAMES).map(|one| one.name.as_str()).collect();
    match (named.as_slice(), of.len().saturating_sub(MOST_NAMES)) {
        ([one], _) => format!("{one} has"),
        ([first @ .., last], 0) => format!("{} and {last} have", first.join(", ")),
        (named, more) => format!("{} and {} have", named.join(", "), plural(more, "more file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::core::view::{Fault, LoginTrouble, Readiness, Unheard};
    use crate::observe::sample;

    /// An outlook that is looked at every minute, and that a test changes.
    struct Watched {
        life: Life,
        outlook: Outlook,
    }

    impl Watched {
        fn ready() -> Self {
            let mut watched = Self { life: Life::default(), outlook: sample::view_of_the_well().outlook() };
            assert_eq!(watched.after(0), [""; 0]);
            watched
        }

        /// Returns the lines that come so many seconds later.
        fn after(&mut self, seconds: u64) -> Vec<String> {
            self.outlook.now = self.outlook.now.after(Duration::from_secs(seconds));
            self.life.look(&self.outlook).into_iter().map(said).collect()
        }
    }

    fn said(line: Line) -> String {
        let held_back = line.held_back.map(|count| format!(" held_back={count}")).unwrap_or_default();
        format!("{:?} {}{held_back}", line.level, line.text)
    }

    fn troubled(name: &str, health: Health, error: Option<&str>) -> TroubledFile {
        let error = error.map(|text| Fault { class: "denied", text: text.to_owned() });
        TroubledFile { name: name.to_owned(), health, error, failures: 1 }
    }

    #[test]
    fn an_expiry_is_an_error_at_once_and_ready_again_says_how_long_it_took() {
        let mut watched = Watched::ready();
        let now = watched.outlook.now;
        watched.outlook.troubled = vec![troubled("db.env", Health::Expired(now), None)];
        watched.outlook.readiness = Readiness::Expired { file: "db.env".into(), why: String::new() };
        watched.outlook.logged_out = Some(now.before(Duration::from_secs(16)));
        watched.outlook.login = Some(LoginTrouble { since: now, why: "refused".into(), next: None });
        assert_eq!(
            watched.after(0),
            [
                "Warn login lost: its token is denied or over; logging in anew",
                "Error db.env has expired: not logged in since 16s: refused",
                "Error not ready any more: 1 of 2 files expired",
            ]
        );
        assert_eq!(watched.after(1), [""; 0]);
        watched.outlook = Outlook { now: watched.outlook.now, ..sample::view_of_the_well().outlook() };
        assert_eq!(watched.after(77), ["Info logged in again after 1m 34s", "Info ready again after 1m 18s"]);
    }

    #[test]
    fn what_stays_wrong_is_said_once_a_minute_with_how_often_it_failed_meanwhile() {
        let mut watched = Watched::ready();
        watched.outlook.troubled = vec![troubled("api-key", Health::Failing, Some("permission denied"))];
        assert_eq!(watched.after(0), [""; 0], "its first failure is logged by who met it");
        let due = watched.life.next().expect("it has to look again");
        assert_eq!(watched.outlook.now.until(due), EVERY);
        assert_eq!(watched.after(59), [""; 0]);
        watched.outlook.troubled[0].failures = 6;
        assert_eq!(watched.after(1), ["Warn api-key has been failing for 1m: permission denied held_back=5"]);
        assert_eq!(watched.after(59), [""; 0]);
        assert_eq!(watched.after(1), ["Warn api-key has been failing for 2m: permission denied"]);
        watched.outlook.troubled.clear();
        watched.after(1);
        assert_eq!(watched.life.next(), None);
    }

    #[test]
    fn a_server_that_is_silent_is_said_once_and_not_again_within_a_minute() {
        let mut watched = Watched::ready();
        let said = ["Warn the server has not answered for 3s; a request may take up to `vault.timeout`"];
        watched.outlook.silence = Some(watched.outlook.now);
        assert_eq!(watched.after(3), said);
        assert_eq!(watched.after(70), [""; 0], "it is the same silence");
        watched.outlook.silence = Some(watched.outlook.now);
        assert_eq!(watched.after(3), said);
        watched.outlook.silence = Some(watched.outlook.now);
        assert_eq!(watched.after(3), [""; 0]);
    }

    #[test]
    fn a_thousand_files_of_one_reason_are_one_line_and_stale_ones_are_counted_with_the_login() {
        let mut watched = Watched::ready();
        let now = watched.outlook.now;
        let file = |number| troubled(&format!("f{number}"), Health::Failing, Some("denied"));
        watched.outlook.troubled = (0..1000).map(file).collect();
        watched.outlook.files = 1001;
        watched.outlook.troubled.push(troubled("s", Health::Stale(now), None));
        watched.outlook.login = Some(LoginTrouble { since: now, why: "refused".into(), next: None });
        watched.outlook.unheard = vec![Unheard { name: "app".into(), why: "no answer".into(), failures: 1 }];
        watched.after(0);
        assert_eq!(
            watched.after(60),
            [
                "Error logins have failed for 1m: refused (1000 of 1001 files failing, 1 stale)",
                "Warn f0, f1, f2 and 997 more files have been failing for 1m: denied",
                "Warn app could not be notified for 1m: no answer",
            ]
        );
    }

    #[test]
    fn a_reload_is_no_loss_and_what_was_lost_before_it_is_regained_after_it() {
        let mut watched = Watched::ready();
        watched.life.reloading();
        watched.outlook.readiness = Readiness::NotRendered { file: "a".into(), why: String::new() };
        watched.outlook.logged_out = Some(watched.outlook.now);
        assert_eq!(watched.after(1), [""; 0]);
        watched.outlook = Outlook { now: watched.outlook.now, ..sample::view_of_the_well().outlook() };
        assert_eq!(watched.after(1), [""; 0]);
        watched.outlook.logged_out = Some(watched.outlook.now);
        assert_eq!(watched.after(1).len(), 1);
        watched.life.reloading();
        watched.outlook.logged_out = None;
        assert_eq!(watched.after(1), ["Info logged in again after 2s"]);
    }

    #[test]
    fn before_it_was_ready_nothing_is_called_lost() {
        let mut life = Life::default();
        let mut outlook = sample::view_of_the_well().outlook();
        outlook.readiness = Readiness::NotRendered { file: "a".into(), why: String::new() };
        outlook.logged_out = Some(outlook.now);
        assert_eq!(life.look(&outlook), []);
        let well = sample::view_of_the_well().outlook();
        assert_eq!(life.look(&well), []);
    }
}
