//! The webhook's registration: for which hosts API servers call it, and which authorities they trust.

use std::collections::BTreeSet;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde_json::{Value, json};

use super::material::{Certificate, bundle};

/// A MutatingWebhookConfiguration as it was read.
#[derive(Debug)]
pub(super) struct Registration(pub(super) Value);

impl Registration {
    fn entries(&self) -> &[Value] {
        self.0["webhooks"].as_array().map_or(&[], Vec::as_slice)
    }

    /// Returns the names that a certificate needs: those of the service, or of the URL, by which the webhook is called.
    pub(super) fn hosts(&self) -> BTreeSet<String> {
        let host = |entry: &Value| {
            let client = &entry["clientConfig"];
            if let (Some(name), Some(namespace)) =
                (client["service"]["name"].as_str(), client["service"]["namespace"].as_str())
            {
                return Some(format!("{name}.{namespace}.svc"));
            }
            let url: http::Uri = client["url"].as_str()?.parse().ok()?;
            Some(url.host()?.trim_matches(['[', ']']).to_owned())
        };
        self.entries().iter().filter_map(host).collect()
    }

    /// Returns every authority that is in the bundle of any entry.
    pub(super) fn bundle(&self) -> Vec<Certificate> {
        let mut all = Vec::new();
        for certificate in self.entries().iter().flat_map(trusted) {
            if !all.contains(&certificate) {
                all.push(certificate);
            }
        }
        all
    }

    /// Returns whether API servers trust an authority, for every entry.
    pub(super) fn trusts(&self, authority: &Certificate) -> bool {
        self.entries().iter().all(|entry| trusted(entry).contains(authority))
    }

    /// Returns the patch that makes `wanted` the bundle of every entry, or `None` if it is that already. The patch
    /// names the version that it changes.
    pub(super) fn patch(&self, wanted: &[Certificate]) -> Option<Value> {
        let pem = STANDARD.encode(bundle(wanted));
        let differs = |entry: &&(usize, &Value)| trusted(entry.1) != wanted;
        let entries: Vec<_> = self.entries().iter().enumerate().collect();
        let mut operations: Vec<Value> = entries
            .iter()
            .filter(differs)
            .map(|(at, _)| json!({"op": "add", "path": format!("/webhooks/{at}/clientConfig/caBundle"), "value": pem}))
            .collect();
        if operations.is_empty() {
            return None;
        }
        let version = &self.0["metadata"]["resourceVersion"];
        operations.insert(0, json!({"op": "test", "path": "/metadata/resourceVersion", "value": version}));
        Some(Value::Array(operations))
    }

    /// Returns what is wrong with the registration, so that annotated pods would not be injected. Returns `None` if
    /// nothing is wrong.
    pub(super) fn fault(&self) -> Option<String> {
        let Some(first) = self.entries().first() else { return Some("it has no webhooks".to_owned()) };
        let client = &first["clientConfig"];
        let path = client["service"]["path"].as_str().or_else(|| {
            let (_, path) = client["url"].as_str()?.split_once("://")?.1.split_once('/')?;
            Some(path)
        });
        if path.is_none_or(|path| path.trim_start_matches('/') != "mutate") {
            return Some("its path is not /mutate".to_owned());
        }
        let has = |rule: &Value, list: &str, wanted: &str| {
            rule[list].as_array().into_iter().flatten().any(|entry| entry == wanted || entry == "*")
        };
        let pods = |rule: &Value| has(rule, "resources", "pods") && has(rule, "operations", "CREATE");
        let rules = first["rules"].as_array().map_or(&[][..], Vec::as_slice);
        (!rules.iter().any(pods)).then(|| "no rule of it is about the CREATE of pods".to_owned())
    }
}

fn trusted(entry: &Value) -> Vec<Certificate> {
    let text = entry["clientConfig"]["caBundle"].as_str().unwrap_or_default();
    STANDARD.decode(text).map(|pem| Certificate::all(&pem)).unwrap_or_default()
}
