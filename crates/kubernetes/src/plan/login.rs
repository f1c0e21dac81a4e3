//! The login that vault.hashicorp.com annotations ask for, in the keys of Leasehold.

use super::{Login, Server};
use crate::annotations::Annotations;
use crate::refusal::{Refusal, shown};
use crate::settings::Settings;

/// A method, and what its parameters are called here.
struct Method {
    name: &'static str,
    parameters: &'static [(&'static str, &'static str)],
    /// Parameters without an effect, since Leasehold does better.
    idle: &'static [&'static str],
    takes_role: bool,
}

const METHODS: [Method; 7] = [
    Method { name: "kubernetes", parameters: &[("token_path", "jwt_file")], idle: &[], takes_role: true },
    Method {
        name: "jwt",
        parameters: &[("path", "jwt_file")],
        idle: &["remove_jwt_after_reading", "remove_jwt_follows_symlinks", "skip_verification"],
        takes_role: true,
    },
    Method {
        name: "approle",
        parameters: &[
            ("role_id_file_path", "role_id_file"),
            ("secret_id_file_path", "secret_id_file"),
            ("secret_id_response_wrapping_path", "secret_id_wrapped"),
        ],
        idle: &["remove_secret_id_file_after_reading"],
        takes_role: false,
    },
    Method { name: "cert", parameters: &[("name", "name")], idle: &["reload"], takes_role: false },
    Method {
        name: "token_file",
        parameters: &[("token_file_path", "token_file")],
        idle: &[],
        takes_role: false,
    },
    Method {
        name: "userpass",
        parameters: &[("username", "username"), ("password_file_path", "password_file")],
        idle: &["remove_password_after_reading", "remove_password_follows_symlinks"],
        takes_role: false,
    },
    Method {
        name: "ldap",
        parameters: &[("username", "username"), ("password_file_path", "password_file")],
        idle: &["remove_password_after_reading", "remove_password_follows_symlinks"],
        takes_role: false,
    },
];

/// A client certificate is a matter of the connection here.
const OF_THE_SERVER: [&str; 3] = ["ca_cert", "client_cert", "client_key"];
/// vault-k8s gives it to every method.
const EVERYWHERE: [&str; 2] = ["token_path", "credential_poll_interval"];

/// Reads the login. A client certificate of the method goes to `server`.
pub(super) fn login(
    annotations: &Annotations<'_>,
    settings: &Settings,
    server: &mut Server,
    warnings: &mut Vec<String>,
) -> Result<Login, Refusal> {
    let name = annotations.text("auth-type").unwrap_or(&settings.auth_type);
    let method =
        METHODS.iter().find(|method| method.name == name).ok_or_else(|| unknown(annotations, name))?;
    let mut keys = Vec::new();
    let mut role = annotations.text("role");
    for (parameter, value) in annotations.each("auth-config") {
        // The annotation's own spelling; the agent's has underscores.
        let key = parameter.replace('-', "_");
        let known = method.parameters.iter().find(|(theirs, _)| *theirs == key);
        match known {
            Some((_, ours)) => keys.push((*ours, value.to_owned())),
            None if key == "role" => role = role.or(Some(value)),
            None if name == "cert" && OF_THE_SERVER.contains(&key.as_str()) => connect(&key, value, server),
            None if EVERYWHERE.contains(&key.as_str()) => {}
            None => warnings.push(without_effect(annotations, parameter, name, method)),
        }
    }
    if method.takes_role {
        let place = annotations.full("role");
        let role =
            role.ok_or_else(|| Refusal::new(place, "there is no role to log in with", "add the annotation"))?;
        keys.insert(0, ("role", role.to_owned()));
    }
    Ok(Login { method: name.to_owned(), mount: mount(annotations, settings, name), keys })
}

/// Returns the mount below `auth/`. The operator's mount is used for the operator's own method only.
fn mount(annotations: &Annotations<'_>, settings: &Settings, method: &str) -> String {
    let own = annotations.text("auth-path");
    let path =
        own.or((method == settings.auth_type).then_some(settings.auth_path.as_str())).unwrap_or(method);
    let path = path.trim_matches('/');
    path.strip_prefix("auth/").unwrap_or(path).to_owned()
}

fn connect(key: &str, value: &str, server: &mut Server) {
    let field = match key {
        "ca_cert" => &mut server.ca_file,
        "client_cert" => &mut server.client_cert,
        _ => &mut server.client_key,
    };
    field.get_or_insert_with(|| value.to_owned());
}

fn without_effect(annotations: &Annotations<'_>, parameter: &str, name: &str, method: &Method) -> String {
    let full = annotations.full(&format!("auth-config-{parameter}"));
    let why = if method.idle.contains(&parameter.replace('-', "_").as_str()) {
        "Leasehold logs in with the file again, and leaves it".to_owned()
    } else {
        format!("the method {name} of Leasehold has no such parameter")
    };
    format!("{full}: has no effect; {why}")
}

fn unknown(annotations: &Annotations<'_>, name: &str) -> Refusal {
    let known = METHODS.map(|method| method.name).join(", ");
    let what = format!("Leasehold does not log in with {}", shown(name));
    annotations.refusal("auth-type", what, format!("use one of {known}"))
}
