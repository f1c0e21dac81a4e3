//! Requests on their way to the server and back, through a network that may lose and delay them.

use std::time::Duration;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;
use leasehold_core::action::{Action, Question};
use leasehold_core::event::Event;

use super::driver::{Kind, Load};
use super::faults::Fault;
use super::server::{Health, KV_MOUNT};
use super::world::{Next, World};

/// The client gives up on a request after this time.
const TIMEOUT: Duration = Duration::from_secs(15);

/// Within this time, the client does not ask again what it was told of a mount. The time is that of the real client.
const MOUNT_SURE: Duration = Duration::from_secs(10);

/// A request on its way, as the server gets it.
#[derive(Debug, Clone)]
pub struct Call {
    pub run: u64,
    pub action: Action,
    /// The token itself.
    pub token: u64,
    pub sent: Duration,
    /// The answer is lost.
    pub deaf: bool,
    /// The client has given up on the request when it arrives, so that nothing waits for the answer.
    pub late: bool,
    /// No login was known to be refused when it was sent.
    pub innocent: bool,
}

impl World {
    /// Sends a request through the network, which may lose or delay it.
    pub fn call(&mut self, mut call: Call) {
        self.totals.requests += 1;
        self.sent.push(self.now);
        let bad = self.faults.iter().find_map(|fault| match fault {
            Fault::Network(percent) => Some(*percent),
            _ => None,
        });
        let mut way = self.dice.millis(1, 8);
        if bad.is_some_and(|percent| self.dice.chance(percent)) {
            match self.dice.below(5) {
                0 => return self.fail_call(&call, TIMEOUT, "timed out"),
                1 => return self.fail_call(&call, way, "connection reset"),
                2 => call.deaf = true,
                3 => {
                    self.fail_call(&call, TIMEOUT, "timed out");
                    call.late = true;
                    way = self.dice.seconds(15, 40);
                }
                _ => way = self.dice.millis(100, 9_000),
            }
        }
        call.deaf |= self.faults.contains(&Fault::AnswersLost);
        match self.server.health {
            _ if call.late => self.push(way, Next::Arrive(call)),
            Health::Down => self.lose_call(&call, way, FailureKind::Unreachable, "connection refused"),
            Health::Hanging => self.fail_call(&call, TIMEOUT, "timed out"),
            _ => self.push(way, Next::Arrive(call)),
        }
    }

    fn fail_call(&mut self, call: &Call, wait: Duration, why: &str) {
        self.note_lost_login(call, self.now + wait);
        self.lose_call(call, wait, FailureKind::Unheard, why);
    }

    /// Records a login without an answer. After a refusal, it counts as another refusal.
    pub(super) fn note_lost_login(&mut self, call: &Call, at: Duration) {
        if matches!(call.action, Action::Ask(Question::LogIn(_))) && !call.innocent {
            self.server.turned_away = Some(at.max(self.asleep));
        }
    }

    /// Reports to the client that it gets no answer, for this reason.
    fn lose_call(&mut self, call: &Call, wait: Duration, kind: FailureKind, why: &str) {
        let failure = Failure::new(kind, why);
        if let Some(event) = failed(call, self.boot.moment(call.sent), failure) {
            self.push(wait, Next::Tell { run: call.run, event, load: Load::Nothing });
        }
    }

    /// Performs a request on the server, and answers it.
    pub fn arrive(&mut self, call: Call) {
        if let Some((event, load)) = self.interfere(&call) {
            return self.answer(&call, event, load);
        }
        let (now, wall) = (self.now, self.true_wall());
        let standby = self.dice.chance(50);
        let sent = self.boot.moment(call.sent);
        let mut load = Load::Nothing;
        let event = match call.action.clone() {
            Action::Ask(Question::Probe) => Event::Probed(self.server.probe()),
            Action::Ask(Question::LogIn(id)) => {
                let result = self.server.login(now).map(|(own, facts)| {
                    load = Load::Token(id, own);
                    facts
                });
                Event::LoggedIn { token: id, sent, result }
            }
            Action::Ask(Question::LookUp(id)) => {
                Event::LookedUp { token: id, sent, result: self.server.look_up(call.token, now, standby) }
            }
            Action::Ask(Question::RenewToken(id)) => {
                Event::TokenRenewed { token: id, sent, result: self.server.renew_token(call.token, now) }
            }
            Action::Ask(Question::RevokeToken(id)) => {
                Event::TokenRevoked { token: id, result: self.server.revoke_token(call.token, now) }
            }
            Action::Ask(Question::Resolve { secret, request, again, .. }) => {
                let result = self.resolve(&call, &request.path, again, standby).map(|path| {
                    load = Load::Alias { written: request.path.clone(), path: path.clone() };
                    let mut resolved = request.as_ref().clone();
                    resolved.path = path;
                    resolved
                });
                Event::Resolved { secret, result }
            }
            Action::Ask(Question::Read { secret, token: id, request }) => {
                let answer = self.server.read(call.token, &request.path, (now, wall), standby);
                let result = answer.map(|(facts, read)| {
                    load = Load::Value { path: request.path.clone(), value: read };
                    facts
                });
                Event::Read { secret, token: id, sent, result }
            }
            Action::Ask(Question::Wrap { file, token, .. }) => {
                let result = self.server.wrap(call.token, now, standby);
                let process = self.process.as_mut().filter(|process| process.run == call.run);
                if let (Some(process), true, false) = (process, result.is_ok(), call.late || call.deaf) {
                    process.wrappings.insert(file, call.token);
                }
                Event::Wrapped { file, token, result }
            }
            Action::Ask(Question::Renew { secret, lease, increment, .. }) => {
                let result = self.server.renew(call.token, &lease, increment, now);
                Event::Renewed { secret, lease, sent, result }
            }
            Action::Ask(Question::RevokeLease { lease, .. }) => {
                let result = self.server.revoke_lease(call.token, &lease, now);
                Event::LeaseRevoked { lease, result }
            }
            _ => return,
        };
        self.note_seen(&event, &call, &load);
        if call.sent + Duration::from_secs(1) < self.now {
            // A run that is gone had asked for it: until this arrives nobody can know.
            self.server.forgive(call.token);
        }
        let unheard = (call.late || call.deaf) && matches!(call.action, Action::Ask(Question::LogIn(_)));
        if unheard {
            self.server.turned_away = Some(now);
        }
        // A refusal that nobody heard of, where none was known before it, looks like any lost
        // request: counting those would let an outage use up the tries.
        if unheard && call.innocent && self.server.refused.last() == Some(&now) {
            self.server.refused.pop();
        }
        self.answer(&call, event, load);
    }

    /// Returns which form of a path its mount wants, as far as the client knows that or the server returns it.
    fn resolve(&mut self, call: &Call, path: &str, again: bool, standby: bool) -> Result<String, Failure> {
        let told = self.server.version_of_kv(call.token, self.now, standby)?;
        let Some(process) = self.process.as_mut().filter(|process| process.run == call.run) else {
            return Ok(path.to_owned());
        };
        let is_sure = |(_, at): &(u64, Duration)| !again || *at + MOUNT_SURE > self.now;
        if process.mount.filter(is_sure).is_none() {
            process.mount = told.map(|version| (version, self.now)).or(process.mount);
        }
        Ok(form_of(path, process.mount.map(|(version, _)| version)))
    }

    /// Sends the answer on its way to the client.
    fn answer(&mut self, call: &Call, event: Event, load: Load) {
        if call.late {
            return;
        }
        let way = self.dice.millis(1, 8) + self.slowness(call);
        if call.deaf || way > TIMEOUT {
            return self.fail_call(call, TIMEOUT, "timed out");
        }
        self.push(way, Next::Tell { run: call.run, event, load });
    }

    /// Returns how much longer than usual an answer takes.
    fn slowness(&self, call: &Call) -> Duration {
        let slow = self.faults.iter().filter_map(|fault| match fault {
            Fault::SlowLogins(by) if matches!(call.action, Action::Ask(Question::LogIn(_))) => Some(*by),
            Fault::Slow(by) => Some(*by),
            _ => None,
        });
        slow.max().unwrap_or_default() + self.backlog
    }

    /// Passes to the core an answer, or what came of something that the process did itself.
    pub(super) fn tell(&mut self, run: u64, mut event: Event, load: Load) -> Result<(), String> {
        if self.asleep > self.now {
            let wait = self.asleep - self.now;
            self.push(wait, Next::Tell { run, event, load });
            return Ok(());
        }
        let Some(process) = self.process.as_mut().filter(|process| process.run == run) else { return Ok(()) };
        if let Load::Value { value, .. } = &load
            && let Some(lease) = value.lease.as_ref().and_then(|id| self.server.leases.get_mut(id))
        {
            lease.known = true;
        }
        process.keep(&mut event, load, self.now);
        if let Some(kind) = kind(&event) {
            process.count(kind, false);
        }
        self.give(event)
    }
}

impl World {
    /// Records until when the client has to reckon with what this answer grants, whether it gets the answer or not.
    fn note_seen(&mut self, answer: &Event, call: &Call, load: &Load) {
        let end = |ttl: Duration| call.sent + ttl;
        let (tokens, leases) = (&mut self.server.tokens, &mut self.server.leases);
        let own = if let Load::Token(_, granted) = load { *granted } else { call.token };
        match answer {
            Event::LoggedIn { result: Ok(facts), .. } | Event::LookedUp { result: Ok(facts), .. } => {
                tokens.entry(own).and_modify(|token| token.seen = facts.ttl.map(end));
            }
            Event::TokenRenewed { result: Ok(more), .. } => {
                tokens.entry(own).and_modify(|token| token.seen = Some(end(more.ttl)));
            }
            Event::Read { result: Ok(facts), .. } => {
                if let Some(facts) = &facts.lease {
                    leases.entry(facts.id.clone()).and_modify(|lease| lease.seen = end(facts.ttl));
                }
            }
            Event::Renewed { lease, result: Ok(more), .. } => {
                leases.entry(lease.clone()).and_modify(|lease| lease.seen = end(more.ttl));
            }
            _ => {}
        }
    }
}

/// Returns the form that a path has if the KV mount is of this version. If the version is not known, returns the path
/// as it is.
pub fn form_of(path: &str, version: Option<u64>) -> String {
    let plain = path.strip_prefix(KV_MOUNT).filter(|rest| !rest.starts_with("data/"));
    match plain.filter(|_| version == Some(2)) {
        Some(rest) => format!("{KV_MOUNT}data/{rest}"),
        None => path.to_owned(),
    }
}

/// Returns which kind of request the event answers.
fn kind(answer: &Event) -> Option<Kind> {
    match answer {
        Event::LoggedIn { .. } => Some(Kind::Login),
        Event::LookedUp { token, .. } => Some(Kind::LookUp(*token)),
        Event::Probed(_) => Some(Kind::Probe),
        Event::TokenRenewed { .. }
        | Event::Resolved { .. }
        | Event::Read { .. }
        | Event::Wrapped { .. }
        | Event::Renewed { .. }
        | Event::LeaseRevoked { .. }
        | Event::TokenRevoked { .. } => Some(Kind::Other),
        _ => None,
    }
}

/// Returns the event that says that a request failed.
pub(super) fn failed(call: &Call, sent: Moment, failure: Failure) -> Option<Event> {
    Some(match call.action.clone() {
        Action::Ask(Question::Probe) => Event::Probed(Err(failure)),
        Action::Ask(Question::LogIn(token)) => Event::LoggedIn { token, sent, result: Err(failure) },
        Action::Ask(Question::LookUp(token)) => Event::LookedUp { token, sent, result: Err(failure) },
        Action::Ask(Question::RenewToken(token)) => Event::TokenRenewed { token, sent, result: Err(failure) },
        Action::Ask(Question::RevokeToken(token)) => Event::TokenRevoked { token, result: Err(failure) },
        Action::Ask(Question::Resolve { secret, .. }) => Event::Resolved { secret, result: Err(failure) },
        Action::Ask(Question::Read { secret, token, .. }) => {
            Event::Read { secret, token, sent, result: Err(failure) }
        }
        Action::Ask(Question::Wrap { file, token, .. }) => {
            Event::Wrapped { file, token, result: Err(failure) }
        }
        Action::Ask(Question::Renew { secret, lease, .. }) => {
            Event::Renewed { secret, lease, sent, result: Err(failure) }
        }
        Action::Ask(Question::RevokeLease { lease, .. }) => {
            Event::LeaseRevoked { lease, result: Err(failure) }
        }
        _ => return None,
    })
}
