//! Certificates of `pkiCert` that are in their destinations already. A certificate that is still valid is kept over a
//! start, as Vault Agent keeps it. Otherwise every start would issue another, and everything that uses it would be
//! reloaded.
//!
//! A destination is believed only if it holds a certificate with its private key, and if the file would come out the
//! same, byte for byte, or waits for other secrets. If a handoff says what is held, destinations are not read.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use rustls::crypto::ring::sign::any_supported_type;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;

use super::store::Store;
use crate::config::plan::{FilePlan, FileSource, Plan, Source, Target};
use crate::core::event::Life;
use crate::core::snapshot::{KeptSecret, Snapshot};
use crate::functions::pem::{self, Pem};
use crate::publish::SingleFile;
use crate::render::{self, Environment, Outcome};
use crate::secret::Secret;
use crate::tree::Tree;
use crate::vault::validity::Validity;
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_base::time::Now;

/// Puts into `store` what the destinations of `plan` hold. Returns what the core goes on from; `None` if there is
/// nothing.
pub(super) fn found(plan: &Plan, environment: &Environment, now: Now, store: &mut Store) -> Option<Snapshot> {
    let mut held: BTreeMap<Request, Vec<(&FilePlan, Secret)>> = BTreeMap::new();
    for file in &plan.files {
        if let Some((request, content)) = of_file(file, plan, environment) {
            held.entry(request).or_default().push((file, content));
        }
    }
    let mut secrets = Vec::new();
    for (request, files) in held {
        let Some((data, end)) = certificate_in(&request, files.iter().map(|(_, content)| content), now.wall)
        else {
            continue;
        };
        let response = Arc::new(Response { data, ..Response::default() });
        let mut trial = Store::default();
        trial.put(request.clone(), Arc::clone(&response));
        if files.iter().all(|(file, content)| is_reproduced(file, content, &trial, plan, environment)) {
            store.put(request.clone(), response);
            let life = Life::Until(end);
            secrets.push(KeptSecret {
                request,
                written: Vec::new(),
                read: now.moment,
                lease: None,
                life,
                version: None,
            });
        }
    }
    (!secrets.is_empty()).then(|| Snapshot { secrets, ..Snapshot::default() })
}

/// Returns the one request for a certificate that a file's template makes, and what is in the file.
fn of_file(file: &FilePlan, plan: &Plan, environment: &Environment) -> Option<(Request, Secret)> {
    let (FileSource::Made(made @ Source::Template(source)), Target::Alone(path)) =
        (&file.source, &file.target)
    else {
        return None;
    };
    // A write by `secret` writes at each start, as it does for Vault Agent.
    let calls = source.template.calls();
    let writes = calls.iter().any(|call| call.function == "secret" && call.args.len() > 1);
    if writes || !calls.iter().any(|call| call.function == "pkiCert") {
        return None;
    }
    let place = SingleFile::open(path, plan.dir_mode, plan.require_tmpfs).ok()?;
    let content = place.content().ok()??;
    let empty = Store::default();
    let outcome = render::render(&file.name, made, &empty, environment, &plan.writes);
    let Outcome::Needs { missing, .. } = outcome else { return None };
    let mut requests = missing.into_iter().filter(|request| request.verb == Verb::Write);
    let request = requests.next()?;
    requests.next().is_none().then_some((request, content))
}

/// Returns whether the file would come out as it is, or cannot be rendered before other secrets are there.
fn is_reproduced(
    file: &FilePlan,
    content: &Secret,
    trial: &Store,
    plan: &Plan,
    environment: &Environment,
) -> bool {
    let FileSource::Made(source) = &file.source else { return false };
    match render::render(&file.name, source, trial, environment, &plan.writes) {
        // What is written beside the file is published only if it differs, too.
        Outcome::Done { made, .. } => made.bytes == *content,
        Outcome::Needs { .. } => true,
        Outcome::Failed { .. } => false,
    }
}

/// Returns the answer to `request` that would have made what is in the files, and when its certificate ends. `None`
/// if there is no pair of a certificate and a key, if it is for other names, or if little of its life is left.
fn certificate_in<'c>(
    request: &Request,
    contents: impl Iterator<Item = &'c Secret>,
    now: i64,
) -> Option<(Tree, i64)> {
    let (mut keys, mut certificates) = (Vec::new(), Vec::<Pem>::new());
    for block in contents.flat_map(|content| pem::all(content.expose())) {
        if block.is_private_key() {
            keys.push(block);
        } else if !certificates.iter().any(|known| known.der.as_slice() == block.der.as_slice()) {
            certificates.push(block);
        }
    }
    let key = keys.first()?;
    // With several keys it is not known which one is meant.
    if keys.iter().any(|other| other.der.as_slice() != key.der.as_slice()) {
        return None;
    }
    let leaf = certificates.iter().position(|certificate| are_a_pair(certificate, key))?;
    let leaf = certificates.remove(leaf);
    let validity = Validity::of(&leaf.der)?;
    if !validity.is_good_at(now) || !has_the_names(request, &leaf.der) {
        return None;
    }
    let mut data = vec![
        ("certificate", Tree::text(leaf.text.clone())),
        ("private_key", Tree::text(key.text.clone())),
        ("expiration", Tree::Number(validity.end.to_string().into())),
    ];
    if let Some(issuer) = certificates.first() {
        data.push(("issuing_ca", Tree::text(issuer.text.clone())));
        data.push(("ca_chain", Tree::list(certificates.iter().map(|one| Tree::text(one.text.clone())))));
    }
    Some((Tree::map(data), validity.end))
}

/// Returns whether every name that is asked for is in the certificate. Vault Agent does not check this, and keeps a
/// certificate for the names of an earlier configuration.
fn has_the_names(request: &Request, der: &[u8]) -> bool {
    let has = |bytes: &[u8]| der.windows(bytes.len()).any(|window| window == bytes);
    let names =
        ["common_name", "alt_names", "ip_sans"].iter().filter_map(|key| request.args.get(*key)?.expose_str());
    let mut names = names.flat_map(|names| names.split(',')).map(str::trim).filter(|name| !name.is_empty());
    names.all(|name| match name.parse() {
        Ok(IpAddr::V4(address)) => has(&address.octets()),
        Ok(IpAddr::V6(address)) => has(&address.octets()),
        Err(_) => has(name.as_bytes()),
    })
}

fn are_a_pair(certificate: &Pem, key: &Pem) -> bool {
    let Ok(key) = PrivateKeyDer::try_from(key.der.as_slice()) else { return false };
    let Ok(key) = any_supported_type(&key) else { return false };
    let certificate = CertificateDer::from(certificate.der.to_vec());
    CertifiedKey::new(vec![certificate], key).keys_match().is_ok()
}

#[cfg(test)]
mod tests;
