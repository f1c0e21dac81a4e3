//! Changes of the login that a definition is read with. The former login serves the Secret until the next one has published
//! it, as a lease lives until the next one is in use.
//!
//! Two engines then work for one definition. The Secret has one writer at a time: the login whose values it has, or the next
//! one. From the first publish of the next login on, the former one writes no more.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use tokio::sync::mpsc::UnboundedSender;

use super::definition::Key;
use super::desk::Message;
use super::identity::Identity;

/// All changes of logins.
pub(crate) struct Handovers {
    hub: UnboundedSender<Message>,
    all: RefCell<BTreeMap<Key, Handover>>,
    /// The logins whose failed write the Secret of a definition may have. What is known of it is not to be relied on.
    doubts: RefCell<BTreeMap<Key, BTreeSet<Arc<Identity>>>>,
    /// The login that writes a definition's Secret at the moment, with how many requests.
    writing: RefCell<BTreeMap<Key, (Arc<Identity>, usize)>>,
}

/// The change of one definition's login.
struct Handover {
    /// The login whose values the Secret has.
    holder: Arc<Identity>,
    /// The login that is wanted.
    next: Arc<Identity>,
    /// The logins whose values the Secret had since all its readers last had the same: one of them may still have any of these.
    had: BTreeSet<Arc<Identity>>,
}

/// The part that one login has in the changes.
#[derive(Clone)]
pub(crate) struct Share {
    all: Rc<Handovers>,
    me: Arc<Identity>,
}

/// The right of one login to write a definition's Secret. No other login writes it meanwhile.
pub(crate) struct Pen {
    all: Rc<Handovers>,
    key: Key,
}

impl Drop for Pen {
    fn drop(&mut self) {
        let mut writing = self.all.writing.borrow_mut();
        let writer = match writing.get_mut(&self.key) {
            Some((_, count)) if *count > 1 => {
                *count -= 1;
                return;
            }
            _ => writing.remove(&self.key),
        };
        drop(writing);
        // Its write, which it was kept for, has failed.
        if writer.is_some_and(|(writer, _)| self.all.is_spare(&self.key, &writer)) {
            self.all.tell_hub(&self.key);
        }
    }
}

/// Why a login must not write a Secret.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Denied {
    /// Another login writes it at the moment.
    Now,
    /// The next login has published it.
    ForEver,
}

/// What a login shows of a definition.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shows {
    /// Its trouble, since it is the login that is wanted.
    pub(crate) trouble: bool,
    /// Its values and their leases, since the Secret has them.
    pub(crate) values: bool,
}

impl Shows {
    pub(crate) const ALL: Self = Self { trouble: true, values: true };
}

impl Handovers {
    /// Makes the table. The hub gets a message when a former login is not needed any more.
    pub(crate) fn new(hub: UnboundedSender<Message>) -> Self {
        Self { hub, all: RefCell::default(), doubts: RefCell::default(), writing: RefCell::default() }
    }

    /// Returns the part of one login.
    pub(crate) fn of(self: &Rc<Self>, me: &Identity) -> Share {
        Share { all: Rc::clone(self), me: Arc::new(me.clone()) }
    }

    /// Records that a definition is to be read with another login.
    pub(crate) fn begin(&self, key: &Key, from: &Arc<Identity>, next: &Arc<Identity>) {
        let mut all = self.all.borrow_mut();
        let first = || Handover {
            holder: Arc::clone(from),
            next: Arc::clone(next),
            had: BTreeSet::from([Arc::clone(from)]),
        };
        all.entry(key.clone()).or_insert_with(first).next = Arc::clone(next);
    }

    /// Returns whether a login is not needed for a definition any more: it is not wanted, no reader has its values, and no
    /// write of it may still succeed.
    pub(crate) fn is_spare(&self, key: &Key, login: &Arc<Identity>) -> bool {
        let is_writing = self.writing.borrow().get(key).is_some_and(|(writer, _)| writer == login);
        let all = self.all.borrow();
        !is_writing
            && all.get(key).is_some_and(|handover| handover.next != *login && !handover.had.contains(login))
    }

    /// Returns whether a definition's Secret may have what another login than this one failed to write.
    pub(crate) fn may_have_of_another(&self, key: &Key, login: &Arc<Identity>) -> bool {
        self.doubts.borrow().get(key).is_some_and(|writers| writers.iter().any(|one| one != login))
    }

    fn tell_hub(&self, key: &Key) {
        // The hub is gone if the process is ending.
        let _sent = self.hub.send(Message::Settled(key.clone()));
    }

    /// Forgets a definition that is gone.
    pub(crate) fn forget(&self, key: &Key) {
        self.all.borrow_mut().remove(key);
        self.doubts.borrow_mut().remove(key);
    }
}

impl Share {
    /// Takes the right to write a definition's Secret.
    ///
    /// # Errors
    /// [`Denied`] if another login has it.
    pub(crate) fn pen(&self, key: &Key) -> Result<Pen, Denied> {
        if self.shows(key) == (Shows { trouble: false, values: false }) {
            return Err(Denied::ForEver);
        }
        let mut writing = self.all.writing.borrow_mut();
        let (by, count) = writing.entry(key.clone()).or_insert_with(|| (Arc::clone(&self.me), 0));
        if *by != self.me {
            return Err(Denied::Now);
        }
        *count += 1;
        Ok(Pen { all: Rc::clone(&self.all), key: key.clone() })
    }

    /// Records that the Secret may have this login's values, although it failed to publish them. If another login is wanted by
    /// now, that is to compare the Secret, and this one stays as long as a reader may have its values.
    pub(crate) fn may_have_published(&self, key: &Key) {
        self.all.doubts.borrow_mut().entry(key.clone()).or_default().insert(Arc::clone(&self.me));
        let mut all = self.all.all.borrow_mut();
        let Some(handover) = all.get_mut(key) else { return };
        handover.had.insert(Arc::clone(&self.me));
        if handover.next != self.me {
            self.all.tell_hub(key);
        }
    }

    /// Returns whether the Secret may have what a failed publish wrote.
    pub(crate) fn is_unsure(&self, key: &Key) -> bool {
        self.all.doubts.borrow().contains_key(key)
    }

    /// Returns whether the Secret may have what another login failed to write.
    pub(crate) fn may_have_of_another(&self, key: &Key) -> bool {
        self.all.may_have_of_another(key, &self.me)
    }

    /// Records that a look found this login's values in the Secret. A write that comes to it later changes its version.
    pub(crate) fn has_seen(&self, key: &Key) {
        if self.shows(key).values {
            self.be_sure(key);
        }
    }

    fn be_sure(&self, key: &Key) {
        self.all.doubts.borrow_mut().remove(key);
    }

    /// Records that the Secret has this login's values.
    pub(crate) fn published(&self, key: &Key) {
        self.be_sure(key);
        if let Some(handover) = self.all.all.borrow_mut().get_mut(key) {
            handover.holder = Arc::clone(&self.me);
            handover.had.insert(Arc::clone(&self.me));
        }
    }

    /// Records that all readers have this login's values, if those are what the Secret has, and tells the hub. That holds also
    /// while yet another login is wanted. A login that may have written it since stays.
    pub(crate) fn settled(&self, key: &Key) {
        let doubts = self.all.doubts.borrow();
        let may_have_written = |one: &Arc<Identity>| doubts.get(key).is_some_and(|all| all.contains(one));
        let mut all = self.all.all.borrow_mut();
        let Some(handover) = all.get_mut(key).filter(|handover| handover.holder == self.me) else { return };
        handover.had.retain(|one| *one == self.me || may_have_written(one));
        self.all.tell_hub(key);
    }

    pub(crate) fn login(&self) -> &Identity {
        &self.me
    }

    /// Returns what this login shows of a definition.
    pub(crate) fn shows(&self, key: &Key) -> Shows {
        self.all.all.borrow().get(key).map_or(Shows::ALL, |handover| Shows {
            trouble: handover.next == self.me,
            values: handover.holder == self.me,
        })
    }

    /// Returns whether another login writes a definition's Secret at the moment.
    pub(crate) fn is_another_writing(&self, key: &Key) -> bool {
        self.all.writing.borrow().get(key).is_some_and(|(writer, _)| *writer != self.me)
    }

    /// Returns whether a definition is to be read with another login.
    pub(crate) fn is_former(&self, key: &Key) -> bool {
        !self.shows(key).trouble
    }
}

#[cfg(test)]
mod tests {
    use tokio::sync::mpsc::{UnboundedReceiver, unbounded_channel};

    use super::*;
    use crate::sync::definition::Kind;

    fn key() -> Key {
        Key { kind: Kind::SyncedSecret, namespace: "shop".into(), name: "web".into() }
    }

    fn account(role: &str) -> Arc<Identity> {
        Arc::new(Identity::sample("shop", role))
    }

    fn table() -> (Rc<Handovers>, UnboundedReceiver<Message>) {
        let (hub, inbox) = unbounded_channel();
        (Rc::new(Handovers::new(hub)), inbox)
    }

    #[test]
    fn the_former_login_writes_until_the_next_one_has_published() {
        let (all, mut inbox) = table();
        let (old, new) = (all.of(&account("old")), all.of(&account("new")));
        all.begin(&key(), &account("old"), &account("new"));
        let pen = old.pen(&key()).ok();
        assert!(pen.is_some(), "the Secret lives from it");
        assert_eq!(new.pen(&key()).err(), Some(Denied::Now), "one writes at a time");
        drop(pen);
        assert_eq!(old.shows(&key()), Shows { trouble: false, values: true });
        assert_eq!(new.shows(&key()), Shows { trouble: true, values: false });
        let pen = new.pen(&key()).ok();
        let more = new.pen(&key()).ok();
        assert!(more.is_some(), "its next form may be written before the answer for this one");
        drop(pen);
        assert_eq!(old.pen(&key()).err(), Some(Denied::Now));
        // A write that fails changes nothing.
        drop(more);
        assert!(old.pen(&key()).is_ok());
        new.published(&key());
        assert_eq!(old.pen(&key()).err(), Some(Denied::ForEver));
        assert!(old.is_former(&key()) && !new.is_former(&key()));
        old.settled(&key());
        assert!(
            inbox.try_recv().is_err() && !all.is_spare(&key(), &account("old")),
            "a reader has its values"
        );
        new.settled(&key());
        assert!(matches!(inbox.try_recv(), Ok(Message::Settled(_))) && all.is_spare(&key(), &account("old")));
        assert!(!all.is_spare(&key(), &account("new")));
    }

    #[test]
    fn a_login_in_between_that_has_published_nothing_writes_nothing_more() {
        let (all, _inbox) = table();
        let (a, b, c) = (account("a"), account("b"), account("c"));
        all.begin(&key(), &a, &b);
        assert!(!all.is_spare(&key(), &b), "it is wanted");
        all.begin(&key(), &b, &c);
        assert!(all.is_spare(&key(), &b) && !all.is_spare(&key(), &a) && !all.is_spare(&key(), &c));
        assert_eq!(all.of(&b).pen(&key()).err(), Some(Denied::ForEver));
        assert!(all.of(&a).pen(&key()).is_ok() && all.of(&c).pen(&key()).is_ok());
    }

    #[test]
    fn a_write_that_is_under_way_counts_also_after_another_change() {
        let (all, mut inbox) = table();
        let (a, b) = (account("a"), account("b"));
        all.begin(&key(), &a, &b);
        all.begin(&key(), &b, &a);
        assert!(all.is_spare(&key(), &b), "nothing was written, and it is changed back");
        all.begin(&key(), &a, &b);
        let pen = all.of(&b).pen(&key()).ok();
        all.begin(&key(), &b, &a);
        assert!(pen.is_some() && !all.is_spare(&key(), &b), "its write may succeed");
        all.of(&b).published(&key());
        drop(pen);
        assert!(inbox.try_recv().is_err() && !all.is_spare(&key(), &b));
        assert_eq!(all.of(&a).shows(&key()), Shows { trouble: true, values: false });
        assert!(all.of(&b).pen(&key()).is_ok(), "the Secret lives from it now");
    }

    #[test]
    fn a_login_in_between_is_given_up_when_its_write_has_failed() {
        let (all, mut inbox) = table();
        let (a, b) = (account("a"), account("b"));
        all.begin(&key(), &a, &b);
        let pens = [all.of(&b).pen(&key()).ok(), all.of(&b).pen(&key()).ok()];
        all.begin(&key(), &b, &a);
        all.of(&a).settled(&key());
        assert!(matches!(inbox.try_recv(), Ok(Message::Settled(_))) && !all.is_spare(&key(), &b));
        for pen in pens {
            assert!(pen.is_some() && inbox.try_recv().is_err());
            drop(pen);
        }
        assert!(matches!(inbox.try_recv(), Ok(Message::Settled(_))) && all.is_spare(&key(), &b));
    }

    /// The answer to its write was lost. Giving it up would revoke the credentials that the Secret may have.
    #[test]
    fn a_login_that_may_have_published_is_kept_until_another_one_has_for_certain() {
        let (all, mut inbox) = table();
        let (a, b) = (account("a"), account("b"));
        all.begin(&key(), &a, &b);
        let pen = all.of(&b).pen(&key()).ok();
        all.begin(&key(), &b, &a);
        all.of(&b).may_have_published(&key());
        drop(pen);
        assert!(matches!(inbox.try_recv(), Ok(Message::Settled(_))), "the login that is wanted compares");
        assert!(!all.is_spare(&key(), &b) && all.of(&a).is_unsure(&key()));
        all.of(&a).settled(&key());
        assert!(!all.is_spare(&key(), &b), "the restart for an earlier change says nothing");
        all.of(&a).published(&key());
        all.of(&a).settled(&key());
        assert!(all.is_spare(&key(), &b) && !all.of(&a).is_unsure(&key()));
    }

    #[test]
    fn a_login_that_is_wanted_tries_again_by_itself_to_publish() {
        let (all, mut inbox) = table();
        let (a, b) = (account("a"), account("b"));
        all.begin(&key(), &a, &b);
        all.of(&b).may_have_published(&key());
        assert!(inbox.try_recv().is_err() && all.of(&b).is_unsure(&key()));
        // Without any change of logins, too, nothing that is known of the Secret is relied on.
        let other = Key { name: "other".into(), ..key() };
        all.of(&a).may_have_published(&other);
        assert!(inbox.try_recv().is_err() && all.of(&a).is_unsure(&other));
        all.forget(&other);
        assert!(!all.of(&a).is_unsure(&other));
    }

    #[test]
    fn a_login_whose_values_pods_have_is_kept_through_all_changes_until_they_are_restarted() {
        let (all, mut inbox) = table();
        let (a, b, c) = (account("a"), account("b"), account("c"));
        all.begin(&key(), &a, &b);
        all.of(&b).published(&key());
        // The rollout is under way.
        all.begin(&key(), &b, &c);
        all.begin(&key(), &c, &b);
        assert!(all.is_spare(&key(), &c) && !all.is_spare(&key(), &a));
        all.begin(&key(), &b, &a);
        all.begin(&key(), &a, &c);
        assert!(!all.is_spare(&key(), &a) && !all.is_spare(&key(), &b), "pods have either's values");
        // The rollout ends while yet another login is wanted, which may never work.
        all.of(&b).settled(&key());
        assert!(matches!(inbox.try_recv(), Ok(Message::Settled(_))));
        assert!(all.is_spare(&key(), &a) && !all.is_spare(&key(), &b));
    }
}
