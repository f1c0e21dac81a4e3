//! Habits of configurations that people publish, which Vault Agent takes.

use super::{agent, converted, said, told};
use crate::plan::OnInit;
use crate::tests::World;

const FILE: &str = "template { contents = \"x\" destination = \"/x\" }\n";

/// Returns a configuration whose `vault` block and method have these keys.
fn login(vault: &str, method: &str) -> World {
    let text = format!(
        "vault {{ address = \"https://v:8200\" {vault} }}\nauto_auth {{ method \"kubernetes\" {{ {method} config = {{ role = \"web\" }} }} }}\n{FILE}"
    );
    World::empty().text("agent.hcl", &text)
}

#[test]
fn a_namespace_of_the_method_alone_is_that_of_the_templates_too() {
    let namespaces = |vault: &str, method: &str| {
        let plan = login(vault, method).plan();
        (plan.vault.namespace, plan.auth.namespace)
    };
    let some = |text: &str| Some(text.to_owned());
    for (vault, method, of_vault, of_login) in [
        ("", "namespace = \"ns1\"", some("ns1"), some("ns1")),
        ("", "namespace = \"ns1/\"", some("ns1"), some("ns1")),
        ("", "namespace = \"/a/b/\"", some("a/b"), some("a/b")),
        ("namespace = \"\"", "namespace = \"ns1\"", some("ns1"), some("ns1")),
        ("namespace = \"team\"", "namespace = \"admin\"", some("team"), some("admin")),
        ("namespace = \"team\"", "namespace = \"/\"", some("team"), some("")),
        ("namespace = \"team\"", "namespace = \"\"", some("team"), None),
        ("", "namespace = \"\"", None, None),
    ] {
        assert_eq!(namespaces(vault, method), (of_vault, of_login), "{vault} {method}");
    }
    let plan = login("", "namespace = \"ns1\"").var("VAULT_NAMESPACE", "team").plan();
    assert_eq!((plan.vault.namespace, plan.auth.namespace), (some("team"), some("ns1")));
}

#[test]
fn a_mount_is_understood_in_every_way_in_which_people_write_it() {
    let mount = |vault: &str, method: &str| {
        let auth = login(vault, method).plan().auth;
        (auth.mount, auth.namespace.unwrap_or_default())
    };
    for (path, expected) in [
        ("auth/kubernetes", ("kubernetes", "")),
        ("kubernetes", ("kubernetes", "")),
        ("/auth/kubernetes/", ("kubernetes", "")),
        (" auth/kubernetes ", ("kubernetes", "")),
        ("auth//clusters//east/", ("clusters/east", "")),
        ("clusters/east", ("clusters/east", "")),
        ("auth/clusters/auth/east", ("clusters/auth/east", "")),
        ("ns1/auth/kubernetes", ("kubernetes", "ns1")),
        ("/ns1/ns2/auth/clusters/east/", ("clusters/east", "ns1/ns2")),
        ("auth", ("kubernetes", "")),
    ] {
        let (mount, namespace) = mount("", &format!("mount_path = \"{path}\""));
        assert_eq!((mount.as_str(), namespace.as_str()), expected, "{path}");
    }
    // Namespaces of the path lie below those that are named, and are not the templates'.
    let plan = login("namespace = \"team/\"", "mount_path = \"ns1/auth/kubernetes\"").plan();
    assert_eq!(plan.vault.namespace.as_deref(), Some("team"));
    assert_eq!(plan.auth.namespace.as_deref(), Some("team/ns1"));
    let plan = login("", "mount_path = \"ns1/auth/kubernetes\" namespace = \"admin\"").plan();
    assert_eq!(plan.auth.namespace.as_deref(), Some("admin/ns1"));
    assert_eq!(plan.vault.namespace.as_deref(), Some("admin"));
    let plan = login("", "mount_path = \"ns1/auth/kubernetes\"").var("VAULT_NAMESPACE", "hcp").plan();
    assert_eq!(plan.auth.namespace.as_deref(), Some("hcp/ns1"));
    let yaml = "vault: {address: 'https://v', namespace: team}\nauth: {method: kubernetes, role: r, mount: MOUNT, namespace: NS}\nrequire_tmpfs: false\nfiles: [{path: /x, template: x}]\n";
    let ours = |mount: &str, namespace: &str| {
        World::empty().text("c.yaml", &yaml.replace("MOUNT", mount).replace("NS", namespace)).plan().auth
    };
    assert_eq!(ours("auth/clusters/east/", "''").mount, "clusters/east");
    for root in ["''", "/", "'//'"] {
        assert_eq!(ours("east", root).namespace.as_deref(), Some(""), "{root}");
    }
    assert_eq!(ours("east", "~").namespace, None);
}

#[test]
fn consul_templates_mount_is_a_whole_path_too() {
    let text = "vault { address = \"https://v\" k8s_auth_role_name = \"r\" k8s_service_mount_path = \"auth/east\" }\n";
    let world = World::empty().text("ct.hcl", &format!("{text}{FILE}"));
    assert_eq!(world.plan().auth.mount, "east");
}

#[test]
fn a_key_that_the_agent_passes_over_is_a_warning_with_its_place() {
    for (text, says) in [
        (
            "templat { }\n",
            "agent.hcl:3:1: warning: unknown key `templat`, which is passed over, as Vault Agent does; did you mean `template`?",
        ),
        (
            "ui = true\n",
            "agent.hcl:3:1: warning: unknown key `ui`, which is passed over, as Vault Agent does; take it out",
        ),
        (
            "api_addr = \"http://x\"\n",
            "agent.hcl:3:1: warning: unknown key `api_addr`, which is passed over, as Vault Agent does; take it out",
        ),
        (
            "template_config { exit_on_err = true }\n",
            "agent.hcl:3:19: warning: unknown key `exit_on_err`, which is passed over, as Vault Agent does; take it out",
        ),
        (
            "storage \"file\" { path = \"x\" }\n",
            "agent.hcl:3:1: warning: unknown key `storage`, which is passed over, as Vault Agent does; take it out",
        ),
    ] {
        assert_eq!(told(&format!("{text}{FILE}")), [says], "{text}");
    }
    for (keys, says) in [
        (
            "exit_on_retry = true",
            "agent.hcl:2:35: warning: unknown key `exit_on_retry`, which is passed over, as Vault Agent does; did you mean `exit_on_err`?",
        ),
        (
            "role = \"x\"",
            "agent.hcl:2:35: warning: unknown key `role`, which is passed over, as Vault Agent does; take it out",
        ),
    ] {
        assert_eq!(said(&login("", keys)), [says], "{keys}");
    }
    let cache = said(&login("renew_token = true", ""));
    assert_eq!(
        cache,
        [
            "agent.hcl:1:36: warning: unknown key `renew_token`, which is passed over, as Vault Agent does; take it out"
        ]
    );
}

#[test]
fn a_key_that_was_meant_to_say_whom_to_trust_is_not_passed_over() {
    for (keys, says) in [
        ("ca_cert_file = \"/ca.pem\"", "agent.hcl:1:36: unknown key `ca_cert_file`; did you mean `ca_cert`?"),
        ("cacert = \"/ca.pem\"", "agent.hcl:1:36: unknown key `cacert`; did you mean `ca_cert`?"),
        ("tls_server = \"v\"", "agent.hcl:1:36: unknown key `tls_server`; did you mean `tls_server_name`?"),
        ("addr = \"https://w\"", "agent.hcl:1:36: unknown key `addr`;"),
        ("ssl { verify = true }", "agent.hcl:1:36: unknown key `ssl`;"),
    ] {
        let lines = said(&login(keys, ""));
        assert!(lines.iter().any(|line| line.starts_with(says)), "{keys}: {lines:#?}");
    }
    let lines = told(&format!("ca_cert = \"/ca.pem\"\n{FILE}"));
    assert!(lines[0].starts_with("agent.hcl:3:1: unknown key `ca_cert`"), "{lines:?}");
    // What the Agent itself refuses stays refused.
    let lines = told("template { contents = \"x\" destination = \"/x\" exit_on_err = true }\n");
    assert!(lines[0].starts_with("agent.hcl:3:46: unknown key `exit_on_err`"), "{lines:?}");
}

#[test]
fn a_listener_for_metrics_is_served() {
    let listen = |listener: &str| {
        let plan = agent(&format!("{listener}\n{FILE}")).plan();
        (format!("{:?}", plan.listen.expect("a listener")), plan.listen_tls)
    };
    for (listener, expected) in [
        (
            "listener \"tcp\" { address = \"127.0.0.1:9102\" tls_disable = true role = \"metrics_only\" }",
            "Tcp(127.0.0.1:9102)",
        ),
        (
            "listener \"tcp\" { address = \"localhost:9102\" tls_disable = 1 role = \"metrics_only\" }",
            "Tcp(127.0.0.1:9102)",
        ),
        (
            "listener \"tcp\" { address = \":9102\" tls_disable = \"true\" role = \"metrics_only\" }",
            "Tcp(0.0.0.0:9102)",
        ),
        ("listener \"tcp\" { tls_disable = true role = \"metrics_only\" }", "Tcp(127.0.0.1:8200)"),
        (
            "listener = [{ unix = { address = \"/run/m.sock\" role = \"metrics_only\" } }]",
            "Unix(\"/run/m.sock\")",
        ),
    ] {
        assert_eq!(listen(listener).0, expected, "{listener}");
    }
    let (_, tls) = listen(
        "listener \"tcp\" { address = \"127.0.0.1:9102\" role = \"metrics_only\" tls_cert_file = \"/c.pem\" tls_key_file = \"/k.pem\" }",
    );
    assert_eq!(tls.expect("TLS").cert_file, std::path::PathBuf::from("/c.pem"));
    let two = "listener \"tcp\" { address = \"127.0.0.1:1\" tls_disable = true role = \"metrics_only\" }\nlistener \"tcp\" { address = \"127.0.0.1:2\" tls_disable = true }\n";
    let lines = told(&format!("{two}{FILE}"));
    assert!(
        lines.iter().any(|line| line.starts_with("agent.hcl:4:1: Leasehold is not a proxy")),
        "{lines:?}"
    );
    let bare =
        told(&format!("listener \"tcp\" {{ address = \"127.0.0.1:1\" role = \"metrics_only\" }}\n{FILE}"));
    assert!(
        bare.iter().any(|line| line.contains("a listener with TLS and without a certificate")),
        "{bare:?}"
    );
}

#[test]
fn convert_writes_down_what_was_made_of_them() {
    let text = format!(
        "vault {{ address = \"https://v\" }}\nauto_auth {{ method \"kubernetes\" {{ mount_path = \"ns1/auth/east\" config = {{ role = \"web\" }} }} }}\nlistener \"tcp\" {{ address = \"127.0.0.1:9102\" tls_disable = true role = \"metrics_only\" }}\nui = true\n{FILE}"
    );
    let yaml = converted(&[("agent.hcl", &text)]).yaml;
    for line in [
        "  mount: east\n",
        "  namespace: ns1\n",
        "  missing_key: zero\n",
        "listen: \"127.0.0.1:9102\"\n",
        "# lost: `ui` (agent.hcl:4:1)",
    ] {
        assert!(yaml.contains(line), "{line} in\n{yaml}");
    }
}

#[test]
fn commands_run_on_init_where_the_program_ended_after_them() {
    const COMMANDS: &str = "template { contents = \"x\" destination = \"/x\" command = \"chown 1 /x\" }\ntemplate { contents = \"x\" destination = \"/y\" exec { command = [\"/bin/true\"] } }\n";
    let on_init =
        |world: &World| world.plan().notifiers.iter().map(|notifier| notifier.on_init).collect::<Vec<_>>();
    let some = [Some(OnInit::MayFail); 2];
    assert_eq!(on_init(&agent(&format!("exit_after_auth = true\n{COMMANDS}"))), some);
    assert_eq!(on_init(&agent(&format!("exit_after_auth = false\n{COMMANDS}"))), [None; 2]);
    assert_eq!(on_init(&agent(COMMANDS)), [None; 2]);
    let once = |once: &str| {
        World::empty()
            .text("ct.hcl", &format!("vault {{ address = \"https://v\" }}\nonce = {once}\n{COMMANDS}"))
    };
    assert_eq!((on_init(&once("true")), on_init(&once("false"))), (some.to_vec(), vec![None; 2]));
    let yaml = |rest: &str| converted(&[("agent.hcl", &format!("{}{rest}{COMMANDS}", super::HEAD))]);
    let ends = yaml("exit_after_auth = true\n");
    assert!(ends.yaml.contains("    timeout: 30s\n    on_init: true\n    may_fail: true\n"), "{}", ends.yaml);
    let stays = yaml("");
    assert!(stays.yaml.contains("  # note: `command` (agent.hcl:3:46): run by `sidecar` and `exec` at every change; `init` does not run it"), "{}", stays.yaml);
    assert!(stays.problems.iter().any(|problem| problem.message.contains("`init` does not run it")));
    // A sidecar does not log that at every start.
    assert!(!told(COMMANDS).iter().any(|line| line.contains("`init` does not run it")));
}

#[test]
fn a_json_text_of_their_words_is_theirs_though_nothing_else_in_it_is() {
    let plan = |texts: &[(&str, &str)]| {
        texts.iter().fold(World::empty(), |world, (name, text)| world.text(name, text)).plan()
    };
    let auth = "{\"auto_auth\": {\"method\": {\"type\": \"kubernetes\", \"config\": {\"role\": \"web\"}}}}";
    let file = "template { contents = \"x\" destination = \"/x\" }";
    for vault in [
        "{\"vault\": {\"address\": \"https://v:8200\", \"ca_cert\": \"/ca.pem\"}}",
        "{\"vault\": {\"address\": \"https://v:8200\", \"retry\": {\"num_retries\": 3}}}",
        "{\"vault\": {\"address\": \"https://v:8200\"}, \"pid_file\": \"/run/x\"}",
        "{\"vault\": {\"address\": \"https://v:8200\"}}",
    ] {
        // In any order: also between the others, which would be two configurations otherwise.
        for order in [[0, 1, 2], [1, 0, 2], [1, 2, 0]] {
            let texts = [("vault.json", vault), ("auth.json", auth), ("files.hcl", file)];
            let plan = plan(&order.map(|index| texts[index]));
            assert_eq!(plan.vault.address.as_str(), "https://v:8200/", "{vault}");
            assert_eq!((plan.auth.mount.as_str(), plan.files.len()), ("kubernetes", 1), "{vault}");
        }
    }
}

#[test]
fn templates_that_only_write_beside_themselves_may_share_the_null_device() {
    let template = |path: &str| {
        format!(
            "template {{ contents = \"{{{{ `x` | writeToFile \\\"{path}\\\" \\\"\\\" \\\"\\\" \\\"0600\\\" }}}}\" destination = \"/dev/null\" }}\n"
        )
    };
    let plan = agent(&format!("{}{}", template("/run/tls/a"), template("/run/tls/b"))).plan();
    assert!(plan.files.iter().all(|file| file.target.is_nowhere()));
}

#[test]
fn an_empty_text_is_as_good_as_none() {
    let plan = login(
        "namespace = \"\" ca_cert = \"\" client_cert = \"\" client_key = \"\" tls_server_name = \"\"",
        "mount_path = \"\"",
    )
    .plan();
    assert_eq!((plan.vault.ca_file, plan.vault.client_cert, plan.vault.server_name), (None, None, None));
    assert_eq!(plan.auth.mount, "kubernetes");
    let text = format!(
        "vault {{ address = \"\" }}\nauto_auth {{ method \"kubernetes\" {{ config = {{ role = \"web\" }} }} }}\n{FILE}"
    );
    let world = World::empty().text("agent.hcl", &text).var("VAULT_ADDR", "https://w");
    assert_eq!(world.plan().vault.address.as_str(), "https://w/");
    let lines = said(&World::empty().text("agent.hcl", &text.replace("role = \"web\"", "role = \"\"")));
    assert!(lines.iter().any(|line| line.contains("`vault.address` is missing")), "{lines:?}");
    assert!(lines.iter().any(|line| line.contains("method `kubernetes` needs `role`")), "{lines:?}");
    let lines = said(&login("tls_disable = true", ""));
    assert_eq!(
        lines,
        ["agent.hcl:1:36: warning: the address says whether there is TLS; write http:// where there is none"]
    );
}

#[test]
fn a_template_in_a_file_may_write_where_it_says_itself_that_it_does() {
    let text = "{{ with pkiCert \"pki/issue/web\" }}{{ .Key | writeToFile \"/run/tls/a.key\" \"\" \"\" \"0600\" }}{{ .Cert | writeToFile \"/run/certs/a.pem\" \"\" \"\" \"0644\" }}{{ end }}";
    let world =
        agent("template { source = \"t.tpl\" destination = \"/o/a\" }\n").file("/work-dir/t.tpl", text);
    assert_eq!(world.plan().writes.folders, ["/run/certs", "/run/tls"].map(std::path::PathBuf::from));
}
