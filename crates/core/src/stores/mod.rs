//! What is known of the stores that are no Vault: the environment, files, the clouds' secret managers.
//!
//! A store has no login, tokens or leases that the engine would know of. Its client finds its own credentials and
//! keeps them, as the cloud's own library does. What is left is whether the store answers. So a store is a queue, and
//! a rest after a failure; [`Upstream`](crate::upstream::Upstream) is what a Vault needs. Each store rests by itself:
//! what one store cannot answer holds back no request to another.

pub(crate) mod asking;
pub(crate) mod rest;

use crate::interface::ids::{SecretId, StoreId};
use crate::interface::policy::StorePolicy;
use crate::tools::work::{Job, Work};
use leasehold_base::time::Moment;
use rest::Rest;

/// One store.
#[derive(Debug)]
pub(crate) struct Store {
    /// Its name in paths: their first segment.
    pub(crate) name: String,
    /// The requests to it.
    pub(crate) work: Work,
    /// Whether it answers.
    pub(crate) rest: Rest,
    /// How many answers were no failure, and how many were, since the start.
    pub(crate) answers: u64,
    pub(crate) failures: u64,
}

impl Store {
    /// Returns the next request that may go now. While the store rests there is none. After that, one request finds
    /// out for all.
    fn next(&self, now: Moment) -> Option<Job> {
        match self.rest.until() {
            Some(until) if until > now || self.work.is_waiting_for_answers() => None,
            Some(_) => self.work.next(true, true),
            None => self.work.next(true, false),
        }
    }
}

/// All stores, by [`StoreId`].
#[derive(Debug)]
pub(crate) struct Stores(Vec<Store>);

impl Stores {
    pub(crate) fn new(policies: &[StorePolicy]) -> Self {
        let store = |policy: &StorePolicy| Store {
            name: policy.name.clone(),
            work: Work::new(policy.max_in_flight),
            rest: Rest::default(),
            answers: 0,
            failures: 0,
        };
        Self(policies.iter().map(store).collect())
    }

    pub(crate) fn get(&self, id: StoreId) -> Option<&Store> {
        self.0.get(id.0)
    }

    pub(crate) fn get_mut(&mut self, id: StoreId) -> Option<&mut Store> {
        self.0.get_mut(id.0)
    }

    pub(crate) fn ids(&self) -> impl Iterator<Item = StoreId> + use<> {
        (0..self.0.len()).map(StoreId)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Store> {
        self.0.iter()
    }

    /// Returns the first store whose answer is awaited.
    pub(crate) fn awaited(&self) -> Option<&Store> {
        self.0.iter().find(|store| store.work.is_waiting_for_answers())
    }

    /// Returns whether a read of this secret is under way.
    pub(crate) fn is_reading(&self, store: StoreId, secret: SecretId) -> bool {
        self.get(store).is_some_and(|store| store.work.is_under_way(&Job::Read(secret)))
    }
}
