//! `cert`, `userpass`, `ldap`, and `path` for all others.

use crate::check::optional_path;
use crate::desk::Desk;
use crate::file::{Auth, Field, Method};
use crate::keypath::KeyPath;
use crate::plan::{AuthMethod, Credential, VaultPlan};
use leasehold_base::request::Request;
use leasehold_base::secret::Secret;

use super::required;

pub(super) fn cert(
    entry: &Auth,
    vault: Option<&VaultPlan>,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<AuthMethod> {
    let name = match entry.name.as_deref() {
        None => None,
        text => Some(required(text, "name", Method::Cert, at, desk)?.to_owned()),
    };
    let vault = vault?;
    let at = at.key("method");
    let Some(own) = &vault.client_cert else {
        desk.wrong_value(
            &at,
            "method `cert` logs in with the connection's certificate, and there is none",
            "add `client_cert_file` and `client_key_file` to `vault`",
        );
        return None;
    };
    if vault.address.scheme() != "https" {
        let message = "method `cert` over plain http://, over which no certificate is sent";
        desk.wrong_value(&at, message, "use https:// in `vault.address`");
        return None;
    }
    Some(AuthMethod::Cert { name, own: own.clone() })
}

pub(super) fn password(
    entry: &Auth,
    method: Method,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<AuthMethod> {
    let username = required(entry.username.as_deref(), "username", method, at, desk);
    // It becomes a segment of the path, and must stay one.
    let username = username.filter(|name| {
        let odd = matches!(*name, "." | "..") || name.contains(|c: char| c.is_control() || "/\\".contains(c));
        if odd {
            desk.wrong_value(&at.key("username"), "not a user's name", "write it without slashes");
        }
        !odd
    });
    let file = required(entry.password_file.as_deref(), "password_file", method, at, desk);
    let password_file = optional_path(file, &at.key("password_file"), desk);
    Some(AuthMethod::Password { username: username?.to_owned(), password_file: password_file? })
}

pub(super) fn path(entry: &Auth, at: &KeyPath, desk: &mut Desk<'_>) -> Option<AuthMethod> {
    let text = required(entry.path.as_deref(), "path", Method::Path, at, desk);
    let path = text.and_then(|text| login_path(text, &at.key("path"), desk));
    let mut fields = Some(Vec::new());
    for (name, field) in entry.fields.iter().flatten() {
        let value = value(field, &at.key("fields").key(name), desk);
        fields = fields.zip(value).map(|(mut all, value)| {
            all.push((name.clone(), value));
            all
        });
    }
    Some(AuthMethod::Path { path: path?, fields: fields? })
}

fn login_path(text: &str, at: &KeyPath, desk: &mut Desk<'_>) -> Option<String> {
    match Request::read(text) {
        Err(bad) => desk.wrong_value(at, bad.to_string(), "write it like auth/clusters/login"),
        // A login anywhere else would send credentials to what keeps what it is sent.
        Ok(request) if !request.path.starts_with("auth/") || text.contains('?') => {
            desk.wrong_value(at, "not the path of a login", "write it like auth/clusters/login");
        }
        Ok(request) => return Some(request.path),
    }
    None
}

fn value(field: &Field, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Credential> {
    match field {
        Field::Text(text) => Some(Credential::Given(Secret::from(text.as_str()))),
        Field::Of(source) if source.file.is_some() => {
            optional_path(source.file.as_deref(), &at.key("file"), desk).map(Credential::File)
        }
        Field::Of(_) => {
            if !desk.is_broken(&at.key("file")) {
                desk.missing(at, "a field without a value", "write NAME: TEXT, or NAME: {file: PATH}");
            }
            None
        }
    }
}
