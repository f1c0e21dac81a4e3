//! The registration and its CA bundle.

use std::collections::BTreeSet;

use leasehold_base::clock;

use super::super::material::MOST;
use super::{Certificate, Keeper, Registration, Trouble, refused};

impl Keeper {
    pub(super) async fn registration(&mut self) -> Result<Option<Registration>, Trouble> {
        let name = self.names.registration.clone();
        let answer = self.cluster.get(&registration_path(&name)).await?;
        self.set_clock(&answer);
        match answer.status {
            200 => Ok(Some(Registration(answer.body))),
            404 => Ok(None),
            _ => Err(refused("get", "mutatingwebhookconfigurations", &name, &answer)),
        }
    }

    /// Keeps the bundle, and says whether the registration is right.
    pub(super) async fn register(
        &mut self,
        registration: &Registration,
        bundle: &[Certificate],
        hosts: &BTreeSet<String>,
    ) -> Result<Result<(), String>, Trouble> {
        let now = self.now();
        let Some(held) = &self.held else { return Ok(Err("no certificate yet".to_owned())) };
        let mut wanted = held.trusted(now);
        if self.alone {
            // Each replica has its own: those of the others stay until they end.
            let others: Vec<_> =
                bundle.iter().filter(|old| now < old.end && !wanted.contains(old)).cloned().collect();
            wanted.extend(others);
            wanted.truncate(MOST);
        }
        let known = wanted.iter().all(|certificate| registration.trusts(certificate));
        let authority = held.authority.certificate.clone();
        let good = held.serves(hosts, now);
        let may = self.alone || self.election.leads() || !known;
        if let Some(operations) = registration.patch(&wanted).filter(|_| may && !(self.alone && known)) {
            let name = &self.names.registration;
            let answer = self.cluster.patch(&registration_path(name), &operations).await?;
            match answer.status {
                200 => tracing::info!(
                    authorities = wanted.len(),
                    "certificates: the bundle of {name} was written"
                ),
                // It was changed meanwhile: the next look sees how.
                409 | 422 if known => {}
                409 | 422 => return Ok(Err(format!("{name} is being changed"))),
                _ => return Err(refused("patch", "mutatingwebhookconfigurations", name, &answer)),
            }
        }
        self.note_trusted(authority);
        if let Some(fault) = registration.fault() {
            return Ok(Err(format!(
                "the MutatingWebhookConfiguration {} would not inject: {fault}",
                self.names.registration
            )));
        }
        Ok(if good { Ok(()) } else { Err("the certificate is not good for callers yet".to_owned()) })
    }

    fn note_trusted(&mut self, authority: Certificate) {
        if self.trusted.as_ref().is_none_or(|(known, _)| *known != authority) {
            self.trusted = Some((authority, clock::moment()));
        }
    }

    pub(super) fn is_settled(&self) -> bool {
        let (Some(held), Some((authority, since))) = (&self.held, &self.trusted) else { return false };
        *authority == held.authority.certificate && since.until(clock::moment()) >= self.lives.settle()
    }
}

fn registration_path(name: &str) -> String {
    format!("/apis/admissionregistration.k8s.io/v1/mutatingwebhookconfigurations/{name}")
}
