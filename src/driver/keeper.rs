//! The handoff, from the driver's side: what was kept goes into the store and comes out of it.

use std::collections::BTreeMap;

use super::credentials::Credentials;
use super::store::Store;
use crate::config::plan::Plan;
use crate::core::ids::TokenId;
use crate::core::snapshot::Snapshot;
use crate::exit::Ending;
use crate::handoff::{Binding, Handoff, Kept, Loaded};
use crate::observe::clock;
use crate::render::Secrets as _;
use crate::secret::Secret;
use crate::vault::request::Request;

/// The handoff of this run, where one is configured.
pub(super) struct Keeper {
    handoff: Option<(Handoff, Binding)>,
    /// How the files of the credentials were at the last login, of this run or of the one before.
    sent: Option<String>,
}

/// What an earlier run left.
#[derive(Default)]
pub(super) struct Found {
    /// For the core.
    pub(super) snapshot: Option<Snapshot>,
    /// Its times are on the clock of another boot.
    pub(super) rebooted: bool,
    /// For the requests.
    pub(super) tokens: BTreeMap<TokenId, Secret>,
    /// For the renderings.
    pub(super) store: Store,
}

impl Keeper {
    /// Takes the handoff of `plan` and reads what `pod` left in it.
    ///
    /// # Errors
    /// 73: another process holds it, or its place cannot be written.
    pub(super) fn open(plan: &Plan, pod: &str, credentials: &Credentials) -> Result<(Self, Found), Ending> {
        let Some(path) = &plan.handoff else {
            return Ok((Self { handoff: None, sent: None }, Found::default()));
        };
        let handoff = Handoff::open(path, plan.require_tmpfs)?;
        // Without a boot id every start is taken for one after another boot, which costs a look-up and renewals.
        let boot = clock::boot_id().unwrap_or_default();
        let binding = Binding { digest: plan.digest, pod: pod.to_owned(), boot };
        let mut sent = None;
        let found = match handoff.load(&binding) {
            Loaded::Found { mut kept, same_boot } => {
                sent = kept.refused_with.take();
                // Good credentials after bad ones are worth a try at once, also in a process that saw only the good.
                let others = sent.as_ref().is_some_and(|sent| *sent != credentials.digest());
                if let (true, Some(refusals)) = (others, &mut kept.snapshot.refusals) {
                    refusals.pardoned = true;
                }
                if !same_boot {
                    tracing::info!(
                        "the handoff was written before the machine was restarted: asking the server what is left of it"
                    );
                }
                Found { rebooted: !same_boot, ..Found::from(*kept) }
            }
            Loaded::Absent => Found::default(),
            Loaded::Unusable(why) => {
                tracing::warn!(handoff = %path.display(), "cannot use the handoff, logging in anew: {why}");
                Found::default()
            }
        };
        Ok((Self { handoff: Some((handoff, binding)), sent }, found))
    }

    /// A login is sent with the files of the credentials as they are now.
    pub(super) fn sending(&mut self, credentials: &Credentials) {
        self.sent = self.handoff.is_some().then(|| credentials.digest());
    }

    /// Replaces what is kept.
    ///
    /// # Errors
    /// In words, for the core to say; what was kept before is there still.
    pub(super) fn save(
        &mut self,
        snapshot: &Snapshot,
        tokens: &BTreeMap<TokenId, Secret>,
        store: &Store,
    ) -> Result<(), String> {
        let Some((handoff, binding)) = &mut self.handoff else { return Ok(()) };
        let answer =
            |request: &Request| store.get(request).map(|answer| (Request::clone(request), (*answer).clone()));
        let kept = Kept {
            snapshot: snapshot.clone(),
            tokens: tokens.clone(),
            refused_with: self.sent.clone().filter(|_| snapshot.refusals.is_some()),
            responses: snapshot.secrets.iter().filter_map(|secret| answer(&secret.request)).collect(),
        };
        handoff.store(binding, &kept).map_err(|error| error.to_string())
    }

    /// The configuration changed: what is kept from now on is for the new one.
    pub(super) fn rebind(&mut self, plan: &Plan) {
        if let Some((_, binding)) = &mut self.handoff {
            binding.digest = plan.digest;
        }
    }

    /// Deletes what is kept: it is revoked.
    pub(super) fn remove(&mut self) {
        if let Some((handoff, _)) = &mut self.handoff
            && let Err(error) = handoff.remove()
        {
            tracing::warn!("cannot delete the handoff, whose token is revoked: {error}");
        }
    }
}

impl From<Kept> for Found {
    fn from(kept: Kept) -> Self {
        let mut store = Store::default();
        for secret in &kept.snapshot.secrets {
            for written in &secret.written {
                store.resolve(written.clone(), secret.request.clone());
            }
        }
        for (request, response) in kept.responses {
            store.put(request, response.into());
        }
        Self { snapshot: Some(kept.snapshot), rebooted: false, tokens: kept.tokens, store }
    }
}
