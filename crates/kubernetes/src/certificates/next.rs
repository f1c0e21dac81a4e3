//! What is to be done about the certificates: a pure function of what is held and what time it is.

use std::collections::BTreeSet;
use std::time::Duration;

use super::make::{self, Unmade};
use super::material::{Certificate, Material};

/// How long certificates live, and how long API servers may take to see a new bundle.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lives {
    pub(crate) authority: Duration,
    pub(crate) leaf: Duration,
}

impl Default for Lives {
    fn default() -> Self {
        const DAY: u64 = 86_400;
        Self { authority: Duration::from_secs(365 * DAY), leaf: Duration::from_secs(DAY) }
    }
}

impl Lives {
    /// Returns how long a new authority is in the bundle before it signs the certificate that is served.
    pub(super) fn settle(self) -> Duration {
        (self.leaf / 10).min(Duration::from_secs(60))
    }
}

/// What is known besides what is held.
#[derive(Debug)]
pub(super) struct Situation<'a> {
    /// Seconds since 1970, by the API server's clock.
    pub(super) now: i64,
    pub(super) hosts: &'a BTreeSet<String>,
    pub(super) lives: Lives,
    /// Whether the authority has been in the bundle for [`Lives::settle`].
    pub(super) settled: bool,
    /// What is in the bundle now.
    pub(super) bundle: &'a [Certificate],
}

/// What is to be done next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Step {
    /// Nothing.
    Keep,
    /// Make everything: nothing is held that could be served.
    Begin,
    /// Make a new authority; the certificate stays.
    Authority,
    /// Make a new certificate of the authority.
    Leaf,
    /// Take older authorities out of the bundle: their last certificate has ended.
    Forget,
}

impl Step {
    /// Returns whether the step cannot wait for a leader, because no pod is admitted without it.
    pub(super) fn is_urgent(self, situation: &Situation<'_>, held: Option<&Material>) -> bool {
        self == Self::Begin
            || self == Self::Leaf && held.is_none_or(|held| !held.serves(situation.hosts, situation.now))
    }
}

/// Decides.
pub(super) fn next(held: Option<&Material>, situation: &Situation<'_>) -> Step {
    let now = situation.now;
    let Some(held) = held else { return Step::Begin };
    let (authority, leaf) = (&held.authority.certificate, &held.leaf.certificate);
    if now < authority.start || now >= authority.end {
        return Step::Begin;
    }
    let belongs = held.belongs(situation.hosts);
    let rotating = !belongs && held.serves(situation.hosts, now);
    if rotating {
        let waits = !situation.settled && !is_late(leaf, now, situation.lives.leaf);
        return if waits { Step::Keep } else { Step::Leaf };
    }
    if !belongs || now < leaf.start || is_late(leaf, now, situation.lives.leaf) {
        return Step::Leaf;
    }
    if is_late(authority, now, situation.lives.authority) {
        return Step::Authority;
    }
    if !held.previous.is_empty() && now >= held.previous_until {
        return Step::Forget;
    }
    Step::Keep
}

/// Returns whether no more than a third of the certificate's life is left.
fn is_late(certificate: &Certificate, now: i64, life: Duration) -> bool {
    let third = i64::try_from(life.as_secs() / 3).unwrap_or(i64::MAX);
    certificate.end.saturating_sub(now) <= third
}

/// Returns what is held after a step, or `None` if the step changes nothing.
///
/// # Errors
/// [`Unmade`] if a certificate cannot be made.
pub(super) fn made(
    step: Step,
    held: Option<&Material>,
    situation: &Situation<'_>,
) -> Result<Option<Material>, Unmade> {
    let Situation { now, hosts, lives, bundle, .. } = situation;
    let now = *now;
    Ok(match (step, held) {
        (Step::Keep, _) => None,
        (Step::Begin, _) | (_, None) => {
            let authority = make::authority(now, lives.authority)?;
            let leaf = make::leaf(&authority, hosts, now, lives.leaf)?;
            // Other replicas serve certificates of these for a while, and so does the injector that we replace.
            let previous = bundle.iter().filter(|old| now < old.end).cloned().collect();
            let until = now.saturating_add(i64::try_from(lives.leaf.as_secs()).unwrap_or(i64::MAX));
            Some(Material { authority, leaf, previous, previous_until: until })
        }
        (Step::Authority, Some(held)) => {
            let mut previous = vec![held.authority.certificate.clone()];
            previous.extend(held.previous.iter().filter(|_| now < held.previous_until).cloned());
            let previous_until = held.previous_until.max(held.leaf.certificate.end);
            let authority = make::authority(now, lives.authority)?;
            Some(Material { authority, leaf: held.leaf.clone(), previous, previous_until })
        }
        (Step::Leaf, Some(held)) => {
            let leaf = make::leaf(&held.authority, hosts, now, lives.leaf)?;
            Some(Material { leaf, ..held.clone() })
        }
        (Step::Forget, Some(held)) => {
            Some(Material { previous: Vec::new(), previous_until: 0, ..held.clone() })
        }
    })
}
