//! What is accepted, and what it means.

use std::path::PathBuf;
use std::time::Duration;

use super::World;
use crate::keypath::KeyPath;
use crate::layers::Setting;
use crate::plan::*;
use leasehold_base::request::Request;
use leasehold_base::secret::Secret;
use leasehold_settings::login::{Issuer, Proof, Signer};
use leasehold_settings::stores::ManagedIdentity;

/// Every key that this version has, at a value that is not its default.
const WHOLE: &str = r#"
vault:
  address: https://vault.example.com:8200/
  namespace: team-a
  ca_file: /etc/leasehold/ca.pem
  ca_dir: /etc/leasehold/ca
  client_cert_file: /etc/leasehold/tls.pem
  client_key_file: /etc/leasehold/tls.key
  server_name: vault.internal
  plaintext: never
  redirect_hosts: [Vault-1.example.com, "[::1]:8201"]
  proxy: http://proxy:3128
  timeout: 20s
  rate_limit: {per_second: 20, burst: 40}
  max_in_flight: 4
auth:
  method: kubernetes
  mount: clusters/east
  namespace: admin
  role: web
  jwt_file: /var/run/secrets/vault/token
secrets_dir: /leasehold/secrets/
require_tmpfs: false
defaults: {mode: "0400", dir_mode: "2750", refresh: 1m, missing_key: zero}
files:
  - path: db.env
    template: |
      {{ with secret "database/creds/web" -}}
      DB_USER={{ .Data.username }}
      {{ end }}
  - path: sub/api-key
    secret: secret/web#api_key
    encoding: base64
    notify: []
  - path: config.json
    secret: secret/web?version=3
  - path: /etc/nginx/tls.pem
    template_file: /etc/leasehold/tls.tpl
    delimiters: {left: "[["}
    missing_key: error
    deny_functions: [plugin, env, env]
    mode: "0440"
    user: nginx
    group: 7
    refresh: 30s
    wait: {min: 1s, max: 10s}
    notify: [nginx, app, nginx]
write_to_file: [/leasehold/written, /run/ca/]
notify:
  nginx: {signal: HUP, process: nginx, splay: 5s}
  other: {signal: 10, pid_file: /run/other.pid}
  line: {signal: SIGUSR2, command_line: "java .*Main"}
  app: {http: "http://127.0.0.1:8080/-/reload", timeout: 2s}
  hook: {command: [/usr/local/bin/reload, now], timeout: 10s}
init: {timeout: 1m}
handoff: {file: /leasehold/handoff/state}
shutdown: {revoke: false, delay: 3s}
exec:
  command: [/usr/local/bin/server, "--port=80"]
  env:
    A: {secret: "kv/a#k", encoding: base64, refresh: 1m}
    B: {template: "{{ env \"HOME\" }}"}
    C: {template_file: /etc/leasehold/tls.tpl}
  on_change: HUP
  stop_signal: QUIT
  stop_timeout: 10s
  splay: 2s
  wait: {min: 1s, max: 2s}
  resolve_env: true
listen: 127.0.0.1:9110
sandbox: "off"
log: {level: debug, format: json}
"#;

#[test]
fn every_key_reaches_the_plan() {
    let plan = World::new(WHOLE).plan();
    let vault = &plan.vault;
    assert_eq!(vault.address.as_str(), "https://vault.example.com:8200/");
    assert_eq!(vault.namespace.as_deref(), Some("team-a"));
    assert_eq!(vault.ca_file, Some(PathBuf::from("/etc/leasehold/ca.pem")));
    assert_eq!(vault.ca_dir, Some(PathBuf::from("/etc/leasehold/ca")));
    let cert = vault.client_cert.as_ref().expect("a client certificate");
    assert_eq!(cert.cert_file, PathBuf::from("/etc/leasehold/tls.pem"));
    assert_eq!(cert.key_file, PathBuf::from("/etc/leasehold/tls.key"));
    assert_eq!(vault.server_name.as_deref(), Some("vault.internal"));
    assert_eq!(vault.redirect_hosts, ["vault-1.example.com", "[::1]:8201"]);
    assert_eq!(vault.proxy.as_ref().map(url::Url::as_str), Some("http://proxy:3128/"));
    assert_eq!(vault.timeout, Duration::from_secs(20));
    assert_eq!(vault.rate_limit, Some(RateLimit { per_second: 20.0, burst: 40 }));
    assert_eq!(vault.max_in_flight, 4);
    assert_eq!(plan.auth.mount, "clusters/east");
    assert_eq!(plan.auth.namespace.as_deref(), Some("admin"));
    assert!(matches!(&plan.auth.method, AuthMethod::Kubernetes { role, jwt_file }
        if role == "web" && jwt_file == &PathBuf::from("/var/run/secrets/vault/token")));
    assert_eq!(plan.secrets_dir, Some(PathBuf::from("/leasehold/secrets")));
    assert_eq!((plan.dir_mode, plan.require_tmpfs), (0o2750, false));
    assert_eq!(plan.writes.folders, [PathBuf::from("/leasehold/written"), "/run/ca".into()]);
    assert_eq!(plan.writes.taken, [PathBuf::from("/etc/nginx/tls.pem")].into());
    assert_eq!(plan.init_timeout, Duration::from_secs(60));
    assert_eq!(plan.handoff, Some(PathBuf::from("/leasehold/handoff/state")));
    assert_eq!(plan.shutdown, ShutdownPlan { revoke: false, delay: Duration::from_secs(3) });
    assert_eq!(plan.listen, Some(Listen::Tcp(([127, 0, 0, 1], 9110).into())));
    assert_eq!(plan.sandbox, Sandbox::Off);
    assert_eq!(plan.log, LogPlan { level: tracing::Level::DEBUG, format: LogFormat::Json });
}

#[test]
fn every_kind_of_file_reaches_the_plan() {
    let files = World::new(WHOLE).plan().files;
    let FileSource::Made(Source::Template(template)) = &files[0].source else {
        panic!("a template: {:?}", files[0].source)
    };
    assert_eq!(template.name, "files[0].template");
    assert!(template.template.text().starts_with(b"{{ with secret"));
    assert_eq!(template.missing_key, MissingKey::Zero);
    assert_eq!(files[0].target, Target::Member("db.env".into()));
    assert_eq!((files[0].mode, files[0].refresh), (0o400, Duration::from_secs(60)));
    assert_eq!(files[0].notify, [0, 1, 2, 3, 4]);

    let FileSource::Made(Source::Field { request, key, base64: true }) = &files[1].source else {
        panic!("one value")
    };
    assert_eq!((request, key.as_str()), (&Request::read("secret/web").expect("a path"), "api_key"));
    assert!(files[1].notify.is_empty());

    let FileSource::Made(Source::Json { request }) = &files[2].source else { panic!("all values") };
    assert_eq!(request, &Request::read("secret/web?version=3").expect("a path"));

    let FileSource::Made(Source::Template(template)) = &files[3].source else { panic!("a template") };
    assert_eq!(template.file, Some(PathBuf::from("/etc/leasehold/tls.tpl")));
    assert_eq!(template.delimiters, ("[[".to_owned(), "}}".to_owned()));
    assert_eq!(
        (template.missing_key, &template.denied[..]),
        (MissingKey::Error, &["env".to_owned(), "plugin".to_owned()][..])
    );
    assert_eq!(files[3].target, Target::Alone("/etc/nginx/tls.pem".into()));
    assert_eq!((files[3].mode, files[3].uid, files[3].gid), (0o440, Some(101), Some(7)));
    assert_eq!(files[3].wait, Some(Wait { min: Duration::from_secs(1), max: Duration::from_secs(10) }));
    assert_eq!(files[3].notify, [3, 0], "by name: app, hook, line, nginx, other; each once");
}

#[test]
fn every_way_to_notify_reaches_the_plan() {
    let notifiers = World::new(WHOLE).plan().notifiers;
    let names: Vec<&str> = notifiers.iter().map(|notifier| notifier.name.as_str()).collect();
    assert_eq!(names, ["app", "hook", "line", "nginx", "other"]);
    assert!(matches!(&notifiers[0].how, Notifier::Http { url, timeout, .. }
        if url.as_str() == "http://127.0.0.1:8080/-/reload" && *timeout == Duration::from_secs(2)));
    assert!(matches!(&notifiers[1].how, Notifier::Command { command, timeout, .. }
        if command == &["/usr/local/bin/reload", "now"] && *timeout == Duration::from_secs(10)));
    assert!(matches!(&notifiers[2].how, Notifier::Signal { signal: 12, target, .. }
        if *target == ProcessTarget::CommandLine("java .*Main".into())));
    assert!(matches!(&notifiers[3].how, Notifier::Signal { signal: 1, target, splay }
        if *target == ProcessTarget::Name("nginx".into()) && *splay == Duration::from_secs(5)));
    assert!(matches!(&notifiers[4].how, Notifier::Signal { signal: 10, target, .. }
        if *target == ProcessTarget::PidFile("/run/other.pid".into())));
}

/// The least there can be.
const LEAST: &str = "
vault: {address: 'https://v:8200'}
auth: {method: kubernetes, role: web}
files: [{path: /run/secret, secret: kv/web}]
";

#[test]
fn what_is_left_out_has_the_defaults_of_the_contract() {
    let plan = World::new(LEAST).plan();
    assert_eq!(plan.vault.timeout, Duration::from_secs(15));
    assert_eq!((plan.vault.max_in_flight, plan.vault.rate_limit), (8, None));
    assert_eq!((plan.auth.mount.as_str(), plan.auth.namespace), ("kubernetes", None));
    assert!(matches!(&plan.auth.method, AuthMethod::Kubernetes { jwt_file, .. }
        if jwt_file == &PathBuf::from("/var/run/secrets/kubernetes.io/serviceaccount/token")));
    assert_eq!((plan.secrets_dir, plan.dir_mode, plan.require_tmpfs), (None, 0o750, true));
    assert_eq!((plan.files[0].mode, plan.files[0].refresh), (0o440, Duration::from_secs(300)));
    assert_eq!((plan.files[0].uid, plan.files[0].gid, plan.files[0].wait), (None, None, None));
    assert_eq!((plan.init_timeout, plan.handoff, plan.listen), (Duration::from_secs(120), None, None));
    assert_eq!(plan.shutdown, ShutdownPlan { revoke: true, delay: Duration::ZERO });
    assert_eq!(plan.log, LogPlan { level: tracing::Level::INFO, format: LogFormat::Auto });
}

fn with_auth(auth: &str) -> World {
    World::new(&LEAST.replace("{method: kubernetes, role: web}", auth))
}

#[test]
fn each_method_has_its_own_fields() {
    let method = |auth: &str| with_auth(auth).var("SID", " s-1\n").var("VAULT_TOKEN", "t-1").plan().auth;
    let jwt = method("{method: jwt, role: web, jwt_file: /j}");
    assert_eq!(jwt.mount, "jwt");
    assert!(matches!(jwt.method, AuthMethod::Kubernetes { .. }));
    let approle = method("{method: approle, role_id: r-1, secret_id_env: SID}");
    let AuthMethod::AppRole {
        role_id: Credential::Given(role),
        secret_id: Some(Credential::Given(id)),
        wrapped_by: None,
    } = approle.method
    else {
        panic!("both given")
    };
    assert_eq!((role.expose(), id.expose()), (&b"r-1"[..], &b"s-1"[..]));
    let approle = method("{method: approle, role_id_file: /r}");
    assert!(matches!(
        approle.method,
        AuthMethod::AppRole { role_id: Credential::File(_), secret_id: None, .. }
    ));
    let wrapped = method(
        "{method: approle, role_id: r, secret_id_file: /w, secret_id_wrapped: auth/approle/role/r/secret-id}",
    );
    assert!(matches!(wrapped.method, AuthMethod::AppRole { wrapped_by: Some(path), .. }
        if path == "auth/approle/role/r/secret-id"));
    let ldap = method("{method: ldap, username: 'J. Doe', password_file: /p}");
    assert_eq!(ldap.mount, "ldap");
    let expected = AuthMethod::Password { username: "J. Doe".into(), password_file: "/p".into() };
    assert_eq!(ldap.method, expected);
    assert_eq!(method("{method: userpass, username: 'J. Doe', password_file: /p}").method, expected);
    let path = method("{method: path, path: /v1/auth/aws/login/, fields: {role: web, doc: {file: /d}}}");
    let fields = [("doc", Credential::File("/d".into())), ("role", Credential::Given(Secret::from("web")))];
    let fields = fields.map(|(name, value)| (name.to_owned(), value)).to_vec();
    assert_eq!(path.method, AuthMethod::Path { path: "auth/aws/login".into(), fields });
    assert_eq!(path.method.files(), [PathBuf::from("/d")]);
    let token = method("{method: token}");
    assert!(matches!(token.method, AuthMethod::Token { token_env, token }
        if token_env == "VAULT_TOKEN" && token.as_ref().is_some_and(|token| token.expose() == b"t-1")));
    let file = method("{method: token_file, token_file: /t}");
    assert!(matches!(file.method, AuthMethod::TokenFile { .. }));
}

#[test]
fn a_login_by_a_cloud_says_what_proves_who_we_are() {
    let method = |auth: &str| with_auth(auth).plan().auth;
    let of = |role: Option<&str>, proof| AuthMethod::Cloud { role: role.map(str::to_owned), proof };
    let aws = method("{method: aws}");
    assert_eq!(aws.mount, "aws");
    assert_eq!(
        aws.method,
        of(None, Proof::Aws { region: None, server_id: None }),
        "it is the identity's own name"
    );
    assert!(aws.owns_token() && !aws.method.locks_out());
    let aws = method("{method: aws, mount: clouds/aws, role: web, region: eu-west-1, server_id: v.example}");
    let proof = Proof::Aws { region: Some("eu-west-1".into()), server_id: Some("v.example".into()) };
    assert_eq!((aws.mount.as_str(), aws.method), ("clouds/aws", of(Some("web"), proof)));
    let azure =
        method("{method: azure, role: web, audience: 'https://v/', managed_identity: {client_id: c}}");
    let identity = Some(ManagedIdentity::Client("c".into()));
    assert_eq!(azure.method, of(Some("web"), Proof::Azure { audience: "https://v/".into(), identity }));
    let gcp = method("{method: gcp, role: web}");
    assert_eq!(gcp.method, of(Some("web"), Proof::Google { signer: Signer::Machine, account: None }));
    for (more, issuer) in [
        ("jwt_from: aws", Issuer::Aws { region: None }),
        ("jwt_from: azure, managed_identity: {}", Issuer::Azure { identity: Some(ManagedIdentity::System) }),
        ("jwt_from: gcp", Issuer::Google { account: None }),
    ] {
        let jwt = method(&format!("{{method: jwt, role: web, audience: vault, {more}}}"));
        assert_eq!(jwt.mount, "jwt");
        assert_eq!(jwt.method, of(Some("web"), Proof::Jwt { audience: "vault".into(), issuer }));
    }
}

#[test]
fn a_credential_that_is_not_set_here_keeps_nobody_from_checking() {
    for auth in
        ["{method: token, token_env: NOWHERE}", "{method: approle, role_id: r, secret_id_env: NOWHERE}"]
    {
        let world = with_auth(auth);
        assert_eq!(world.plan().auth.method.unset_variable(), Some("NOWHERE"));
        let problems = world.problems();
        assert!(
            problems.iter().any(|line| line.contains("warning: the variable NOWHERE is not set")),
            "{problems:?}"
        );
    }
    let set = with_auth("{method: token, token_env: HERE}").var("HERE", "t-1");
    assert_eq!(set.plan().auth.method.unset_variable(), None);
}

#[test]
fn json_is_yaml_and_merge_keys_merge() {
    let json = r#"{"vault": {"address": "https://v:8200"}, "auth": {"method": "kubernetes", "role": "w"},
	"files": [{"path": "/run/a", "secret": "kv/a"}]}"#;
    assert_eq!(World::new(json).plan().files.len(), 1);
    let merged = "
vault: {address: 'https://v:8200'}
auth: {method: kubernetes, role: web}
files:
- &one {path: /run/a, secret: kv/a, mode: '0400'}
- {<<: *one, path: /run/b}
";
    let plan = World::new(merged).plan();
    assert_eq!((plan.files[1].name.as_str(), plan.files[1].mode), ("/run/b", 0o400));
}

#[test]
fn a_later_text_takes_a_key_away_with_null_and_replaces_a_list_as_a_whole() {
    let over = "auth: {method: token_file, token_file: /run/token, role: null}\nfiles: [{path: /run/b, secret: kv/b}]\n";
    let plan = World::new(LEAST).text("over.yaml", over).plan();
    assert!(matches!(&plan.auth.method, AuthMethod::TokenFile { .. }), "{:?}", plan.auth.method);
    assert_eq!(plan.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), ["/run/b"]);
}

#[test]
fn later_texts_then_the_environment_then_flags_win_and_say_so() {
    let mut world = World::new(LEAST)
        .text("over.yaml", "vault: {address: 'https://w:8200', timeout: 3s}\n")
        .text("empty.yaml", "# nothing\n")
        .var("VAULT_ADDR", "https://x:8200")
        .var("BAO_ADDR", "https://y:8200")
        .var("VAULT_CLIENT_TIMEOUT", "7")
        .var("VAULT_NAMESPACE", "ns/")
        .var("VAULT_SKIP_VERIFY", "1");
    world.flags.push(Setting {
        key: KeyPath::of(&["init", "timeout"]),
        value: "9s".into(),
        by: "--timeout".into(),
    });
    let plan = world.plan();
    assert_eq!(plan.vault.address.as_str(), "https://y:8200/");
    assert_eq!(plan.vault.timeout, Duration::from_secs(7));
    assert_eq!(plan.vault.namespace.as_deref(), Some("ns"));
    assert_eq!(plan.init_timeout, Duration::from_secs(9));
    // What is in force in the end, and in place of something.
    assert_eq!(
        plan.overrides,
        ["BAO_ADDR overrides `vault.address`", "VAULT_CLIENT_TIMEOUT overrides `vault.timeout`"]
    );
    assert_eq!(
        world.problems(),
        [
            "VAULT_ADDR: warning: overrides `vault.address` of over.yaml:1:18 with https://x:8200; unset the variable, or write `environment: ignore` below `vault`",
            "BAO_ADDR: warning: overrides `vault.address` of VAULT_ADDR with https://y:8200; unset the variable, or write `environment: ignore` below `vault`",
            "VAULT_CLIENT_TIMEOUT: warning: overrides `vault.timeout` of over.yaml:1:45 with 7s; unset the variable, or write `environment: ignore` below `vault`",
            "VAULT_SKIP_VERIFY: warning: is ignored: the server's certificate is always verified; trust its authority with `vault.ca_file`",
            "over.yaml:1:9: warning: `vault.address` overrides the one of c.yaml:2:18",
        ]
    );
}

#[test]
fn the_digest_is_of_the_meaning_not_the_text() {
    let digest = |yaml: &str| World::new(yaml).plan().digest;
    let same = LEAST
        .replace("files:", "# a comment\nlog: {level: debug}\nfiles:")
        .replace("role: web", "role: 'web', mount: kubernetes");
    assert_eq!(digest(LEAST), digest(&same));
    for (part, other) in [
        ("v:8200", "w:8200"),
        ("role: web", "role: api"),
        ("kv/web", "kv/api"),
        ("/run/secret", "/run/other"),
    ] {
        assert_ne!(digest(LEAST), digest(&LEAST.replace(part, other)), "{other}");
    }
}

#[test]
fn what_yaml_reads_as_text_needs_no_quotes() {
    let with =
        |keys: &str| World::new(&LEAST.replace("secret: kv/web", &format!("secret: kv/web, {keys}"))).plan();
    assert_eq!(with("mode: 0400").files[0].mode, 0o400, "a leading zero makes it text in YAML 1.2");
    assert_eq!(with("user: 101, group: tls").files[0].uid, Some(101));
    assert_eq!(with("refresh: 1h 30m").files[0].refresh, Duration::from_secs(5400));
    assert_eq!(with("mode: ~, notify: null").files[0].mode, 0o440, "null is what is left out");
}

#[test]
fn a_process_has_the_defaults_of_the_contract_and_is_told_of_every_file() {
    let plan = World::new(
        "vault: {address: 'https://v'}\nauth: {method: token, token_env: T}\nsecrets_dir: /s\n\
         files: [{path: a, secret: kv/a}, {path: b, secret: kv/a, notify: []}, {path: c, secret: kv/a, notify: [exec]}]\n\
         exec: {command: [/bin/server, -v], env: {B: {secret: 'kv/a#k', refresh: 9s}, A: {template: x}}}",
    )
    .plan();
    assert_eq!(plan.files.iter().map(|file| file.tells_child).collect::<Vec<_>>(), [true, false, true]);
    let exec = plan.exec;
    assert_eq!(exec.command, ["/bin/server", "-v"]);
    assert_eq!((exec.on_change, exec.stop_signal), (OnChange::Restart, 15));
    assert_eq!((exec.stop_timeout, exec.splay), (Duration::from_secs(30), Duration::ZERO));
    assert_eq!((exec.wait, exec.resolve_env), (None, None));
    assert_eq!(exec.withheld, ["T"]);
    let variables: Vec<(&str, u64)> =
        exec.env.iter().map(|variable| (variable.name.as_str(), variable.refresh.as_secs())).collect();
    assert_eq!(variables, [("A", 300), ("B", 9)]);
}

#[test]
fn a_process_may_be_signalled_left_alone_or_given_variables_alone() {
    let of = |exec: &str| {
        let text = format!("vault: {{address: 'https://v'}}\nauth: {{method: token}}\nexec: {exec}\n");
        World::new(&text).plan().exec
    };
    assert_eq!(of("{env: {A: {template: x}}, on_change: ignore}").on_change, OnChange::Ignore);
    assert_eq!(of("{env: {A: {template: x}}, on_change: SIGHUP}").on_change, OnChange::Signal(1));
    assert_eq!(of("{resolve_env: true, stop_signal: 3}").resolve_env, Some(Duration::from_secs(300)));
}
