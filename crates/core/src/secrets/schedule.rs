//! When the next request about a secret goes: its ordinary plan, and what follows a failure.

use std::time::Duration;

use crate::engine::Engine;
use crate::files::inspect::Look;
use crate::interface::action::Level;
use crate::interface::ids::{SecretId, TokenId};
use crate::interface::view::NextAction;
use crate::secrets::graph::{Held, Op, Step, Trouble};
use crate::secrets::lease::{self, Lease};
use crate::secrets::refresh;
use crate::tools::dice::{number, pause};
use leasehold_base::failure::{Failure, FailureKind, NOTHING};
use leasehold_base::time::Moment;

/// The longest pause between tries for one secret. Within a minute of the server's return, its file is on disk: the
/// answer, the second in which other changes are waited for, and the rendering take the rest of that minute.
pub(crate) const MOST: Duration = Duration::from_secs(55);
/// The first pause between tries.
const FIRST: Duration = Duration::from_secs(1);
/// When the server is back, polls that waited are spread over this time: all agents of the server have waited for it.
const NEWS: Duration = Duration::from_secs(3);
/// The same for what an application waits for, or what has expired.
const URGENT: Duration = Duration::from_millis(1500);
/// A lease that lives on for a while is renewed within a tenth of what is left, and within this time at most.
const IN_TIME: Duration = Duration::from_secs(30);

/// After this many renewals in a row without an answer, while other requests are answered, a lease that may be over is
/// replaced.
const UNANSWERED: u32 = 3;

/// Returns the time over which the renewal of something that ends at `end` may be spread. What ends in a moment is
/// renewed before that.
pub(crate) fn in_time(now: Moment, end: Moment) -> Duration {
    let left = now.until(end);
    (left / 10).clamp(URGENT, IN_TIME).min(left / 2)
}

impl Engine {
    /// Returns whether the secret waits for its next poll, which a new user may want sooner.
    pub(crate) fn awaits_refresh(&self, id: SecretId) -> bool {
        let step = self.graph.get(id).map(|node| node.step);
        matches!(step, Some(Step::Waiting { what: NextAction::Read, .. }))
    }

    /// Returns whether the value that is held is older than a file that uses it allows. A value from an earlier run
    /// may be: its polls are planned from the start of this run, whatever the refresh of a file that has only now
    /// come to use it.
    pub(crate) fn is_too_old(&self, id: SecretId) -> bool {
        let held = self.graph.get(id).and_then(|node| node.held.as_ref());
        let old = held.is_some_and(|held| held.read.until(self.now.moment) > self.refresh_of(id));
        old && self.awaits_refresh(id)
    }

    /// Plans the next ordinary step of a secret that has a value.
    pub(crate) fn plan(&mut self, id: SecretId) {
        let (refresh, now) = (self.refresh_of(id), self.now);
        let Some(node) = self.graph.get(id) else { return };
        let Some(held) = &node.held else { return };
        let draw = self.dice.draw(node.number, held.name());
        let mut next = match (&held.lease, held.certificate) {
            (Some(lease), _) => lease.next(draw),
            (None, Some(_)) => (NextAction::Replace, Moment::new(Duration::MAX)),
            (None, None) => {
                let own = node.reads > 0;
                let beat = self.beat(refresh, if own { held.read } else { now.moment });
                refresh::next(held.life, held.read, (refresh, beat), node.outstanding, draw)
            }
        };
        // Before the first read the beat counts from now, and may come later than what was planned: for another file, or by
        // the engine before this one.
        if let Step::Waiting { what, at, op: Op::Read } = node.step
            && node.reads == 0
            && held.lease.is_none()
            && at < next.1
        {
            next = (what, at);
        }
        if let Some(certificate) = held.certificate {
            let at = certificate.next(held.read, refresh, now, draw);
            if at < next.1 {
                next = (NextAction::Replace, at);
            }
        }
        let op = if next.0 == NextAction::Renew { Op::Renew } else { Op::Read };
        self.set_step(id, Step::Waiting { what: next.0, at: next.1, op });
    }

    /// Returns when this pod next polls what it polls every `refresh`, given its last read. The polls of an earlier run
    /// that found no change were not written down. So its values may be older than they seem, but reading all of them at
    /// a start would make a thousand pods that restart together meet at the server.
    fn beat(&self, refresh: Duration, read: Moment) -> Moment {
        self.dice.beat(read.after(Duration::from_nanos(1)), refresh, number("look"))
    }

    /// Returns the shortest refresh interval of the files that use a secret.
    pub(crate) fn refresh_of(&self, id: SecretId) -> Duration {
        let users = self.graph.get(id).into_iter().flat_map(|node| &node.users);
        users.map(|file| self.policy.files[file.0].refresh).min().unwrap_or(Duration::from_secs(300))
    }

    /// Starts the next step of a secret whose deadline has come.
    pub(crate) fn secret_due(&mut self, id: SecretId) {
        let now = self.now.moment;
        let Some(node) = self.graph.get(id) else { return };
        let Step::Waiting { op, .. } = node.step else { return };
        // A lease that is over cannot be renewed. One that may be over is replaced if the server answers only other requests.
        let dated = node.lease().is_some_and(|lease| !lease.undated);
        let answered = dated || (node.tries >= UNANSWERED && !self.upstream.breaker.is_confirmed());
        let over = op == Op::Renew && answered && self.secret_expires(id).is_some_and(|end| end <= now);
        self.set_step(id, Step::Busy(if over { Op::Read } else { op }));
    }

    /// Tries `op` again within the time over which returning work is spread. That time is shorter if the secret ends
    /// sooner.
    pub(crate) fn spread(&mut self, id: SecretId, op: Op) {
        let now = self.now.moment;
        let held = self.graph.get(id).is_some_and(|node| node.held.is_some());
        let over = match self.secret_expires(id) {
            Some(end) if end > now => in_time(now, end),
            None if held => self.work.pace.stretched(NEWS),
            Some(_) | None => self.work.pace.stretched(URGENT),
        };
        let at = now.after(over.mul_f64(self.draw(id)));
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
    }

    /// Handles a failed request about a secret.
    pub(crate) fn failed(&mut self, id: SecretId, op: Op, token: Option<TokenId>, failure: Failure) {
        if let Some(node) = self.graph.get_mut(id) {
            node.failures += 1;
        }
        if self.is_doubtful_refusal(id, &failure) {
            self.note_failure(&failure);
            self.taken(id, op);
            self.ask_about_mount(id);
            return;
        }
        let moved = op == Op::Read && self.may_have_moved(id, &failure);
        if moved && !self.is_mount_certain(id) {
            self.note_failure(&failure);
            self.taken(id, op);
            self.ask_about_mount_again(id);
            return;
        }
        let refused = matches!(failure.kind, FailureKind::Denied | FailureKind::Missing);
        let op = match op {
            Op::Read if refused && self.graph.may_be_unresolved(id) => Op::Resolve,
            op => op,
        };
        if self.note_failure(&failure) {
            self.stranded.insert(id);
            self.trouble(id, op, &failure, false);
            match failure.kind {
                FailureKind::Overloaded(asked) => self.come_later(id, op, asked, &failure),
                _ => self.retry(id, op),
            }
            return;
        }
        if failure.kind != FailureKind::Nonsense {
            self.taken(id, op);
        } else if !self.upstream.breaker.is_closed() {
            self.stranded.insert(id);
        }
        match (failure.kind, op) {
            (FailureKind::Denied, _) => self.denied(id, op, token, failure),
            // OpenBao itself says so if a lease would have died with the token's last use.
            (FailureKind::Rejected, Op::Read) if token.is_some_and(|token| self.is_spent(token)) => {
                self.refuse_last_use(id, &failure.why);
            }
            (FailureKind::Rejected | FailureKind::Missing, Op::Renew) => self.lease_unknown(id, &failure),
            (kind, _) => {
                let definitive = op != Op::Renew
                    && matches!(kind, FailureKind::Missing | FailureKind::Rejected | FailureKind::Local);
                self.trouble(id, op, &failure, definitive);
                self.retry(id, op);
                if moved {
                    self.retry_by_mount(id);
                }
            }
        }
    }

    /// Tries `op` again after a pause that grows. A lease is retried at a pace that fits what is left of it; anything
    /// else after at most a minute or its refresh interval.
    pub(crate) fn retry(&mut self, id: SecretId, op: Op) {
        let (draw, now, refresh) = (self.draw(id), self.now.moment, self.refresh_of(id));
        let end = self.secret_expires(id).filter(|end| *end > now);
        let Some(node) = self.graph.get_mut(id) else { return };
        node.tries = node.tries.saturating_add(1);
        let minted = node.held.as_ref().is_some_and(Held::is_minted);
        let most = if node.lease().is_some() { MOST } else { MOST.min(refresh) };
        let backoff = now.after(pause(node.tries, FIRST, most, draw));
        let at = match (op, end) {
            (Op::Renew, Some(end)) => lease::retry(now, end, draw),
            (Op::Read, Some(end)) if minted => backoff.min(lease::retry(now, end, draw)),
            _ => backoff,
        };
        self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op });
    }

    /// Handles that the server does not renew this lease. It is lost, past its `max_ttl`, or the engine behind it is
    /// down; the status does not tell these apart. The lease is used up to its end, and minted anew at most once in
    /// the time that it was granted.
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

    /// Records a failure, and logs it if it is news.
    pub(crate) fn trouble(&mut self, id: SecretId, op: Op, failure: &Failure, definitive: bool) {
        let Some(node) = self.graph.get_mut(id) else { return };
        let path = node.path();
        let text = match (failure.kind, op) {
            (FailureKind::Missing, Op::Resolve | Op::Read) => match failure.why.strip_prefix(NOTHING) {
                Some(status) => format!("{path} does not exist{status}"),
                None => format!("{path} does not exist: {}", failure.why),
            },
            (_, Op::Resolve | Op::Read) => format!("could not read {path}: {}", failure.why),
            (_, Op::Renew) => format!("could not renew the lease of {path}: {}", failure.why),
        };
        self.setback |= definitive;
        let Failure { kind, advised, .. } = *failure;
        let first = node.trouble.is_none();
        let before = node.trouble.as_ref().filter(|before| before.kind == kind);
        let (known, told) = (before.is_some(), before.is_some_and(|before| before.told));
        node.trouble = Some(Trouble { kind, text: text.clone(), advised, definitive, told });
        if first {
            self.touch_users(id);
        }
        // An outage is logged once, by the breaker. At a start, a definitive failure is reported when the start fails
        // for it.
        let told_at_the_end = definitive && self.is_starting();
        if !known && !kind.is_outage() && !told_at_the_end {
            self.say_of(id, Level::Warn, text);
        }
    }

    /// Returns the end of the lease or its token, or the end that the data names, whichever is sooner; `None` if
    /// nothing ends.
    pub(crate) fn secret_expires(&self, id: SecretId) -> Option<Moment> {
        let held = self.graph.get(id)?.held.as_ref()?;
        let lease = held.lease.as_ref().map(|lease| self.lease_expires(lease));
        lease.into_iter().chain(held.own_end(self.now)).min()
    }

    /// Returns the end of the lease or its token, whichever is sooner.
    pub(crate) fn lease_expires(&self, lease: &Lease) -> Moment {
        self.upstream.session.expires(lease.token).map_or(lease.expires, |end| end.min(lease.expires))
    }

    /// Polls everything without a lease now (`POST /refresh`, HUP).
    pub(crate) fn refresh(&mut self) {
        self.rewrap();
        self.inspect_all(Look::Thorough);
        for id in self.graph.ids() {
            self.look_at(id);
        }
    }

    /// Reads a secret without a lease now.
    pub(crate) fn look_at(&mut self, id: SecretId) {
        let Some(node) = self.graph.get_mut(id) else { return };
        let leased = node.held.as_ref().is_some_and(Held::is_minted);
        match node.step {
            Step::Busy(Op::Read) if !leased => {
                let news = self.is_being_read(id);
                self.graph.get_mut(id).into_iter().for_each(|node| node.news = news);
            }
            // A request for news does not ask for a new lease, token or certificate.
            Step::Waiting { .. } if leased => {}
            Step::Waiting { op, .. } => self.set_step(id, Step::Busy(op)),
            // The secret was adopted, and no file has shown yet that it uses it.
            Step::Idle if !leased && node.held.is_some() => self.set_step(id, Step::Busy(Op::Read)),
            Step::Idle | Step::Busy(_) | Step::Suspect(_) => {}
        }
    }

    /// Plans certificates anew if the wall clock has jumped; nothing else depends on it.
    pub(crate) fn watch_clock(&mut self) {
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_renewal_of_what_ends_in_a_moment_is_spread_over_half_of_that() {
        let at = |millis| Moment::new(Duration::from_millis(millis));
        assert_eq!(in_time(at(1000), at(2000)), Duration::from_millis(500));
        assert_eq!(in_time(at(1000), at(11_000)), URGENT);
        assert_eq!(in_time(at(1000), at(1000)), Duration::ZERO);
    }
}
