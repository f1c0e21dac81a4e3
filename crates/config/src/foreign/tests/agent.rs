//! Vault Agent's keys.

use std::path::PathBuf;
use std::time::Duration;

use super::{HEAD, agent, told, without_places};
use crate::plan::*;
use crate::tests::World;
use leasehold_settings::login::{Proof, Signer};
use leasehold_settings::stores::ManagedIdentity;

const WHOLE: &str = r#"
vault {
  address         = "https://vault.example.com:8200"
  namespace       = "team-a"
  ca_cert         = "/etc/vault/ca.pem"
  ca_path         = "/etc/vault/ca"
  client_cert     = "/etc/vault/tls.pem"
  client_key      = "tls.key"
  tls_server_name = "vault.internal"
  tls_skip_verify = false
  retry { num_retries = 5 }
}
auto_auth {
  method "kubernetes" {
    mount_path = "auth/clusters/east"
    namespace  = "admin/"
    config = {
      role       = "web"
      token_path = "/var/run/secrets/vault/token"
    }
  }
}
template_config {
  static_secret_render_interval = 60
  max_connections_per_host      = 20
}
template {
  source               = "./conf/../tls.tpl"
  destination          = "/etc//nginx/./tls.pem"
  perms                = 0600
  user                 = "101"
  gid                  = 7
  error_on_missing_key = true
  left_delimiter       = "[["
  right_delimiter      = "]]"
  function_denylist    = ["plugin"]
  function_blacklist   = ["env"]
  command              = "systemctl reload nginx || true"
  command_timeout      = "10s"
  wait { min = "2s" max = "1m" }
}
template {
  contents    = "x"
  destination = "out/x"
  perms       = "0400"
  wait        = "5s"
  exec { command = ["/bin/reload", "-q"] timeout = "1m30s" splay = "3s" }
}
template {
  contents    = "y"
  destination = "/y"
  exec = { command = "/bin/reload" enabled = false }
}
log_level  = "WARN"
log_format = "json"
"#;

#[test]
fn every_key_reaches_the_plan() {
    let world = World::empty()
        .text("agent.hcl", WHOLE)
        .file("/work-dir/tls.tpl", "[[ with secret \"pki/issue/web\" ]][[ end ]]\n");
    let plan = world.plan();
    assert_eq!(plan.vault.address.as_str(), "https://vault.example.com:8200/");
    assert_eq!(plan.vault.namespace.as_deref(), Some("team-a"));
    assert_eq!(plan.vault.ca_file, Some(PathBuf::from("/etc/vault/ca.pem")));
    assert_eq!(plan.vault.ca_dir, Some(PathBuf::from("/etc/vault/ca")));
    let (cert_file, key_file) = ("/etc/vault/tls.pem".into(), "/work-dir/tls.key".into());
    assert_eq!(plan.vault.client_cert, Some(ClientCert { cert_file, key_file }));
    assert_eq!(plan.vault.server_name.as_deref(), Some("vault.internal"));
    assert_eq!(plan.vault.max_in_flight, 20);
    assert_eq!((plan.auth.mount.as_str(), plan.auth.namespace.as_deref()), ("clusters/east", Some("admin")));
    let jwt_file = "/var/run/secrets/vault/token".into();
    assert_eq!(plan.auth.method, AuthMethod::Kubernetes { role: "web".into(), jwt_file });
    assert_eq!((plan.log.level, plan.log.format), (tracing::Level::WARN, LogFormat::Json));

    let [tls, x, y] = &plan.files[..] else { panic!("three files") };
    assert_eq!(tls.target, Target::Alone("/etc/nginx/tls.pem".into()));
    assert_eq!((tls.mode, tls.uid, tls.gid), (0o600, Some(101), Some(7)));
    assert_eq!(tls.refresh, Duration::from_secs(60));
    assert_eq!(tls.wait, Some(Wait { min: Duration::from_secs(2), max: Duration::from_secs(60) }));
    let FileSource::Made(Source::Template(source)) = &tls.source else { panic!("a template") };
    assert_eq!(source.file, Some(PathBuf::from("/work-dir/tls.tpl")));
    assert_eq!(source.missing_key, MissingKey::Error);
    assert_eq!(source.delimiters, ("[[".to_owned(), "]]".to_owned()));
    assert_eq!(source.denied, ["env", "plugin"]);
    assert_eq!(x.target, Target::Alone("/work-dir/out/x".into()));
    assert_eq!((x.mode, y.mode), (0o400, 0o644));
    assert_eq!(x.wait, Some(Wait { min: Duration::from_secs(5), max: Duration::from_secs(20) }));

    let how = |file: &FilePlan| {
        file.notify.iter().map(|index| format!("{:?}", plan.notifiers[*index].how)).collect::<Vec<_>>()
    };
    assert_eq!(
        how(tls),
        [r#"Command { command: ["sh", "-c", "systemctl reload nginx || true"], timeout: 10s, splay: 0ns }"#]
    );
    assert_eq!(how(x), [r#"Command { command: ["/bin/reload", "-q"], timeout: 90s, splay: 3s }"#]);
    assert!(how(y).is_empty());
}

#[test]
fn the_agents_own_defaults_hold() {
    let plan = agent("template { contents = \"x\" destination = \"/x\" }").plan();
    assert!(!plan.require_tmpfs && !plan.shutdown.revoke);
    assert_eq!((plan.secrets_dir, plan.handoff, plan.listen), (None, None, None));
    assert_eq!(plan.vault.timeout, Duration::from_secs(60));
    let FileSource::Made(Source::Template(source)) = &plan.files[0].source else { panic!("a template") };
    assert_eq!(source.missing_key, MissingKey::Zero);
    assert_eq!((plan.files[0].mode, plan.files[0].refresh), (0o644, Duration::from_secs(300)));
}

#[test]
fn each_method_becomes_ours() {
    let method = |text: &str| {
        let text = format!(
            "vault {{ address = \"https://v:8200\" }}\nauto_auth {{ {text} }}\ntemplate {{ contents = \"x\" destination = \"/x\" }}"
        );
        World::empty().text("agent.hcl", &text).plan().auth
    };
    let jwt = AuthMethod::Kubernetes { role: "r".into(), jwt_file: "/j".into() };
    let auth = method("method \"jwt\" { config { role = \"r\" path = \"/j\" } }");
    assert_eq!((auth.mount.as_str(), auth.method), ("jwt", jwt.clone()));
    // Without a label, with a type, in any case, as a list of one.
    for text in [
        "method { type = \"JWT\" config = { role = \"r\" path = \"/j\" } }",
        "method = [{ type = \"jwt\", config = { role = \"r\", path = \"/j\" } }]",
        "method = { jwt = { config = { role = \"r\", path = \"/j\" } } }",
        "method \"jwt\" { mount_path = \"auth/jwt\" config = { role = \"r\" path = \"/j\" } }",
    ] {
        assert_eq!(method(text).method, jwt, "{text}");
    }
    let auth =
        method("method \"approle\" { config = { role_id_file_path = \"/r\" secret_id_file_path = \"s\" } }");
    let (role_id, secret_id) = (Credential::File("/r".into()), Some(Credential::File("/work-dir/s".into())));
    assert_eq!(auth.method, AuthMethod::AppRole { role_id, secret_id, wrapped_by: None });
    let auth = method("method \"token_file\" { config = { token_file_path = \"/t\" } }");
    assert_eq!(auth.method, AuthMethod::TokenFile { token_file: "/t".into() });
}

#[test]
fn each_login_of_a_cloud_becomes_ours() {
    let method = |text: &str| {
        let text = format!(
            "vault {{ address = \"https://v:8200\" }}\nauto_auth {{ {text} }}\ntemplate {{ contents = \"x\" destination = \"/x\" }}"
        );
        World::empty().text("agent.hcl", &text).plan().auth
    };
    let of = |role: &str, proof| AuthMethod::Cloud { role: Some(role.into()), proof };
    let auth = method(
        "method \"aws\" { mount_path = \"auth/aws-prod\" config = { type = \"iam\" role = \"r\" header_value = \"v.example\" region = \"eu-west-1\" credential_poll_interval = 5 } }",
    );
    assert_eq!(auth.mount, "aws-prod");
    let aws = Proof::Aws { region: Some("eu-west-1".into()), server_id: Some("v.example".into()) };
    assert_eq!(auth.method, of("r", aws));
    let azure = |more: &str| {
        method(&format!(
            "method \"azure\" {{ config = {{ role = \"r\" resource = \"https://r/\" {more} }} }}"
        ))
        .method
    };
    let expected = |identity| of("r", Proof::Azure { audience: "https://r/".into(), identity });
    // The Agent asks the machine, whatever the environment has.
    assert_eq!(azure(""), expected(Some(ManagedIdentity::System)));
    assert_eq!(azure("object_id = \"o\""), expected(Some(ManagedIdentity::Object("o".into()))));
    assert_eq!(azure("authenticate_from_environment = true"), expected(None));
    let gcp = |text: &str| method(&format!("method \"gcp\" {{ config = {{ role = \"r\" {text} }} }}")).method;
    let expected = |signer, account| of("r", Proof::Google { signer, account });
    assert_eq!(gcp("type = \"gce\" service_account = \"default\""), expected(Signer::Machine, None));
    let account = "web@p.iam.gserviceaccount.com";
    let iam = gcp(&format!("type = \"iam\" service_account = \"{account}\" jwt_exp = 15"));
    assert_eq!(iam, expected(Signer::Account, Some(account.into())));
}

#[test]
fn the_json_form_means_the_same() {
    let json = r#"{
  "vault": {"address": "https://v:8200"},
  "auto_auth": {
    "method": [{"type": "kubernetes", "mount_path": "auth/kubernetes", "config": {"role": "web"}}]
  },
  "template": [
    {"contents": "a\nb", "destination": "/a", "perms": "0600", "command": "true now"},
    {"contents": "c", "destination": "/c", "wait": {"min": "1s"}}
  ],
  "template_config": {"static_secret_render_interval": "10m"}
}"#;
    let hcl = format!(
        "{HEAD}template {{\n contents = \"a\\nb\"\n destination = \"/a\"\n perms = 0600\n command = \"true now\"\n}}\n\
         template {{ contents = \"c\" destination = \"/c\" wait {{ min = \"1s\" }} }}\n\
         template_config {{ static_secret_render_interval = \"10m\" }}"
    );
    let plan =
        |name: &str, text: &str| format!("{:?}", without_places(World::empty().text(name, text).plan()));
    assert_eq!(plan("agent.json", json), plan("agent.hcl", &hcl));
    assert_eq!(plan("standard input", json), plan("standard input", &hcl));
}

#[test]
fn plain_http_is_allowed_where_the_configuration_itself_asks_for_it() {
    let at = |address: &str| {
        World::empty().text(
            "agent.hcl",
            &format!("{HEAD}template {{ contents = \"x\" destination = \"/x\" }}")
                .replace("https://v:8200", address),
        )
    };
    assert_eq!(
        super::said(&at("http://vault:8200")),
        [
            "agent.hcl: warning: plain http:// is allowed to any host: tokens and secrets can be read on the way; use https:// and `plaintext: loopback`"
        ]
    );
    assert_eq!(super::said(&at("http://127.0.0.1:8200")), [""; 0]);
    let overridden = super::said(&at("https://v:8200").var("VAULT_ADDR", "http://vault:8200"));
    assert!(overridden.iter().any(|line| line.starts_with("VAULT_ADDR: plain http://")), "{overridden:?}");
}

#[test]
fn what_cannot_be_done_is_refused_with_its_place_and_a_mend() {
    const FILE: &str = "template { contents = \"x\" destination = \"/x\" }\n";
    for (rest, says) in [
        (
            "listener \"tcp\" { address = \"127.0.0.1:8100\" }\n",
            "agent.hcl:3:1: Leasehold is not a proxy: applications that ask it for secrets would get no answer; give them files or variables, or keep Vault Agent or Vault Proxy for them; take this out where no application asks",
        ),
        (
            "log_level = \"loud\"\n",
            "agent.hcl:3:13: unknown value; use one of trace, debug, info, notice, warn, warning, err, error, crit",
        ),
        (
            "log_level = \"info\"\nlog_level = \"warn\"\n",
            "agent.hcl:4:1: `log_level` stands here twice; it is on line 3 already: remove one",
        ),
        (
            "template_config { }\ntemplate_config { }\n",
            "agent.hcl:4:1: `template_config` stands here twice; it is on line 3 already: remove one",
        ),
        (
            "template_config = \"x\"\n",
            "agent.hcl:3:19: `template_config` is a block; write template_config { … }",
        ),
        (
            "template_config { static_secret_render_interval = \"soon\" }\n",
            "agent.hcl:3:51: not a duration; write it like \"30s\", \"5m\" or \"1h30m\"",
        ),
        (
            "exec { restart_on_secret_changes = \"always\" }\n",
            "agent.hcl:3:1: `exec` without a `command`; name a program",
        ),
    ] {
        let lines = told(&format!("{rest}{FILE}"));
        assert!(lines.iter().any(|line| line.starts_with(says)), "{rest}: {lines:#?}");
    }
    for (keys, says) in [
        (
            "sandbox_path = \"/t\"",
            "agent.hcl:3:46: Leasehold cannot confine `file` to a folder, and without that a template could read more; take `file` away with `function_denylist = [\"file\"]`, or take this out",
        ),
        ("perms = \"rw\"", "agent.hcl:3:54: not a file mode; write it like 0600, with the 0"),
        (
            "command_timeout = 30 command = \"true\"",
            "agent.hcl:3:64: a duration without a unit; write it like \"30s\", \"5m\" or \"1h30m\"",
        ),
        ("wait = \"soon\"", "agent.hcl:3:53: not a time to wait; write it like \"5s\" or \"5s:20s\""),
        (
            "error_on_missing_key = \"maybe\"",
            "agent.hcl:3:69: expected true or false, found text; write true or false, without quotes",
        ),
        ("user = [1]", "agent.hcl:3:53: expected text, found a list; put it in double quotes"),
        (
            "contents = \"y\"",
            "agent.hcl:3:46: `contents` stands here twice; it is on line 3 already: remove one",
        ),
        (
            "source = \"/nowhere\"",
            "agent.hcl:3:46: `template` and `template_file` exclude one another; a file is made of one of them",
        ),
    ] {
        let lines = told(&format!("template {{ contents = \"x\" destination = \"/x\" {keys} }}\n"));
        assert_eq!(lines, [says], "{keys}");
    }
}

#[test]
fn a_login_that_cannot_be_taken_over_is_refused_with_its_place_and_a_mend() {
    for (auto, says) in [
        ("", "agent.hcl:2:1: no `method`; write method \"kubernetes\" { config = { role = \"…\" } }"),
        (
            "method \"oci\" { config = { role = \"x\" } }",
            "agent.hcl:2:20: Leasehold does not log in by this method; use one of kubernetes, jwt, approle, cert, userpass, ldap, aws, azure, gcp, token_file",
        ),
        (
            "method \"aws\" { config = { type = \"ec2\" role = \"x\" } }",
            "agent.hcl:2:46: Leasehold logs in by the type `iam` alone; make a role of the type iam, and write it here",
        ),
        (
            "method \"aws\" { config = { type = \"iam\" role = \"x\" secret_key = \"hunter2\" } }",
            "agent.hcl:2:63: Leasehold takes no keys of AWS from a configuration; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY, or lay them into a profile",
        ),
        (
            "method \"gcp\" { config = { role = \"x\" } }",
            "agent.hcl:2:28: method `gcp` needs `type`; write type = \"gce\" or type = \"iam\"",
        ),
        (
            "method { config = {} }",
            "agent.hcl:2:13: a method without a type; use one of kubernetes, jwt, approle, cert, userpass, ldap, aws, azure, gcp, token_file",
        ),
        (
            "method \"kubernetes\" { config = { rol = \"x\" } }",
            "agent.hcl:2:46: warning: unknown key `rol`, which is passed over, as Vault Agent does; did you mean `role`?",
        ),
        (
            "method \"kubernetes\" { config = { rol = \"x\" } }",
            "agent.hcl:2:1: method `kubernetes` needs `role`; add `role:` to `auth`",
        ),
        (
            "method \"kubernetes\" { config = { role = \"x\" } }\nmethod \"jwt\" { }",
            "agent.hcl:3:1: `method` stands here twice; it is on line 2 already: remove one",
        ),
    ] {
        let text = format!(
            "vault {{ address = \"https://v:8200\" }}\nauto_auth {{ {auto} }}\ntemplate {{ contents = \"x\" destination = \"/x\" }}\n"
        );
        let lines = super::said(&World::empty().text("agent.hcl", &text));
        assert!(lines.contains(&says.to_owned()), "{auto}: {lines:#?}");
    }
    // We have one connection. The Agent has another for a login by certificate.
    let vault = "vault { address = \"https://v:8200\" client_cert = \"/a.pem\" client_key = \"/k.pem\" }\n";
    let cert = |cert: &str| {
        let auto = format!(
            "auto_auth {{ method \"cert\" {{ config = {{ client_cert = \"{cert}\" client_key = \"/k.pem\" }} }} }}\n"
        );
        let text = format!("{vault}{auto}template {{ contents = \"x\" destination = \"/x\" }}\n");
        super::said(&World::empty().text("agent.hcl", &text))
    };
    assert_eq!(cert("/a.pem"), [""; 0]);
    assert_eq!(
        cert("/b.pem"),
        [
            "agent.hcl:2:54: another file than the one that `vault` names, and there is one connection for both; name the same in both, or take one out"
        ]
    );
    let skip = super::said(
        &World::empty().text("agent.hcl", &HEAD.replace("8200\"", "8200\" tls_skip_verify = true")),
    );
    assert!(skip[1].starts_with("agent.hcl:1:36: the server's certificate is always verified"), "{skip:?}");
}

#[test]
fn what_is_lost_is_a_warning() {
    const FILE: &str = "template { contents = \"x\" destination = \"/x\" backup = true perms = 600 }\n";
    assert_eq!(
        told(&format!("pid_file = \"/run/x\"\ncache {{}}\nexit_after_auth = false\n{FILE}")),
        [
            "agent.hcl:3:1: warning: Leasehold writes no pid file; ask the service manager, or signal the container",
            "agent.hcl:6:46: warning: no copy of the file before is kept: nothing would ever remove that secret; a new file is put in place of the old in one step",
            "agent.hcl:6:68: warning: a mode by which only root may read the file; use \"0440\" and `group`",
            "agent.hcl:6:68: warning: a decimal number, which is the mode 0130; if that is not meant, write it with a 0 before it, in JSON also in quotes",
        ]
    );
    assert_eq!(
        told(
            "exec { command = [\"/app\"] child_process_stdout = \"/var/log/app\" child_process_stderr = \"\" }\nenv_template \"A\" { contents = \"x\" }\n"
        ),
        [
            "agent.hcl:3:27: warning: the process writes where Leasehold does; let the container runtime or the journal keep it, or run it through a shell: sh -c 'exec app >file'"
        ]
    );
    // JSON has no number that begins with a 0.
    let json = "{\"auto_auth\": {\"method\": {\"type\": \"kubernetes\", \"config\": {\"role\": \"web\"}}}, \"vault\": {\"address\": \"https://v:8200\"}, \"template\": {\"contents\": \"x\", \"destination\": \"/x\", \"perms\": 384}}";
    assert_eq!(
        super::said(&World::empty().text("agent.json", json)),
        [
            "agent.json:1:178: warning: a decimal number, which is the mode 0600; if that is not meant, write it with a 0 before it, in JSON also in quotes"
        ]
    );
}

#[test]
fn nothing_that_may_be_a_credential_reaches_a_message() {
    let world = agent(
        "template { contents = \"hunter2\" destination = \"/x\" hunter = \"hunter2\" perms = \"hunter2\" } // hunter2\nvault { token = \"hunter2\" }\nlog_level = \"hunter2\" # hunter2\n",
    );
    let rejected = world.read().expect_err("mistakes");
    let text: Vec<String> = rejected.problems.iter().map(ToString::to_string).collect();
    assert!(text.len() >= 5 && !text.join("\n").contains("hunter2"), "{text:#?}");
}

#[test]
fn a_template_may_write_where_it_says_itself_that_it_does() {
    let plan = agent(
        "template { contents = \"{{ `x` | writeToFile \\\"/run/tls/a.key\\\" \\\"\\\" \\\"\\\" \\\"0600\\\" }}{{ `y` | writeToFile \\\"/run/tls/b\\\" \\\"\\\" \\\"\\\" \\\"0600\\\" }}{{ `z` | writeToFile \\\"/c\\\" \\\"\\\" \\\"\\\" \\\"0600\\\" }}\" destination = \"/o/a\" }",
    )
    .plan();
    assert_eq!(plan.writes.folders, [PathBuf::from("/run/tls")]);
}

#[test]
fn a_text_with_commas_is_a_list_where_a_list_is_wanted() {
    let plan = agent(
        "template { contents = \"x\" destination = \"/x\" function_denylist = \"env, file\" command = \"/bin/kill,-HUP,1\" }\n\
         template { contents = \"y\" destination = \"/y\" command = \"chown app,web /y\" }",
    )
    .plan();
    let FileSource::Made(Source::Template(source)) = &plan.files[0].source else { panic!("a template") };
    assert_eq!(source.denied, ["env", "file"]);
    let commands: Vec<_> = plan.notifiers.iter().map(|notifier| &notifier.how).collect();
    let command = |how: &Notifier| match how {
        Notifier::Command { command, .. } => command.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!(command(commands[0]), ["/bin/kill", "-HUP", "1"]);
    assert_eq!(command(commands[1]), ["sh", "-c", "chown app,web /y"], "of words nobody means a list");
}

#[test]
fn of_several_texts_the_last_block_counts_as_a_whole() {
    let over = "vault { address = \"https://w:8200\" }\n";
    let base = format!("{HEAD}template {{ contents = \"x\" destination = \"/x\" }}\n")
        .replace("8200\"", "8200\" namespace = \"team\"");
    let plan = World::empty().text("base.hcl", &base).text("over.hcl", over).plan();
    assert_eq!((plan.vault.address.as_str(), plan.vault.namespace), ("https://w:8200/", None));
}
