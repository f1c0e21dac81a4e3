//! Checks `auth`: a method, its own fields, and no fields of another.

mod approle;
mod cloud;
mod methods;

use std::path::PathBuf;

use zeroize::Zeroizing;

use crate::desk::Desk;
use crate::file::{Auth, Cloud, Method};
use crate::keypath::KeyPath;
use crate::keys::METHODS;
use crate::plan::{AuthMethod, AuthPlan, VaultPlan};
use leasehold_base::secret::Secret;

use super::{optional_path, vault};

/// The path where the kubelet puts a pod's own token.
const POD_TOKEN: &str = "/var/run/secrets/kubernetes.io/serviceaccount/token";

/// Returns how to log in. `vault` is `None` if something is wrong with it.
pub(super) fn check(
    entry: Option<&Auth>,
    vault: Option<&VaultPlan>,
    desk: &mut Desk<'_>,
) -> Option<AuthPlan> {
    let at = KeyPath::of(&["auth"]);
    let Some(entry) = entry else {
        desk.missing(&at, "`auth` is missing", "say how to log in: auth: {method: kubernetes, role: …}");
        return None;
    };
    let Some(method) = entry.method else {
        let hint = format!("use one of {}", METHODS.join(", "));
        desk.missing(&at.key("method"), "`auth` has no `method`", hint);
        return None;
    };
    foreign_fields(entry, method, &at, desk);
    let mount = mount(entry, method, &at, desk);
    let namespace = vault::namespace(entry.namespace.as_deref(), &at.key("namespace"), desk);
    // One that is written down and empty is the root, and not the one of `vault`.
    let namespace = entry.namespace.as_ref().map(|_| namespace.unwrap_or_default());
    let method = match method {
        Method::Jwt if entry.jwt_from.is_some() => cloud::check(entry, method, &at, desk),
        Method::Kubernetes | Method::Jwt => jwt(entry, method, &at, desk),
        Method::Aws | Method::Azure | Method::Gcp => cloud::check(entry, method, &at, desk),
        Method::AppRole => approle::check(entry, &at, desk),
        Method::Cert => methods::cert(entry, vault, &at, desk),
        Method::Userpass | Method::Ldap => methods::password(entry, method, &at, desk),
        Method::Path => methods::path(entry, &at, desk),
        Method::Token => token(entry, &at, desk),
        Method::TokenFile => token_file(entry, &at, desk),
    };
    Some(AuthPlan { mount: mount?, namespace, method: method?, wrap_ttl: entry.wrap_ttl })
}

fn name(method: Method) -> &'static str {
    match method {
        Method::Kubernetes => "kubernetes",
        Method::Jwt => "jwt",
        Method::AppRole => "approle",
        Method::Cert => "cert",
        Method::Userpass => "userpass",
        Method::Ldap => "ldap",
        Method::Aws => "aws",
        Method::Azure => "azure",
        Method::Gcp => "gcp",
        Method::Path => "path",
        Method::Token => "token",
        Method::TokenFile => "token_file",
    }
}

fn fields(method: Method) -> &'static [&'static str] {
    match method {
        Method::Kubernetes => &["role", "jwt_file"],
        Method::Jwt => &["role", "jwt_file", "jwt_from"],
        Method::Aws => &["role", "region", "server_id"],
        Method::Azure => &["role", "audience", "managed_identity"],
        Method::Gcp => &["role", "gcp_type", "service_account"],
        Method::AppRole => {
            &["role_id", "role_id_file", "secret_id_file", "secret_id_env", "secret_id_wrapped"]
        }
        Method::Cert => &["name"],
        Method::Userpass | Method::Ldap => &["username", "password_file"],
        Method::Path => &["path", "fields"],
        Method::Token => &["token_env"],
        Method::TokenFile => &["token_file"],
    }
}

/// Returns the fields of `jwt` with a cloud's token.
fn fields_of_token(cloud: Cloud) -> &'static [&'static str] {
    match cloud {
        Cloud::Aws => &["role", "jwt_from", "audience", "region"],
        Cloud::Azure => &["role", "jwt_from", "audience", "managed_identity"],
        Cloud::Gcp => &["role", "jwt_from", "audience", "service_account"],
    }
}

fn foreign_fields(entry: &Auth, method: Method, at: &KeyPath, desk: &mut Desk<'_>) {
    let given = [
        ("role", entry.role.is_some()),
        ("jwt_file", entry.jwt_file.is_some()),
        ("jwt_from", entry.jwt_from.is_some()),
        ("audience", entry.audience.is_some()),
        ("region", entry.region.is_some()),
        ("server_id", entry.server_id.is_some()),
        ("managed_identity", entry.managed_identity.is_some()),
        ("gcp_type", entry.gcp_type.is_some()),
        ("service_account", entry.service_account.is_some()),
        ("role_id", entry.role_id.is_some()),
        ("role_id_file", entry.role_id_file.is_some()),
        ("secret_id_file", entry.secret_id_file.is_some()),
        ("secret_id_env", entry.secret_id_env.is_some()),
        ("secret_id_wrapped", entry.secret_id_wrapped.is_some()),
        ("name", entry.name.is_some()),
        ("username", entry.username.is_some()),
        ("password_file", entry.password_file.is_some()),
        ("path", entry.path.is_some()),
        ("fields", entry.fields.is_some()),
        // Of this method it is a part of the path.
        ("mount", entry.mount.is_some() && method == Method::Path),
        ("token_env", entry.token_env.is_some()),
        ("token_file", entry.token_file.is_some()),
    ];
    let (own, with) = match entry.jwt_from.filter(|_| method == Method::Jwt) {
        Some(cloud) => (fields_of_token(cloud), " with `jwt_from`"),
        None => (fields(method), ""),
    };
    for (field, _) in given.iter().filter(|(field, given)| *given && !own.contains(field)) {
        let message = format!("`{field}` is not a field of method `{}`{with}", name(method));
        desk.wrong_key(&at.key(field), message, format!("its fields are {}", own.join(", ")));
    }
}

fn mount(entry: &Auth, method: Method, at: &KeyPath, desk: &mut Desk<'_>) -> Option<String> {
    let at = at.key("mount");
    let Some(text) = entry.mount.as_deref() else { return Some(name(method).to_owned()) };
    let text = text.trim_matches('/');
    // As the command line of the server names it.
    let text = text.strip_prefix("auth/").unwrap_or(text).trim_start_matches('/');
    let odd = |segment: &str| matches!(segment, "" | "." | "..");
    if text.split('/').any(odd)
        || text.contains(|c: char| c.is_control() || c.is_whitespace() || "?#%\\".contains(c))
    {
        desk.wrong_value(&at, "not a mount", "write it like kubernetes or clusters/east");
        return None;
    }
    if let Some((namespace, mount)) = text.split_once("/auth/") {
        let hint = format!("if it is a namespace, write namespace: {namespace} and mount: {mount}");
        desk.warn(&at, "a mount with `auth/` within", hint);
    }
    Some(text.to_owned())
}

fn jwt(entry: &Auth, method: Method, at: &KeyPath, desk: &mut Desk<'_>) -> Option<AuthMethod> {
    let role = required(entry.role.as_deref(), "role", method, at, desk);
    let jwt_file = match (entry.jwt_file.as_deref(), method) {
        (None, Method::Kubernetes) => Some(PathBuf::from(POD_TOKEN)),
        (text, _) => {
            let text = required(text, "jwt_file", method, at, desk);
            optional_path(text, &at.key("jwt_file"), desk)
        }
    };
    Some(AuthMethod::Kubernetes { role: role?.to_owned(), jwt_file: jwt_file? })
}

/// Returns a field that the method cannot do without. It is not empty.
fn required<'t>(
    text: Option<&'t str>,
    field: &str,
    method: Method,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<&'t str> {
    match text {
        Some("") => desk.wrong_value(&at.key(field), format!("`{field}` is empty"), "give it a value"),
        Some(text) => return Some(text),
        None => desk.missing(
            &at.key(field),
            format!("method `{}` needs `{field}`", name(method)),
            format!("add `{field}:` to `auth`"),
        ),
    }
    None
}

fn token(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<AuthMethod> {
    let at = at.key("token_env");
    let filled = |name: &str| (desk.env)(name).is_some_and(|value| !value.is_empty());
    let token_env = match &entry.token_env {
        Some(name) => name.clone(),
        None if filled("BAO_TOKEN") => "BAO_TOKEN".to_owned(),
        None => "VAULT_TOKEN".to_owned(),
    };
    let token = from_variable(&token_env, &at, desk)?;
    if token.is_some() {
        let message = "a token in the environment shows in /proc, and nothing follows it when it ends";
        desk.warn(
            &KeyPath::of(&["auth", "method"]),
            message,
            "log in by another method, or use `token_file`",
        );
    }
    Some(AuthMethod::Token { token_env, token })
}

/// Returns the value of an environment variable: one word of printable ASCII, because it becomes a header. Returns
/// `None` if the value is wrong, and `Some(None)` if the variable is not set, since the file can be checked all the
/// same.
fn from_variable(variable: &str, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<Secret>> {
    if variable.is_empty() || variable.contains(['=', '\0']) {
        desk.wrong_value(at, "not the name of a variable", "write it like VAULT_TOKEN");
        return None;
    }
    let value = (desk.env)(variable).map(Zeroizing::new);
    let Some(value) = value.filter(|value| !value.trim().is_empty()) else {
        desk.warn(at, format!("the variable {variable} is not set"), "set it where this is to run");
        return Some(None);
    };
    if !value.trim().bytes().all(|b| b.is_ascii_graphic()) {
        let message = format!("the variable {variable} holds more than one word of printable characters");
        desk.wrong_value(at, message, "set it to the credential alone");
        return None;
    }
    Some(Some(Secret::from(value.trim())))
}

fn token_file(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<AuthMethod> {
    let text = required(entry.token_file.as_deref(), "token_file", Method::TokenFile, at, desk);
    Some(AuthMethod::TokenFile { token_file: optional_path(text, &at.key("token_file"), desk)? })
}
