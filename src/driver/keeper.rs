//! The handoff, from the driver's side: what was kept goes into the store, and comes out of it.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Driver;
use super::children::Children;
use super::credentials::Credentials;
use super::files::MANY;
use super::ledger::Ledger;
use super::saving::{self, All, Asked, Content, Job, Way, Writer};
use super::store::Store;
use crate::config::plan::Plan;
use crate::core::Engine;
use crate::core::event::Event;
use crate::core::ids::{LeaseId, TokenId};
use crate::core::snapshot::Snapshot;
use crate::exit::Ending;
use crate::handoff::{self, Binding, Handoff, HandoffError, Kept, Loaded, Unusable};
use crate::observe::clock;
use crate::publish::Listed;
use crate::secret::Secret;
use crate::vault::mounts::Mount;
use crate::vault::unwrap::Opening;
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
    writer: Writer,
    binding: Binding,
    /// A digest of the wrapping token that this pod opened last.
    opened: Option<String>,
    /// When the state was last written as a whole.
    whole: Moment,
    /// When the last write began.
    began: Moment,
    /// These wait for the end of the write under way.
    asked: Asked,
    /// What was asked for while it was under way.
    next: Option<Asked>,
}

/// A write that has ended, and what waits for it.
pub(super) struct Saved {
    asked: Asked,
    result: Result<(), HandoffError>,
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
                place: Some(OpenHandoff {
                    writer: Writer::new(handoff),
                    binding,
                    opened,
                    whole: Moment::default(),
                    began: Moment::default(),
                    asked: Asked::default(),
                    next: None,
                }),
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

    /// Writes down what has changed, as was `asked`. Returns how that has ended, if it has: a large state is written by
    /// another thread.
    pub(super) fn save(
        &mut self,
        engine: &mut Engine,
        (tokens, children): (&BTreeMap<TokenId, Secret>, &mut Children),
        store: &Store,
        mounts: Vec<Mount>,
        asked: Asked,
    ) -> Option<Saved> {
        let Some(place) = &mut self.place else { return Some(Saved { asked, result: Ok(()) }) };
        if place.writer.is_busy() {
            place.next.get_or_insert_default().add(asked);
            return None;
        }
        self.ledger.begin_write();
        let now = clock::moment();
        let changes = engine.changes();
        let (last, old) = (engine.is_leaving(), place.whole.until(now) > OLD);
        let whole = last || old || place.writer.with(|handoff| handoff.wants_whole());
        let all = whole.then(|| {
            let (snapshot, children) = (engine.snapshot(), children.all().clone());
            let answers = saving::answers(store, snapshot.secrets.iter().map(|secret| &secret.request));
            All { snapshot, answers, children, published: self.ledger.files(), last }
        });
        let content = Content {
            binding: place.binding.clone(),
            tokens: tokens.clone(),
            mounts,
            refused_with: self.sent.clone().filter(|_| changes.rest.refusals.is_some()),
            opened: place.opened.clone(),
            answers: saving::answers(store, changes.secrets.iter().map(|secret| &secret.request)),
            children: children.take_changes(),
            published: self.ledger.changes(),
            changes,
        };
        let job = Job { content, all };
        place.began = now;
        if job.size() >= MANY {
            place.asked = asked;
            place.writer.begin(job);
            return None;
        }
        let result = place.writer.with(|handoff| job.run(handoff));
        self.note(&result);
        Some(Saved { asked, result: result.map(drop) })
    }

    /// Records how a write has ended.
    fn note(&mut self, result: &Result<Way, HandoffError>) {
        let Some(place) = &mut self.place else { return };
        if let Ok(Way::Whole) = result {
            place.whole = place.began;
            self.took_much |= place.writer.with(|handoff| handoff.is_large());
        }
        self.ledger.written(result.is_ok());
    }

    /// Ends when a write is over that another thread does.
    pub(super) async fn ends(&mut self) {
        match &mut self.place {
            Some(place) => place.writer.ends().await,
            None => std::future::pending().await,
        }
    }

    /// Ends the write that is under way, if there is one. Returns how it ended, and what was asked for meanwhile.
    pub(super) fn end(&mut self) -> Option<(Saved, Option<Asked>)> {
        let place = self.place.as_mut()?;
        let result = place.writer.end()?;
        let (asked, next) = (std::mem::take(&mut place.asked), place.next.take());
        place.writer.rest();
        self.note(&result);
        Some((Saved { asked, result: result.map(drop) }, next))
    }

    /// Returns whether a write is under way.
    pub(super) fn is_busy(&self) -> bool {
        self.place.as_ref().is_some_and(|place| place.writer.is_busy())
    }

    /// Returns a future that ends when all is written that was asked for.
    pub(super) fn at_rest(&self) -> impl Future<Output = ()> + use<> {
        let at_rest = self.place.as_ref().map(|place| place.writer.at_rest());
        async move {
            if let Some(at_rest) = at_rest {
                at_rest.await;
            }
        }
    }

    /// Binds what is kept from now on to a new configuration.
    pub(super) fn rebind(&mut self, plan: &Plan) {
        if let Some(place) = &mut self.place {
            place.binding.digest = plan.digest;
            place.writer.with(Handoff::begin_anew);
        }
    }

    /// Deletes the handoff, since what it holds is revoked. Two facts stay: that a wrapping token was opened, so that
    /// the next run does not take it for stolen, and which absolute files are on the disk.
    pub(super) fn remove(&mut self) {
        let Some(OpenHandoff { writer, binding, opened, .. }) = &mut self.place else { return };
        let published = self.ledger.files();
        if opened.is_some() || !published.is_empty() {
            let rest = Kept { opened: opened.clone(), published, ..Kept::default() };
            if writer.with(|handoff| handoff.store(binding, &rest)).is_ok() {
                return;
            }
        }
        if let Err(error) = writer.with(Handoff::remove) {
            tracing::warn!("cannot delete the handoff, whose token is revoked: {error}");
        }
    }
}

impl Driver {
    /// Writes down that a wrapping token is about to be opened, before it is. If this run is killed in between, the
    /// token cannot be opened any more, and the next run must not take that for a theft.
    pub(super) fn write_down(&mut self, opening: Opening) {
        self.keeper.note_opening(opening.digest);
        self.save(Asked { openings: vec![opening.written], events: 0 });
    }

    /// Writes the list of absolute files after a publish: if this run is killed from here on, the next one has the
    /// list.
    pub(super) fn save_ledger(&mut self) {
        self.save(Asked::default());
    }

    /// Writes the handoff, now or after the write that is under way.
    pub(super) fn save(&mut self, asked: Asked) {
        let tokens = self.requests.for_handoff();
        let saved = self.keeper.save(&mut self.engine, tokens, &self.store, self.client.mounts(), asked);
        if let Some(saved) = saved {
            self.was_saved(saved);
        }
    }

    /// Handles that another thread has written the handoff. What was asked for meanwhile follows at once, before
    /// anything that waits for it goes on.
    pub(super) fn end_write(&mut self) {
        let Some((saved, next)) = self.keeper.end() else { return };
        self.was_saved(saved);
        if let Some(next) = next {
            self.save(next);
        }
    }

    /// Ends all writes, since the run ends or the handoff is about to be deleted.
    pub(super) fn end_writes(&mut self) {
        while self.keeper.is_busy() {
            self.end_write();
        }
    }

    fn was_saved(&mut self, saved: Saved) {
        let Saved { asked: Asked { events, openings }, result } = saved;
        if std::mem::take(&mut self.keeper.took_much) {
            self.rest.owe_heap();
        }
        if let Err(why) = &result {
            match openings.is_empty() {
                false => {
                    tracing::warn!("could not write the handoff before opening the wrapping token: {why}")
                }
                // The core reports a failure of its own writes, which go to the same place.
                true => tracing::debug!("could not write the handoff: {why}"),
            }
        }
        for written in openings {
            let _gone = written.send(());
        }
        let result = result.map_err(|error| error.to_string());
        self.backlog.extend(std::iter::repeat_n(Event::HandoffSaved(result), events));
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
