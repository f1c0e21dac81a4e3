//! The engine's one entrance: an event and the time go in, actions come out.
//!
//! Each event is handled in three steps. The event is taken in. Deadlines that have passed are handled. Then
//! everything settles: what can be rendered is rendered, what can be published is published, and requests are sent as
//! far as the limit, the breaker and the login allow. The rooms beside this one each carry one part of `impl Engine`.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeSet;
use std::time::Duration;

use crate::files::child::Child;
use crate::files::inspect::{Inspector, Look};
use crate::files::notice::Notices;
use crate::files::shelf::Shelf;
use crate::files::sinks::Sinks;
use crate::interface::action::{About, Action, Level, Question, Say};
use crate::interface::event::Event;
use crate::interface::ids::{FileId, LeaseId, SecretId, TokenId};
use crate::interface::policy::Policy;
use crate::interface::view::Counters;
use crate::run::farewell::Farewell;
use crate::run::first::First;
use crate::run::handoff::Keeper;
use crate::secrets::graph::{Graph, Op};
use crate::secrets::refresh::ClockWatch;
use crate::secrets::retire::Retirees;
use crate::stores::Stores;
use crate::tools::dice::Dice;
use crate::tools::timers::{Timer, Timers};
use crate::tools::work::{Job, Work};
use crate::upstream::Upstream;
use crate::upstream::mounts::Path;
use leasehold_base::time::{Moment, Now};

/// The engine. Give it every event, perform every action that it returns, and give it the outcomes.
#[derive(Debug)]
pub struct Engine {
    pub(crate) policy: Policy,
    pub(crate) dice: Dice,
    pub(crate) now: Now,
    pub(crate) phase: Phase,
    pub(crate) timers: Timers,
    pub(crate) work: Work,
    pub(crate) upstream: Upstream,
    pub(crate) stores: Stores,
    pub(crate) graph: Graph,
    pub(crate) shelf: Shelf,
    pub(crate) sinks: Sinks,
    pub(crate) inspector: Inspector,
    pub(crate) notices: Notices,
    pub(crate) child: Option<Child>,
    pub(crate) retirees: Retirees,
    pub(crate) keeper: Keeper,
    pub(crate) counters: Counters,
    pub(crate) clock: ClockWatch,
    /// Secrets whose read is queued or under way.
    pub(crate) reading: BTreeSet<SecretId>,
    /// Secrets whose last request met a server that was away.
    pub(crate) stranded: BTreeSet<SecretId>,
    /// Something has failed that retrying will not fix: a start checks whether it must end. A look at all files that
    /// finds nothing of the kind ends this until the next failure: a file goes on needing what failed, until that is
    /// there.
    pub(crate) setback: bool,
    /// A file of which not everything was tried yet at the last look.
    pub(crate) untried: FileId,
    pub(crate) first: First,
    pub(crate) out: Vec<Action>,
}

/// What the engine is doing as a whole.
#[derive(Debug)]
pub(crate) enum Phase {
    /// Not started.
    New,
    /// At work.
    Running,
    /// At work only until what is under way has ended: a successor goes on.
    Yielding,
    /// Asked to stop, and at work until the delay is over.
    Draining,
    /// Giving back what it has, then ending.
    Leaving(Farewell),
    /// Over: events are no longer answered.
    Over,
}

impl Engine {
    /// Makes an engine that waits for [`Event::Start`].
    #[must_use]
    pub fn new(policy: Policy) -> Self {
        let dice = Dice::new(policy.seed);
        Self {
            dice,
            now: Now { moment: Moment::default(), wall: 0 },
            phase: Phase::New,
            timers: Timers::default(),
            work: Work::new(policy.max_in_flight),
            upstream: Upstream::new(&policy, dice),
            stores: Stores::new(&policy.stores),
            graph: Graph::new(&policy.stores),
            shelf: Shelf::new(&policy),
            sinks: Sinks::new(&policy.files),
            inspector: Inspector::default(),
            notices: Notices::new(&policy.notifiers, dice),
            child: policy.child.map(Child::new),
            retirees: Retirees::default(),
            keeper: Keeper::default(),
            counters: Counters::default(),
            clock: ClockWatch::default(),
            reading: BTreeSet::new(),
            stranded: BTreeSet::new(),
            setback: false,
            untried: FileId(0),
            first: First::new(policy.first_ready),
            out: Vec::new(),
            policy,
        }
    }

    /// Takes in what happened and returns what to do, in this order.
    #[must_use]
    pub fn handle(&mut self, event: Event, now: Now) -> Vec<Action> {
        // Two clocks that are read one after the other may cross, but the core's time never goes back. It never
        // stands still, either: what is published at the very moment when a process is started is not what that
        // process started with.
        let later = self.now.moment.after(Duration::from_nanos(1));
        self.now = Now { moment: now.moment.max(later), wall: now.wall };
        match self.phase {
            Phase::Over => return Vec::new(),
            Phase::Leaving(_) => self.take_leaving(event),
            _ => {
                self.watch_clock();
                self.take(event);
            }
        }
        self.ring();
        self.settle();
        self.upstream.session.note_presence(self.now.moment);
        std::mem::take(&mut self.out)
    }

    /// Returns whether an answer about this secret is still of use. A late answer for a dropped secret must not get
    /// into the store: the secret may have been needed anew since, and have a later answer, or leases of its own.
    #[must_use]
    pub fn knows(&self, secret: SecretId) -> bool {
        self.graph.get(secret).is_some()
    }

    /// Returns the leases that are held, or still have to be revoked.
    #[must_use]
    pub fn lease_ids(&self) -> BTreeSet<LeaseId> {
        let held = self.graph.iter().filter_map(|(_, node)| node.lease());
        held.chain(self.retirees.iter().map(|one| &one.lease)).map(|lease| lease.id.clone()).gather()
    }

    /// Returns when to send [`Event::Wake`] if nothing else happens before; `None` while nothing is due.
    #[must_use]
    pub fn deadline(&self) -> Option<Moment> {
        match self.phase {
            Phase::Over => None,
            _ => self.timers.next(),
        }
    }

    fn take(&mut self, event: Event) {
        match event {
            Event::Start { kept, rebooted } => self.start(kept, rebooted),
            Event::Wake => {}
            Event::LoggedIn { token, sent, result } => self.logged_in(token, sent, result),
            Event::LookedUp { token, sent, result } => self.looked_up(token, sent, result),
            Event::TokenRenewed { token, sent, result } => self.token_renewed(token, sent, result),
            Event::Probed(result) => self.probed(result),
            Event::Resolved { secret, result } => self.resolved(secret, result),
            Event::Read { secret, token, sent, result } => self.read(secret, token, sent, result),
            Event::Fetched { store, secret, sent, result } => self.fetched((store, secret), sent, result),
            Event::Renewed { secret, lease, sent, result } => self.renewed(secret, &lease, sent, result),
            Event::LeaseRevoked { lease, result } => self.lease_revoked(&lease, result),
            Event::TokenRevoked { token, result } => self.token_revoked(token, result),
            Event::LeaseKept(lease) => self.lease_kept(&lease),
            Event::TokenKept(token) => self.token_kept(token),
            Event::Wrapped { file, token, result } => self.wrapped(file, token, result),
            Event::Rendered { file, outcome } => self.rendered(file, outcome),
            Event::Published { unit, result } => self.published(unit, result),
            Event::Inspected { unit, result } => self.inspected(unit, result),
            Event::Notified { notifier, result } => self.notified(notifier, result),
            Event::Spawned(result) => self.spawned(result),
            Event::ChildEnded => self.child_ended(),
            Event::Signalled(signal) => self.signalled(signal),
            Event::HandoffSaved(result) => self.handoff_saved(result),
            Event::Refresh => {
                self.ask_again();
                self.refresh();
            }
            Event::RefreshSome(wanted) => {
                self.ask_again();
                self.refresh_some(&wanted);
            }
            Event::Look => self.inspect_all(Look::Now),
            Event::FolderChanged => self.inspect_all(Look::AtOnce),
            Event::LookAt(unit) => self.want_look(unit, Look::Thorough),
            Event::Exposed => self.replace_login(),
            Event::Yield => self.yield_to_successor(),
            Event::Resume => self.resume(),
            Event::Deserted => self.deserted(),
            Event::CredentialsChanged => self.ask_again(),
            Event::CertificateChanged => self.certificate_changed(),
            Event::UsedUp(used_up) => self.used_up(used_up),
            Event::Renew(wanted) => self.renew_now(&wanted),
            Event::Stop { at_once } => self.stop(at_once),
        }
    }

    /// Handles every deadline that has passed.
    fn ring(&mut self) {
        while let Some(timer) = self.timers.pop(self.now.moment) {
            match timer {
                Timer::TokenEnd(id) => self.token_ended(id),
                Timer::Token(id) => self.token_due(id),
                Timer::LogIn => self.login_due(),
                // Nothing to do here: the engine checks after every event whether a start must end, and what keeps the
                // run from being ready.
                Timer::Patience | Timer::First => {}
                Timer::LookUp => self.look_up_due(),
                Timer::Denied(id) => self.touch_users(id),
                Timer::Proof(id) => self.proof_due(id),
                // `pump` and `pump_stores` run after this, and send what is due.
                Timer::Probe | Timer::Store(_) => {}
                Timer::Secret(id) => self.secret_due(id),
                Timer::Unit(id) => {
                    self.shelf.touched.insert(id);
                }
                Timer::Notifier(id) => self.notify(id),
                Timer::Retiree(id) => self.retiree_due(&id),
                Timer::Leaving(id) => self.leaving_due(id),
                Timer::Wrap(file) => self.wrap_due(file),
                Timer::Handoff => self.keeper.due(),
                Timer::Init => self.init_deadline(),
                Timer::Child => self.child_due(),
                Timer::Kill => self.out.push(Action::KillChild),
                Timer::Stop => self.stop_due(),
            }
        }
    }

    /// Does everything that has become possible.
    fn settle(&mut self) {
        match self.phase {
            Phase::Over => return,
            Phase::Running | Phase::Draining => {
                self.settle_units();
                self.settle_init();
                self.settle_child();
                self.settle_strays();
                self.settle_first();
                self.pump_stores();
            }
            Phase::Yielding => return self.settle_handoff(),
            Phase::New | Phase::Leaving(_) => {}
        }
        if self.pump() && matches!(self.phase, Phase::Running | Phase::Draining) {
            // A file may have all that it needs by that, and nothing else would look at it before its next poll.
            self.settle_units();
        }
        self.settle_farewell();
        self.settle_handoff();
    }

    /// Sends requests, the most urgent first, as far as that is allowed. Returns whether a path that is read as written
    /// may have turned out to be another name of a secret that is read already.
    fn pump(&mut self) -> bool {
        let mut assumed = false;
        let leaving = matches!(self.phase, Phase::Leaving(_));
        self.note_recovery();
        while self.upstream.breaker.is_closed() || self.upstream.breaker.takes_trial() {
            if !leaving {
                self.want_login_for_work();
            }
            let open = leaving || (self.upstream.session.current.is_some() && !self.is_login_awaited());
            let Some(job) = self.work.next(open, self.upstream.breaker.is_narrow()) else { break };
            if let Job::Resolve(id) = job
                && self.assume_path(id)
            {
                assumed = true;
                continue;
            }
            // Revocations are last in the queue: nothing else waits behind them.
            if job.is_revocation() && !self.is_written_ahead() {
                break;
            }
            if leaving || !self.is_put_off(&job) {
                self.send(job);
            }
        }
        match self.upstream.breaker.probe_at() {
            Some(at) if at <= self.now.moment => self.probe(),
            Some(at) => self.timers.set(Timer::Probe, at),
            None => self.timers.clear(&Timer::Probe),
        }
        assumed
    }

    fn send(&mut self, job: Job) {
        let Some((action, token)) = self.action_for(&job) else {
            self.work.remove(&job);
            return;
        };
        self.counters.requests += 1;
        // The server does not count a question about a mount as a use.
        let counted = token.filter(|_| !matches!(job, Job::Resolve(_)));
        if let Some(login) = counted.and_then(|id| self.upstream.session.logins.get_mut(&id)) {
            login.uses = login.uses.map(|left| left.saturating_sub(1));
        }
        self.upstream.breaker.sending();
        self.note_renewal(&job);
        self.work.start(job, token, self.now.moment);
        self.out.push(action);
    }

    /// Records that from here on the server may have granted more time than we know of.
    fn note_renewal(&mut self, job: &Job) {
        let now = self.now.moment;
        match job {
            Job::Renew(id) => {
                if let Some(lease) = self.graph.get_mut(*id).and_then(|node| node.lease_mut()) {
                    lease.renewing(now);
                }
            }
            Job::RenewToken(id) => {
                if let Some(login) = self.upstream.session.logins.get_mut(id) {
                    login.renewing(now);
                }
            }
            _ => {}
        }
    }

    /// Returns the action for a job, and the login it uses; `None` if the job is out of date.
    fn action_for(&mut self, job: &Job) -> Option<(Action, Option<TokenId>)> {
        let with = |token, action| Some((action, Some(token)));
        match job {
            Job::LogIn => {
                let id = self.upstream.session.next_id();
                Some((Action::Ask(Question::LogIn(id)), None))
            }
            Job::LookUp(id) => with(self.living(*id)?, Action::Ask(Question::LookUp(*id))),
            Job::RenewToken(id) => with(self.living(*id)?, Action::Ask(Question::RenewToken(*id))),
            Job::RevokeToken(id) => with(self.living(*id)?, Action::Ask(Question::RevokeToken(*id))),
            Job::RevokeLease(lease) => {
                let token = self.token_to_revoke(lease)?;
                with(token, Action::Ask(Question::RevokeLease { token, lease: lease.clone() }))
            }
            Job::Resolve(id) => {
                let token = self.upstream.session.current?;
                let node = self.graph.get(*id)?;
                let (request, again) = (node.way_to_ask()?.clone(), node.path == Path::Doubted);
                with(token, Action::Ask(Question::Resolve { secret: *id, token, request, again }))
            }
            Job::Read(id) => {
                let token = self.upstream.session.current?;
                let request = self.graph.get(*id)?.request.clone()?;
                with(token, Action::Ask(Question::Read { secret: *id, token, request }))
            }
            Job::Wrap(file) => self.wrapping(*file).map(|(action, token)| (action, Some(token))),
            Job::Renew(id) => {
                let lease = self.graph.get(*id)?.lease()?;
                let (lease, increment) = (lease.id.clone(), lease.granted);
                let token = self.living(self.graph.get(*id)?.lease()?.token)?;
                with(token, Action::Ask(Question::Renew { secret: *id, token, lease, increment }))
            }
        }
    }

    fn living(&self, id: TokenId) -> Option<TokenId> {
        self.upstream.session.is_alive(id).then_some(id)
    }

    /// Logs a line.
    pub(crate) fn say(&mut self, level: Level, text: String) {
        self.out.push(Action::Say(Say { level, text, about: None }));
    }

    /// Logs a line about a secret.
    pub(crate) fn say_of(&mut self, id: SecretId, level: Level, text: String) {
        let about = self.graph.get(id).map(|node| About {
            secret: node.name.to_string(),
            lease: node.lease().map(|lease| lease.id.clone()),
        });
        self.out.push(Action::Say(Say { level, text, about }));
    }

    /// Logs a line about a replaced lease, as part of its secret's life.
    pub(crate) fn say_of_lease(&mut self, id: &LeaseId, level: Level, text: String) {
        let secret = self.retirees.get(id).and_then(|one| one.secret);
        let node = secret.and_then(|secret| self.graph.get(secret));
        let about = node.map(|node| About { secret: node.name.to_string(), lease: Some(id.clone()) });
        self.out.push(Action::Say(Say { level, text, about }));
    }

    /// Returns the next draw for a secret, from 0 to 1.
    pub(crate) fn draw(&mut self, id: SecretId) -> f64 {
        let dice = self.dice;
        self.graph.get_mut(id).map_or(0.0, |node| {
            node.draws += 1;
            dice.draw(node.number, node.draws)
        })
    }

    /// Returns the job for `op`.
    pub(crate) fn job(id: SecretId, op: Op) -> Job {
        match op {
            Op::Resolve => Job::Resolve(id),
            Op::Read => Job::Read(id),
            Op::Renew => Job::Renew(id),
        }
    }
}
