//! Pauses that the server asked for, and which requests they hold for.
//!
//! A server that answers 429 to one path says nothing about the others, and a maintenance page with a `Retry-After`
//! of an hour must not stop renewals for an hour. So a pause holds for the path that was asked to pause. If a second
//! path of the same mount is asked, too, before any request below that mount succeeds, the pause holds for the mount.
//! If two mounts are held, it holds for all reads. Renewals are a lane of their own. After a pause, one request at a
//! time finds out whether the server takes more.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::engine::Engine;
use crate::interface::action::Level;
use crate::interface::ids::SecretId;
use crate::interface::ids::TokenId;
use crate::interface::view::NextAction;
use crate::secrets::graph::{Op, Step};
use crate::tools::dice::pause;
use crate::tools::work::Job;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// No pause is longer, whatever the server asks for: a page that asks for an hour may be gone in a minute, and the
/// files must be current within a minute of that.
const LONGEST: Duration = Duration::from_secs(50);
/// The first pause where the server names no time. It doubles up to [`UNNAMED`].
const FIRST: Duration = Duration::from_secs(1);
/// The longest pause where the server names no time.
const UNNAMED: Duration = Duration::from_secs(5);
/// A named pause that is shorter than this is the usual course of a quota.
const NEWS: Duration = Duration::from_secs(5);

/// Requests that a server may count together.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Lane {
    /// Reads below the first part of a path, which is mostly the mount.
    Mount(String),
    /// All reads.
    Reads,
    /// Renewals of leases.
    Renewals,
}

/// Returns half of the time until `end`, and a second at the least: no pause lasts beyond that.
pub(crate) fn half_of(now: Moment, end: Moment) -> Duration {
    (now.until(end) / 2).max(FIRST)
}

/// Returns the line about a request that the server asked to put off, and its level; `None` if it named no time.
pub(crate) fn told_to_wait(what: &str, failure: &Failure, wait: Duration) -> Option<(Level, String)> {
    let FailureKind::Overloaded(Some(asked)) = failure.kind else { return None };
    let level = if asked < NEWS { Level::Info } else { Level::Warn };
    let (asked, wait, why) = (asked.as_secs(), wait.as_secs(), &failure.why);
    Some((level, format!("{what}: {why}; asked to come back in {asked} s, asking again in {wait} s")))
}

#[derive(Debug)]
struct Pause {
    /// The secret that was asked to pause first.
    told: SecretId,
    until: Moment,
    /// A second secret was asked, too, so the pause holds for the whole lane.
    held: bool,
    /// How many pauses in a row the lane was asked for.
    times: u32,
}

/// The pauses that hold, and the lanes that have not shown yet that they take more than one request.
#[derive(Debug, Default)]
pub(crate) struct Pauses(BTreeMap<Lane, Pause>);

impl Pauses {
    /// Returns whether no request is slowed down.
    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    fn told(&mut self, lane: &Lane, who: SecretId, wait: Option<Duration>, now: Moment, draw: f64) -> Moment {
        let fresh = Pause { told: who, until: now, held: false, times: 0 };
        let one = self.0.entry(lane.clone()).or_insert(fresh);
        if one.until <= now {
            one.times = one.times.saturating_add(1);
        }
        one.held |= one.told != who;
        let wait = match wait {
            // A little later than asked, and not all at the same moment.
            Some(asked) => asked.min(LONGEST).saturating_add(FIRST.mul_f64(draw)),
            None => pause(one.times, FIRST, UNNAMED, draw),
        };
        one.until = one.until.max(now.after(wait));
        let (until, times) = (one.until, one.times);
        let is_held =
            |(lane, one): (&Lane, &Pause)| matches!(lane, Lane::Mount(_)) && one.held && one.until > now;
        if self.0.iter().filter(|one| is_held(*one)).count() > 1 {
            self.0.insert(Lane::Reads, Pause { told: who, until, held: true, times });
        }
        now.after(wait)
    }

    fn held_until(&self, lane: &Lane) -> Option<Moment> {
        let of = |lane| self.0.get(lane).filter(|one| one.held).map(|one| one.until);
        let all = matches!(lane, Lane::Mount(_)).then_some(&Lane::Reads).and_then(of);
        of(lane).into_iter().chain(all).max()
    }

    /// Ends the pauses of a lane after a success. An answer that was asked for before the pause proves nothing.
    fn succeeded(&mut self, lane: &Lane, now: Moment) {
        let over = |one: &Pause| one.until <= now;
        if matches!(lane, Lane::Mount(_)) && self.0.get(&Lane::Reads).is_some_and(over) {
            self.0.remove(&Lane::Reads);
        }
        if self.0.get(lane).is_some_and(over) {
            self.0.remove(lane);
        }
    }
}

impl Engine {
    fn lane(&self, job: &Job) -> Option<Lane> {
        let mount = |id: &SecretId| {
            let path = self.graph.get(*id)?.path();
            Some(Lane::Mount(path.split('/').next().unwrap_or(path).to_owned()))
        };
        match job {
            Job::Resolve(id) | Job::Read(id) => mount(id),
            Job::Renew(_) => Some(Lane::Renewals),
            _ => None,
        }
    }

    /// Records that the server itself answered `op`, and did not ask for a pause.
    pub(crate) fn taken(&mut self, id: SecretId, op: Op) {
        self.stranded.remove(&id);
        if let (false, Some(lane)) = (self.upstream.pauses.is_empty(), self.lane(&Self::job(id, op))) {
            self.upstream.pauses.succeeded(&lane, self.now.moment);
        }
    }

    /// Puts off a request about a secret, since the server asked for a pause: for `asked`, if it named a time.
    pub(crate) fn come_later(&mut self, id: SecretId, op: Op, asked: Option<Duration>, failure: &Failure) {
        self.retry(id, op);
        let Some(lane) = self.lane(&Self::job(id, op)) else { return };
        let (now, draw, news) = (self.now.moment, self.draw(id), !self.upstream.pauses.0.contains_key(&lane));
        let until = self.upstream.pauses.told(&lane, id, asked, now, draw);
        let Some(Step::Waiting { at, op, .. }) = self.graph.get(id).map(|node| node.step) else { return };
        let at = self.in_time(id, at.max(until));
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
        let path = self.graph.get(id).map_or("", |node| node.path());
        if let (true, Some((level, text))) = (news, told_to_wait(path, failure, now.until(at))) {
            self.say_of(id, level, text);
        }
    }

    /// Returns `at`, or halfway to the end of what the secret holds if that is sooner: no pause lasts beyond the
    /// moment when a lease needs its renewal.
    fn in_time(&self, id: SecretId, at: Moment) -> Moment {
        let now = self.now.moment;
        match self.secret_expires(id).filter(|end| *end > now) {
            Some(end) => at.min(now.after(half_of(now, end))),
            None => at,
        }
    }

    /// Returns when the token itself may be looked up or renewed again: `at`, or later if the server asked for a
    /// pause. The pause ends halfway to the token's end at the latest, as for a lease. The end of a token from before
    /// a reboot is not known.
    pub(crate) fn token_may_come(&mut self, token: TokenId, at: Moment, failure: &Failure) -> Moment {
        let FailureKind::Overloaded(Some(asked)) = failure.kind else { return at };
        let (now, draw) = (self.now.moment, self.session_draw());
        let later = now.after(asked.min(LONGEST).saturating_add(FIRST.mul_f64(draw)));
        let end = self
            .upstream
            .session
            .logins
            .get(&token)
            .filter(|login| !login.undated)
            .and_then(|login| login.expires);
        match end.filter(|end| *end > now) {
            Some(end) => at.max(later.min(now.after(half_of(now, end)))),
            None => at.max(later),
        }
    }

    /// Returns whether a job has to wait: for a pause of its lane, for the one request that finds out, or for another
    /// login. If so, puts it off.
    pub(crate) fn is_put_off(&mut self, job: &Job) -> bool {
        if job.is_revocation() {
            return self.is_revocation_put_off(job);
        }
        let (Job::Resolve(id) | Job::Read(id) | Job::Renew(id)) = *job else { return false };
        if *job == Job::Read(id) && self.is_better_left_to_successor(id) {
            // This is checked here, since the job may have waited for the server since it was due.
            let at = self.now.moment.after(FIRST);
            self.set_step(id, Step::Waiting { what: NextAction::Replace, at, op: Op::Read });
            return true;
        }
        if self.upstream.pauses.is_empty() {
            return false;
        }
        let Some(lane) = self.lane(job) else { return false };
        let (now, draw) = (self.now.moment, self.draw(id));
        let spread = FIRST.mul_f64(0.25 + 0.75 * draw);
        let at = match self.upstream.pauses.held_until(&lane) {
            Some(until) if until > now && self.is_pressing(id) => return false,
            Some(until) if until > now => self.in_time(id, until.after(spread)),
            _ if self.is_narrow(&lane) => now.after(spread),
            _ => return false,
        };
        let Some(Step::Busy(op)) = self.graph.get(id).map(|node| node.step) else { return false };
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
        true
    }

    /// Returns whether at most a quarter of a lease's life is left. Such a lease waits for no pause that others were
    /// asked for. Each pause would take half of what is left, until nothing is left.
    fn is_pressing(&self, id: SecretId) -> bool {
        let (Some(end), Some(lease)) =
            (self.secret_expires(id), self.graph.get(id).and_then(|node| node.lease()))
        else {
            return false;
        };
        self.now.moment.until(end) <= lease.asked.until(end) / 4
    }

    /// Returns whether a lane that was asked to pause is busy: it takes one request at a time.
    fn is_narrow(&self, lane: &Lane) -> bool {
        let narrow = |of: &Lane| self.upstream.pauses.0.get(of).is_some_and(|one| one.held);
        let reads = matches!(lane, Lane::Mount(_));
        let alike = |job: &Job| match self.lane(job) {
            Some(Lane::Mount(_)) if reads && narrow(&Lane::Reads) => true,
            other => other.as_ref() == Some(lane),
        };
        (narrow(lane) || (reads && narrow(&Lane::Reads))) && self.work.under_way(alike)
    }

    /// Returns how long a server that asks for a pause may be left alone: half of what is left of the lease or token
    /// that ends first.
    pub(crate) fn patience(&self) -> Duration {
        let now = self.now.moment;
        let leases = self.graph.ids().into_iter().filter_map(|id| self.secret_expires(id));
        let ends = leases.chain(self.upstream.session.login().and_then(|login| login.expires));
        let first = ends.filter(|end| *end > now).min();
        first.map_or(Duration::MAX, |end| now.until(end) / 2)
    }
}
