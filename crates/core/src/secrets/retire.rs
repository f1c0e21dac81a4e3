//! Leases that were replaced. Each lives on until every file is published without it and every notifier was notified,
//! and a little longer, since applications take time to change over. Only then is it revoked.

use leasehold_base::gather::Gather as _;
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::files::notice::{Reader, Unaware};
use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, TokenId};
use crate::secrets::earlier::Earlier;
use crate::secrets::lease::Lease;
use crate::secrets::places::Places;
use crate::tools::dice::pause;
use crate::tools::steps::step;
use leasehold_base::time::Moment;

/// The time that applications get to change over; at most a quarter of what is left of the lease.
const GRACE: Duration = Duration::from_secs(10);

/// Pauses of revocations are logged once in this time.
const QUIET: Duration = Duration::from_secs(10 * 60);

/// The longest time that revocations wait after the server asked for a pause.
const MOST_REST: Duration = Duration::from_secs(60);

/// Returns when something that ends at `end`, if it ends, is revoked if it becomes free now.
pub(crate) fn grace(now: Moment, end: Option<Moment>) -> Moment {
    now.after(end.map_or(GRACE, |end| GRACE.min(now.until(end) / 4)))
}

/// How far the revocation of a replaced lease has got.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Way {
    /// Something may still use the lease.
    Used,
    /// Nothing should use it any more; applications are changing over.
    Grace,
    /// It is revoked together with its login.
    WithToken,
    /// It is being revoked by itself, or that will be retried.
    Revoking,
}

/// The files on disk that still depend on a replaced lease.
#[derive(Debug, Default)]
pub(crate) struct OnDisk {
    /// Those that are known.
    pub(crate) files: BTreeSet<FileId>,
    /// The lease comes from an earlier run, so every file that this run has not published yet may be one of them.
    pub(crate) earlier: bool,
}

/// One replaced lease.
#[derive(Debug)]
pub(crate) struct Retiree {
    pub(crate) lease: Lease,
    /// The secret that it belonged to.
    pub(crate) secret: Option<SecretId>,
    /// The files on disk that are known to depend on it still.
    pub(crate) files: BTreeSet<FileId>,
    /// It also waits for what the earlier run has put on the disk.
    earlier: bool,
    /// The readers that have not been notified yet of the files without it.
    pub(crate) readers: Unaware,
    pub(crate) way: Way,
    pub(crate) tries: u32,
    /// The current login may not revoke it.
    pub(crate) by_own: bool,
    /// A digest of what was last written down of its lease.
    pub(crate) noted: Option<u64>,
}

/// All replaced leases, and the readers that may go on with a lease that is still good.
#[derive(Debug, Default)]
pub(crate) struct Retirees {
    all: BTreeMap<LeaseId, Retiree>,
    /// For leases that are still good: the readers of files that were published without them, until they are notified
    /// of that.
    left: BTreeMap<LeaseId, Unaware>,
    /// What an earlier run has put on the disk.
    earlier: Earlier,
    /// The leases that may have changed since the changes were last taken.
    touched: BTreeSet<LeaseId>,
    /// The leases that were written down and are gone.
    gone: BTreeSet<LeaseId>,
    /// Which of the leases a published file may set free.
    places: Places,
    /// The leases that no file depends on any more, and whose deadline is to be set.
    off_disk: BTreeSet<LeaseId>,
    /// For each login, a lease that had to be revoked by itself at the last look.
    waiting: BTreeMap<TokenId, LeaseId>,
    /// The server asked that revocations pause, and has granted none since: until when, and how often in a row.
    rest: Option<(Moment, u32)>,
    /// When a pause was last logged.
    told: Option<Moment>,
}

impl Retirees {
    /// Records that the server asked for a pause of revocations; for `asked` if it named a time.
    pub(crate) fn rest(&mut self, now: Moment, asked: Option<Duration>, draw: f64) {
        let rounds = match self.rest {
            // This answers a revocation that was sent together with the first.
            Some((until, rounds)) if until > now => rounds,
            Some((_, rounds)) => rounds.saturating_add(1),
            None => 1,
        };
        let wait = pause(rounds, Duration::from_secs(1), MOST_REST, draw)
            .max(asked.unwrap_or_default().min(MOST_REST));
        let until = self.rest.map_or(now, |(until, _)| until).max(now.after(wait));
        self.rest = Some((until, rounds));
    }

    /// Records that a revocation was granted.
    pub(crate) fn rested(&mut self) {
        self.rest = None;
    }

    /// Returns whether a pause is news. Revocations under a quota pause again and again.
    pub(crate) fn is_pause_news(&mut self, now: Moment) -> bool {
        let news = self.told.is_none_or(|at| at.until(now) >= QUIET);
        if news {
            self.told = Some(now);
        }
        news
    }

    /// Returns until when revocations wait. If that is past, one at a time finds out whether the server takes them.
    pub(crate) fn resting_until(&self) -> Option<Moment> {
        self.rest.map(|(until, _)| until)
    }

    /// Begins with what an earlier run has put on the disk: it may be in all `files`, and the `untold` readers do not
    /// know it yet.
    pub(crate) fn begin(
        &mut self,
        files: BTreeSet<FileId>,
        untold: impl IntoIterator<Item = Reader>,
        now: Moment,
    ) {
        self.earlier = Earlier::new(files, untold, now);
    }

    /// Adds a lease that an earlier run has replaced. Returns whether nothing uses it any more.
    pub(crate) fn adopt(&mut self, lease: Lease) -> bool {
        let waits = !self.earlier.is_over();
        self.put(lease, None, BTreeSet::new(), waits)
    }

    /// Adds a lease that files on disk still depend on. Returns whether nothing uses it any more.
    pub(crate) fn add(&mut self, lease: Lease, secret: Option<SecretId>, on_disk: OnDisk) -> bool {
        let waits = on_disk.earlier && self.earlier.has_files();
        self.put(lease, secret, on_disk.files, waits)
    }

    fn put(
        &mut self,
        lease: Lease,
        secret: Option<SecretId>,
        files: BTreeSet<FileId>,
        earlier: bool,
    ) -> bool {
        let readers = self.left.remove(&lease.id).unwrap_or_default();
        let noted = self.all.get(&lease.id).and_then(|before| before.noted);
        let (way, tries, by_own) = (Way::Used, 0, false);
        let retiree = Retiree { secret, files, earlier, readers, way, tries, by_own, noted, lease };
        let free = retiree.is_free();
        self.touched.insert(retiree.lease.id.clone());
        self.off_disk.insert(retiree.lease.id.clone());
        if let Some(before) = self.all.get(&retiree.lease.id) {
            self.places.forget(&retiree.lease.id, &before.files);
        }
        self.places.put(&retiree.lease.id, &retiree.files);
        match earlier {
            true => self.earlier.put(&retiree.lease.id),
            false => self.earlier.forget(&retiree.lease.id),
        }
        self.all.insert(retiree.lease.id.clone(), retiree);
        free
    }

    /// Records that a file was published without a lease that is still good. These readers must be notified of that
    /// before the lease is revoked.
    pub(crate) fn leave(&mut self, lease: &LeaseId, untold: impl IntoIterator<Item = Reader>, now: Moment) {
        let mut untold = untold.into_iter().peekable();
        if untold.peek().is_some() {
            self.left.entry(lease.clone()).or_default().add(untold, now);
        }
    }

    pub(crate) fn get(&self, id: &LeaseId) -> Option<&Retiree> {
        self.all.get(id)
    }

    pub(crate) fn get_mut(&mut self, id: &LeaseId) -> Option<&mut Retiree> {
        let one = self.all.get_mut(id)?;
        self.touched.insert(id.clone());
        self.off_disk.insert(id.clone());
        Some(one)
    }

    pub(crate) fn remove(&mut self, id: &LeaseId) -> Option<Retiree> {
        let one = self.all.remove(id)?;
        self.touched.remove(id);
        self.off_disk.remove(id);
        self.places.forget(id, &one.files);
        self.earlier.forget(id);
        if one.noted.is_some() {
            self.gone.insert(id.clone());
        }
        Some(one)
    }

    /// Returns a lease like [`get_mut`](Self::get_mut), to note what was written down of it.
    pub(crate) fn get_to_note(&mut self, id: &LeaseId) -> Option<&mut Retiree> {
        self.all.get_mut(id)
    }

    /// Takes the leases that may have changed since the last call.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<LeaseId> {
        std::mem::take(&mut self.touched)
    }

    /// Takes the leases that were noted and are gone since the last call.
    pub(crate) fn take_gone(&mut self) -> Vec<LeaseId> {
        std::mem::take(&mut self.gone).into_iter().collect()
    }

    /// Returns the replaced leases that this file on disk is known to depend on still, and that belonged to a secret.
    pub(crate) fn behind(&self, file: FileId) -> impl Iterator<Item = &Retiree> {
        let all = self.places.of_one(file).inspect(|_| step()).filter_map(|id| self.all.get(id));
        all.filter(move |one| one.secret.is_some() && one.files.contains(&file))
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &Retiree> {
        self.all.values()
    }

    pub(crate) fn iter_mut(&mut self) -> impl Iterator<Item = &mut Retiree> {
        self.touched.extend(self.all.keys().cloned());
        self.off_disk.extend(self.all.keys().cloned());
        self.all.values_mut()
    }

    /// Returns whether no published file can set a lease free, now or later.
    pub(crate) fn is_idle(&self) -> bool {
        self.all.is_empty() && !self.earlier.has_files()
    }

    /// Returns the leases that `token` made.
    pub(crate) fn of(&self, token: TokenId) -> Vec<LeaseId> {
        self.iter().filter(|one| one.lease.token == token).map(|one| one.lease.id.clone()).collect()
    }

    /// Records that these files are on disk without any replaced lease, and that the `untold` readers must be
    /// notified of that. Returns the leases that nothing uses any more.
    pub(crate) fn published(
        &mut self,
        files: &[FileId],
        untold: &[(FileId, Reader)],
        now: Moment,
    ) -> Vec<LeaseId> {
        let mut whom: BTreeMap<FileId, Vec<Reader>> = BTreeMap::new();
        for (file, reader) in untold {
            whom.entry(*file).or_default().push(*reader);
        }
        let files: BTreeSet<FileId> = files.iter().copied().gather();
        let mut free = self.published_of_earlier(&files, &whom, now);
        for id in self.places.of(&files) {
            // A lease that is not in use is being revoked already.
            let Some(one) = self.all.get_mut(&id).filter(|one| one.way == Way::Used) else { continue };
            let without: Vec<FileId> = match one.files.len() < files.len() {
                true => one.files.iter().filter(|file| files.contains(file)).copied().collect(),
                false => files.iter().filter(|file| one.files.contains(file)).copied().collect(),
            };
            self.places.take(&id, without.iter());
            for file in without {
                step();
                one.files.remove(&file);
                one.readers.add(whom.get(&file).into_iter().flatten().copied(), now);
            }
            if one.files.is_empty() {
                self.places.pass(&id);
                self.off_disk.insert(id.clone());
            }
            if one.is_free() {
                free.insert(id);
            }
        }
        free.into_iter().collect()
    }

    /// Records the same for what an earlier run has put on the disk. Returns the leases that nothing uses any more.
    fn published_of_earlier(
        &mut self,
        files: &BTreeSet<FileId>,
        whom: &BTreeMap<FileId, Vec<Reader>>,
        now: Moment,
    ) -> BTreeSet<LeaseId> {
        for file in files {
            step();
            let untold = whom.get(file).into_iter().flatten().copied();
            if self.earlier.published(*file, untold, now) {
                self.off_disk.extend(self.earlier.leases().cloned());
            }
        }
        self.release_earlier()
    }

    /// Has no lease wait for what an earlier run has put on the disk, if that is over. Returns the leases that nothing
    /// else uses.
    fn release_earlier(&mut self) -> BTreeSet<LeaseId> {
        let mut free = BTreeSet::new();
        for id in self.earlier.take_free() {
            let Some(one) = self.all.get_mut(&id) else { continue };
            one.earlier = false;
            if one.way == Way::Used && one.is_free() {
                free.insert(id);
            }
        }
        free
    }

    /// Returns true if a replaced lease of this login is not revoked together with it. The search begins with the
    /// lease that was found the last time.
    pub(crate) fn wait_for(&mut self, token: TokenId) -> bool {
        let waits = |(id, one): (&LeaseId, &Retiree)| {
            (one.lease.token == token && one.way != Way::WithToken).then(|| id.clone())
        };
        let found = match self.waiting.remove(&token) {
            Some(last) => {
                let after = self.all.range(&last..).find_map(waits);
                after.or_else(|| self.all.range(..&last).find_map(waits))
            }
            None => self.all.iter().find_map(waits),
        };
        let waits = found.is_some();
        self.waiting.extend(found.map(|id| (token, id)));
        waits
    }

    /// Takes the leases that no file depends on any more but that a reader that was not notified may still use, with
    /// their ends. Leases without a change since the last call are left out: their deadlines are set.
    pub(crate) fn take_off_disk(&mut self) -> Vec<(LeaseId, Moment)> {
        let ids = std::mem::take(&mut self.off_disk);
        let there = ids.into_iter().filter_map(|id| self.all.get(&id).map(|one| (id, one)));
        let on_disk = |one: &Retiree| !one.files.is_empty() || (one.earlier && self.earlier.has_files());
        let off = |one: &Retiree| one.way == Way::Used && !on_disk(one) && !one.is_free();
        there.filter(|(_, one)| off(one)).map(|(id, one)| (id, one.lease.latest)).collect()
    }

    /// Records that all deadlines were cleared.
    pub(crate) fn forget_deadlines(&mut self) {
        self.off_disk.extend(self.all.keys().cloned());
    }

    /// Records that this notifier knows of everything that was published up to `until`. Returns the leases that
    /// nothing uses any more.
    pub(crate) fn told(&mut self, notifier: NotifierId, until: Moment) -> Vec<LeaseId> {
        self.left.retain(|_, untold| {
            untold.told(notifier, until);
            !untold.is_empty()
        });
        self.earlier.told(notifier, until);
        let mut free = self.release_earlier();
        for one in self.all.values_mut().filter(|one| one.way == Way::Used) {
            if one.readers.told(notifier, until) && one.is_free() {
                free.insert(one.lease.id.clone());
            }
        }
        free.into_iter().collect()
    }
}

impl Retiree {
    fn is_free(&self) -> bool {
        self.files.is_empty() && self.readers.is_empty() && !self.earlier
    }

    /// Returns when the lease is revoked if it becomes free now.
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
        let files = BTreeSet::from([FileId(0), FileId(1)]);
        retirees.add(lease, None, OnDisk { files, earlier: false });
        retirees
    }

    #[test]
    fn a_lease_is_free_once_all_its_files_are_published_and_all_are_told() {
        let mut retirees = retirees();
        let untold = [(FileId(0), Reader::Notifier(NotifierId(0)))];
        assert!(retirees.told(NotifierId(0), at(1)).is_empty());
        assert!(retirees.published(&[FileId(0)], &untold, at(2)).is_empty());
        assert!(retirees.published(&[FileId(1)], &[], at(3)).is_empty(), "one notifier is not told");
        assert!(retirees.told(NotifierId(0), at(1)).is_empty(), "of what was published before");
        assert_eq!(retirees.told(NotifierId(0), at(2)), [LeaseId("old".into())]);
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
