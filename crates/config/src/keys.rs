//! Every key of a configuration: its kind, its default and what it is for. The hints for unknown keys, the check of
//! shapes and the reference read this table. The defaults themselves are in `defaults.rs`.

mod auth;
mod stores;

use super::defaults;
use super::keypath::{KeyPath, Step};

pub(super) use auth::METHODS;

/// A key of the configuration.
#[derive(Debug)]
pub struct Key {
    /// The name as it is written.
    pub name: &'static str,
    /// The shape of its value.
    pub kind: Kind,
    /// The default, as it is written; empty if there is none.
    pub default: &'static str,
    /// The description in the reference, one line.
    pub doc: &'static str,
    /// The names that Vault Agent, and people who come from it, use for this key.
    pub also: &'static [&'static str],
    /// True if its value may be or hold a credential, so that no message shows the line.
    pub private: bool,
}

/// The shape of a value.
#[derive(Debug)]
pub enum Kind {
    /// Text.
    Text,
    /// A text, or a number that stands for itself: an owner, a signal.
    Word,
    /// `true` or `false`.
    Flag,
    /// A whole number, at least 1.
    Count,
    /// A number above 0.
    Rate,
    /// A duration in humantime's words.
    Duration,
    /// A file mode, octal digits in text.
    Mode,
    /// One of these words.
    Choice(&'static [&'static str]),
    /// A list.
    List(&'static Kind),
    /// A map with these keys.
    Map(&'static [Key]),
    /// A map from names of the user's to such values.
    Named(&'static Kind),
    /// A text, or a map with these keys that says where the text is.
    TextOr(&'static [Key]),
}

const fn key(name: &'static str, kind: Kind, default: &'static str, doc: &'static str) -> Key {
    Key { name, kind, default, doc, also: &[], private: false }
}

impl Key {
    const fn also(mut self, names: &'static [&'static str]) -> Self {
        self.also = names;
        self
    }

    const fn otherwise(mut self, default: &'static str) -> Self {
        self.default = default;
        self
    }

    const fn private(mut self) -> Self {
        self.private = true;
        self
    }
}

// Where a file goes and whose it is, of a sink as of a file.
const PATH: Key = key("path", Kind::Text, "", "relative: a member of the set; absolute: published alone");
const MODE: Key = key("mode", Kind::Mode, "defaults.mode", "permission bits").also(&["perms"]);
const USER: Key =
    key("user", Kind::Word, "", "owner: a number, or a name from /etc/passwd").also(&["uid", "owner"]);
const GROUP: Key = key("group", Kind::Word, "", "group: a number, or a name from /etc/group").also(&["gid"]);

// What a value is made of, of a variable as of a file.
const TEMPLATE: Key = key("template", Kind::Text, "", "its template").also(&["contents"]);
const TEMPLATE_FILE: Key = key("template_file", Kind::Text, "", "a file with its template").also(&["source"]);
const DELIMITED: Key = key(
    "delimiters",
    Kind::Map(DELIMITERS),
    "{left: \"{{\", right: \"}}\"}",
    "what its actions stand between",
);
const MISSING_KEY: Key = key(
    "missing_key",
    Kind::Choice(&["error", "default", "zero"]),
    "defaults.missing_key",
    "what a missing key renders as",
)
.also(&["error_on_missing_key"]);
const DENY_FUNCTIONS: Key =
    key("deny_functions", Kind::List(&Kind::Text), "[]", "functions that its template may not call")
        .also(&["function_denylist", "function_blacklist"]);
const SECRET: Key = key(
    "secret",
    Kind::Text,
    "",
    "PATH#KEY: one value; PATH: all fields as JSON, or the value as it is if a backend has it",
);
const ENCODING: Key = key("encoding", Kind::Choice(&["base64"]), "", "how the value of PATH#KEY is decoded");

/// The keys at the top.
pub static TOP: &[Key] = &[
    key("vault", Kind::Map(VAULT), "", "the server and how to reach it"),
    key("auth", Kind::Map(auth::AUTH), "", "how to log in").also(&["auto_auth"]),
    key(
        "backends",
        Kind::Named(&Kind::Map(stores::BACKEND)),
        "",
        "stores that are no Vault, by the name that paths begin with",
    ),
    key("secrets_dir", Kind::Text, "", "the folder of the files with a relative path, which change together"),
    key(
        "require_tmpfs",
        Kind::Flag,
        defaults::REQUIRE_TMPFS.text,
        "secrets_dir, handoff, sinks and folders of absolute files must be on tmpfs or ramfs",
    ),
    key("defaults", Kind::Map(DEFAULTS), "", "what holds for each file that does not set the key itself"),
    key("files", Kind::List(&Kind::Map(FILE)), "", "the files to render").also(&["template", "templates"]),
    key(
        "write_to_file",
        Kind::List(&Kind::Text),
        "[]",
        "absolute folders below which templates may write with writeToFile",
    ),
    key(
        "notify",
        Kind::Named(&Kind::Map(NOTIFIER)),
        "",
        "the notifiers: what is notified of a change, by name",
    )
    .also(&["notifiers"]),
    key("sinks", Kind::List(&Kind::Map(SINK)), "", "the token itself, for applications that want it")
        .also(&["sink"]),
    key("exec", Kind::Map(EXEC), "", "the process of `leasehold exec`, and what it is given"),
    key("init", Kind::Map(INIT), "", "how `leasehold init` behaves"),
    key("handoff", Kind::Map(HANDOFF), "", "what init leaves for the sidecar"),
    key("shutdown", Kind::Map(SHUTDOWN), "", "how to stop"),
    key("listen", Kind::Text, "", "where status, readiness and metrics are served: IP:PORT or unix:/path"),
    key("listen_tls", Kind::Map(LISTEN_TLS), "", "TLS for `listen`, which is IP:PORT then"),
    key(
        "sandbox",
        Kind::Choice(&["auto", "off", "required"]),
        "auto",
        "how Leasehold fences itself in: auto as far as the kernel allows, off not at all, required fully or it does not start",
    ),
    key("log", Kind::Map(LOG), "", "what is logged, and how"),
];

static VAULT: &[Key] = &[
    key("address", Kind::Text, "", "the server's URL; VAULT_ADDR and BAO_ADDR win").also(&["addr", "url"]),
    key("namespace", Kind::Text, "", "the namespace of every request"),
    key("ca_file", Kind::Text, "the system's", "PEM file with the only authorities to trust")
        .also(&["ca_cert", "cacert"]),
    key("ca_dir", Kind::Text, "", "folder of such PEM files").also(&["ca_path", "capath"]),
    key("client_cert_file", Kind::Text, "", "client certificate, PEM").also(&["client_cert"]),
    key("client_key_file", Kind::Text, "", "its key, PEM").also(&["client_key"]),
    key(
        "server_name",
        Kind::Text,
        "",
        "the name or IP address to expect in the server's certificate; with a name, requests go over HTTP/1",
    )
    .also(&["tls_server_name"]),
    key(
        "plaintext",
        Kind::Choice(&["never", "loopback", "anywhere"]),
        "loopback",
        "where http:// is allowed",
    ),
    key(
        "environment",
        Kind::Choice(&["override", "ignore"]),
        "override",
        "override: VAULT_ADDR, BAO_ADDR and their like win over these keys; ignore: they do not, for a server's own configuration",
    ),
    key(
        "redirect_hosts",
        Kind::List(&Kind::Text),
        "[]",
        "hosts (HOST or HOST:PORT) that a redirect may lead to, besides our own",
    ),
    key("proxy", Kind::Text, "", "the only proxy used; the environment's are not").private(),
    key("timeout", Kind::Duration, defaults::REQUEST.text, "how long a whole request may take")
        .also(&["client_timeout"]),
    key("rate_limit", Kind::Map(RATE_LIMIT), "", "a token bucket over all requests"),
    key(
        "max_in_flight",
        Kind::Count,
        defaults::MAX_IN_FLIGHT.text,
        "how many requests may be under way at once",
    ),
];

pub(crate) static RATE_LIMIT: &[Key] = &[
    key("per_second", Kind::Rate, "", "requests a second in the long run"),
    key("burst", Kind::Count, "per_second", "requests at once after a rest"),
];

/// Describes what `refresh` does, and what it does not do.
const REFRESH: &str = "how often to poll a secret that has no end of its own, such as one of KV. A lease, a certificate and an answer with a `ttl` in its data are replaced before they end, and no refresh makes them anew. A static role is read at each refresh, and just after each rotation";

static DEFAULTS: &[Key] = &[
    key("mode", Kind::Mode, defaults::MODE.text, "permission bits of files").also(&["perms"]),
    key("dir_mode", Kind::Mode, defaults::DIR_MODE.text, "permission bits of generation folders"),
    key("refresh", Kind::Duration, defaults::REFRESH.text, REFRESH).also(&["static_secret_render_interval"]),
    MISSING_KEY.otherwise("error"),
];

static FILE: &[Key] = &[
    PATH.also(&["destination", "dest"]),
    TEMPLATE,
    TEMPLATE_FILE,
    DELIMITED,
    MISSING_KEY,
    DENY_FUNCTIONS,
    SECRET,
    ENCODING,
    MODE,
    USER,
    GROUP,
    key(
        "refresh",
        Kind::Duration,
        "defaults.refresh",
        "how often to poll a secret that has no end of its own, as `defaults.refresh` says",
    ),
    key("wait", Kind::Map(WAIT), "", "quiescence before a publish"),
    key("notify", Kind::List(&Kind::Text), "every notifier", "the notifiers that are notified of a change")
        .also(&["command", "exec"]),
];

static SINK: &[Key] = &[
    PATH,
    MODE,
    USER,
    GROUP,
    key(
        "wrap_ttl",
        Kind::Duration,
        "",
        "the token is wrapped, and its wrapping can be opened once within this time. If it ends unopened, only `POST /refresh`, HUP or a restart makes another",
    ),
    key("notify", Kind::List(&Kind::Text), "[]", "the notifiers that are notified of another token"),
];

static DELIMITERS: &[Key] = &[
    key("left", Kind::Text, "{{", "opens an action").also(&["left_delimiter"]),
    key("right", Kind::Text, "}}", "closes an action").also(&["right_delimiter"]),
];

static WAIT: &[Key] = &[
    key("min", Kind::Duration, "", "publish when nothing changed for this long"),
    key("max", Kind::Duration, "4 × min", "and at the latest this long after the first change"),
];

static NOTIFIER: &[Key] = &[
    key("signal", Kind::Word, "", "a signal's name or number"),
    key("process", Kind::Text, "", "signal: the process's name"),
    key("pid_file", Kind::Text, "", "signal: a file with the process's number"),
    key("command_line", Kind::Text, "", "signal: a regular expression over the command line"),
    key("http", Kind::Text, "", "a URL to POST to").also(&["url"]).private(),
    key("command", Kind::List(&Kind::Text), "", "a program and its arguments, without a shell")
        .also(&["exec"])
        .private(),
    key(
        "timeout",
        Kind::Duration,
        defaults::NOTIFIER,
        "http, command: how long the whole notification may take",
    ),
    key("splay", Kind::Duration, "0s", "the longest random delay before a notification, to spread many pods"),
    key(
        "on_first",
        Kind::Flag,
        "true",
        "notify of the first files in a folder that was empty; false for an application that starts once Leasehold is ready",
    ),
    key(
        "on_init",
        Kind::Flag,
        "false",
        "`leasehold init`, too, notifies of what it published before it ends",
    ),
    key(
        "may_fail",
        Kind::Flag,
        "false",
        "on_init: init succeeds even if this notifier fails, and then tries it only once",
    ),
];

static EXEC: &[Key] = &[
    key("command", Kind::List(&Kind::Text), "", "program and arguments, without a shell; those after -- win")
        .private(),
    key(
        "env",
        Kind::Named(&Kind::Map(VARIABLE)),
        "",
        "the variables that it gets besides the inherited ones",
    )
    .also(&["env_template", "environment"])
    .private(),
    key("on_change", Kind::Word, "restart", "restart, ignore, or the signal that notifies it of a change")
        .also(&["restart_on_secret_changes"]),
    key("stop_signal", Kind::Word, defaults::STOP_SIGNAL.text, "the signal that stops it")
        .also(&["restart_stop_signal", "kill_signal"]),
    key("stop_timeout", Kind::Duration, defaults::STOP.text, "it is killed this long after its stop signal")
        .also(&["kill_timeout"]),
    key("splay", Kind::Duration, "0s", "the longest random delay before it is notified, to spread many pods"),
    key("wait", Kind::Map(WAIT), "", "quiescence before changed variables count"),
    key("resolve_env", Kind::Flag, "false", "replace values `vault:PATH#KEY` of the inherited environment"),
];

static VARIABLE: &[Key] = &[
    TEMPLATE,
    TEMPLATE_FILE,
    DELIMITED,
    MISSING_KEY,
    DENY_FUNCTIONS,
    SECRET,
    ENCODING,
    key(
        "from",
        Kind::Text,
        "",
        "PATH: every key of this secret is a variable; the name of the entry is for messages only",
    ),
    key("prefix", Kind::Text, "", "from: what stands before each key in the variable's name"),
    key("format", Kind::Text, "{{ key }}", "from: the variable's name, made of the prefixed key"),
    key(
        "sanitize",
        Kind::Flag,
        "false",
        "from: replace each character of the name that is no letter, digit or `_` by `_`",
    ),
    key("upcase", Kind::Flag, "false", "from: write the name in capital letters"),
    key(
        "refresh",
        Kind::Duration,
        "defaults.refresh",
        "how often to poll a secret that has no end of its own, as `defaults.refresh` says",
    ),
];

static INIT: &[Key] =
    &[key("timeout", Kind::Duration, defaults::INIT.text, "how long init may take altogether")];

static HANDOFF: &[Key] =
    &[key("file", Kind::Text, "", "the file that carries token and leases").also(&["path"])];

static SHUTDOWN: &[Key] = &[
    key("revoke", Kind::Flag, defaults::REVOKE.text, "revoke token and leases"),
    key("delay", Kind::Duration, "0s", "how long to keep renewing after SIGTERM first"),
];

static LISTEN_TLS: &[Key] = &[
    key("cert_file", Kind::Text, "", "the listener's certificate chain, PEM").also(&["tls_cert_file"]),
    key("key_file", Kind::Text, "", "its key, PEM").also(&["tls_key_file"]),
    key(
        "client_ca_file",
        Kind::Text,
        "",
        "PEM file with the authorities; a client from elsewhere needs a certificate of one of them, a client on loopback needs none",
    )
    .also(&["tls_client_ca_file"]),
];

static LOG: &[Key] = &[
    key(
        "level",
        Kind::Choice(&["error", "warn", "info", "debug", "trace"]),
        "info",
        "the least level that is shown",
    ),
    key(
        "format",
        Kind::Choice(&["auto", "text", "json"]),
        "auto",
        "auto: text on a terminal, JSON otherwise",
    ),
];

/// Returns whether the value at `path` may be or hold a credential: it is below a private key, or below an unknown
/// one.
pub(super) fn is_private(path: &KeyPath) -> bool {
    let (mut keys, mut kind): (&[Key], Option<&Kind>) = (TOP, None);
    for step in path.steps() {
        match (step, kind) {
            (Step::Index(_), Some(Kind::List(inner))) => kind = Some(inner),
            (Step::Key(_), Some(Kind::Named(inner))) => kind = Some(inner),
            (Step::Key(name), _) => {
                let Some(key) = keys.iter().find(|key| key.name == name) else { return true };
                if key.private {
                    return true;
                }
                kind = Some(&key.kind);
            }
            _ => return true,
        }
        keys = match kind {
            Some(Kind::Map(keys)) => keys,
            _ => &[],
        };
    }
    // The top is whatever was typed.
    path.steps().is_empty()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_may_hold_a_credential_is_private() {
        for (path, private) in [
            (KeyPath::of(&["auth", "role_id"]), true),
            (KeyPath::of(&["auth", "mount"]), false),
            (KeyPath::of(&["auth", "secret_id"]), true),
            (KeyPath::of(&["vault", "proxy"]), true),
            (KeyPath::of(&["notify", "app", "http"]), true),
            (KeyPath::of(&["notify", "app", "signal"]), false),
            (KeyPath::of(&["notify", "hook", "command"]).index(1), true),
            (KeyPath::of(&["files"]).index(0).key("mode"), false),
            (KeyPath::of(&["files"]).index(0).key("notify").index(1), false),
            (KeyPath::of(&["files"]).index(0).key("passwrd"), true),
        ] {
            assert_eq!(is_private(&path), private, "{path}");
        }
    }
}
