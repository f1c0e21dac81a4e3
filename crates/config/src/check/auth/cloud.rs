//! `aws`, `azure`, `gcp`, and `jwt_from`: logins by an identity that a cloud has given us.

use leasehold_settings::login::{Issuer, Proof, Signer};
use leasehold_settings::stores::ManagedIdentity;

use super::required;
use crate::check::identity::{self, region, text};
use crate::desk::Desk;
use crate::file::{Auth, Cloud, GcpType, Method};
use crate::keypath::KeyPath;
use crate::plan::AuthMethod;

pub(super) fn check(entry: &Auth, method: Method, at: &KeyPath, desk: &mut Desk<'_>) -> Option<AuthMethod> {
    if cfg!(not(feature = "clouds")) {
        let key = if method == Method::Jwt { "jwt_from" } else { "method" };
        let hint = "take the binary leasehold-clouds, or the image with it";
        desk.wrong_value(&at.key(key), "this binary has no clouds", hint);
        return None;
    }
    // The server takes the name of the identity where AWS names none.
    let role = match (method, entry.role.as_deref()) {
        (Method::Aws, None) => Some(None),
        (_, role) => required(role, "role", method, at, desk).map(|role| Some(role.to_owned())),
    };
    let proof = match (method, entry.jwt_from) {
        (Method::Aws, _) => aws(entry, at, desk),
        (Method::Azure, _) => azure(entry, at, desk),
        (Method::Gcp, _) => google(entry, at, desk),
        (_, cloud) => jwt(entry, cloud?, at, desk),
    };
    Some(AuthMethod::Cloud { role: role?, proof: proof? })
}

fn aws(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Proof> {
    let region = region(entry.region.as_deref(), &at.key("region"), desk);
    let hint = ("the value of a header", "write what iam_server_id_header_value of the method is");
    let server_id = text(entry.server_id.as_deref(), &at.key("server_id"), hint, desk, |text| {
        !text.is_empty() && text.bytes().all(|byte| byte == b' ' || byte.is_ascii_graphic())
    });
    Some(Proof::Aws { region: region?, server_id: server_id? })
}

fn azure(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Proof> {
    let audience = audience(entry, Method::Azure, at, desk);
    let identity = managed_identity(entry, at, desk);
    Some(Proof::Azure { audience: audience?, identity: identity? })
}

fn google(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Proof> {
    let signer = match entry.gcp_type {
        Some(GcpType::Iam) => Signer::Account,
        Some(GcpType::Gce) | None => Signer::Machine,
    };
    Some(Proof::Google { signer, account: account(entry, at, desk)? })
}

fn jwt(entry: &Auth, cloud: Cloud, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Proof> {
    let audience = audience(entry, Method::Jwt, at, desk);
    let issuer = match cloud {
        Cloud::Aws => {
            region(entry.region.as_deref(), &at.key("region"), desk).map(|region| Issuer::Aws { region })
        }
        Cloud::Azure => managed_identity(entry, at, desk).map(|identity| Issuer::Azure { identity }),
        Cloud::Gcp => account(entry, at, desk).map(|account| Issuer::Google { account }),
    };
    Some(Proof::Jwt { audience: audience?, issuer: issuer? })
}

/// Returns the audience of the token. It becomes a part of a URL and of a form, and is shown.
fn audience(entry: &Auth, method: Method, at: &KeyPath, desk: &mut Desk<'_>) -> Option<String> {
    let audience = required(entry.audience.as_deref(), "audience", method, at, desk)?;
    if audience.len() > 1000 || !audience.bytes().all(|byte| byte.is_ascii_graphic()) {
        let hint = "write what the method is configured with, like https://vault.example.com";
        desk.wrong_value(&at.key("audience"), "not an audience", hint);
        return None;
    }
    Some(audience.to_owned())
}

fn managed_identity(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<ManagedIdentity>> {
    let given = entry.managed_identity.as_ref();
    given.map_or(Some(None), |given| identity::managed(given, at, desk).map(Some))
}

fn account(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<String>> {
    let hint = (
        "the name of a service account",
        "write its e-mail address, like web@my-project.iam.gserviceaccount.com",
    );
    text(entry.service_account.as_deref(), &at.key("service_account"), hint, desk, |text| {
        let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '@' | '_' | ':');
        (6..=128).contains(&text.len()) && text.contains('@') && text.chars().all(is_part)
    })
}
