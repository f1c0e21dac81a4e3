//! Requests that wait for their turn, and those under way: never more at once than the policy allows, and the most
//! urgent first.

use std::collections::BTreeMap;

use crate::interface::ids::{FileId, LeaseId, SecretId, TokenId};
use crate::tools::pace::Pace;
use leasehold_base::time::Moment;

/// One request to the server.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Job {
    LogIn,
    LookUp(TokenId),
    RenewToken(TokenId),
    Renew(SecretId),
    Resolve(SecretId),
    Read(SecretId),
    Wrap(FileId),
    RevokeToken(TokenId),
    RevokeLease(LeaseId),
}

/// How urgent a job is. Within a class, the job that must be done by an earlier moment goes first, then the one that
/// has waited longer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Class {
    /// Everything depends on these.
    Token,
    /// Their time is running out.
    Renew,
    /// These bring news.
    Read,
    /// Nothing waits for these.
    Revoke,
}

impl Job {
    fn class(&self) -> Class {
        match self {
            Self::LogIn | Self::LookUp(_) | Self::RenewToken(_) => Class::Token,
            Self::Renew(_) => Class::Renew,
            Self::Resolve(_) | Self::Read(_) | Self::Wrap(_) => Class::Read,
            Self::RevokeToken(_) | Self::RevokeLease(_) => Class::Revoke,
        }
    }

    /// Returns whether it is about the login itself, and goes without a current login.
    pub(crate) fn is_about_login(&self) -> bool {
        self.class() == Class::Token
    }

    /// Returns whether it revokes something.
    pub(crate) fn is_revocation(&self) -> bool {
        self.class() == Class::Revoke
    }
}

type Place = (Class, Moment, u64);

/// The queue, and what is under way.
#[derive(Debug)]
pub(crate) struct Work {
    limit: usize,
    count: u64,
    ready: BTreeMap<Place, Job>,
    places: BTreeMap<Job, Place>,
    /// Each request with the login that it uses, and when it was sent.
    under_way: BTreeMap<Job, (Option<TokenId>, Moment)>,
    pub(crate) pace: Pace,
}

impl Work {
    pub(crate) fn new(limit: usize) -> Self {
        Self {
            limit: limit.max(1),
            count: 0,
            ready: BTreeMap::new(),
            places: BTreeMap::new(),
            under_way: BTreeMap::new(),
            pace: Pace::new(limit.max(1)),
        }
    }

    /// Queues a job to be done by `by`, unless it is queued or under way already.
    pub(crate) fn add(&mut self, job: Job, by: Moment) {
        if self.has(&job) {
            return;
        }
        self.count += 1;
        let place = (job.class(), by, self.count);
        self.places.insert(job.clone(), place);
        self.ready.insert(place, job);
    }

    /// Removes a job from the queue. A job that is under way stays so.
    pub(crate) fn remove(&mut self, job: &Job) {
        if let Some(place) = self.places.remove(job) {
            self.ready.remove(&place);
        }
    }

    /// Returns whether the job is queued or under way.
    pub(crate) fn has(&self, job: &Job) -> bool {
        self.places.contains_key(job) || self.under_way.contains_key(job)
    }

    /// Returns the most urgent job that may start now. `with_token` says that there is a login for the jobs that need
    /// one, `alone` that only one job may be under way. The job stays queued until [`Work::start`].
    pub(crate) fn next(&self, with_token: bool, alone: bool) -> Option<Job> {
        let limit = if alone { 1 } else { self.limit };
        if self.under_way.len() >= limit {
            return None;
        }
        let (_, job) = self.ready.first_key_value()?;
        // Only jobs that are not urgent wait for a slow server.
        if job.class() >= Class::Read && self.under_way.len() >= self.pace.limit() {
            return None;
        }
        (with_token || job.is_about_login()).then(|| job.clone())
    }

    /// Returns whether jobs wait that need a login.
    pub(crate) fn wants_token(&self) -> bool {
        self.ready.last_key_value().is_some_and(|(_, job)| !job.is_about_login())
    }

    /// Records that a job is under way, sent with `token` at `now`.
    pub(crate) fn start(&mut self, job: Job, token: Option<TokenId>, now: Moment) {
        self.remove(&job);
        self.under_way.insert(job, (token, now));
    }

    /// Records the answer to a job. Returns false if the job was not under way.
    pub(crate) fn finish(&mut self, job: &Job, now: Moment) -> bool {
        let Some((_, sent)) = self.under_way.remove(job) else { return false };
        self.pace.answered(sent, now);
        true
    }

    /// Returns the login that a job under way is sent with.
    pub(crate) fn token_of(&self, job: &Job) -> Option<TokenId> {
        self.under_way.get(job)?.0
    }

    /// Returns whether a request under way uses this login.
    pub(crate) fn uses(&self, token: TokenId) -> bool {
        self.under_way.values().any(|(used, _)| *used == Some(token))
    }

    /// Returns whether a job of this kind is queued or under way.
    pub(crate) fn any(&self, which: impl Fn(&Job) -> bool) -> bool {
        self.places.keys().any(&which) || self.under_way.keys().any(&which)
    }

    /// Returns whether this very job is under way.
    pub(crate) fn is_under_way(&self, job: &Job) -> bool {
        self.under_way.contains_key(job)
    }

    /// Returns whether a request of this kind is under way.
    pub(crate) fn under_way(&self, which: impl Fn(&Job) -> bool) -> bool {
        self.under_way.keys().any(which)
    }

    /// Returns whether anything is under way.
    pub(crate) fn is_waiting_for_answers(&self) -> bool {
        !self.under_way.is_empty()
    }

    /// Removes every queued job about a secret, and returns the secrets.
    pub(crate) fn take_secrets(&mut self) -> Vec<SecretId> {
        let jobs: Vec<Job> = self.places.keys().cloned().collect();
        let mut secrets = Vec::new();
        for job in jobs {
            if let Job::Renew(id) | Job::Resolve(id) | Job::Read(id) = job {
                self.remove(&job);
                secrets.push(id);
            }
        }
        secrets
    }

    /// Empties the queue; jobs under way stay.
    pub(crate) fn clear_ready(&mut self) {
        self.ready.clear();
        self.places.clear();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    #[test]
    fn the_token_goes_first_then_what_ends_soonest_then_news() {
        let mut work = Work::new(8);
        work.add(Job::RevokeToken(TokenId(0)), at(0));
        work.add(Job::Read(SecretId(1)), at(0));
        work.add(Job::Renew(SecretId(2)), at(50));
        work.add(Job::Renew(SecretId(3)), at(20));
        work.add(Job::LogIn, at(99));
        let mut order = Vec::new();
        while let Some(job) = work.next(true, false) {
            work.start(job.clone(), None, at(0));
            order.push(job);
        }
        assert_eq!(
            order,
            [
                Job::LogIn,
                Job::Renew(SecretId(3)),
                Job::Renew(SecretId(2)),
                Job::Read(SecretId(1)),
                Job::RevokeToken(TokenId(0))
            ]
        );
    }

    #[test]
    fn no_more_than_the_limit_is_under_way_and_none_twice() {
        let mut work = Work::new(1);
        work.add(Job::Read(SecretId(0)), at(0));
        work.add(Job::Read(SecretId(0)), at(0));
        work.add(Job::Read(SecretId(1)), at(0));
        work.start(work.next(true, false).expect("one is queued"), Some(TokenId(4)), at(0));
        assert!(work.uses(TokenId(4)));
        assert_eq!(work.next(true, true), None, "that one is alone");
        assert_eq!(work.next(true, false), None, "the limit is one");
        assert!(work.finish(&Job::Read(SecretId(0)), at(1)));
        assert!(!work.finish(&Job::Read(SecretId(0)), at(1)), "an answer nobody asked for");
        assert_eq!(work.next(true, false), Some(Job::Read(SecretId(1))));
        assert_eq!(work.next(false, false), None, "without a login only a login goes");
    }
}
