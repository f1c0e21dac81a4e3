//! Who of several replicas leads: the holder of a Lease.
//!
//! A replica never compares its own clock with the holder's. It takes a Lease that has stayed as it is for as long as
//! the Lease says. The Lease saves work and is no lock: what a leader writes is guarded by the version of what it writes.

use std::time::{Duration, UNIX_EPOCH};

use http::Method;
use leasehold_base::time::Moment;
use serde_json::{Value, json};

use super::{Answer, Away, Cluster};

/// Takes part in the election.
#[derive(Debug)]
pub(crate) struct Election {
    name: String,
    me: String,
    /// The version of the other's Lease, and since when it has been that.
    seen: Option<(String, Moment)>,
    leads: bool,
    /// Whether Leases are refused to us: then every replica leads.
    open: bool,
    /// Where they are refused, no replica leads, and this is why.
    strict: bool,
    refused: Option<String>,
}

/// What a replica does with the Lease that it found.
#[derive(Debug, PartialEq, Eq)]
enum Claim {
    Make,
    Take,
    Wait,
}

impl Election {
    pub(crate) fn new(name: &str, me: &str) -> Self {
        let (name, me) = (name.to_owned(), me.to_owned());
        Self { name, me, seen: None, leads: false, open: false, strict: false, refused: None }
    }

    /// Makes an election in which no replica leads without a Lease.
    pub(crate) fn strict(name: &str, me: &str) -> Self {
        Self { strict: true, ..Self::new(name, me) }
    }

    /// A leader that has not renewed its Lease for as long is dead.
    pub(crate) const LIFE: Duration = Duration::from_secs(15);

    /// A leader that cannot renew its Lease is one for as long: then it must have stopped, before another takes it.
    pub(crate) const GRACE: Duration = Duration::from_secs(9);

    /// Returns why no Lease can be had, if the API server refuses it to us.
    pub(crate) fn refusal(&self) -> Option<&str> {
        self.refused.as_deref()
    }

    /// Returns whether this replica leads, as of its last look at the Lease.
    pub(crate) fn leads(&self) -> bool {
        self.leads
    }

    /// Looks at the Lease, and takes or renews it.
    ///
    /// # Errors
    /// [`Away`] if the API server does not answer; nobody is known to lead then.
    pub(crate) async fn look(&mut self, cluster: &Cluster, now: Moment, wall: i64) -> Result<bool, Away> {
        self.leads = false;
        let collection = format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases", cluster.namespace);
        let path = format!("{collection}/{}", self.name);
        let found = cluster.get(&path).await?;
        if found.status == 403 {
            return Ok(self.without(&found));
        }
        let lease = (found.status == 200).then_some(&found.body);
        let written = match self.claim(lease, now) {
            Claim::Wait => return Ok(false),
            Claim::Make => cluster.send(Method::POST, &collection, &self.lease(None, wall)).await?,
            Claim::Take => cluster.send(Method::PUT, &path, &self.lease(lease, wall)).await?,
        };
        if written.status == 403 {
            return Ok(self.without(&written));
        }
        // 409: another replica was quicker.
        self.leads = (200..300).contains(&written.status);
        Ok(self.leads)
    }

    /// Leases are refused, as under the rights of vault-k8s' injector.
    fn without(&mut self, answer: &Answer) -> bool {
        if self.strict {
            self.refused = Some(format!("no Lease may be kept: {}", answer.words()));
            return false;
        }
        if !std::mem::replace(&mut self.open, true) {
            let why = answer.words();
            tracing::warn!(why, "no Lease may be kept: every replica renews certificates by itself");
        }
        self.leads = true;
        true
    }

    fn claim(&mut self, lease: Option<&Value>, now: Moment) -> Claim {
        let Some(lease) = lease else { return Claim::Make };
        let holder = lease["spec"]["holderIdentity"].as_str().unwrap_or_default();
        if holder.is_empty() || holder == self.me {
            return Claim::Take;
        }
        let version = lease["metadata"]["resourceVersion"].as_str().unwrap_or_default();
        let since = match &self.seen {
            Some((seen, since)) if seen == version => *since,
            _ => {
                self.seen = Some((version.to_owned(), now));
                return Claim::Wait;
            }
        };
        let life = lease["spec"]["leaseDurationSeconds"].as_u64().map_or(Self::LIFE, Duration::from_secs);
        if since.until(now) >= life { Claim::Take } else { Claim::Wait }
    }

    /// Returns the Lease with this replica as its holder.
    fn lease(&self, before: Option<&Value>, wall: i64) -> Value {
        let metadata = before.map_or_else(|| json!({"name": self.name}), |before| before["metadata"].clone());
        let spec = before.map_or(&Value::Null, |before| &before["spec"]);
        let mine = spec["holderIdentity"] == json!(self.me);
        let now = micro_time(wall);
        let transitions = spec["leaseTransitions"].as_u64().unwrap_or(0) + u64::from(!mine);
        let acquired = if mine { spec["acquireTime"].clone() } else { json!(now) };
        json!({
            "apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": metadata,
            "spec": {
                "holderIdentity": self.me, "leaseDurationSeconds": Self::LIFE.as_secs(), "acquireTime": acquired,
                "renewTime": now, "leaseTransitions": transitions,
            },
        })
    }

    /// Gives the Lease back, so that the next leader need not wait.
    pub(crate) async fn leave(&mut self, cluster: &Cluster) {
        if !std::mem::take(&mut self.leads) || self.open {
            return;
        }
        let path =
            format!("/apis/coordination.k8s.io/v1/namespaces/{}/leases/{}", cluster.namespace, self.name);
        let Ok(Answer { status: 200, body: mut lease, .. }) = cluster.get(&path).await else { return };
        if lease["spec"]["holderIdentity"] == json!(self.me) {
            lease["spec"]["holderIdentity"] = json!("");
            // A Lease that is not given back runs out by itself.
            let _given = cluster.send(Method::PUT, &path, &lease).await;
        }
    }
}

/// Writes a time as Kubernetes does, with microseconds.
fn micro_time(wall: i64) -> String {
    let time = UNIX_EPOCH + Duration::from_secs(u64::try_from(wall).unwrap_or(0));
    humantime::format_rfc3339_micros(time).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn lease(holder: &str, version: &str) -> Value {
        json!({
            "metadata": {"name": "l", "resourceVersion": version},
            "spec": {"holderIdentity": holder, "leaseDurationSeconds": 15, "acquireTime": "then", "leaseTransitions": 4},
        })
    }

    #[test]
    fn a_lease_is_taken_that_is_free_or_ours_or_has_not_changed_for_its_life() {
        let mut election = Election::new("l", "a");
        assert_eq!(election.claim(None, at(0)), Claim::Make);
        assert_eq!(election.claim(Some(&lease("", "1")), at(0)), Claim::Take);
        assert_eq!(election.claim(Some(&lease("a", "1")), at(0)), Claim::Take);
        for (version, second, claim) in
            [("2", 1, Claim::Wait), ("2", 15, Claim::Wait), ("3", 16, Claim::Wait), ("3", 30, Claim::Wait)]
        {
            assert_eq!(election.claim(Some(&lease("b", version)), at(second)), claim, "{second}");
        }
        assert_eq!(election.claim(Some(&lease("b", "3")), at(31)), Claim::Take);
    }

    #[test]
    fn a_renewed_lease_keeps_when_it_was_acquired_and_a_taken_one_counts() {
        let election = Election::new("l", "a");
        let renewed = election.lease(Some(&lease("a", "1")), 1_700_000_000);
        assert_eq!(renewed["spec"]["acquireTime"], "then");
        assert_eq!(renewed["spec"]["leaseTransitions"], 4);
        assert_eq!(renewed["spec"]["renewTime"], "2023-11-14T22:13:20.000000Z");
        assert_eq!(renewed["metadata"]["resourceVersion"], "1");
        let taken = election.lease(Some(&lease("b", "1")), 1_700_000_000);
        assert_eq!(taken["spec"]["acquireTime"], taken["spec"]["renewTime"]);
        assert_eq!(taken["spec"]["leaseTransitions"], 5);
    }
}
