//! Translates `auto_auth`: how Vault Agent logs in, and where it puts the token.

mod cloud;

use super::draft::{Origin, Weight};
use super::kinds;
use super::stanza::{Block, Desk, Row, Stanza, To, row};
use super::tree::Item;
use crate::keypath::KeyPath;

const AUTO_AUTH: &[Row] = &[
    row("method", To::Own),
    row("sink", To::Own),
    row("sinks", To::Own),
    row("enable_reauth_on_new_credentials", To::Moot("credentials are read anew at each login")),
];

const OWN_PACE: (&str, &str) =
    ("Leasehold logs in at its own pace, and no more often than the server's lockout allows", "take it out");

const METHOD: &[Row] = &[
    row("type", To::Own),
    row("mount_path", To::Own),
    row("config", To::Own),
    row("namespace", To::Own),
    row("wrap_ttl", To::Seconds(&["wrap_ttl"])),
    row("min_backoff", To::Lost(OWN_PACE.0, OWN_PACE.1)),
    row("max_backoff", To::Lost(OWN_PACE.0, OWN_PACE.1)),
    row("exit_on_err", To::Moot("`init` ends where the login is refused, `sidecar` goes on")),
];

const KUBERNETES: &[Row] = &[row("role", To::Text(&["role"])), row("token_path", To::Path(&["jwt_file"]))];

const KEPT: (&str, &str) = (
    "Leasehold leaves the file where it is, since it logs in with it again",
    "keep it on a tmpfs that only Leasehold mounts",
);

const JWT: &[Row] = &[
    row("role", To::Text(&["role"])),
    row("path", To::Path(&["jwt_file"])),
    row("remove_jwt_after_reading", To::Lost(KEPT.0, KEPT.1)),
    row("remove_jwt_follows_symlinks", To::Moot("the file is not removed")),
    row("skip_token_read", To::Moot("the token is read at each login")),
    row("jwt_read_period", To::Moot("the token is read at each login")),
];

const APPROLE: &[Row] = &[
    row("role_id_file_path", To::Path(&["role_id_file"])),
    row("secret_id_file_path", To::Path(&["secret_id_file"])),
    row("secret_id_response_wrapping_path", To::Text(&["secret_id_wrapped"])),
    row("remove_secret_id_file_after_reading", To::Lost(KEPT.0, KEPT.1)),
];

const CERT: &[Row] = &[
    row("name", To::Text(&["name"])),
    row("ca_cert", To::Own),
    row("client_cert", To::Own),
    row("client_key", To::Own),
    row("reload", To::Moot("certificates are read anew when they change")),
];

const PASSWORD: &[Row] = &[
    row("username", To::Text(&["username"])),
    row("password_file_path", To::Path(&["password_file"])),
    row("remove_password_after_reading", To::Lost(KEPT.0, KEPT.1)),
    row("remove_password_follows_symlinks", To::Moot("the file is not removed")),
    row("password_read_period", To::Moot("the password is read at each login")),
];

const NO_KEYS: (&str, &str) = (
    "Leasehold takes no keys of AWS from a configuration",
    "set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or lay them into a profile",
);

const AWS: &[Row] = &[
    row("type", To::Own),
    row("role", To::Text(&["role"])),
    row("region", To::Text(&["region"])),
    row("header_value", To::Text(&["server_id"])),
    row("access_key", To::Refused(NO_KEYS.0, NO_KEYS.1)),
    row("secret_key", To::Refused(NO_KEYS.0, NO_KEYS.1)),
    row("session_token", To::Refused(NO_KEYS.0, NO_KEYS.1)),
    row("nonce", To::Moot("a login of the type iam has none")),
    row("credential_poll_interval", To::Moot("credentials are found anew at each login")),
];

const AZURE: &[Row] = &[
    row("role", To::Text(&["role"])),
    row("resource", To::Text(&["audience"])),
    row("client_id", To::Text(&["managed_identity", "client_id"])),
    row("object_id", To::Text(&["managed_identity", "object_id"])),
    row("authenticate_from_environment", To::Own),
    row("scope", To::Lost("Leasehold asks for the scope /.default of `resource`", "take it out")),
];

const GCP: &[Row] = &[
    row("type", To::Own),
    row("role", To::Text(&["role"])),
    row("service_account", To::Own),
    row(
        "credentials",
        To::Refused(
            "Leasehold finds a file of Google's credentials by the environment alone",
            "set GOOGLE_APPLICATION_CREDENTIALS",
        ),
    ),
    row("project", To::Moot("the account's name says its project")),
    row("jwt_exp", To::Moot("a token of a login is good for 15 minutes")),
];

const TOKEN_FILE: &[Row] = &[row("token_file_path", To::Path(&["token_file"]))];

/// The methods by their names, with the keys of their `config`.
const METHODS: &[(&str, &[Row])] = &[
    ("kubernetes", KUBERNETES),
    ("jwt", JWT),
    ("approle", APPROLE),
    ("cert", CERT),
    ("userpass", PASSWORD),
    ("ldap", PASSWORD),
    ("aws", AWS),
    ("azure", AZURE),
    ("gcp", GCP),
    ("token_file", TOKEN_FILE),
];

/// Makes `auth` and `sinks` of `auto_auth`.
pub(super) fn convert(top: &Stanza<'_>, desk: &mut Desk<'_>) {
    let Some(auto) = top.only("auto_auth", desk) else { return };
    desk.walk_over(&auto, AUTO_AUTH, &KeyPath::of(&["auth"]));
    match auto.only_labelled("method", desk) {
        Some(block) => method(&block, desk),
        None => {
            let hint = "write method \"kubernetes\" { config = { role = \"…\" } }";
            desk.refuse(auto.at, auto.path("method"), &KeyPath::of(&["auth"]), told("no `method`", hint));
        }
    }
    let mut sinks = auto.labelled("sink", desk);
    if let Some(more) = auto.only("sinks", desk) {
        sinks.extend(more.labelled("sink", desk));
    }
    for (index, block) in sinks.iter().enumerate() {
        sink(block, &KeyPath::of(&["sinks"]).index(index), desk);
    }
}

fn told(message: impl Into<String>, hint: impl Into<String>) -> (String, String) {
    (message.into(), hint.into())
}

/// Returns the type of a block: its label, or its `type`, in small letters, as the Agent takes it.
fn kind(block: &Block<'_>, desk: &mut Desk<'_>) -> Option<String> {
    let typed = block.stanza.get("type");
    let text = match typed {
        Some(item) => desk.read(&block.stanza, item, &KeyPath::top(), kinds::text)?,
        None => block.label.map(|(label, _)| label.to_owned()).unwrap_or_default(),
    };
    Some(text.to_lowercase())
}

fn method(block: &Block<'_>, desk: &mut Desk<'_>) {
    let at = KeyPath::of(&["auth"]);
    desk.walk_over(&block.stanza, METHOD, &at);
    namespace(&block.stanza, desk);
    let Some(kind) = kind(block, desk) else { return };
    let place = block.label.map_or(block.stanza.at, |(_, at)| at);
    let names: Vec<&str> = METHODS.iter().map(|(name, _)| *name).collect();
    let Some((name, rows)) = METHODS.iter().find(|(name, _)| *name == kind) else {
        let message = match kind.as_str() {
            "" => "a method without a type",
            "alicloud" | "cf" | "kerberos" | "oci" => "Leasehold does not log in by this method",
            _ => "not a method of logging in",
        };
        let hint = format!("use one of {}", names.join(", "));
        desk.refuse(place, block.stanza.path("type"), &at, told(message, hint));
        return;
    };
    let origin = Origin { key: block.stanza.at, value: place, lies: super::tree::Lies::Somewhere };
    desk.draft.put(&at.key("method"), *name, Some(origin));
    if let Some(item) = block.stanza.get("mount_path") {
        mount(&block.stanza, item, name, desk);
    }
    if let Some(config) = block.stanza.only("config", desk) {
        desk.walk_over(&config, rows, &at);
        match *name {
            "cert" => certificate(&config, desk),
            "aws" => cloud::aws(&config, desk),
            "azure" => cloud::azure(&config, desk),
            "gcp" => cloud::google(&config, desk),
            _ => {}
        }
        forgotten_file(&config, name, desk);
    }
}

/// Sets the namespace of the login. If `vault` names none, the Agent reads its templates in that namespace, too.
fn namespace(stanza: &Stanza<'_>, desk: &mut Desk<'_>) {
    let home = KeyPath::of(&["auth", "namespace"]);
    let Some(item) = stanza.get("namespace") else { return };
    let Some(text) = desk.read(stanza, item, &home, kinds::text).filter(|text| !text.is_empty()) else {
        return;
    };
    desk.draft.put(&home, text.as_str(), Some(Origin::of(item)));
    let everyones = KeyPath::of(&["vault", "namespace"]);
    let given = desk.draft.get(&everyones).and_then(crate::value::Value::as_str);
    if given.is_none_or(str::is_empty) {
        desk.draft.put(&everyones, text, Some(Origin::of(item)));
    }
}

/// Sets the mount. The agent's key is a whole path: namespaces, `auth` and the mount. Ours is what follows `auth/`,
/// and the namespaces become those of the login alone.
pub(super) fn mount(stanza: &Stanza<'_>, item: &Item, method: &str, desk: &mut Desk<'_>) {
    let home = KeyPath::of(&["auth", "mount"]);
    let Some(text) = desk.read(stanza, item, &home, kinds::text) else { return };
    let parts: Vec<&str> = text.trim().split('/').filter(|part| !part.is_empty()).collect();
    let auth = parts.iter().position(|part| *part == "auth");
    let (namespaces, mount) = auth.map_or((&[][..], &parts[..]), |at| (&parts[..at], &parts[at + 1..]));
    let mount = mount.join("/");
    if mount != method && !mount.is_empty() {
        desk.draft.put(&home, mount, Some(Origin::of(item)));
    }
    if namespaces.is_empty() {
        return;
    }
    let given = |at: &[&str]| desk.draft.get(&KeyPath::of(at)).and_then(crate::value::Value::as_str);
    // The environment's wins over the one of `vault`.
    let above = given(&["auth", "namespace"]).or(desk.namespace).or_else(|| given(&["vault", "namespace"]));
    let above = above.unwrap_or_default().split('/').filter(|part| !part.is_empty());
    let whole: Vec<&str> = above.chain(namespaces.iter().copied()).collect();
    let whole = whole.join("/");
    desk.draft.put(&KeyPath::of(&["auth", "namespace"]), whole, Some(Origin::of(item)));
}

/// Sets the client certificate. It is the connection's, and only our `vault` has connections.
fn certificate(config: &Stanza<'_>, desk: &mut Desk<'_>) {
    let pairs =
        [("ca_cert", "ca_file"), ("client_cert", "client_cert_file"), ("client_key", "client_key_file")];
    for (theirs, ours) in pairs {
        let home = KeyPath::of(&["vault", ours]);
        let Some(item) = config.get(theirs) else { continue };
        let folder = desk.folder;
        let before = desk.draft.get(&home).cloned();
        desk.set(config, item, &home, |node| {
            kinds::text(node).map(|text| super::stanza::absolute(&text, folder))
        });
        if before.is_some() && before.as_ref() != desk.draft.get(&home) {
            let message =
                "another file than the one that `vault` names, and there is one connection for both";
            let told = told(message, "name the same in both, or take one out");
            desk.refuse(item.value.at, config.path(theirs), &home, told);
        }
    }
}

/// Notes that the file of a credential is kept, which the Agent removes by default.
fn forgotten_file(config: &Stanza<'_>, method: &str, desk: &mut Desk<'_>) {
    let (file, removal) = match method {
        "approle" => ("secret_id_file_path", "remove_secret_id_file_after_reading"),
        "jwt" => ("path", "remove_jwt_after_reading"),
        _ => return,
    };
    if let (Some(item), None) = (config.get(file), config.get(removal)) {
        let home = KeyPath::of(&["auth"]);
        desk.note(Weight::Moot, item.at, config.path(file), &home, told(KEPT.0, KEPT.1));
    }
}

const ENCRYPTED: (&str, &str) = (
    "Leasehold does not encrypt a sink",
    "keep it on a tmpfs that only its reader mounts, or use `wrap_ttl`",
);

const SINK: &[Row] = &[
    row("type", To::Own),
    row("config", To::Own),
    row("wrap_ttl", To::Seconds(&["wrap_ttl"])),
    row("dh_type", To::Refused(ENCRYPTED.0, ENCRYPTED.1)),
    row("dh_path", To::Refused(ENCRYPTED.0, ENCRYPTED.1)),
    row("derive_key", To::Refused(ENCRYPTED.0, ENCRYPTED.1)),
    row("aad", To::Refused(ENCRYPTED.0, ENCRYPTED.1)),
    row("aad_env_var", To::Refused(ENCRYPTED.0, ENCRYPTED.1)),
];

const SINK_FILE: &[Row] = &[
    row("path", To::Path(&["path"])),
    row("mode", To::Mode(&["mode"])),
    row("uid", To::Text(&["user"])),
    row("owner", To::Text(&["user"])),
    row("gid", To::Text(&["group"])),
    row("group", To::Text(&["group"])),
];

fn sink(block: &Block<'_>, at: &KeyPath, desk: &mut Desk<'_>) {
    let origin = Origin { key: block.stanza.at, value: block.stanza.at, lies: super::tree::Lies::Somewhere };
    desk.draft.put(at, crate::value::Mapping::new(), Some(origin));
    desk.walk_over(&block.stanza, SINK, at);
    match kind(block, desk).as_deref() {
        Some("file") | None => {}
        Some(_) => {
            let bad =
                told("a sink of this type is not known", "write sink \"file\" { config = { path = \"…\" } }");
            desk.refuse(block.stanza.at, block.stanza.path("type"), at, bad);
        }
    }
    if let Some(config) = block.stanza.only("config", desk) {
        desk.walk_over(&config, SINK_FILE, at);
    }
    if desk.draft.get(&at.key("mode")).is_none() {
        // The Agent's.
        desk.draft.put(&at.key("mode"), "0640", None);
    }
}
