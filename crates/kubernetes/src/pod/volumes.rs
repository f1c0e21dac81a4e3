//! The volumes that are added.

use serde_json::{Value, json};

use crate::configuration::AUTHORITY_FILE;
use crate::plan::{Base, Plan, Shape, Token};

/// Holds the token and the leases: mounted into our containers only.
pub(super) const HANDOFF: &str = "leasehold-handoff";
/// The token to log in with.
pub(super) const TOKEN: &str = "leasehold-token";
/// The operator's authority.
pub(super) const AUTHORITY: &str = "leasehold-ca";
/// The program, in exec mode.
pub(super) const PROGRAM: &str = "leasehold-bin";
/// The files of variables, which the kubelet reads and only init mounts.
pub(super) const VARIABLES: &str = "leasehold-variables";
/// The configuration of a ConfigMap.
pub(super) const CONFIG: &str = "vault-config";
/// Certificates of a Secret.
pub(super) const TLS: &str = "vault-tls-secrets";
/// Another Secret.
pub(super) const EXTRA: &str = "extra-secrets";
/// Where the authority travels: the webhook makes no objects, and a pod's annotations can be mounted.
pub(super) const AUTHORITY_ANNOTATION: &str = "leasehold.dev/vault-ca";

/// Two generations of files are there while one replaces the other.
const SECRETS_SIZE: &str = "16Mi";
const VARIABLES_SIZE: &str = "4Mi";
const HANDOFF_SIZE: &str = "16Mi";
/// On disk: memory would be charged to the pod for as long as it lives.
const PROGRAM_SIZE: &str = "32Mi";

/// Returns the name of the volume for the files in the folder of this number.
pub(super) fn own_folder(number: usize) -> String {
    format!("leasehold-secrets-{}", number + 1)
}

/// Returns all volumes that are added, in their order.
pub(super) fn volumes(plan: &Plan) -> Vec<Value> {
    let memory =
        |name: &str, size: &str| json!({"name": name, "emptyDir": {"medium": "Memory", "sizeLimit": size}});
    let mut volumes = Vec::new();
    volumes.push(match plan.shape {
        Shape::Exec => json!({"name": PROGRAM, "emptyDir": {"sizeLimit": PROGRAM_SIZE}}),
        Shape::EnvFile => memory(VARIABLES, VARIABLES_SIZE),
        _ => memory(plan.names.secrets, SECRETS_SIZE),
    });
    volumes.extend((0..plan.own_folders.len()).map(|number| memory(&own_folder(number), SECRETS_SIZE)));
    volumes.extend(plan.stays().then(|| memory(HANDOFF, HANDOFF_SIZE)));
    volumes.extend(token(&plan.token));
    if plan.authority.is_some() {
        volumes.push(authority());
    }
    if let Base::ConfigMap { name, .. } = &plan.base {
        volumes.push(json!({"name": CONFIG, "configMap": {"name": name}}));
    }
    for (volume, secret) in [(TLS, &plan.extras.tls_secret), (EXTRA, &plan.extras.extra_secret)] {
        volumes
            .extend(secret.as_ref().map(|secret| json!({"name": volume, "secret": {"secretName": secret}})));
    }
    volumes
}

fn token(token: &Token) -> Option<Value> {
    let Token::Projected { audience, seconds } = token else { return None };
    let mut source = json!({"path": "token", "expirationSeconds": seconds});
    if !audience.is_empty() {
        source["audience"] = json!(audience);
    }
    Some(json!({"name": TOKEN, "projected": {"sources": [{"serviceAccountToken": source}]}}))
}

fn authority() -> Value {
    let field = json!({"fieldPath": format!("metadata.annotations['{AUTHORITY_ANNOTATION}']")});
    json!({"name": AUTHORITY, "downwardAPI": {"items": [{"path": AUTHORITY_FILE, "fieldRef": field}]}})
}
