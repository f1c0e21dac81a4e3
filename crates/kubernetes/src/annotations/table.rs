//! The one table of annotations: the parser checks every value against it, and docs/reference/annotations.md is made
//! from it.

/// What an annotation's value has to be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Shape {
    /// Any text.
    Text,
    /// `true`, `false` and Go's other spellings; empty is false.
    Flag,
    /// A whole number from 0; empty is none.
    Number,
    /// A decimal number; empty is none.
    Decimal,
    /// A duration of Go; empty is none.
    Duration,
    /// A quantity of Kubernetes; empty leaves the resource out.
    Quantity,
    /// One of these words.
    Word(&'static [&'static str]),
    /// An absolute path that something can be mounted at.
    Folder,
    /// Octal digits; empty is none.
    Mode,
    /// The name of an object; empty is none.
    Name,
    /// Operations of JSON Patch; empty is none.
    Patch,
}

/// Where an annotation applies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    /// The pod.
    Pod,
    /// One secret: its name follows a hyphen.
    Secret,
    /// The pod, or one secret whose name follows.
    Both,
    /// A parameter, whose name follows a hyphen.
    Parameter,
}

/// How it compares with what vault-k8s does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verdict {
    /// The same.
    Kept,
    /// The same effect by other means.
    Mapped,
    /// A defect of vault-k8s is left out.
    Beaten,
    /// There is no equivalent, and the pod would not work without one.
    Refused,
    /// There is no equivalent, and none is needed: a warning names it.
    Idle,
    /// Leasehold's own.
    Own,
}

impl Verdict {
    /// Returns the word for the verdict in the documentation.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Kept => "kept",
            Self::Mapped => "mapped",
            Self::Beaten => "beaten",
            Self::Refused => "refused",
            Self::Idle => "mapped: nothing to do",
            Self::Own => "own",
        }
    }
}

/// One annotation.
#[derive(Debug)]
pub struct Entry {
    /// Its name behind the prefix, without the name of a secret.
    pub name: &'static str,
    /// Where it applies.
    pub reach: Reach,
    /// What its value is.
    pub shape: Shape,
    /// How it compares.
    pub verdict: Verdict,
    /// What happens, and what is different.
    pub does: &'static str,
}

/// The annotations of one prefix.
#[derive(Debug)]
pub struct Table {
    /// With its slash.
    pub prefix: &'static str,
    /// In the order of the documentation.
    pub entries: &'static [Entry],
}

const fn entry(
    name: &'static str,
    reach: Reach,
    shape: Shape,
    verdict: Verdict,
    does: &'static str,
) -> Entry {
    Entry { name, reach, shape, verdict, does }
}

use Reach::{Both, Parameter, Pod, Secret};
use Shape::{Decimal, Duration, Flag, Folder, Mode, Name, Number, Patch, Quantity, Text, Word};
use Verdict::{Beaten, Idle, Kept, Mapped, Own, Refused};

/// What vault-k8s 1.7.6 reads.
pub static VAULT: Table = Table { prefix: "vault.hashicorp.com/", entries: VAULT_ENTRIES };

/// What only Leasehold reads.
pub static OWN: Table = Table { prefix: "leasehold.dev/", entries: OWN_ENTRIES };

#[rustfmt::skip]
const VAULT_ENTRIES: &[Entry] = &[
    entry("agent-inject", Pod, Flag, Kept, "asks for the injection"),
    entry("agent-inject-status", Pod, Text, Kept, "`injected` is written by the injection; a pod that has it stays as it is"),
    entry("agent-inject-secret", Secret, Text, Kept, "the path of a secret; NAME is the file's name, in lower case. Two names that make one file are refused, where vault-k8s writes it twice"),
    entry("agent-inject-template", Secret, Text, Kept, "the file's template; empty is none. It is compiled at admission: a pod with a broken one is refused"),
    entry("agent-inject-template-file", Secret, Text, Kept, "a file in our container that holds the template"),
    entry("agent-inject-file", Secret, Text, Beaten, "the file's name below the volume; a leading slash is dropped. `..` is refused, where vault-k8s leaves the volume"),
    entry("agent-inject-perms", Secret, Mode, Kept, "the file's mode; `0644` without it"),
    entry("agent-inject-command", Secret, Text, Mapped, "`pkill`, `killall` and `kill` of a process by name become a signal that Leasehold sends. Any other command needs a shell, which our image does not have: it is refused unless the operator's image has one (`image_has_shell`)"),
    entry("agent-template-left-delim", Secret, Text, Kept, "opens an action of the file's own template"),
    entry("agent-template-right-delim", Secret, Text, Kept, "closes an action of the file's own template"),
    entry("error-on-missing-key", Secret, Flag, Beaten, "a missing key is an error without it, so that no file has a hole; `false` renders it as `<no value>`"),
    entry("preserve-secret-case", Both, Flag, Kept, "keeps NAME as it is written"),
    entry("secret-volume-path", Both, Folder, Kept, "where the files are, in the application and in our containers; for one secret: a volume of its own"),
    entry("agent-inject-containers", Pod, Text, Beaten, "which containers get the volume, separated by commas. Spaces are allowed, and a name that the pod does not have is refused. Init containers always get it"),
    entry("agent-inject-default-template", Pod, Word(&["map", "json"]), Kept, "what a secret without a template renders as"),
    entry("agent-inject-token", Pod, Flag, Kept, "writes the login's token to `token` in the volume"),
    entry("agent-image", Pod, Text, Mapped, "names an image of Vault, so it is used only where the operator's `allowed_images` allows it"),
    entry("agent-request-namespace", Pod, Text, Idle, "the namespace is the request's"),
    entry("agent-init-first", Pod, Flag, Beaten, "our init container goes before the pod's own. A container that a patch renames gets its mounts once"),
    entry("agent-pre-populate", Pod, Flag, Kept, "`false`: no init container, the sidecar alone"),
    entry("agent-pre-populate-only", Pod, Flag, Beaten, "`true`: no sidecar. Together with `agent-pre-populate: \"false\"` it is refused, since nothing would be injected"),
    entry("agent-configmap", Pod, Name, Kept, "a ConfigMap with `config.hcl` and `config-init.hcl`, mounted at /vault/configs; Leasehold reads Vault Agent's HCL"),
    entry("agent-extra-secret", Pod, Name, Kept, "a Secret, mounted at /vault/custom in our containers"),
    entry("agent-copy-volume-mounts", Pod, Text, Beaten, "the container whose mounts ours get too, without service account tokens. One that the pod does not have is refused"),
    entry("agent-service-account-token-volume-name", Pod, Text, Kept, "the volume with the token to log in with; it must be a projected service account token"),
    entry("agent-limits-cpu", Pod, Quantity, Kept, "none without it"),
    entry("agent-limits-mem", Pod, Quantity, Kept, "64Mi without it"),
    entry("agent-limits-ephemeral", Pod, Quantity, Kept, "none without it"),
    entry("agent-requests-cpu", Pod, Quantity, Kept, "5m without it, as measured; vault-k8s asks for 250m"),
    entry("agent-requests-mem", Pod, Quantity, Kept, "16Mi without it, as measured; vault-k8s asks for 64Mi"),
    entry("agent-requests-ephemeral", Pod, Quantity, Kept, "none without it"),
    entry("agent-revoke-on-shutdown", Pod, Flag, Beaten, "revokes the token at the end, and the leases too, without a shell. A native sidecar does so unless this is `false`"),
    entry("agent-revoke-grace", Pod, Number, Kept, "how many seconds a sidecar goes on after SIGTERM before it revokes; 5 without it. A native sidecar needs none: it stops after the application"),
    entry("agent-run-as-user", Pod, Number, Kept, "the user of our containers; 100 without it"),
    entry("agent-run-as-group", Pod, Number, Kept, "their group; 1000 without it"),
    entry("agent-run-as-same-user", Pod, Flag, Beaten, "the first container's user; the pod's own `securityContext` counts too. Root is refused"),
    entry("agent-set-security-context", Pod, Flag, Kept, "`false`: our containers get no `securityContext`. With one they satisfy the restricted Pod Security Standard"),
    entry("agent-share-process-namespace", Pod, Flag, Beaten, "sets `shareProcessNamespace`, also where there is no init container"),
    entry("agent-cache-enable", Pod, Flag, Mapped, "not needed: a path is read once, and init hands its login to the sidecar"),
    entry("agent-cache-use-auto-auth-token", Pod, Word(&["", "true", "false", "force", "TRUE", "FALSE", "True", "False", "t", "f", "T", "F", "1", "0"]), Refused, "`true` and `force` let the application ask Vault through the agent: Leasehold is no proxy"),
    entry("agent-cache-listener-port", Pod, Number, Idle, "Leasehold is no proxy"),
    entry("agent-cache-exit-on-err", Pod, Flag, Idle, "there is no cache to restore"),
    entry("agent-enable-quit", Pod, Flag, Beaten, "serves `POST /quit` at 127.0.0.1:9110. A pod that ends by itself (a Job's) gets a native sidecar and needs none"),
    entry("agent-disable-idle-connections", Pod, Text, Idle, "Leasehold keeps one connection"),
    entry("agent-disable-keep-alives", Pod, Text, Idle, "Leasehold keeps one connection"),
    entry("agent-json-patch", Pod, Patch, Kept, "changes the sidecar"),
    entry("agent-init-json-patch", Pod, Patch, Kept, "changes the init container"),
    entry("agent-auto-auth-exit-on-err", Pod, Flag, Idle, "init ends with an exit code; a sidecar goes on, not ready"),
    entry("agent-telemetry", Parameter, Text, Mapped, "serves `/metrics` at 127.0.0.1:9110; the parameters themselves have no effect"),
    entry("service", Pod, Text, Kept, "the address of Vault; it must be on the operator's list (`allowed_addresses`), where there is one"),
    entry("namespace", Pod, Text, Kept, "the namespace of Vault; empty undoes the operator's"),
    entry("role", Pod, Text, Kept, "the role to log in with"),
    entry("auth-type", Pod, Text, Mapped, "kubernetes, jwt, approle, cert, token_file, userpass and ldap. The clouds' own methods are refused: the image that is injected has no clouds"),
    entry("auth-path", Pod, Text, Kept, "the mount of the login method"),
    entry("auth-config", Parameter, Text, Mapped, "a parameter of the login method; one that has no equivalent is a warning"),
    entry("auth-min-backoff", Pod, Duration, Idle, "Leasehold has its own pace: 1 s, doubling to 60 s"),
    entry("auth-max-backoff", Pod, Duration, Idle, "Leasehold has its own pace: 1 s, doubling to 60 s"),
    entry("proxy-address", Pod, Text, Kept, "the proxy to Vault; empty undoes the operator's"),
    entry("tls-skip-verify", Pod, Flag, Mapped, "is not followed: the server's certificate is always verified, and a warning says how to name its authority"),
    entry("tls-secret", Pod, Name, Kept, "a Secret, mounted at /vault/tls in our containers"),
    entry("tls-server-name", Pod, Text, Kept, "the name to expect in the server's certificate"),
    entry("ca-cert", Pod, Text, Kept, "a PEM file with the server's authority"),
    entry("ca-key", Pod, Text, Mapped, "vault-k8s uses it as a folder of authorities; so does Leasehold"),
    entry("client-cert", Pod, Text, Kept, "the client certificate"),
    entry("client-key", Pod, Text, Kept, "its key"),
    entry("client-max-retries", Pod, Number, Idle, "Leasehold retries until it succeeds, with its own pace"),
    entry("client-timeout", Pod, Duration, Kept, "how long a request may take"),
    entry("go-max-procs", Pod, Number, Idle, "Leasehold runs in one thread"),
    entry("log-level", Pod, Word(&["", "trace", "debug", "info", "notice", "warn", "warning", "error", "err"]), Kept, "info without it"),
    entry("log-format", Pod, Word(&["", "standard", "json"]), Kept, "text without it, as with `standard`"),
    entry("template-config-exit-on-retry-failure", Pod, Flag, Idle, "init ends with an exit code; a sidecar keeps what is there and goes on"),
    entry("template-static-secret-render-interval", Pod, Duration, Kept, "how often a secret without an end of its own, such as one of KV, is polled; 5m without it"),
    entry("template-max-connections-per-host", Pod, Number, Mapped, "how many requests may be under way at once"),
    entry("template-lease-renewal-threshold", Pod, Decimal, Idle, "a lease is renewed at half of its life"),
];

#[rustfmt::skip]
const OWN_ENTRIES: &[Entry] = &[
    entry("inject", Pod, Flag, Own, "asks for the injection"),
    entry("status", Pod, Text, Own, "`injected` is written by the injection; a pod that has it stays as it is"),
    entry("role", Pod, Text, Own, "the role to log in with"),
    entry("config", Pod, Text, Own, "a configuration of Leasehold, as YAML. Server, login, folders and handoff are added where it does not name them"),
    entry("config-map", Pod, Name, Own, "a ConfigMap with `leasehold.yaml`; what the injection adds is laid upon it"),
    entry("secret", Secret, Text, Own, "`PATH#KEY`: one value; `PATH`: all fields as JSON. NAME is the file's name, or in the modes exec and env-file the variable's"),
    entry("mode", Pod, Word(&["sidecar", "init", "classic", "exec", "env-file"]), Own, "`sidecar` (a native sidecar, the default), `init` (an init container alone), `classic` (an init container and a second container), `exec` (the application's command runs under Leasehold, with the secrets in its environment), `env-file` (Kubernetes 1.35 and later: the kubelet makes variables of files that init wrote, and no command is wrapped; the values stay as they are at the start)"),
    entry("containers", Pod, Text, Own, "which containers get the volume, or in exec mode the secrets; all without it"),
    entry("notify-signal", Pod, Text, Own, "`SIGNAL:PROCESS`, such as `HUP:nginx`: sent after each change. Sets `shareProcessNamespace`"),
    entry("resolve-env", Pod, Flag, Own, "exec mode: values `vault:PATH#KEY` of a container's variables are replaced, as bank-vaults does"),
    entry("vault-ca", Pod, Text, Own, "is written by the injection where the operator has set an authority: our containers read it as a file"),
];
