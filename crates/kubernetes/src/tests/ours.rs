//! Where something else is expected than vault-k8s does: the verdict of the fact says why, and here is what is done.

/// A fact by its name, and what is expected instead.
pub(super) struct Instead {
    pub(super) name: &'static str,
    /// JSON, as in facts.json. `config` has pointers into the agent's configuration, `warns` a part of a warning.
    pub(super) expect: &'static str,
}

const fn instead(name: &'static str, expect: &'static str) -> Instead {
    Instead { name, expect }
}

/// All of them.
#[rustfmt::skip]
pub(super) const ALL: &[Instead] = &[
    // It can never work.
    instead("pre-populate false and pre-populate-only true: neither, but volumes, mounts and status are there", r#"{"allowed": false, "why": "nothing is left"}"#),
    // It names an image of Vault.
    instead("the image is the annotation's, else the injector's", r#"{"init": {"image": "leasehold:0.2.0"}, "sidecar": {"image": "leasehold:0.2.0"}, "warns": "allowed_images"}"#),
    instead("not applied when there is no init container", r#"{"pod": {"shareProcessNamespace": true}}"#),
    // One login and one lease a pod.
    instead("two home volumes, one for init, one for the sidecar", r#"{"volumes": {"home-init": null, "home-sidecar": null, "leasehold-handoff": {"emptyDir": {"medium": "Memory"}}}}"#),
    instead("only the init home with pre-populate-only", r#"{"volumes": {"home-init": null, "home-sidecar": null, "leasehold-handoff": null}}"#),
    instead("only the sidecar home without pre-populate", r#"{"volumes": {"home-init": null, "home-sidecar": null, "leasehold-handoff": {"emptyDir": {"medium": "Memory"}}}}"#),
    instead("every application container gets the mount, writable", r#"{"mounts": {"web": [{"volume": "vault-secrets", "path": "/vault/secrets", "readOnly": true}], "helper": [{"volume": "vault-secrets", "path": "/vault/secrets", "readOnly": true}]}}"#),
    // A token of our own audience.
    instead("the token of the service account is mounted read-only into both", r#"{"mounts": {"vault-agent": [{"volume": "leasehold-token", "path": "/var/run/secrets/vault", "readOnly": true}], "vault-agent-init": [{"volume": "leasehold-token", "path": "/var/run/secrets/vault", "readOnly": true}]}}"#),
    instead("role annotation", r#"{"auth": {"config": {"role": "web", "token_path": "/var/run/secrets/vault/token"}, "method": "kubernetes"}}"#),
    instead("role wins over auth-config-role", r#"{"auth": {"config": {"role": "web", "token_path": "/var/run/secrets/vault/token"}}}"#),
    instead("jwt login", r#"{"auth": {"config": {"path": "/t", "role": "web"}, "method": "jwt", "mount": "auth/jwt"}}"#),
    // What goes into the agent's environment there is in its configuration here.
    instead("with a config map no configuration travels in the environment, the address and TLS settings do", r#"{"env": {"vault-agent": {"VAULT_CONFIG": null}}, "config": {"/vault/address": "https://vault:8200", "/vault/ca_file": "/vault/tls/ca.crt", "/vault/server_name": "vault.local", "/auth": null, "/files": null, "/secrets_dir": null}}"#),
    instead("the injector's own CA reaches the agent through the environment, base64 or not", r#"{"config": {"/vault/ca_file": "/leasehold/ca/ca.pem"}, "volumes": {"leasehold-ca": {"downwardAPI": {"items": [{"path": "ca.pem"}]}}}}"#),
    instead("proxy-address becomes HTTPS_PROXY", r#"{"config": {"/vault/proxy": "http://proxy:3128"}}"#),
    instead("an empty proxy-address undoes the injector's", r#"{"config": {"/vault/proxy": null}}"#),
    instead("client timeout and retries", r#"{"config": {"/vault/timeout": "10s"}, "warns": "client-max-retries: has no effect"}"#),
    instead("go-max-procs becomes GOMAXPROCS", r#"{"warns": "go-max-procs: has no effect"}"#),
    instead("log level and format, info and standard by default", r#"{"config": {"/log/level": null, "/log/format": "text"}}"#),
    instead("log level and format as asked for", r#"{"config": {"/log/level": "debug", "/log/format": "json"}}"#),
    instead("disable-idle-connections is a list", r#"{"warns": "agent-disable-idle-connections: has no effect"}"#),
    instead("connections per host", r#"{"config": {"/vault/max_in_flight": 100}}"#),
    instead("telemetry keys: dashes become underscores", r#"{"config": {"/listen": "127.0.0.1:9110"}}"#),
    instead("auto-auth-exit-on-err", r#"{"warns": "agent-auto-auth-exit-on-err: has no effect"}"#),
    instead("copy-volume-mounts of an unknown container copies nothing, silently", r#"{"allowed": false, "why": "no container"}"#),
    instead("cache enable=true pre-populate-only=false pre-populate=true: cache volume there", r#"{"volumes": {"vault-agent-cache": null}, "warns": "no cache is served"}"#),
    instead("cache in the sidecar alone is in memory, with a listener on loopback", r#"{"warns": "no cache is served", "config": {"/listen": "unix:/leasehold/handoff/status.sock"}}"#),
    instead("cache port and token use", r#"{"allowed": false, "why": "no proxy"}"#),
    instead("enable-quit opens a listener even without a cache", r#"{"config": {"/listen": "127.0.0.1:9110"}, "warns": "127.0.0.1:9110/quit"}"#),
    // The agent has no login of AWS.
    instead("aws login: the EKS token volume is mounted into the agents", r#"{"allowed": false, "why": "does not log in with"}"#),
    // A certificate without its key cannot log in: said now instead of when the pod starts.
    instead("dashes in auth-config become underscores, values stay text", r#"{"allowed": false, "why": "key"}"#),
    instead("file with .. leaves the volume", r#"{"allowed": false, "why": "within the volume"}"#),
    instead("keys are case sensitive", r#"{"files": [{"path": "/vault/secrets/a", "template": "map"}], "warns": "agent-inject-TEMPLATE-a: is not known"}"#),
    instead("error-on-missing-key is false unless asked for", r#"{"files": [{"path": "/vault/secrets/a", "error_on_missing_key": true}]}"#),
    instead("inject-token follows secret-volume-path", r#"{"sinks": ["token"], "default_dir": "/s"}"#),
    instead("without inject-token the application sees no token", r#"{"config": {"/sinks": null}}"#),
    instead("revoke-on-shutdown: a hook that sleeps five seconds, then revokes", r#"{"sidecar": {"preStop": null}, "config": {"/shutdown/revoke": true, "/shutdown/delay": "5s"}}"#),
    instead("revoke-grace changes the sleep", r#"{"config": {"/shutdown/revoke": true, "/shutdown/delay": "10s"}}"#),
    instead("the annotation false undoes the injector's true", r#"{"sidecar": {"preStop": null}, "config": {"/shutdown/revoke": false, "/shutdown/delay": null}}"#),
    instead("with init-first, an init container renamed by a patch gets the secrets mount a second time", r#"{"init": {"present": false}, "init_order": ["other-init"]}"#),
    instead("named token volume that nobody mounts: a place of its own", r#"{"token_file": "/var/run/secrets/vault.hashicorp.com/serviceaccount/vault-token", "mounts": {"vault-agent": [{"volume": "vt", "path": "/var/run/secrets/vault.hashicorp.com/serviceaccount"}]}}"#),
];
