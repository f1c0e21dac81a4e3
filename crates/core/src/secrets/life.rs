//! The life of one secret: it is found, resolved, read, renewed, replaced and dropped.

use std::time::Duration;

use crate::engine::Engine;
use crate::files::shelf::Stage;
use crate::interface::action::{Action, Level};
use crate::interface::event::{Granted, LeaseFacts, Life, ReadFacts};
use crate::interface::ids::{FileId, LeaseId, SecretId, TokenId};
use crate::secrets::graph::{Held, Node, Op, Resolved, Step};
use crate::secrets::lease::Lease;
use crate::secrets::refresh::Certificate;
use crate::secrets::retire::OnDisk;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::mounts::Path;
use leasehold_base::failure::Failure;
use leasehold_base::request::Request;
use leasehold_base::time::Moment;

/// How often a value is asked for again, over a minute, that stays the same although its rotation was moved.
const DOUBTS: u32 = 6;
/// The life of an unneeded lease for which the server names none.
const UNTOLD: Duration = Duration::from_secs(60);

impl Engine {
    /// Moves a secret to `step`: the one place that queues its requests and sets its deadline.
    pub(crate) fn set_step(&mut self, id: SecretId, step: Step) {
        let Some(node) = self.graph.get_mut(id) else { return };
        let before = std::mem::replace(&mut node.step, step);
        self.timers.clear(&Timer::Secret(id));
        match (before, step) {
            (Step::Busy(old), Step::Busy(new)) if old == new => {}
            (Step::Busy(old), _) => self.work_of(id).remove(&Self::job(id, old)),
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
                self.work_of(id).add(Self::job(id, op), by);
            }
            Step::Waiting { at, .. } => self.timers.set(Timer::Secret(id), at),
            Step::Idle | Step::Suspect(_) => {}
        }
    }

    /// Returns whether the lease of a secret is not worth replacing now. It lasts about as long as its token, whose
    /// successor is coming and will have the secret read anew. A lease of the old token would end with it in a
    /// moment.
    pub(crate) fn is_better_left_to_successor(&self, id: SecretId) -> bool {
        let Some(lease) = self.graph.get(id).and_then(|node| node.lease()) else { return false };
        let coming = self.upstream.session.planned && self.work.has(&Job::LogIn);
        let Some((login, end)) =
            self.upstream.session.login().and_then(|login| Some((login, login.expires?)))
        else {
            return false;
        };
        let spare = login.granted.unwrap_or_default() / 10;
        let bound = self.upstream.session.current == Some(lease.token) && lease.expires.after(spare) >= end;
        coming && bound && self.lease_expires(lease) > self.now.moment
    }

    /// Records that a file needs this request, as written.
    pub(crate) fn need(&mut self, request: &Request, file: FileId) -> SecretId {
        let id = self.graph.intern(request);
        if let Some(node) = self.graph.get_mut(id) {
            let new = node.users.insert(file);
            match (node.step, node.held.is_some()) {
                (Step::Idle, false) if node.store.is_some() => self.set_step(id, Step::Busy(Op::Read)),
                (Step::Idle, false) => self.set_step(id, Step::Busy(Op::Resolve)),
                // The secret was adopted, and is now known to be used.
                (Step::Idle, true) => self.plan(id),
                _ if new && self.awaits_refresh(id) => self.plan(id),
                _ => {}
            }
        }
        id
    }

    /// Records that a file no longer needs this secret, and drops the secret if no file does.
    pub(crate) fn unneed(&mut self, id: SecretId, file: FileId) {
        let Some(node) = self.graph.get_mut(id) else { return };
        node.users.remove(&file);
        if node.users.is_empty() && self.shelf.undiscovered.is_empty() {
            self.drop_secret(id);
        }
    }

    /// Drops a secret that no file uses. Its lease is revoked once no file on disk depends on it.
    pub(crate) fn drop_secret(&mut self, id: SecretId) {
        self.set_step(id, Step::Idle);
        self.stranded.remove(&id);
        self.upstream.judge.forget(id);
        let Some(node) = self.graph.remove(id) else { return };
        if let Some(lease) = node.held.and_then(|held| held.lease) {
            let files = self.shelf.still_made_of(id, &node.users);
            self.retire(lease, None, OnDisk { files, earlier: node.reads == 0 });
        }
        if let Some(request) = node.request {
            self.out.push(Action::Forget(request));
        }
        self.keep(false);
    }

    /// Handles that the store no longer has the secret's value: it is read again, at the pace of a failure.
    pub(crate) fn lose(&mut self, id: SecretId) {
        self.mark_users(id);
        let Some(node) = self.graph.get_mut(id) else { return };
        let (held, earlier) = (node.held.take(), node.reads == 0);
        if let Some(lease) = held.and_then(|held| held.lease) {
            let files = self.shelf.still_made_of(id, &node.users);
            self.retire(lease, Some(id), OnDisk { files, earlier });
        }
        self.retry(id, Op::Read);
    }

    pub(crate) fn resolved(&mut self, id: SecretId, result: Result<Request, Failure>) {
        if !self.work.finish(&Self::job(id, Op::Resolve), self.now.moment) || self.graph.get(id).is_none() {
            return;
        }
        match result {
            Ok(request) => {
                self.upstream.breaker.succeeded();
                self.taken(id, Op::Resolve);
                let mut moved = false;
                if let Some(node) = self.graph.get_mut(id) {
                    node.path = Path::Known;
                    node.mount_asked = Some(self.now.moment);
                    moved = node.held.is_some() && node.request.as_deref() != Some(&request);
                }
                let place = match self.graph.resolve(id, request) {
                    Resolved::Itself => {
                        self.set_step(id, Step::Busy(Op::Read));
                        id
                    }
                    Resolved::Same(other) => {
                        self.merged(id, other);
                        other
                    }
                };
                if moved {
                    // Another secret may be read there already, and a request that is written in the former form does
                    // not mean this secret any more.
                    self.mark_users(place);
                }
            }
            Err(failure) => self.failed(id, Op::Resolve, self.upstream.session.current, failure),
        }
    }

    /// Moves the users of `gone` to `other`, which is the same secret. A file that waited for `gone` may have its
    /// value already.
    pub(crate) fn merged(&mut self, gone: SecretId, other: SecretId) {
        self.timers.clear(&Timer::Secret(gone));
        self.stranded.remove(&gone);
        let users: Vec<FileId> =
            self.graph.get(other).map(|node| node.users.iter().copied().collect()).unwrap_or_default();
        let waits = |file: &FileId| self.shelf.file(*file).needs.contains(&gone);
        let waiting: Vec<FileId> = users.iter().copied().filter(waits).collect();
        self.shelf.merge(gone, other, &users);
        let turned = self.graph.get(other).and_then(|node| node.turned);
        for file in users {
            let waits = waiting.contains(&file);
            // If the secret changed under its other name after a rendering began, that file was not marked for it.
            let outrun = turned.is_some_and(|at| at >= self.shelf.file(file).began);
            if waits || outrun || matches!(self.shelf.file(file).stage, Stage::Rendering { .. }) {
                self.shelf.mark(file, self.now.moment);
            }
        }
        if self.is_too_old(other) {
            self.set_step(other, Step::Busy(Op::Read));
        } else if self.awaits_refresh(other) {
            self.plan(other);
        }
        self.keep(false);
    }

    pub(crate) fn read(
        &mut self,
        id: SecretId,
        token: TokenId,
        sent: Moment,
        result: Result<ReadFacts, Failure>,
    ) {
        if !self.work.finish(&Self::job(id, Op::Read), self.now.moment) {
            return;
        }
        match result {
            Ok(facts) => {
                self.upstream.breaker.succeeded();
                self.taken(id, Op::Read);
                self.proven(token, sent);
                if self.graph.get(id).is_some() {
                    self.inspect_users(id);
                    if self.is_doubtful_answer(id, &facts) {
                        self.put_aside(id);
                    } else {
                        self.hold(id, Some(token), sent, facts);
                    }
                } else if let Some(lease) = facts.lease {
                    let lease = self.of_nobody(lease, token, sent);
                    self.retire(lease, None, OnDisk::default());
                }
            }
            Err(failure) if self.graph.get(id).is_some() && !self.is_overtaken(id) => {
                self.failed(id, Op::Read, Some(token), failure);
            }
            Err(failure) => {
                self.note_failure(&failure);
            }
        }
        self.spend(token);
    }

    /// Returns whether a read that has failed is not wanted any more. The answer to a renewal came so late that the
    /// lease seemed to be over. It lives after all, and its renewals go on.
    fn is_overtaken(&self, id: SecretId) -> bool {
        let step = self.graph.get(id).map(|node| node.step);
        matches!(step, Some(Step::Busy(Op::Renew) | Step::Waiting { op: Op::Renew, .. }))
    }

    /// Records that a new answer is in the store. `token` is the login that it was read with, which may hold its
    /// lease; `None` if it comes from another store than the Vault.
    pub(crate) fn hold(&mut self, id: SecretId, token: Option<TokenId>, sent: Moment, facts: ReadFacts) {
        if facts.lease.is_some() && token.is_some_and(|token| self.is_spent(token)) {
            self.refuse_last_use(id, "its lease dies with the token");
            return;
        }
        let held = self.held(id, token, sent, &facts);
        let leased = held.lease.is_some();
        let dead = leased && token.is_some_and(|token| !self.upstream.session.is_alive(token));
        let Some(node) = self.graph.get_mut(id) else { return };
        let recovered = node.recovered();
        node.reads += 1;
        node.path = Path::Known;
        node.fresh = Some(self.now.moment);
        let before = node.held.replace(held);
        let (first, path) = (before.is_none(), node.path().to_owned());
        node.outstanding = outstanding(node, before.as_ref(), facts.rotated);
        if facts.changed || first {
            node.turned = Some(self.now.moment);
            self.mark_users(id);
        }
        if let Some(old) = before.and_then(|held| held.lease) {
            self.replaced(id, old);
        }
        self.tell_read(id, &path, recovered, facts.changed || first);
        // The time of a read that found no change is not worth writing down.
        if leased || first || facts.changed || facts.life != Life::Unknown {
            self.keep(leased);
        }
        let node = self.graph.get_mut(id);
        let again = node.is_some_and(|node| {
            let ends =
                node.held.as_ref().is_some_and(|held| held.lease.is_some() || held.certificate.is_some());
            let news = std::mem::take(&mut node.news) && !ends;
            std::mem::take(&mut node.again) || news
        });
        let leaving = leased && self.upstream.session.current != token;
        if again || dead || leaving {
            self.set_step(id, Step::Busy(Op::Read));
        } else {
            self.plan(id);
        }
    }

    /// Makes what the engine remembers of an answer.
    fn held(&mut self, id: SecretId, token: Option<TokenId>, sent: Moment, facts: &ReadFacts) -> Held {
        let leased = facts.lease.clone().zip(token);
        let mut lease = leased.map(|(lease, token)| self.minted(id, lease, token, sent));
        if let Some(lease) = lease.as_mut().filter(|lease| !self.upstream.session.is_alive(lease.token)) {
            self.login_was_over(lease);
        }
        let certificate = match facts.life {
            Life::Until(until) => Some(Certificate::issued(until, self.now)),
            Life::Unknown | Life::EndsIn(_) | Life::RotatesIn(_) => None,
        };
        let (version, version_id) = (facts.version, facts.version_id.clone());
        Held { read: sent, lease, life: facts.life, certificate, version, version_id }
    }

    /// Records an answer that comes at the end of the run. It is in the store, and so in the handoff: the next run
    /// goes on from it, and not from the answer before it.
    pub(crate) fn hold_for_the_next(&mut self, id: SecretId, token: TokenId, sent: Moment, facts: ReadFacts) {
        if self.is_doubtful_answer(id, &facts) {
            return;
        }
        if self.graph.get(id).is_none() {
            if let Some(lease) = facts.lease {
                let lease = self.of_nobody(lease, token, sent);
                self.retirees.add(lease, None, OnDisk::default());
            }
            return;
        }
        let held = self.held(id, Some(token), sent, &facts);
        let Some(node) = self.graph.get_mut(id) else { return };
        if let Some(old) = node.held.replace(held).and_then(|held| held.lease) {
            self.retirees.add(old, None, OnDisk::default());
        }
    }

    /// Makes the lease of an answer whose secret no file needs any more: it is only revoked.
    fn of_nobody(&self, facts: LeaseFacts, token: TokenId, sent: Moment) -> Lease {
        Lease::minted(facts, token, (sent, self.now.moment), UNTOLD)
    }

    fn tell_read(&mut self, id: SecretId, path: &str, recovered: bool, changed: bool) {
        if recovered {
            self.say_of(id, Level::Info, format!("{path} is readable again"));
        } else if changed {
            self.say_of(id, Level::Info, format!("read {path}"));
        } else {
            self.say_of(id, Level::Debug, format!("read {path}: unchanged"));
        }
    }

    fn minted(&mut self, id: SecretId, facts: LeaseFacts, token: TokenId, sent: Moment) -> Lease {
        if facts.ttl.is_zero() {
            let path = self.graph.get(id).map_or("", |node| node.path()).to_owned();
            self.say_of(
                id,
                Level::Warn,
                format!("{path} came with a lease of 0 s: replacing it at the refresh interval"),
            );
        }
        Lease::minted(facts, token, (sent, self.now.moment), self.refresh_of(id))
    }

    /// Retires the old lease of a secret that was minted anew: it is revoked once nothing uses it.
    fn replaced(&mut self, id: SecretId, old: Lease) {
        let Some(node) = self.graph.get_mut(id) else { return };
        if node.lease().is_some_and(|new| new.id == old.id) {
            return;
        }
        node.replacements += 1;
        if old.worn {
            // Its successor is minted no sooner than this lease's own life allows.
            node.reminted = Some(self.now.moment);
        }
        // The first read of this run replaces a lease of an earlier run.
        let earlier = node.reads <= 1;
        let files = self.shelf.still_made_of(id, &node.users);
        self.retire(old, Some(id), OnDisk { files, earlier });
    }

    pub(crate) fn renewed(
        &mut self,
        id: SecretId,
        lease: &LeaseId,
        sent: Moment,
        result: Result<Granted, Failure>,
    ) {
        if !self.work.finish(&Self::job(id, Op::Renew), self.now.moment) {
            return;
        }
        let Some(held) = self.graph.get_mut(id).and_then(|node| node.lease_mut()) else { return };
        let token = held.token;
        let (over, orphan) = (!self.upstream.session.is_alive(token), held.orphan);
        match result {
            _ if held.id != *lease => {}
            // The lease died with its login meanwhile. Its successor is due, whatever the answer says.
            Ok(_) if over => self.upstream.breaker.succeeded(),
            Err(failure) if over => {
                self.note_failure(&failure);
            }
            Ok(granted) => {
                self.upstream.breaker.succeeded();
                held.renewed(sent, self.now.moment, granted);
                // An orphan is renewed with itself, which proves nothing about the login.
                if !orphan {
                    self.proven(token, sent);
                }
                self.renewal_done(id);
            }
            Err(failure) => self.failed(id, Op::Renew, Some(token), failure),
        }
        self.spend(token);
    }

    fn renewal_done(&mut self, id: SecretId) {
        self.taken(id, Op::Renew);
        let now = self.now.moment;
        let Some(node) = self.graph.get_mut(id) else { return };
        node.renewals += 1;
        node.fresh = Some(now);
        let (recovered, path) = (node.recovered(), node.path().to_owned());
        let token = node.lease().map(|lease| lease.token);
        let again = std::mem::take(&mut node.again);
        let level = if recovered { Level::Info } else { Level::Debug };
        self.say_of(id, level, format!("renewed the lease of {path}"));
        self.keep(false);
        if token == self.upstream.session.current && !again {
            self.plan(id);
        } else {
            // A login has taken over since, or a new value is wanted: the successor is due whatever this renewal
            // brought.
            self.set_step(id, Step::Busy(Op::Read));
        }
    }
}

/// Returns how many answers in a row leave a rotation outstanding, including the one that is held now. Some servers
/// reset the time before the password: if the time was moved and the value is the same, the value is asked for again
/// soon. The value may also stay the same for good, for instance after a period was made longer.
fn outstanding(node: &Node, before: Option<&Held>, rotated: bool) -> u32 {
    let Some(now) = &node.held else { return 0 };
    let more = node.outstanding.saturating_add(1);
    let put_off = before.is_some_and(|before| now.is_put_off(before));
    match now.life {
        Life::RotatesIn(ttl) if ttl.is_zero() => more,
        Life::RotatesIn(_) if !rotated && (put_off || node.outstanding > 0) && more <= DOUBTS => more,
        _ => 0,
    }
}
