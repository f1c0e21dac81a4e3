//! Goes on from what an earlier run left: its logins, what it read, and what it still had to revoke.
//!
//! A start asks nothing for its own sake. Otherwise a fleet whose sidecars all start anew at once would meet at the
//! server. What they adopt says when it has to be renewed or polled. If a token has died meanwhile, its next use
//! shows that, as it would have shown it to the earlier run. Only if no use is near is the token looked up, and not
//! by all pods at once ([`PROOF`]).
//!
//! The token is looked up first in three cases:
//!
//! - something is about to be made of it that cannot be taken back (the files of `init`, the process of `exec`);
//! - the earlier run had reason to doubt it;
//! - it comes from another boot, so that only the server knows how long it lives.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::files::notice::Reader;
use crate::interface::action::{Action, Level};
use crate::interface::event::Life;
use crate::interface::ids::{FileId, NotifierId, TokenId};
use crate::interface::policy::Mode;
use crate::interface::snapshot::{KeptLease, KeptSecret, KeptToken, Refusals, Snapshot};
use crate::interface::view::NextAction;
use crate::secrets::graph::{Held, Op, Step};
use crate::secrets::lease::Lease;
use crate::secrets::refresh::Certificate;
use crate::tools::dice::number;
use crate::tools::timers::Timer;
use crate::upstream::login::{Login, Standing};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// A token from an earlier run has shown that it lives, or is looked up, within this time. Tokens and leases that
/// live for less than twice as long are renewed before, and what is polled every five minutes is polled before. So a
/// look-up is rare, and the remaining ones are one request a pod in a quarter of an hour.
const PROOF: Duration = Duration::from_secs(15 * 60);
/// How long a use of the token that was due is waited for, before the token is looked up.
const USE: Duration = Duration::from_secs(30);

impl Engine {
    /// Starts the engine, since the driver is up.
    pub(crate) fn start(&mut self, kept: Option<Snapshot>, rebooted: bool) {
        if !matches!(self.phase, Phase::New) {
            return;
        }
        self.phase = Phase::Running;
        if let Mode::Init { timeout } | Mode::Exec { timeout } = self.policy.mode {
            self.timers.set(Timer::Init, self.now.moment.after(timeout));
        }
        if let Some(kept) = kept {
            let now = self.now.moment;
            let kept = if rebooted { redated(kept, now) } else { doubted(kept, now) };
            self.adopt(kept, rebooted);
        }
        for index in 0..self.policy.files.len() {
            self.shelf.mark(FileId(index), self.now.moment);
        }
        // A process whose environment needs nothing from a server needs no login.
        if self.policy.logs_in && self.upstream.session.current.is_none() && !self.policy.files.is_empty() {
            self.want_login(true);
        }
    }

    fn adopt(&mut self, kept: Snapshot, rebooted: bool) {
        self.upstream.session.adopt_refusals(kept.refusals, self.now.moment);
        if rebooted {
            // How long ago they were is not known, and the person who restarted the machine may have fixed the cause.
            self.upstream.session.pardon(self.now.moment);
            if self.upstream.session.refusals.is_some() {
                // They count from now on. If this run is killed before it has written that, the next one would count
                // from its own start, and a run that is killed again and again would never log in.
                self.keep(true);
            }
        }
        self.setback |= self.upstream.session.is_locked(self.now.moment);
        self.upstream.judge.can_look_up = kept.blind.then_some(false);
        let owed = self.owe(&kept.untold);
        self.keeper.unsorted = true;
        // The doubt stays until it is settled: this run may be killed before it has asked.
        self.upstream.judge.unsure = kept.unsure;
        self.adopt_tokens(&kept.tokens, &owed);
        if kept.ending {
            self.doubt_all();
        }
        let unknown = self.upstream.session.login().is_some_and(Login::is_awaited);
        if unknown && kept.blind {
            // The token may not look itself up, so nothing shows how long it lives.
            self.upstream.session.current = None;
            self.upstream.session.logins.values_mut().for_each(|login| login.state = Standing::Leaving);
        }
        let all: BTreeSet<FileId> = (0..self.policy.files.len()).map(FileId).gather();
        // A reader that was not notified of everything on disk may still use what it was made of.
        self.retirees.begin(all, owed.iter().copied().map(Reader::Notifier), self.now.moment);
        for secret in kept.secrets {
            if let Some(lease) = &secret.lease {
                self.retirees.leave(&lease.id, owed.iter().copied().map(Reader::Notifier), self.now.moment);
            }
            let awaited = kept.awaited.get(&secret.request).copied();
            self.adopt_secret(secret, awaited);
        }
        for lease in kept.retiring {
            if lease.latest > self.now.moment {
                let lease = Lease::adopted(lease, self.now.moment);
                let id = lease.id.clone();
                if self.retirees.adopt(lease) {
                    self.free_leases(vec![id]);
                }
            }
        }
        for id in self.standing(Standing::Leaving) {
            self.leave(id);
        }
        match self.upstream.session.current {
            Some(token) => {
                self.plan_token(token);
                self.plan_proof(token, unknown || kept.unsure);
                // `init` goes on without waiting for that, and the mark stays for the daemon.
                if !matches!(self.policy.mode, Mode::Init { .. }) {
                    self.follow_exposed();
                }
            }
            // A person who reads the log has to see why nothing happens.
            None => self.tell_refusals(rebooted),
        }
    }

    /// Logs how an earlier run was refused, and when the login is tried again: its own log may be gone.
    fn tell_refusals(&mut self, rebooted: bool) {
        let Some(refusals) = self.upstream.session.refusals.clone() else { return };
        let now = self.now.moment;
        let when = match rebooted {
            true => "before the machine was restarted".to_owned(),
            false => format!("{} ago", spoken(refusals.last.until(now))),
        };
        let next = now.until(self.upstream.session.earliest(now, true, 0.0));
        let next =
            if next < Duration::from_secs(2) { "now".to_owned() } else { format!("in {}", spoken(next)) };
        let text = format!("a login was refused {when}: {}; the next try is {next}", refusals.why);
        self.say(Level::Warn, text.clone());
        if self.upstream.session.is_locked(now) {
            self.upstream.session.failed(refusals.last, Failure::new(FailureKind::Refused, text));
        }
    }

    fn adopt_tokens(&mut self, tokens: &[KeptToken], owed: &BTreeSet<NotifierId>) {
        let now = self.now.moment;
        for token in tokens {
            self.upstream.session.taken(token.id);
            self.upstream.session.at_home_in(&token.accessor);
            if token.latest.is_some_and(|end| end <= now) {
                self.out.push(Action::DropToken(token.id));
                continue;
            }
            let mut login = Login::adopted(token, now);
            login.state = Standing::Leaving;
            self.upstream.session.add(token.id, login);
            self.sinks.may_show(token.id, owed);
            self.plan_token(token.id);
        }
        let is_good = |token: &&KeptToken| token.expires.is_none_or(|end| end > now);
        let last = tokens.iter().rev().find(|token| !token.leaving).filter(is_good).map(|token| token.id);
        if let Some(login) = last.and_then(|id| self.upstream.session.logins.get_mut(&id)) {
            login.state = Standing::Good;
            self.upstream.session.current = last;
        }
    }

    /// Doubts all logins, since the earlier run was revoking what it had: it is not known what is left.
    fn doubt_all(&mut self) {
        for login in self.upstream.session.logins.values_mut() {
            login.doubted = Some(self.now.moment);
        }
    }

    fn adopt_secret(&mut self, kept: KeptSecret, awaited: Option<Moment>) {
        let now = self.now;
        let id = self.graph.adopt(kept.request, kept.written);
        let lease = kept.lease.map(|lease| Lease::adopted(lease, kept.read));
        let orphaned = |lease: &Lease| !self.upstream.session.is_alive(lease.token);
        let orphan = lease.as_ref().is_some_and(orphaned);
        let over = orphan || lease.as_ref().is_some_and(|lease| lease.expires <= now.moment);
        let over = over || matches!(kept.life, Life::EndsIn(ttl) if kept.read.after(ttl) <= now.moment);
        let renewable = !orphan && lease.as_ref().is_some_and(|lease| lease.undated && lease.renewable);
        let certificate = match kept.life {
            Life::Until(until) => Some(Certificate::adopted(until, kept.read, now)),
            Life::Unknown | Life::EndsIn(_) | Life::RotatesIn(_) => None,
        };
        let Some(node) = self.graph.get_mut(id) else { return };
        let (version, version_id) = (kept.version, None);
        let mut held = Held { read: kept.read, lease, life: kept.life, certificate, version, version_id };
        match &mut held.lease {
            // Its login may have been in another namespace, and then did not take the lease along.
            Some(lease) if orphan && lease.outlives(&self.upstream.session.home) => {
                lease.orphaned(now.moment)
            }
            Some(lease) if orphan => lease.died(now.moment),
            _ => {}
        }
        node.fresh = Some(kept.read);
        node.held = Some(held);
        if let Some(at) = awaited {
            self.set_step(id, Step::Waiting { what: NextAction::Retry, at, op: Op::Read });
        }
        if over {
            // A renewal shows what is left of a lease whose times are on another clock.
            self.set_step(id, Step::Busy(if renewable { Op::Renew } else { Op::Read }));
        }
        // The others are planned when the first file shows that it uses them: only then is their refresh interval
        // known.
    }

    /// Records that an earlier run did not notify these notifiers. `init` notifies when everything is published, or
    /// leaves it to the next run. The process of `exec` starts with everything anyway.
    fn owe(&mut self, untold: &BTreeSet<String>) -> BTreeSet<NotifierId> {
        let all = (0..self.policy.notifiers.len()).map(NotifierId);
        let owed = all.filter(|id| untold.contains(self.notices.name(*id)) && !self.is_child(*id));
        let owed: BTreeSet<NotifierId> = owed.gather();
        for id in &owed {
            self.notices.owe(*id);
            if !matches!(self.policy.mode, Mode::Init { .. }) {
                self.notify(*id);
            }
        }
        owed
    }

    /// Plans how the adopted token shows that it lives; at once if it has to do so `first`.
    fn plan_proof(&mut self, token: TokenId, first: bool) {
        if self.upstream.judge.can_look_up == Some(false) {
            // A token that may not look itself up shows with its first request whether it lives.
            return;
        }
        if first || self.is_starting() {
            self.look_up(Some(token));
            return;
        }
        let now = self.now.moment;
        self.upstream.judge.proof_by = now.after(PROOF);
        let at = self.dice.beat(now, PROOF, number("proof"));
        self.timers.set(Timer::Proof(token), at);
    }

    /// Looks the adopted token up, since no request has shown yet that it lives. If one is due soon, waits for that.
    pub(crate) fn proof_due(&mut self, token: TokenId) {
        let secrets = self.graph.iter().map(|(id, _)| Timer::Secret(id));
        let uses = secrets.chain([Timer::Token(token)]).filter_map(|timer| self.timers.at(&timer));
        match uses.min().filter(|at| *at <= self.upstream.judge.proof_by) {
            Some(at) => self.timers.set(Timer::Proof(token), at.max(self.now.moment).after(USE)),
            None => self.look_up(Some(token)),
        }
    }

    /// Records that the server granted a request that was sent with this token at `sent`, when it therefore lived.
    pub(crate) fn proven(&mut self, token: TokenId, sent: Moment) {
        self.timers.clear(&Timer::Proof(token));
        if let Some(login) = self.upstream.session.logins.get_mut(&token) {
            login.used = Some(sent);
            login.doubted = None;
        }
    }
}

/// Returns a time in whole seconds, or in whole minutes from two minutes on.
fn spoken(time: Duration) -> String {
    let seconds = time.as_secs();
    if seconds < 120 { format!("{seconds} s") } else { format!("{} m", seconds.div_ceil(60)) }
}

/// Marks what has ended according to the handoff as undated, since the server may know better: the run before may have
/// been killed just after it had asked for a renewal, or could no longer write the handoff and went on renewing. Such a
/// token is looked up before another login takes over, and such leases are renewed before others are minted. A token
/// that may not look itself up cannot be asked about.
fn doubted(mut kept: Snapshot, now: Moment) -> Snapshot {
    let is_over = |end: Moment| end <= now;
    let last = kept.tokens.iter_mut().rev().find(|token| !token.leaving);
    let last = last.filter(|token| token.renewable && !kept.blind && token.expires.is_some_and(is_over));
    if let Some(token) = last {
        *token = undated_token(token.clone(), now);
    }
    let living = |id: TokenId| {
        let lives = |token: &KeptToken| token.id == id && !token.latest.is_some_and(is_over);
        kept.tokens.iter().any(lives)
    };
    let leases = kept.secrets.iter_mut().filter_map(|secret| secret.lease.as_mut());
    for lease in leases.filter(|lease| lease.renewable && is_over(lease.expires) && living(lease.token)) {
        *lease = undated_lease(lease.clone(), now);
    }
    lengthen(&mut kept, now);
    kept
}

/// Takes into account that whatever was good may have been renewed since the last write. The end that is written down
/// holds for what it is good for. For how long the server may keep it, it does not: a token would be revoked while its
/// leases are in use, or be left unrevoked.
fn lengthen(kept: &mut Snapshot, now: Moment) {
    for lease in kept.secrets.iter_mut().filter_map(|secret| secret.lease.as_mut()) {
        if lease.renewable && lease.expires > now {
            lease.latest = lease.latest.max(now.after(lease.granted));
        }
    }
    for token in kept.tokens.iter_mut().filter(|token| token.renewable && !token.leaving) {
        if let (Some(latest), Some(granted)) = (&mut token.latest, token.granted) {
            *latest = (*latest).max(now.after(granted));
        }
    }
}

/// Returns a lease of which only the server knows what is left. It is not known to be good, and may live for as long
/// as it was ever granted.
fn undated_lease(lease: KeptLease, now: Moment) -> KeptLease {
    KeptLease { expires: now, latest: now.after(lease.granted), undated: true, ..lease }
}

/// Returns such a token.
fn undated_token(token: KeptToken, now: Moment) -> KeptToken {
    let most = token.granted.map(|granted| now.after(granted));
    KeptToken { expires: most, latest: most, undated: true, ..token }
}

/// Moves a snapshot from the clock of another boot to that of this one. Nothing in it is known to be good, and
/// everything may live for as long as it was ever granted.
fn redated(kept: Snapshot, now: Moment) -> Snapshot {
    let lease = |lease: KeptLease| undated_lease(lease, now);
    let token = |token: KeptToken| undated_token(token, now);
    let secret = |secret: KeptSecret| KeptSecret {
        read: match secret.life {
            // Its end is on the wall clock, and how long it had to live when it was issued is not known.
            Life::Until(_) | Life::EndsIn(_) => now,
            Life::Unknown | Life::RotatesIn(_) => Moment::default(),
        },
        life: match secret.life {
            // How long it still lives is not known.
            Life::EndsIn(_) => Life::EndsIn(Duration::ZERO),
            other => other,
        },
        lease: secret.lease.map(lease),
        ..secret
    };
    Snapshot {
        tokens: kept.tokens.into_iter().map(token).collect(),
        secrets: kept.secrets.into_iter().map(secret).collect(),
        retiring: kept.retiring.into_iter().map(lease).collect(),
        // A restart of the machine does not make the server forget refusals.
        refusals: kept.refusals.map(|refusals| Refusals { last: now, ..refusals }),
        ..kept
    }
}
