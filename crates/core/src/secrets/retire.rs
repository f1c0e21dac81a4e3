//! Leases that were replaced: each lives on until every file is published without it and every
//! notifier was told, and a little longer, since applications take time to change over. Only
//! then is it given back.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, TokenId};
use crate::secrets::lease::Lease;
use crate::tools::dice::pause;
use leasehold_base::time::Moment;

/// Applications get this long to change over, and at most a quarter of what the lease has left.
const GRACE: Duration = Duration::from_secs(10);

/// The longest time that revocations wait after one was asked to come later.
const MOST_REST: Duration = Duration::from_secs(60);

/// When something that ends at `end`, where it does, is given back if it became free now.
pub(crate) fn grace(now: Moment, end: Option<Moment>) -> Moment {
    now.after(end.map_or(GRACE, |end| GRACE.min(now.until(end) / 4)))
}

/// How far a replaced lease has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Something may still use it.
    Used,
    /// Nothing should; applications are changing over.
    Grace,
    /// It goes with its login.
    WithToken,
    /// It is being revoked by itself, or will be tried again.
    Revoking,
}

/// One replaced lease.
#[derive(Debug)]
pub(crate) struct Retiree {
    pub(crate) lease: Lease,
    /// Whose it was.
    pub(crate) secret: Option<SecretId>,
    /// Files on disk that are still made of it.
    pub(crate) files: BTreeSet<FileId>,
    /// Notifiers that have not been told yet of the files without it.
    pub(crate) notifiers: BTreeSet<NotifierId>,
    pub(crate) way: Way,
    pub(crate) tries: u32,
    /// The current login may not revoke it.
    pub(crate) by_own: bool,
}

/// All replaced leases, and who may go on with one that is going to be replaced.
#[derive(Debug, Default)]
pub(crate) struct Retirees {
    all: BTreeMap<LeaseId, Retiree>,
    /// Of leases that are still good: notifiers of files that were published without them, as long as they
    /// have not been told of that.
    left: BTreeMap<LeaseId, BTreeSet<NotifierId>>,
    /// The server asked that revocations come later, and has taken none since: until when, and how often in a row.
    rest: Option<(Moment, u32)>,
}

impl Retirees {
    /// A revocation was asked to come later; by `asked` where a time was named.
    pub(crate) fn rest(&mut self, now: Moment, asked: Option<Duration>, draw: f64) {
        let rounds = match self.rest {
            // The answer to one that went with the first.
            Some((until, rounds)) if until > now => rounds,
            Some((_, rounds)) => rounds.saturating_add(1),
            None => 1,
        };
        let wait = pause(rounds, Duration::from_secs(1), MOST_REST, draw)
            .max(asked.unwrap_or_default().min(MOST_REST));
        let until = self.rest.map_or(now, |(until, _)| until).max(now.after(wait));
        self.rest = Some((until, rounds));
    }

    /// A revocation went through.
    pub(crate) fn rested(&mut self) {
        self.rest = None;
    }

    /// Until when revocations wait; past where one at a time finds out whether they are taken.
    pub(crate) fn resting_until(&self) -> Option<Moment> {
        self.rest.map(|(until, _)| until)
    }

    /// Adds a lease that `files` on disk are still made of. Whether nobody uses it any more.
    pub(crate) fn add(&mut self, lease: Lease, secret: Option<SecretId>, files: BTreeSet<FileId>) -> bool {
        let notifiers = self.left.remove(&lease.id).unwrap_or_default();
        let retiree = Retiree { secret, files, notifiers, way: Way::Used, tries: 0, by_own: false, lease };
        let free = retiree.is_free();
        self.all.insert(retiree.lease.id.clone(), retiree);
        free
    }

    /// A file is published without a lease that is still good; these have to hear of it before that is
    /// given back.
    pub(crate) fn leave(&mut self, lease: &LeaseId, untold: impl IntoIterator<Item = NotifierId>) {
        let mut untold = untold.into_iter().peekable();
        if untold.peek().is_some() {
            self.left.entry(lease.clone()).or_default().extend(untold);
        }
    }

    pub(crate) fn get(&self, id: &LeaseId) -> Option<&Retiree> {
        self.all.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &LeaseId) -> Option<&mut Retiree> {
        self.all.get_mut(id)
    }

    pub(crate) fn remove(&mut self, id: &LeaseId) -> Option<Retiree> {
        self.all.remove(id)
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Retiree> {
        self.all.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Retiree> {
        self.all.values_mut()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    /// The leases that `token` made.
    pub(crate) fn of(&self, token: TokenId) -> Vec<LeaseId> {
        self.iter().filter(|one| one.lease.token == token).map(|one| one.lease.id.clone()).collect()
    }

    /// These files are on disk without any replaced lease; `untold` have to hear of it.
    /// Returns the leases that nothing uses any more.
    pub(crate) fn published(&mut self, files: &[FileId], untold: &[(FileId, NotifierId)]) -> Vec<LeaseId> {
        let mut free = Vec::new();
        for one in self.all.values_mut().filter(|one| one.way == Way::Used) {
            for file in files {
                if one.files.remove(file) {
                    let whom = untold.iter().filter(|(of, _)| of == file).map(|(_, whom)| *whom);
                    one.notifiers.extend(whom);
                }
            }
            if one.is_free() {
                free.push(one.lease.id.clone());
            }
        }
        free
    }

    /// Leases that no file is made of any more, but that somebody may still use who was not told;
    /// with their ends.
    pub(crate) fn off_disk(&self) -> Vec<(LeaseId, Moment)> {
        let kept = self.iter().filter(|one| one.way == Way::Used && one.files.is_empty() && !one.is_free());
        kept.map(|one| (one.lease.id.clone(), one.lease.latest)).collect()
    }

    /// This notifier knows of everything that is published. Returns as above.
    pub(crate) fn told(&mut self, notifier: NotifierId) -> Vec<LeaseId> {
        self.left.retain(|_, untold| {
            untold.remove(&notifier);
            !untold.is_empty()
        });
        let mut free = Vec::new();
        for one in self.all.values_mut().filter(|one| one.way == Way::Used) {
            if one.notifiers.remove(&notifier) && one.is_free() {
                free.push(one.lease.id.clone());
            }
        }
        free
    }
}

impl Retiree {
    fn is_free(&self) -> bool {
        self.files.is_empty() && self.notifiers.is_empty()
    }

    /// When it is given back, if it became free now.
    pub(crate) fn grace(&self, now: Moment) -> Moment {
        grace(now, Some(self.lease.latest))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::event::LeaseFacts;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn retirees() -> Retirees {
        let facts = LeaseFacts {
            id: LeaseId("old".into()),
            ttl: Duration::from_secs(100),
            renewable: true,
            orphan: false,
        };
        let lease = Lease::minted(facts, TokenId(1), (at(0), at(0)), Duration::ZERO);
        let mut retirees = Retirees::default();
        retirees.add(lease, None, BTreeSet::from([FileId(0), FileId(1)]));
        retirees
    }

    #[test]
    fn a_lease_is_free_once_all_its_files_are_published_and_all_are_told() {
        let mut retirees = retirees();
        assert!(retirees.told(NotifierId(0)).is_empty());
        assert!(retirees.published(&[FileId(0)], &[(FileId(0), NotifierId(0))]).is_empty());
        assert!(retirees.published(&[FileId(1)], &[]).is_empty(), "one notifier is not told");
        assert_eq!(retirees.told(NotifierId(0)), [LeaseId("old".into())]);
    }

    #[test]
    fn the_grace_is_ten_seconds_or_a_quarter_of_what_is_left() {
        let retirees = retirees();
        let old = retirees.get(&LeaseId("old".into())).expect("it is there");
        assert_eq!(old.grace(at(50)), at(60));
        // It lives for a second longer than the server says, at most.
        assert_eq!(old.grace(at(97)), at(98));
    }
}
