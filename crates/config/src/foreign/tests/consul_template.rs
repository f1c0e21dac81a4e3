//! consul-template's keys.

use std::time::Duration;

use super::said;
use crate::plan::*;
use crate::tests::World;

const WHOLE: &str = r#"
vault {
  address                = "https://vault.example.com:8200"
  vault_agent_token_file = "/run/token"
  default_lease_duration = "60s"
  renew_token            = false
  ssl { enabled = true verify = true ca_cert = "/ca.pem" server_name = "vault.internal" }
}
wait = "5s:10s"
left_delimiter = "<<"
template {
  contents    = "<< env \"A\" }}"
  destination = "/a"
  perms       = 0600
}
template {
  contents       = "[[ env \"A\" }}"
  destination    = "/b"
  left_delimiter = "[["
  wait { enabled = false }
}
log_level = "err"
"#;

fn world(text: &str) -> World {
    World::empty().text("ct.hcl", text)
}

#[test]
fn every_key_reaches_the_plan() {
    let plan = world(WHOLE).plan();
    assert_eq!(plan.auth.method, AuthMethod::TokenFile { token_file: "/run/token".into() });
    assert_eq!(plan.vault.ca_file, Some("/ca.pem".into()));
    assert_eq!(plan.vault.server_name.as_deref(), Some("vault.internal"));
    assert_eq!(plan.log.level, tracing::Level::ERROR);
    let [a, b] = &plan.files[..] else { panic!("two files") };
    assert_eq!((a.mode, b.mode, a.refresh), (0o600, 0o644, Duration::from_secs(60)));
    assert_eq!(a.wait, Some(Wait { min: Duration::from_secs(5), max: Duration::from_secs(10) }));
    assert_eq!(b.wait, None);
    let left = |file: &FilePlan| match &file.source {
        FileSource::Made(Source::Template(source)) => source.delimiters.0.clone(),
        other => panic!("{other:?}"),
    };
    assert_eq!((left(a), left(b)), ("<<".into(), "[[".into()));
}

#[test]
fn the_token_comes_from_where_consul_template_looks_for_it() {
    const FILE: &str = "template { contents = \"x\" destination = \"/x\" }";
    let method = |keys: &str| {
        world(&format!("vault {{ address = \"https://v\" {keys} }}\n{FILE}"))
            .var("VAULT_TOKEN", "s.x")
            .plan()
            .auth
    };
    let AuthMethod::Token { token_env, token } = method("").method else { panic!("a token") };
    assert_eq!((token_env.as_str(), token.is_some()), ("VAULT_TOKEN", true));
    let auth = method(
        "k8s_auth_role_name = \"web\" k8s_service_mount_path = \"east\" k8s_service_account_token_path = \"/t\"",
    );
    assert_eq!(auth.mount, "east");
    assert_eq!(auth.method, AuthMethod::Kubernetes { role: "web".into(), jwt_file: "/t".into() });
    assert_eq!(
        said(&world(&format!("vault {{ address = \"https://v\" token = \"s.hunter2\" }}\n{FILE}"))),
        [
            "ct.hcl:1:31: a token in the configuration, where it outlives its use; put it into a file for `vault_agent_token_file`, or into VAULT_TOKEN"
        ]
    );
}

#[test]
fn what_is_consuls_is_a_warning_and_no_verification_is_refused() {
    let lines = said(
        &world("consul { address = \"c\" }\nvault { address = \"https://v\" ssl { verify = false } }\nkill_signal = \"SIGINT\"\nreload_signal = \"\"\ntemplate { contents = \"{{ key \\\"a\\\" }}\" destination = \"/x\" }")
            .var("VAULT_TOKEN", "s.x"),
    );
    assert_eq!(
        lines,
        [
            "ct.hcl: warning: a token in the environment shows in /proc, and nothing follows it when it ends; log in by another method, or use `token_file`",
            "ct.hcl:1:1: warning: Leasehold does not ask Consul; take it out; a template that asks Consul is refused with its place",
            "ct.hcl:2:37: the server's certificate is always verified: otherwise anyone on the way could read every secret; trust its authority with `ca_cert`",
            "ct.hcl:3:1: warning: Leasehold's own signals are fixed: TERM and INT stop it, HUP has it read everything again; send these",
            "ct.hcl:5:23: template: function \"key\" not defined; it reads Consul; Leasehold reads secrets from Vault and OpenBao only",
        ]
    );
}

#[test]
fn blocks_of_several_texts_are_laid_upon_one_another_key_by_key() {
    let base = "vault { address = \"https://v\" vault_agent_token_file = \"/run/token\" ssl { ca_cert = \"/ca.pem\" server_name = \"v\" } }\n\
                exec { command = [\"/bin/app\"] kill_timeout = \"5s\" }\n\
                wait { min = \"5s\" max = \"10s\" }\n\
                template { contents = \"x\" destination = \"/x\" }\n";
    let over = "vault { default_lease_duration = \"1m\" ssl { server_name = \"w\" } }\nexec { splay = \"1s\" }\nwait { max = \"20s\" }\n";
    let plan = World::empty().text("base.hcl", base).text("over.hcl", over).plan();
    assert_eq!(plan.vault.address.as_str(), "https://v/");
    assert_eq!(plan.auth.method, AuthMethod::TokenFile { token_file: "/run/token".into() });
    assert_eq!(plan.vault.ca_file, Some("/ca.pem".into()));
    assert_eq!(plan.vault.server_name.as_deref(), Some("w"));
    assert_eq!(plan.files[0].refresh, Duration::from_secs(60));
    assert_eq!(plan.files[0].wait, Some(Wait { min: Duration::from_secs(5), max: Duration::from_secs(20) }));
    assert_eq!(plan.exec.command, ["/bin/app"]);
    assert_eq!((plan.exec.stop_timeout, plan.exec.splay), (Duration::from_secs(5), Duration::from_secs(1)));
    // Within one text a second block is a mistake, in the first as in the last.
    for (base, over, says) in [
        ("vault { }\n".to_owned() + base, over.to_owned(), "base.hcl:2:1: `vault` stands here twice"),
        (base.to_owned(), over.to_owned() + "vault { }\n", "over.hcl:4:1: `vault` stands here twice"),
    ] {
        let lines = said(&World::empty().text("base.hcl", &base).text("over.hcl", &over));
        assert!(lines.iter().any(|line| line.starts_with(says)), "{says}: {lines:#?}");
    }
}
