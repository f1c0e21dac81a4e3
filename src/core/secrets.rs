//! The life of one secret: found, resolved, read, renewed, replaced, read again, dropped.

use std::collections::BTreeSet;
use std::time::Duration;

use super::action::{Action, Level};
use super::agent::Agent;
use super::dice::pause;
use super::event::{Granted, LeaseFacts, Life, ReadFacts};
use super::files::Stage;
use super::graph::{Held, Op, Resolved, Step, Trouble};
use super::ids::{FileId, LeaseId, SecretId, TokenId};
use super::lease::{self, Lease};
use super::refresh::{self, Certificate};
use super::time::Moment;
use super::timers::Timer;
use super::view::NextAction;
use super::work::Job;
use crate::vault::failure::{Failure, FailureKind};
use crate::vault::request::Request;

/// The longest pause between tries of one secret.
const MOST: Duration = Duration::from_secs(60);
/// The first pause.
const FIRST: Duration = Duration::from_secs(1);
/// When the server is back, those who waited are spread over this.
const SPREAD: Duration = Duration::from_millis(1500);

impl Agent {
    /// Moves a secret to `step`: the one place that queues its requests and sets its deadline.
    pub(super) fn set_step(&mut self, id: SecretId, step: Step) {
        let Some(node) = self.graph.get_mut(id) else { return };
        let before = std::mem::replace(&mut node.step, step);
        self.timers.clear(&Timer::Secret(id));
        match (before, step) {
            (Step::Busy(old), Step::Busy(new)) if old == new => {}
            (Step::Busy(old), _) => self.work.remove(&Self::job(id, old)),
            _ => {}
        }
        if step == Step::Busy(Op::Read) {
            self.reading.insert(id);
        } else if self.reading.remove(&id) {
            self.touch_users(id);
        }
        match step {
            Step::Busy(op) => {
                let by = match op {
                    Op::Renew => self.secret_expires(id).unwrap_or_default(),
                    Op::Resolve | Op::Read => Moment::default(),
                };
                self.work.add(Self::job(id, op), by);
            }
            Step::Waiting { at, .. } => self.timers.set(Timer::Secret(id), at),
            Step::Idle | Step::Suspect(_) => {}
        }
    }

    /// A file needs this request, as written.
    pub(super) fn need(&mut self, request: &Request, file: FileId) -> SecretId {
        let id = self.graph.intern(request);
        if let Some(node) = self.graph.get_mut(id) {
            let new = node.users.insert(file);
            match (node.step, node.held.is_some()) {
                (Step::Idle, false) => self.set_step(id, Step::Busy(Op::Resolve)),
                // Adopted, and now known to be used.
                (Step::Idle, true) => self.plan(id),
                _ if new && self.awaits_refresh(id) => self.plan(id),
                _ => {}
            }
        }
        id
    }

    /// The secret waits for its next ordinary look, which a new user may want sooner.
    fn awaits_refresh(&self, id: SecretId) -> bool {
        let step = self.graph.get(id).map(|node| node.step);
        matches!(step, Some(Step::Waiting { what: NextAction::Read, .. }))
    }

    /// A file no longer needs this secret; what nobody needs is dropped.
    pub(super) fn unneed(&mut self, id: SecretId, file: FileId) {
        let Some(node) = self.graph.get_mut(id) else { return };
        node.users.remove(&file);
        if node.users.is_empty() && self.shelf.undiscovered.is_empty() {
            self.drop_secret(id, Some(file));
        }
    }

    /// Drops a secret that nobody uses; its lease goes once `file` is published without it.
    pub(super) fn drop_secret(&mut self, id: SecretId, file: Option<FileId>) {
        self.set_step(id, Step::Idle);
        self.stranded.remove(&id);
        self.judge.forget(id);
        let Some(node) = self.graph.remove(id) else { return };
        if let Some(lease) = node.held.and_then(|held| held.lease) {
            self.retire(lease, None, file.into_iter().collect());
        }
        if let Some(request) = node.request {
            self.out.push(Action::Forget(request));
        }
        self.keep(false);
    }

    /// The store no longer has what it held: it is read again, at the pace of a failure.
    pub(super) fn lose(&mut self, id: SecretId) {
        let lease = self.graph.get_mut(id).and_then(|node| node.held.take()).and_then(|held| held.lease);
        if let Some(lease) = lease {
            self.retire(lease, None, BTreeSet::new());
        }
        self.retry(id, Op::Read);
    }

    pub(super) fn resolved(&mut self, id: SecretId, result: Result<Request, Failure>) {
        if !self.work.finish(&Self::job(id, Op::Resolve)) || self.graph.get(id).is_none() {
            return;
        }
        match result {
            Ok(request) => {
                self.breaker.succeeded();
                match self.graph.resolve(id, request) {
                    Resolved::Itself => self.set_step(id, Step::Busy(Op::Read)),
                    Resolved::Same(other) => self.merged(id, other),
                }
            }
            Err(failure) => self.failed(id, Op::Resolve, self.session.current, failure),
        }
    }

    /// `gone` turned out to be `other`: files that waited for the one may have it already.
    fn merged(&mut self, gone: SecretId, other: SecretId) {
        self.timers.clear(&Timer::Secret(gone));
        self.stranded.remove(&gone);
        let users: Vec<FileId> =
            self.graph.get(other).map(|node| node.users.iter().copied().collect()).unwrap_or_default();
        for file in users {
            let file_mut = self.shelf.file_mut(file);
            if file_mut.uses.remove(&gone) {
                file_mut.uses.insert(other);
            }
            let waits = file_mut.needs.remove(&gone);
            if waits {
                file_mut.needs.insert(other);
            }
            if waits || matches!(file_mut.stage, Stage::Rendering { .. }) {
                self.shelf.mark(file, self.now.moment);
            }
        }
        if self.awaits_refresh(other) {
            self.plan(other);
        }
        self.keep(false);
    }

    pub(super) fn read(
        &mut self,
        id: SecretId,
        token: TokenId,
        sent: Moment,
        result: Result<ReadFacts, Failure>,
    ) {
        if !self.work.finish(&Self::job(id, Op::Read)) {
            return;
        }
        match result {
            Ok(facts) => {
                self.breaker.succeeded();
                if self.graph.get(id).is_some() {
                    self.hold(id, token, sent, facts);
                } else if let Some(lease) = facts.lease {
                    let lease = Lease::minted(lease, token, sent, MOST);
                    self.retire(lease, None, BTreeSet::new());
                }
            }
            Err(failure) if self.graph.get(id).is_some() => self.failed(id, Op::Read, Some(token), failure),
            Err(failure) => {
                self.note_failure(&failure);
            }
        }
        self.spend(token);
    }

    /// A new answer is in the store.
    fn hold(&mut self, id: SecretId, token: TokenId, sent: Moment, facts: ReadFacts) {
        if facts.lease.is_some() && self.is_spent(token) {
            self.refuse_last_use(id);
            return;
        }
        let lease = facts.lease.clone().map(|lease| self.minted(id, lease, token, sent));
        let certificate = match facts.life {
            Life::Until(until) => Some(Certificate::issued(until, self.now)),
            Life::Unknown | Life::RotatesIn(_) => None,
        };
        let Some(node) = self.graph.get_mut(id) else { return };
        let recovered = node.recovered();
        let zero = matches!(facts.life, Life::RotatesIn(ttl) if ttl.is_zero());
        node.zeros = if zero { node.zeros.saturating_add(1) } else { 0 };
        node.reads += 1;
        node.fresh = Some(self.now.moment);
        let dead = lease.as_ref().is_some_and(|lease| !self.session.is_alive(lease.token));
        let leased = lease.is_some();
        let held = Held { read: sent, lease, life: facts.life, certificate, version: facts.version };
        let before = node.held.replace(held);
        let (first, path) = (before.is_none(), node.path().to_owned());
        if facts.changed || first {
            self.mark_users(id);
        }
        if let Some(old) = before.and_then(|held| held.lease) {
            self.replaced(id, old);
        }
        self.tell_read(&path, recovered, facts.changed || first);
        self.keep(leased);
        let node = self.graph.get_mut(id);
        let again = node.is_some_and(|node| std::mem::take(&mut node.again));
        let leaving = leased && self.session.current != Some(token);
        if again || dead || leaving {
            self.set_step(id, Step::Busy(Op::Read));
        } else {
            self.plan(id);
        }
    }

    fn tell_read(&mut self, path: &str, recovered: bool, changed: bool) {
        if recovered {
            self.say(Level::Info, format!("{path} is readable again"));
        } else if changed {
            self.say(Level::Info, format!("read {path}"));
        } else {
            self.say(Level::Debug, format!("read {path}: unchanged"));
        }
    }

    fn minted(&mut self, id: SecretId, facts: LeaseFacts, token: TokenId, sent: Moment) -> Lease {
        if facts.ttl.is_zero() {
            let path = self.graph.get(id).map_or("", |node| node.path()).to_owned();
            self.say(
                Level::Warn,
                format!("{path} came with a lease of 0 s: replacing it at the refresh interval"),
            );
        }
        let mut lease = Lease::minted(facts, token, sent, self.refresh_of(id));
        lease.renewable &= self.graph.get(id).is_some_and(|node| !node.cannot_renew);
        lease
    }

    /// The old lease of a secret that was minted anew: given back once nothing uses it.
    fn replaced(&mut self, id: SecretId, old: Lease) {
        let Some(node) = self.graph.get_mut(id) else { return };
        if node.lease().is_some_and(|new| new.id == old.id) {
            return;
        }
        node.replacements += 1;
        if old.worn {
            // Its successor is the one that may be minted in its time.
            node.reminted = Some(self.now.moment);
        }
        let users = node.users.iter().copied();
        let files = users.filter(|file| self.shelf.file(*file).stale).collect();
        self.retire(old, Some(id), files);
    }

    pub(super) fn renewed(
        &mut self,
        id: SecretId,
        lease: &LeaseId,
        sent: Moment,
        result: Result<Granted, Failure>,
    ) {
        if !self.work.finish(&Self::job(id, Op::Renew)) {
            return;
        }
        let Some(held) = self.graph.get_mut(id).and_then(|node| node.lease_mut()) else { return };
        let token = held.token;
        if held.id == *lease {
            match result {
                Ok(granted) => {
                    self.breaker.succeeded();
                    held.renewed(sent, granted);
                    self.renewal_done(id);
                }
                Err(failure) => self.failed(id, Op::Renew, Some(token), failure),
            }
        }
        self.spend(token);
    }

    fn renewal_done(&mut self, id: SecretId) {
        let now = self.now.moment;
        let Some(node) = self.graph.get_mut(id) else { return };
        node.renewals += 1;
        node.fresh = Some(now);
        let (recovered, path) = (node.recovered(), node.path().to_owned());
        let token = node.lease().map(|lease| lease.token);
        let level = if recovered { Level::Info } else { Level::Debug };
        self.say(level, format!("renewed the lease of {path}"));
        self.keep(true);
        if token == self.session.current {
            self.plan(id);
        } else {
            // A login has taken over since: its successor is due whatever this renewal brought.
            self.set_step(id, Step::Busy(Op::Read));
        }
    }

    /// Plans the next ordinary step of a secret that is held.
    pub(super) fn plan(&mut self, id: SecretId) {
        let (draw, refresh, now) = (self.draw(id), self.refresh_of(id), self.now);
        let Some(node) = self.graph.get(id) else { return };
        let Some(held) = &node.held else { return };
        let mut next = match (&held.lease, held.certificate) {
            (Some(lease), _) => lease.next(draw),
            (None, Some(_)) => (NextAction::Replace, Moment::new(Duration::MAX)),
            (None, None) => refresh::next(held.life, held.read, refresh, node.zeros, draw),
        };
        if let Some(certificate) = held.certificate {
            let at = certificate.next(held.read, refresh, now, draw);
            if at < next.1 {
                next = (NextAction::Replace, at);
            }
        }
        let op = if next.0 == NextAction::Renew { Op::Renew } else { Op::Read };
        self.set_step(id, Step::Waiting { what: next.0, at: next.1, op });
    }

    /// The shortest refresh among the files that use a secret.
    pub(super) fn refresh_of(&self, id: SecretId) -> Duration {
        let users = self.graph.get(id).into_iter().flat_map(|node| &node.users);
        users.map(|file| self.policy.files[file.0].refresh).min().unwrap_or(Duration::from_secs(300))
    }

    /// The secret's deadline has come.
    pub(super) fn secret_due(&mut self, id: SecretId) {
        let now = self.now.moment;
        let Some(node) = self.graph.get(id) else { return };
        let Step::Waiting { op, .. } = node.step else { return };
        // A lease that is over cannot be renewed.
        let over = op == Op::Renew && self.secret_expires(id).is_some_and(|end| end <= now);
        self.set_step(id, Step::Busy(if over { Op::Read } else { op }));
    }

    /// Tries `op` again within the time over which returning work is spread.
    pub(super) fn spread(&mut self, id: SecretId, op: Op) {
        let at = self.now.moment.after(SPREAD.mul_f64(self.draw(id)));
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
    }

    /// A request about a secret failed.
    fn failed(&mut self, id: SecretId, op: Op, token: Option<TokenId>, failure: Failure) {
        if self.note_failure(&failure) {
            self.stranded.insert(id);
            self.trouble(id, op, &failure, false);
            self.retry(id, op);
            return;
        }
        match (failure.kind, op) {
            (FailureKind::Denied, _) => self.denied(id, op, token, failure),
            (FailureKind::Rejected | FailureKind::Missing, Op::Renew) => self.lease_unknown(id, &failure),
            (FailureKind::NotYet, _) => {
                self.trouble(id, op, &failure, false);
                let at = self.now.moment.after(FIRST);
                self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
            }
            (kind, _) => {
                let definitive = op != Op::Renew
                    && matches!(kind, FailureKind::Missing | FailureKind::Rejected | FailureKind::Local);
                self.trouble(id, op, &failure, definitive);
                self.retry(id, op);
            }
        }
    }

    /// Tries `op` again after a pause that grows: of a lease at a pace that fits what is left of
    /// it, of anything else up to a minute or its refresh interval.
    pub(super) fn retry(&mut self, id: SecretId, op: Op) {
        let (draw, now, refresh) = (self.draw(id), self.now.moment, self.refresh_of(id));
        let end = self.secret_expires(id).filter(|end| *end > now);
        let Some(node) = self.graph.get_mut(id) else { return };
        node.tries = node.tries.saturating_add(1);
        let most = if node.lease().is_some() { MOST } else { MOST.min(refresh) };
        let backoff = now.after(pause(node.tries, FIRST, most, draw));
        let at = match (op, end) {
            (Op::Renew, Some(end)) => lease::retry(now, end, draw),
            (Op::Read, Some(end)) if node.lease().is_some() => backoff.min(lease::retry(now, end, draw)),
            _ => backoff,
        };
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
    }

    /// The server does not renew this lease: it is lost, past its `max_ttl`, or the engine behind
    /// it is down; the status does not tell. The lease is used up to its end, and minted anew at
    /// most once in the time it was granted.
    fn lease_unknown(&mut self, id: SecretId, failure: &Failure) {
        self.trouble(id, Op::Renew, failure, false);
        let now = self.now.moment;
        let Some(node) = self.graph.get_mut(id) else { return };
        let reminted = node.reminted;
        let Some(lease) = node.lease_mut() else { return };
        if reminted.is_some_and(|at| at.until(now) < lease.granted) {
            lease.worn = true;
            self.plan(id);
        } else {
            node.reminted = Some(now);
            self.set_step(id, Step::Busy(Op::Read));
        }
    }

    /// Notes a failure, and tells of it where it is news.
    pub(super) fn trouble(&mut self, id: SecretId, op: Op, failure: &Failure, definitive: bool) {
        let Some(node) = self.graph.get_mut(id) else { return };
        let path = node.path();
        let text = match (failure.kind, op) {
            (FailureKind::Missing, Op::Resolve | Op::Read) => {
                format!("{path} does not exist: {}", failure.why)
            }
            (_, Op::Resolve | Op::Read) => format!("could not read {path}: {}", failure.why),
            (_, Op::Renew) => format!("could not renew the lease of {path}: {}", failure.why),
        };
        let kind = failure.kind;
        let first = node.trouble.is_none();
        let known = node.trouble.as_ref().is_some_and(|before| before.kind == kind);
        node.trouble = Some(Trouble { kind, text: text.clone(), definitive });
        if first {
            self.touch_users(id);
        }
        // Of an outage the breaker tells once for all.
        if !known && !super::breaker::is_outage(kind) {
            self.say(Level::Warn, text);
        }
    }

    /// `min(lease, its token)`, or the end of a certificate; none where nothing expires.
    pub(super) fn secret_expires(&self, id: SecretId) -> Option<Moment> {
        let held = self.graph.get(id)?.held.as_ref()?;
        let lease = held.lease.as_ref().map(|lease| self.lease_expires(lease));
        let certificate = held.certificate.map(|certificate| certificate.expires(self.now));
        lease.into_iter().chain(certificate).min()
    }

    /// `min(lease, its token)`.
    pub(super) fn lease_expires(&self, lease: &Lease) -> Moment {
        self.session.expires(lease.token).map_or(lease.expires, |end| end.min(lease.expires))
    }

    /// Looks at everything without a lease now (`POST /refresh`, HUP).
    pub(super) fn refresh(&mut self) {
        for id in self.graph.ids() {
            let Some(node) = self.graph.get_mut(id) else { continue };
            let leased =
                node.held.as_ref().is_some_and(|held| held.lease.is_some() || held.certificate.is_some());
            match node.step {
                Step::Busy(Op::Read) if !leased => node.again = self.work.is_under_way(&Job::Read(id)),
                // Nobody asks for a new lease or certificate by asking for news.
                Step::Waiting { .. } if leased => {}
                Step::Waiting { op, .. } => self.set_step(id, Step::Busy(op)),
                Step::Idle | Step::Busy(_) | Step::Suspect(_) => {}
            }
        }
    }

    /// Where the wall clock has jumped, certificates are planned anew; nothing else depends on it.
    pub(super) fn watch_clock(&mut self) {
        if !self.clock.has_jumped(self.now) {
            return;
        }
        for id in self.graph.ids() {
            let Some(node) = self.graph.get(id) else { continue };
            let dated = node.held.as_ref().is_some_and(|held| held.certificate.is_some());
            let waits = matches!(node.step, Step::Waiting { what, .. } if what != NextAction::Retry);
            if dated && waits {
                self.plan(id);
            }
        }
    }
}
