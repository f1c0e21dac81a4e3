//! The handoff, from the driver's side: what was kept goes into the store, and comes out of it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use super::children::Children;
use super::credentials::Credentials;
use super::ledger::Ledger;
use super::store::Store;
use crate::config::plan::Plan;
use crate::core::Engine;
use crate::core::ids::{LeaseId, TokenId};
use crate::core::snapshot::{Changes, Snapshot};
use crate::exit::Ending;
use crate::handoff::{self, Beside, Binding, Handoff, HandoffError, Kept, Line, Loaded, Unusable, Whole};
use crate::observe::clock;
use crate::publish::Listed;
use crate::render::Secrets as _;
use crate::secret::Secret;
use crate::vault::mounts::Mount;
use crate::vault::unwrap::Opening;
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_base::time::Moment;

/// A journal is continued for this long at most. It does not say when an unchanged secret was last polled, so a run
/// that goes on from it would poll all of those again at once.
const OLD: Duration = Duration::from_secs(10 * 60);

/// The handoff of this run, if one is configured.
pub(super) struct Keeper {
    place: Option<OpenHandoff>,
    /// The state of the credential files at the last login, of this run or the one before.
    sent: Option<String>,
    /// The absolute files that were published.
    ledger: Ledger,
    /// Writing the handoff has just used much memory.
    took_much: bool,
}

struct OpenHandoff {
    handoff: Handoff,
    binding: Binding,
    /// A digest of the wrapping token that this pod opened last.
    opened: Option<String>,
    /// When the state was last written as a whole.
    whole: Moment,
}

/// The lists from which a whole state takes everything, and a line what has changed.
struct Lists<'a> {
    store: &'a Store,
    ledger: &'a Ledger,
    /// The tokens that templates have made.
    children: &'a BTreeMap<LeaseId, Secret>,
    /// Those of them that were made since the last write, or are gone.
    changed: BTreeMap<LeaseId, Option<Secret>>,
}

/// What an earlier run left.
#[derive(Default)]
pub(super) struct Inherited {
    /// For the core.
    pub(super) snapshot: Option<Snapshot>,
    /// The times are on the clock of another boot.
    pub(super) rebooted: bool,
    /// For the requests.
    pub(super) tokens: BTreeMap<TokenId, Secret>,
    /// For the renderings.
    pub(super) store: Store,
    /// For the requests: the tokens that templates have made.
    pub(super) children: BTreeMap<LeaseId, Secret>,
    /// For the client: the mounts that are known.
    pub(super) mounts: Vec<Mount>,
    /// For the client: a digest of the wrapping token that was opened.
    pub(super) opened: Option<String>,
    /// The absolute files that it had published.
    pub(super) published: Vec<Listed>,
}

impl Keeper {
    /// Takes the handoff of `plan`, and reads what `pod` left in it.
    ///
    /// # Errors
    /// 73: another process holds it, or its place cannot be written.
    pub(super) fn open(
        plan: &Plan,
        pod: &str,
        credentials: &Credentials,
    ) -> Result<(Self, Inherited), Ending> {
        let Some(path) = &plan.handoff else {
            return Ok((
                Self { place: None, sent: None, ledger: Ledger::default(), took_much: false },
                Inherited::default(),
            ));
        };
        let handoff = Handoff::open(path, plan.require_tmpfs)?;
        // Without a boot id every start counts as a start after another boot, which costs a look-up and renewals.
        let boot = clock::boot_id().unwrap_or_default();
        let (namespace, of_login) = (plan.vault.namespace.as_deref(), plan.auth.namespace.as_deref());
        let server = handoff::server(plan.vault.address.as_str(), namespace, of_login);
        let owns = plan.auth.owns_token();
        let binding = Binding { digest: plan.digest, pod: pod.to_owned(), boot, server, owns };
        let mut sent = None;
        let found = match handoff.load(&binding, clock::moment()) {
            Loaded::Found { mut kept, same_clock } => {
                sent = kept.refused_with.take();
                // Good credentials after bad ones deserve a try at once, also in a process that saw only the good
                // ones.
                let others = sent.as_ref().is_some_and(|sent| *sent != credentials.digest());
                if let (true, Some(refusals)) = (others, &mut kept.snapshot.refusals) {
                    refusals.pardoned = true;
                }
                let found = Inherited::from(*kept);
                let rebooted = !same_clock && found.snapshot.is_some();
                if rebooted {
                    tracing::info!(
                        "the handoff was written before the machine was restarted, or under another clock: asking the server what is left of it"
                    );
                }
                Inherited { rebooted, ..found }
            }
            Loaded::Strays { kept, why: why @ Unusable::OtherServer, .. } => {
                tracing::warn!(handoff = %path.display(), "cannot use the handoff, logging in anew: {why}");
                Inherited::from(*kept)
            }
            Loaded::Strays { mut kept, same_clock, why } => {
                sent = kept.refused_with.take();
                // Whoever changes the configuration may have corrected the login, and gets one more try. The core grants no
                // second one while the server still counts.
                kept.snapshot.refusals.iter_mut().for_each(|refusals| refusals.pardoned = true);
                // A run that has ended in good order leaves a list of files, and nothing to be revoked.
                if (Snapshot { refusals: None, ..kept.snapshot.clone() }) != Snapshot::default() {
                    let (tokens, leases) = (kept.tokens.len(), kept.snapshot.retiring.len());
                    tracing::warn!(
                        handoff = %path.display(), tokens, leases,
                        "cannot go on from the handoff, logging in anew: {why}; what it names is given back once the new files are published"
                    );
                }
                let found = Inherited::from(*kept);
                Inherited { rebooted: !same_clock && found.snapshot.is_some(), ..found }
            }
            Loaded::Absent => Inherited::default(),
            Loaded::Unusable(why) => {
                tracing::warn!(handoff = %path.display(), "cannot use the handoff, logging in anew: {why}");
                Inherited::default()
            }
        };
        let opened = found.opened.clone();
        let ledger = Ledger::of(found.published.clone());
        Ok((
            Self {
                place: Some(OpenHandoff { handoff, binding, opened, whole: Moment::default() }),
                sent,
                ledger,
                took_much: false,
            },
            found,
        ))
    }

    /// Returns the list of the absolute files that were published. Each publish adds its own.
    pub(super) fn ledger(&self) -> &Ledger {
        &self.ledger
    }

    /// Records that a login is sent with the credential files as they are now.
    pub(super) fn sending(&mut self, credentials: &Credentials) {
        self.sent = self.place.is_some().then(|| credentials.digest());
    }

    /// Records that another wrapping token is about to be opened, or that none was after all, for the next write.
    pub(super) fn note_opening(&mut self, opened: Option<String>) {
        if let Some(place) = &mut self.place {
            place.opened = opened;
        }
    }

    /// Writes down what has changed.
    ///
    /// # Errors
    /// If it cannot be written. What was kept before is still there.
    pub(super) fn save(
        &mut self,
        engine: &mut Engine,
        (tokens, children): (&BTreeMap<TokenId, Secret>, &mut Children),
        store: &Store,
        mounts: &[Mount],
    ) -> Result<(), HandoffError> {
        let (sent, ledger) = (&self.sent, &self.ledger);
        let Some(place) = &mut self.place else { return Ok(()) };
        ledger.begin_write();
        let changes = engine.changes();
        let refused_with = sent.as_deref().filter(|_| changes.rest.refusals.is_some());
        let opened = place.opened.clone();
        let beside = Beside { tokens, mounts, refused_with, opened: opened.as_deref() };
        let changed = children.take_changes();
        let lists = Lists { store, ledger, children: children.all(), changed };
        let now = clock::moment();
        let (last, old) = (engine.is_leaving(), place.whole.until(now) > OLD);
        let saved = match last || old || place.handoff.wants_whole() {
            true => match place.replace(&engine.snapshot(), beside, &lists, last) {
                Ok(()) => {
                    place.whole = now;
                    self.took_much = place.handoff.is_large();
                    Ok(())
                }
                // A volume without room for another state may have room for a line.
                Err(_) if place.handoff.can_append() => place.append(&changes, beside, &lists),
                Err(why) => {
                    // These changes are in no line, so none can go on from what is there, should that be in its place
                    // again.
                    place.handoff.begin_anew();
                    Err(why)
                }
            },
            false => place.append(&changes, beside, &lists),
        };
        ledger.written(saved.is_ok());
        saved
    }

    /// Binds what is kept from now on to a new configuration.
    pub(super) fn rebind(&mut self, plan: &Plan) {
        if let Some(place) = &mut self.place {
            place.binding.digest = plan.digest;
            place.handoff.begin_anew();
        }
    }

    /// Deletes the handoff, since what it holds is revoked. Two facts stay: that a wrapping token was opened, so that
    /// the next run does not take it for stolen, and which absolute files are on the disk.
    pub(super) fn remove(&mut self) {
        let Some(OpenHandoff { handoff, binding, opened, .. }) = &mut self.place else { return };
        let published = self.ledger.files();
        if opened.is_some() || !published.is_empty() {
            let rest = Kept { opened: opened.clone(), published, ..Kept::default() };
            if handoff.store(binding, &rest).is_ok() {
                return;
            }
        }
        if let Err(error) = handoff.remove() {
            tracing::warn!("cannot delete the handoff, whose token is revoked: {error}");
        }
    }
}

impl OpenHandoff {
    fn replace(
        &mut self,
        snapshot: &Snapshot,
        beside: Beside<'_>,
        lists: &Lists<'_>,
        last: bool,
    ) -> Result<(), HandoffError> {
        let answers = answers(lists.store, snapshot.secrets.iter().map(|secret| &secret.request));
        let (children, published) = (lists.children, lists.ledger.files());
        let whole =
            Whole { snapshot, beside, children, responses: borrowed(&answers), published: &published };
        self.handoff.replace(&self.binding, &whole, last)
    }

    fn append(
        &mut self,
        changes: &Changes,
        beside: Beside<'_>,
        lists: &Lists<'_>,
    ) -> Result<(), HandoffError> {
        let answers = answers(lists.store, changes.secrets.iter().map(|secret| &secret.request));
        let (children, published) = (&lists.changed, lists.ledger.changes());
        let line = Line { changes, beside, children, responses: borrowed(&answers), published: &published };
        self.handoff.append(&line)
    }
}

fn answers<'a>(
    store: &Store,
    requests: impl Iterator<Item = &'a Request>,
) -> Vec<(&'a Request, Arc<Response>)> {
    requests.filter_map(|request| Some((request, store.get(request)?))).collect()
}

fn borrowed<'a>(answers: &'a [(&'a Request, Arc<Response>)]) -> Vec<(&'a Request, &'a Response)> {
    answers.iter().map(|(request, answer)| (*request, &**answer)).collect()
}

impl Driver {
    /// Writes down that a wrapping token is about to be opened, before it is. If this run is killed in between, the
    /// token cannot be opened any more, and the next run must not take that for a theft.
    pub(super) fn write_down(&mut self, opening: Opening) {
        self.keeper.note_opening(opening.digest);
        let saved = self.save();
        if let Err(why) = saved {
            tracing::warn!("could not write the handoff before opening the wrapping token: {why}");
        }
        let _gone = opening.written.send(());
    }

    /// Writes the list of absolute files after a publish: if this run is killed from here on, the next one has the
    /// list.
    pub(super) fn save_ledger(&mut self) {
        if let Err(why) = self.save() {
            // The core reports a failure of its own writes, which go to the same place.
            tracing::debug!("could not write the list of absolute files: {why}");
        }
    }

    /// Writes the handoff.
    pub(super) fn save(&mut self) -> Result<(), HandoffError> {
        let tokens = self.requests.for_handoff();
        let saved = self.keeper.save(&mut self.engine, tokens, &self.store, &self.client.mounts());
        if std::mem::take(&mut self.keeper.took_much) {
            self.rest.owe_heap();
        }
        saved
    }
}

impl From<Kept> for Inherited {
    fn from(mut kept: Kept) -> Self {
        let mut store = Store::default();
        for secret in &kept.snapshot.secrets {
            for written in &secret.written {
                store.resolve(written.clone(), secret.request.clone());
            }
        }
        for (request, response) in std::mem::take(&mut kept.responses) {
            store.put(request, response.into());
        }
        let Kept { snapshot, tokens, opened, published, mounts, children, .. } = kept;
        // A run that has ended in good order leaves nothing to go on from.
        let snapshot = Some(snapshot).filter(|snapshot| *snapshot != Snapshot::default());
        Self { snapshot, rebooted: false, tokens, store, children, mounts, opened, published }
    }
}
