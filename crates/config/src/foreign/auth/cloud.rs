//! The methods of the clouds: what of their keys is no other name for one of ours.

use super::told;
use crate::foreign::draft::Origin;
use crate::foreign::kinds;
use crate::foreign::stanza::{Desk, Stanza};
use crate::keypath::KeyPath;
use crate::value::Mapping;

/// Sets the keys of `aws`. We have only one of its two types, `iam`.
pub(super) fn aws(config: &Stanza<'_>, desk: &mut Desk<'_>) {
    let home = KeyPath::of(&["auth", "method"]);
    let Some(item) = config.get("type") else { return };
    if desk.read(config, item, &home, kinds::text).is_some_and(|kind| kind != "iam") {
        let bad = told(
            "Leasehold logs in by the type `iam` alone",
            "make a role of the type iam, and write it here",
        );
        desk.refuse(item.value.at, config.path("type"), &home, bad);
    }
}

/// Sets the keys of `azure`. The Agent asks the machine's metadata service, whatever the environment has, unless it
/// is configured otherwise.
pub(super) fn azure(config: &Stanza<'_>, desk: &mut Desk<'_>) {
    let home = KeyPath::of(&["auth", "managed_identity"]);
    let item = config.get("authenticate_from_environment");
    let by_environment = item.and_then(|item| desk.read(config, item, &home, kinds::flag)).unwrap_or(false);
    if by_environment {
        let ids = ["client_id", "object_id"].map(|key| home.key(key));
        if ids.iter().any(|id| desk.draft.get(id).is_some())
            && let Some(item) = item
        {
            let bad = told(
                "an identity of the machine is named, and the Agent does not use it with this",
                "take one of them out; the environment names its own by AZURE_CLIENT_ID",
            );
            desk.refuse(item.value.at, config.path("authenticate_from_environment"), &home, bad);
        }
    } else if desk.draft.get(&home).is_none() {
        desk.draft.put(&home, Mapping::new(), None);
    }
}

/// Sets the type, and the account, which the Agent calls `default` if it is the machine's own.
pub(super) fn google(config: &Stanza<'_>, desk: &mut Desk<'_>) {
    let auth = KeyPath::of(&["auth"]);
    let home = auth.key("gcp_type");
    match config.get("type") {
        Some(item) => desk.set(config, item, &home, kinds::text),
        None => {
            let bad = told("method `gcp` needs `type`", "write type = \"gce\" or type = \"iam\"");
            desk.refuse(config.at, config.path("type"), &home, bad);
        }
    }
    let home = auth.key("service_account");
    let Some(item) = config.get("service_account") else { return };
    let name = desk.read(config, item, &home, kinds::text);
    if let Some(name) = name.filter(|name| !name.is_empty() && name != "default") {
        desk.draft.put(&home, name, Some(Origin::of(item)));
    }
}
