//! Asks a store, and handles its answers and failures.

use crate::engine::Engine;
use crate::interface::action::{Action, Level, Question};
use crate::interface::event::ReadFacts;
use crate::interface::ids::{SecretId, StoreId};
use crate::interface::view::NextAction;
use crate::secrets::graph::{Op, Step};
use crate::tools::timers::Timer;
use crate::tools::work::{Job, Work};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// A denial is final when it is repeated after this time: a cloud takes a moment to make a grant known everywhere.
const ONCE_MORE: std::time::Duration = std::time::Duration::from_millis(1500);

impl Engine {
    /// Returns the queue in which requests about a secret wait: its store's, or the Vault's.
    pub(crate) fn work_of(&mut self, id: SecretId) -> &mut Work {
        let store = self.graph.get(id).and_then(|node| node.store);
        match store.and_then(|store| self.stores.get_mut(store)) {
            Some(store) => &mut store.work,
            None => &mut self.work,
        }
    }

    /// Returns whether this very secret is being read.
    pub(crate) fn is_being_read(&self, id: SecretId) -> bool {
        match self.graph.get(id).and_then(|node| node.store) {
            Some(store) => self.stores.is_reading(store, id),
            None => self.work.is_under_way(&Job::Read(id)),
        }
    }

    /// Sends each store the requests that it may get.
    pub(crate) fn pump_stores(&mut self) {
        let now = self.now.moment;
        for id in self.stores.ids() {
            while let Some(job) = self.stores.get(id).and_then(|store| store.next(now)) {
                self.ask_store(id, job);
            }
            match self.stores.get(id).and_then(|store| store.rest.until()) {
                Some(until) if until > now => self.timers.set(Timer::Store(id), until),
                _ => self.timers.clear(&Timer::Store(id)),
            }
        }
    }

    fn ask_store(&mut self, id: StoreId, job: Job) {
        let secret = if let Job::Read(secret) = job { Some(secret) } else { None };
        let node = secret.and_then(|secret| self.graph.get(secret));
        let request = node.and_then(|node| node.request.clone());
        let Some(store) = self.stores.get_mut(id) else { return };
        let (Some(secret), Some(request)) = (secret, request) else {
            store.work.remove(&job);
            return;
        };
        store.work.start(job, None, self.now.moment);
        self.counters.requests += 1;
        self.out.push(Action::Ask(Question::Fetch { store: id, secret, request }));
    }

    /// Handles the outcome of a read from a store.
    pub(crate) fn fetched(
        &mut self,
        (store, secret): (StoreId, SecretId),
        sent: Moment,
        result: Result<ReadFacts, Failure>,
    ) {
        if !self.end_fetch(store, secret) {
            return;
        }
        match result {
            Ok(facts) => {
                self.store_answered(store);
                if self.graph.get(secret).is_some() {
                    self.inspect_users(secret);
                    self.hold(secret, None, sent, facts);
                }
            }
            Err(failure) => self.fetch_failed(store, secret, failure),
        }
    }

    /// Records that a read has ended. Returns whether it was asked for.
    pub(crate) fn end_fetch(&mut self, store: StoreId, secret: SecretId) -> bool {
        let now = self.now.moment;
        self.stores.get_mut(store).is_some_and(|store| store.work.finish(&Job::Read(secret), now))
    }

    /// Records that the store itself has answered, whatever it said.
    fn store_answered(&mut self, id: StoreId) {
        let Some(store) = self.stores.get_mut(id) else { return };
        store.answers += 1;
        let name = store.name.clone();
        let Some((since, stranded)) = store.rest.answered() else { return };
        let away = since.until(self.now.moment).as_secs();
        self.say(Level::Info, format!("the store {name} is back after {away} s"));
        for id in stranded {
            let node = self.graph.get(id);
            if node.is_some_and(|node| matches!(node.step, Step::Waiting { what: NextAction::Retry, .. })) {
                self.spread(id, Op::Read);
            }
        }
        self.touch_waiting();
    }

    fn fetch_failed(&mut self, id: StoreId, secret: SecretId, failure: Failure) {
        self.counters.failures += 1;
        let (now, draw) = (self.now.moment, self.draw(secret));
        let Some(store) = self.stores.get_mut(id) else { return };
        store.failures += 1;
        if failure.kind.is_outage() {
            let (name, why) = (store.name.clone(), failure.why.clone());
            if store.rest.failed(secret, failure.clone(), now, draw) {
                let kept = if self.has_served() { "keeping what is there and " } else { "" };
                let text = format!("the store {name} does not answer: {why}; {kept}asking again");
                self.say(Level::Warn, text);
            }
        } else if failure.by_us {
            store.rest.not_asked(now, draw);
        } else {
            self.store_answered(id);
        }
        let Some(node) = self.graph.get_mut(secret) else { return };
        node.failures += 1;
        let repeated = node.denied.is_some();
        let denied = matches!(failure.kind, FailureKind::Denied | FailureKind::Refused);
        if denied {
            node.denied.get_or_insert(now);
        }
        let lasting = matches!(
            failure.kind,
            FailureKind::Missing | FailureKind::Rejected | FailureKind::Local | FailureKind::Unusable
        );
        self.trouble(secret, Op::Read, &failure, lasting || (denied && repeated));
        self.retry(secret, Op::Read);
        if denied && !repeated {
            let at = now.after(ONCE_MORE);
            self.set_step(secret, Step::Waiting { what: NextAction::Retry, at, op: Op::Read });
        }
    }
}
