//! Keeps the certificates: looks at Secret, Lease and registration, does what is next, and reports.

mod bundle;
mod secret;

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use leasehold_base::clock;
use leasehold_base::time::Moment;
use rustls::server::ServerConfig;
use serde_json::Value;

use super::make;
use super::material::{Certificate, Material};
use super::next::{self, Lives, Situation, Step};
use super::registration::Registration;
use crate::cluster::{Answer, Away, Cluster, Election};

/// Between two looks, and while something is not as it should be.
const CALM: Duration = Duration::from_secs(5);
const SOON: Duration = Duration::from_millis(500);
/// A clock that differs less from the API server's is right.
const SKEW: i64 = 60;

/// How the objects are called.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Names {
    /// The MutatingWebhookConfiguration.
    pub(crate) registration: String,
    /// The Secret of the certificates.
    pub(crate) secret: String,
    /// The Lease.
    pub(crate) lease: String,
    /// Hosts for the certificate besides those that the registration names.
    pub(crate) hosts: BTreeSet<String>,
    /// The namespace of Secret and Lease; otherwise this pod's.
    pub(crate) namespace: Option<String>,
    /// This replica.
    pub(crate) me: String,
}

/// What a look has come to.
#[derive(Debug, Clone)]
pub(crate) struct Report {
    /// What new connections are served with.
    pub(crate) serve: Option<Arc<ServerConfig>>,
    /// When that ends, in seconds since 1970.
    pub(crate) end: i64,
    pub(crate) leads: bool,
    /// Whether reviews can be answered, or why not.
    pub(crate) ready: Result<(), String>,
}

/// Why a look came to nothing.
#[derive(Debug)]
enum Trouble {
    Away(Away),
    Refused(String),
    Unmade(make::Unmade),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(away) => away.fmt(f),
            Self::Refused(why) => f.write_str(why),
            Self::Unmade(why) => why.fmt(f),
        }
    }
}

impl From<Away> for Trouble {
    fn from(away: Away) -> Self {
        Self::Away(away)
    }
}

impl From<make::Unmade> for Trouble {
    fn from(unmade: make::Unmade) -> Self {
        Self::Unmade(unmade)
    }
}

/// Keeps the certificates of one replica.
pub(crate) struct Keeper {
    names: Names,
    lives: Lives,
    cluster: Cluster,
    election: Election,
    held: Option<Material>,
    /// The Secret that `held` was read from or written to; none while it is not there.
    secret: Option<Value>,
    /// Whether Secrets are refused to us: then this replica has an authority of its own, which nobody else sees.
    alone: bool,
    /// Whether that was logged.
    warned: bool,
    /// How far the API server's clock is ahead of ours, in seconds.
    ahead: i64,
    /// Since when the authority has been seen in the bundle.
    trusted: Option<(Certificate, Moment)>,
    served: Option<Certificate>,
    said: String,
    report: Report,
}

impl Keeper {
    /// Finds the API server.
    ///
    /// # Errors
    /// [`Away::Configuration`] if none is known.
    pub(crate) async fn new(names: Names, lives: Lives) -> Result<Self, Away> {
        let cluster = Cluster::find(names.namespace.clone()).await?;
        let election = Election::new(&names.lease, &names.me);
        let ready = Err("no certificate yet".to_owned());
        let report = Report { serve: None, end: 0, leads: false, ready };
        Ok(Self {
            names,
            lives,
            cluster,
            election,
            held: None,
            secret: None,
            alone: false,
            warned: false,
            ahead: 0,
            trusted: None,
            served: None,
            said: String::new(),
            report,
        })
    }

    /// Looks once, and returns how long to wait for the next look.
    pub(crate) async fn look(&mut self) -> (Report, Duration) {
        let outcome = self.pass().await;
        let mut wait = self.pause();
        match outcome {
            Ok(ready) => {
                if let Err(why) = &ready {
                    self.say(why);
                    wait = SOON;
                } else {
                    self.said.clear();
                }
                self.report.ready = ready;
            }
            Err(trouble) => {
                self.say(&trouble.to_string());
                // What is served stays good without an API server, and only that one calls us.
                if self.report.serve.is_none() || self.has_ended() {
                    self.report.ready = Err(trouble.to_string());
                    wait = SOON;
                }
            }
        }
        self.report.leads = self.election.leads();
        (self.report.clone(), wait)
    }

    /// Gives up what others would wait for.
    pub(crate) async fn leave(&mut self) {
        self.election.leave(&self.cluster).await;
    }

    fn now(&self) -> i64 {
        clock::now().wall.saturating_add(self.ahead)
    }

    fn has_ended(&self) -> bool {
        self.served.as_ref().is_none_or(|served| served.end <= self.now())
    }

    /// Returns how long the keeper waits for its next look. It looks more often after certificates with short lives.
    fn pause(&self) -> Duration {
        CALM.min(self.lives.settle() / 2).max(SOON)
    }

    fn say(&mut self, what: &str) {
        if self.said != what {
            tracing::warn!("certificates: {what}");
            what.clone_into(&mut self.said);
        }
    }

    async fn pass(&mut self) -> Result<Result<(), String>, Trouble> {
        let registration = self.registration().await?;
        self.read().await?;
        let now = clock::now();
        self.election.look(&self.cluster, now.moment, self.now()).await?;
        let mut hosts = self.names.hosts.clone();
        hosts.extend(registration.iter().flat_map(Registration::hosts));
        if hosts.is_empty() {
            let what = format!(
                "there is no MutatingWebhookConfiguration {} that names a service",
                self.names.registration
            );
            return Ok(Err(what));
        }
        let bundle = registration.as_ref().map(Registration::bundle).unwrap_or_default();
        self.renew(&hosts, &bundle).await?;
        self.serve(&hosts);
        let Some(registration) = registration else {
            return Ok(Err(format!("there is no MutatingWebhookConfiguration {}", self.names.registration)));
        };
        self.register(&registration, &bundle, &hosts).await
    }

    /// Certificates are judged by the API server, so its clock counts where ours is wrong.
    fn set_clock(&mut self, answer: &Answer) {
        let ahead = answer.date.map_or(0, |date| date.saturating_sub(clock::now().wall));
        let ahead = if ahead.abs() > SKEW { ahead } else { 0 };
        if ahead.abs_diff(self.ahead) > SKEW.unsigned_abs() {
            tracing::warn!(
                seconds = -ahead,
                "this machine's clock differs from the API server's, which counts for certificates"
            );
        }
        self.ahead = ahead;
    }

    /// Does what is next, where it is this replica's turn.
    async fn renew(&mut self, hosts: &BTreeSet<String>, bundle: &[Certificate]) -> Result<(), Trouble> {
        let (now, lives, settled) = (self.now(), self.lives, self.is_settled());
        let situation = Situation { now, hosts, lives, settled, bundle };
        let step = next::next(self.held.as_ref(), &situation);
        let urgent = step.is_urgent(&situation, self.held.as_ref());
        let mine = self.alone || self.election.leads();
        if let Some(material) = made_by(step, mine || urgent, self.held.as_ref(), &situation)? {
            self.write(material, step).await?;
        } else if mine
            && self.is_unwritten()
            && let Some(held) = self.held.clone()
        {
            self.write(held, Step::Keep).await?;
        }
        Ok(())
    }

    fn hold(&mut self, material: Material, step: Step) {
        let what = match step {
            Step::Keep => "the Secret was written anew",
            Step::Begin => "a new authority and a certificate were made",
            Step::Authority => {
                "a new authority was made; the certificate follows when all API servers know it"
            }
            Step::Leaf => "a new certificate was made",
            Step::Forget => "older authorities have left the bundle",
        };
        tracing::info!(ends = material.leaf.certificate.end, "certificates: {what}");
        self.held = Some(material);
    }

    /// Serves what is held, if callers would take it. What is served already goes on until API servers have had time
    /// to learn of a new authority.
    fn serve(&mut self, hosts: &BTreeSet<String>) {
        let now = self.now();
        let Some(held) = self.held.as_ref().filter(|held| held.serves(hosts, now)) else { return };
        let leaf = &held.leaf.certificate;
        let serves = self.served.as_ref().is_some_and(|served| now < served.end);
        if self.served.as_ref() != Some(leaf) && (!serves || self.is_settled()) {
            self.report.serve = make::server(&held.leaf);
            self.report.end = leaf.end;
            self.served = Some(leaf.clone());
        }
    }
}

impl std::fmt::Debug for Keeper {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Keeper").field("names", &self.names).finish_non_exhaustive()
    }
}

fn made_by(
    step: Step,
    mine: bool,
    held: Option<&Material>,
    situation: &Situation<'_>,
) -> Result<Option<Material>, make::Unmade> {
    if mine { next::made(step, held, situation) } else { Ok(None) }
}

fn refused(verb: &str, kind: &str, name: &str, answer: &Answer) -> Trouble {
    let words = answer.words();
    Trouble::Refused(format!(
        "cannot {verb} {kind}/{name}: {words}; manifests/webhook/webhook.yaml has the rights"
    ))
}
