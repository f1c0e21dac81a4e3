//! What vault-k8s does not have: our own annotations, native sidecars, exec mode, the operator's lists.

use serde_json::{Value, json};

use super::{configuration, container, injected, invariants, mounts, pod, refused, run, settings, vault};
use crate::inject::{Outcome, Request, inject};
use crate::settings::Settings;

fn own(annotations: &[(&str, &str)]) -> Value {
    let mut pod = pod(&[("leasehold.dev/inject", "true"), ("leasehold.dev/role", "web")]);
    for (name, value) in annotations {
        pod["metadata"]["annotations"][format!("leasehold.dev/{name}")] = json!(value);
    }
    pod
}

#[track_caller]
fn whole(before: &Value) -> Value {
    let (after, _warnings) = injected(before);
    assert_eq!(invariants::broken(before, &after), [""; 0]);
    after
}

#[test]
fn a_pod_of_ours_gets_a_native_sidecar_with_a_startup_probe() {
    let after = whole(&own(&[("secret-db-password", "secret/web#password")]));
    let ours = &after["spec"]["initContainers"][0];
    assert_eq!(
        (&ours["name"], &ours["restartPolicy"], &ours["args"]),
        (&json!("leasehold"), &json!("Always"), &json!(["sidecar"]))
    );
    assert_eq!(
        ours["startupProbe"]["exec"]["command"],
        json!(["/usr/local/bin/leasehold", "status", "--ready"])
    );
    let config = configuration(ours);
    assert_eq!(config["files"], json!([{"path": "db-password", "secret": "secret/web#password"}]));
    assert_eq!(
        config["auth"],
        json!({"method": "kubernetes", "role": "web", "jwt_file": "/var/run/secrets/vault/token"})
    );
    assert_eq!(config["shutdown"], json!({"revoke": true}));
    let web = container(&after, "web").expect("the application");
    assert!(mounts(web).contains(
        &json!({"name": "leasehold-secrets", "mountPath": "/leasehold/secrets", "readOnly": true})
    ));
    assert_eq!(after["metadata"]["annotations"]["leasehold.dev/status"], "injected");
}

#[test]
fn a_cluster_without_native_sidecars_gets_the_classic_shape_and_a_warning() {
    let settings = Settings { native_sidecars: false, ..settings() };
    let before = own(&[("secret-a", "secret/web#a")]);
    let Ok(Outcome::Injected { pod, warnings }) =
        inject(&before, Request { namespace: "default" }, &settings)
    else {
        panic!("not injected")
    };
    assert_eq!(pod["spec"]["initContainers"][0]["name"], "leasehold-init");
    assert!(pod["spec"]["initContainers"][0].get("restartPolicy").is_none());
    assert!(warnings[0].contains("no native sidecars"), "{warnings:?}");
}

#[test]
fn a_configuration_in_an_annotation_is_filled_in_and_checked() {
    let text = "files:\n- {path: a, template: '{{ with secret \"kv/a\" }}{{ .Data.a }}{{ end }}', mode: '0400'}\nvault: {timeout: 5s}\n";
    let after = whole(&own(&[("config", text)]));
    let config = configuration(container(&after, "leasehold").expect("ours"));
    assert_eq!(config["vault"], json!({"address": "https://vault:8200", "timeout": "5s"}));
    assert_eq!((&config["files"][0]["mode"], &config["auth"]["role"]), (&json!("0400"), &json!("web")));
    let broken = refused(&own(&[("config", "files: [{path: a, template: '{{ .Data'}]")]));
    assert!(broken.starts_with("leasehold.dev/config: "), "{broken}");
    let unknown = refused(&own(&[("config", "flies: []\nfiles: [{path: a, secret: kv/a}]")]));
    assert!(unknown.contains("unknown key `flies`; did you mean `files`?"), "{unknown}");
    for (text, words) in
        [("handoff: {}", "is set by the injection"), ("- a", "not a map"), ("files: []", "files")]
    {
        let words_of = refused(&own(&[("config", text)]));
        assert!(words_of.contains(words), "{words_of}");
    }
}

#[test]
fn exec_mode_wraps_the_command_and_asks_for_one() {
    let mut before =
        own(&[("mode", "exec"), ("containers", "web"), ("secret-DB_PASSWORD", "secret/web#password")]);
    assert!(refused(&before).contains("the container \"web\" has no `command`"));
    before["spec"]["containers"][0]["command"] = json!(["/server"]);
    before["spec"]["containers"][0]["args"] = json!(["--price", "$5", "$(POD_IP)"]);
    let after = whole(&before);
    let web = container(&after, "web").expect("the application");
    assert_eq!(web["command"], json!(["/leasehold/bin/leasehold", "exec", "--"]));
    assert_eq!(web["args"], json!(["/server", "--price", "$5", "$(POD_IP)"]));
    assert_eq!(configuration(web)["exec"]["env"], json!({"DB_PASSWORD": {"secret": "secret/web#password"}}));
    assert_eq!(after["spec"]["initContainers"][0]["args"], json!(["install", "/leasehold/bin/leasehold"]));
    assert_eq!(container(&after, "helper"), container(&before, "helper"), "it was not chosen");
    let name = refused(&own(&[("mode", "exec"), ("secret-db.password", "secret/web#password")]));
    assert!(name.contains("no name of a variable"), "{name}");
}

#[test]
fn variables_by_files_are_read_by_the_kubelet_from_a_volume_that_the_application_does_not_mount() {
    let mut before =
        own(&[("mode", "env-file"), ("containers", "web"), ("secret-DB_PASSWORD", "secret/web#pass\"word")]);
    let after = whole(&before);
    let web = container(&after, "web").expect("the application");
    let reference = json!({"volumeName": "leasehold-variables", "path": "DB_PASSWORD", "key": "DB_PASSWORD", "optional": false});
    assert_eq!(web["env"], json!([{"name": "DB_PASSWORD", "valueFrom": {"fileKeyRef": reference}}]));
    assert_eq!(mounts(web), mounts(container(&before, "web").expect("the application")));
    assert_eq!(web.get("command"), None, "no command is wrapped, or needed");
    assert_eq!(container(&after, "helper"), container(&before, "helper"), "it was not chosen");
    let init = container(&after, "leasehold-init").expect("ours");
    let config = configuration(init);
    assert_eq!(config["files"][0]["path"], "/leasehold/variables/DB_PASSWORD");
    assert_eq!((config.get("secrets_dir"), config.get("exec"), config.get("handoff")), (None, None, None));
    assert!(mounts(init).iter().any(|mount| mount["mountPath"] == "/leasehold/variables"));
    assert!(container(&after, "leasehold").is_none(), "nothing stays");
    for (annotation, value, words) in [
        ("secret-db.password", "secret/web#password", "no name of a variable"),
        ("secret-ALL", "secret/web", "a variable has one value"),
        ("secret-ALL", "#key", "a variable has one value"),
    ] {
        let refused = refused(&own(&[("mode", "env-file"), (annotation, value)]));
        assert!(refused.contains(words), "{refused}");
    }
    before["spec"]["containers"][0]["env"] = json!([{"name": "DB_PASSWORD", "value": "x"}]);
    assert!(refused(&before).contains("already has the variable DB_PASSWORD"));
}

#[test]
fn a_signal_is_sent_by_leasehold_and_needs_the_pods_processes() {
    let after = whole(&own(&[("secret-a", "secret/web#a"), ("notify-signal", "SIGHUP:nginx")]));
    assert_eq!(after["spec"]["shareProcessNamespace"], true);
    let config = configuration(container(&after, "leasehold").expect("ours"));
    assert_eq!(config["notify"], json!({"change-1": {"signal": "HUP", "process": "nginx"}}));
    assert!(refused(&own(&[("secret-a", "secret/web#a"), ("notify-signal", "nginx")])).contains("HUP:nginx"));
}

#[test]
fn a_command_that_sends_a_signal_is_mapped_and_any_other_is_refused_without_a_shell() {
    let before = vault(&[
        ("agent-inject-secret-a", "kv/a"),
        ("agent-inject-secret-b", "kv/b"),
        ("agent-inject-command-a", "sh -c \"kill -HUP $(pidof nginx)\""),
    ]);
    let (after, warnings) = injected(&before);
    let config = configuration(container(&after, "vault-agent").expect("ours"));
    assert_eq!(config["notify"], json!({"change-1": {"signal": "HUP", "process": "nginx"}}));
    assert_eq!(
        (&config["files"][0]["notify"], &config["files"][1]["notify"]),
        (&json!(["change-1"]), &json!([]))
    );
    assert!(warnings.iter().any(|warning| warning.contains("agent-share-process-namespace")), "{warnings:?}");
    let other = vault(&[("agent-inject-secret-a", "kv/a"), ("agent-inject-command-a", "nginx -s reload")]);
    assert!(refused(&other).contains("needs a shell"), "{}", refused(&other));
    let settings = Settings { image_has_shell: true, ..settings() };
    let Ok(Outcome::Injected { pod, .. }) = inject(&other, Request { namespace: "d" }, &settings) else {
        panic!("refused")
    };
    let config = configuration(container(&pod, "vault-agent").expect("ours"));
    assert_eq!(config["notify"]["change-1"]["command"], json!(["sh", "-c", "nginx -s reload"]));
}

#[test]
fn a_pod_that_ends_by_itself_gets_a_native_sidecar_also_with_the_annotations_of_vault_k8s() {
    let mut before = vault(&[("agent-inject-secret-a", "kv/a")]);
    before["spec"]["restartPolicy"] = json!("Never");
    let after = whole(&before);
    let ours = &after["spec"]["initContainers"][0];
    assert_eq!((&ours["name"], &ours["restartPolicy"]), (&json!("vault-agent"), &json!("Always")));
    assert_eq!(after["spec"]["containers"].as_array().map(Vec::len), Some(2));
}

#[test]
fn an_address_and_an_image_must_be_on_the_operators_lists() {
    let settings = Settings {
        allowed_addresses: Some(vec!["https://vault.example:8200".to_owned()]),
        allowed_images: vec!["registry.example/leasehold:*".to_owned()],
        ..settings()
    };
    let with = |pod: &Value| inject(pod, Request { namespace: "default" }, &settings);
    let attacker = vault(&[("service", "https://attacker.example")]);
    let refusal = with(&attacker).expect_err("not on the list").to_string();
    assert!(
        refusal.starts_with("vault.hashicorp.com/service: ")
            && refusal.contains("not on the operator's list"),
        "{refusal}"
    );
    let attacker =
        own(&[("config", "vault: {address: 'https://attacker.example'}\nfiles: [{path: a, secret: kv/a}]")]);
    assert!(with(&attacker).expect_err("not on the list").to_string().contains("not on the operator's list"));
    for good in ["https://vault.example:8200", "https://vault:8200"] {
        assert!(with(&vault(&[("service", good)])).is_ok(), "{good}");
    }
    let Ok(Outcome::Injected { pod, .. }) = with(&vault(&[("agent-image", "registry.example/leasehold:2")]))
    else {
        panic!("refused")
    };
    assert_eq!(container(&pod, "vault-agent").expect("ours")["image"], "registry.example/leasehold:2");
}

#[test]
fn dollars_reach_the_agent_as_they_were_written() {
    let template =
        "{{ with secret \"kv/a\" }}$(HOME) $$ ${X} {{ range $k, $v := .Data }}{{ $k }}{{ end }}{{ end }}";
    let (after, _) = injected(&vault(&[("agent-inject-template-a", template)]));
    let ours = container(&after, "vault-agent").expect("ours");
    let raw = ours["env"][0]["value"].as_str().expect("a text");
    assert!(raw.contains("$$(HOME) $$$$ $${X}"), "{raw}");
    assert_eq!(configuration(ours)["files"][0]["template"], template);
}

#[test]
fn a_template_that_does_not_compile_is_refused_with_its_file() {
    let refusal = refused(&vault(&[("agent-inject-template-db", "{{ with secret \"kv/a\" }}{{ .Data.a }}")]));
    assert!(refusal.starts_with("vault.hashicorp.com/: the file db: "), "{refusal}");
}

#[test]
fn two_names_that_make_one_file_are_refused() {
    let refusal = refused(&vault(&[("agent-inject-secret-A", "kv/a"), ("agent-inject-secret-a", "kv/b")]));
    assert!(refusal.contains("the same file as the secret \"A\""), "{refusal}");
}

#[test]
fn a_pod_that_has_names_of_ours_is_refused() {
    let mut before = vault(&[]);
    before["spec"]["containers"][1]["name"] = json!("vault-agent");
    assert!(refused(&before).starts_with("spec.containers: the pod already has \"vault-agent\""));
    let mut before = vault(&[]);
    before["spec"]["volumes"][0]["name"] = json!("vault-secrets");
    assert!(refused(&before).starts_with("spec.volumes: "));
    let mut before = vault(&[]);
    before["spec"]["containers"][0]["volumeMounts"][0]["mountPath"] = json!("/vault/secrets");
    assert!(refused(&before).contains("already mounts something at"));
}

#[test]
fn both_prefixes_at_once_are_refused() {
    let mut before = vault(&[]);
    before["metadata"]["annotations"]["leasehold.dev/inject"] = json!("true");
    assert!(refused(&before).contains("also has vault.hashicorp.com/agent-inject"));
}

#[test]
fn the_pods_own_user_counts_for_the_same_user() {
    let mut before = vault(&[("agent-run-as-same-user", "true")]);
    before["spec"]["securityContext"] = json!({"runAsUser": 4711});
    let after = whole(&before);
    assert_eq!(container(&after, "vault-agent").expect("ours")["securityContext"]["runAsUser"], 4711);
}

#[test]
fn a_token_for_the_api_servers_own_audience_is_one_setting_away() {
    let settings = Settings { token_audience: String::new(), ..settings() };
    let Ok(Outcome::Injected { pod, .. }) = inject(&vault(&[]), Request { namespace: "d" }, &settings) else {
        panic!("refused")
    };
    let volumes = pod["spec"]["volumes"].as_array().expect("volumes");
    let token = volumes.iter().find(|volume| volume["name"] == "leasehold-token").expect("ours");
    assert_eq!(
        token["projected"]["sources"][0]["serviceAccountToken"],
        json!({"path": "token", "expirationSeconds": 3600})
    );
}

#[test]
fn a_method_that_needs_no_service_account_gets_no_token() {
    let mut before = vault(&[
        ("auth-type", "approle"),
        ("auth-config-role-id-file-path", "/vault/custom/role-id"),
        ("auth-config-secret-id-file-path", "/vault/custom/secret-id"),
        ("agent-extra-secret", "approle"),
        ("agent-inject-secret-a", "kv/a"),
    ]);
    for container in before["spec"]["containers"].as_array_mut().expect("containers") {
        container["volumeMounts"] = json!([]);
    }
    let after = whole(&before);
    let ours = container(&after, "vault-agent").expect("ours");
    let expected = json!({"method": "approle", "role_id_file": "/vault/custom/role-id", "secret_id_file": "/vault/custom/secret-id"});
    assert_eq!(configuration(ours)["auth"], expected);
    assert!(!after.to_string().contains("leasehold-token"));
}

#[test]
fn a_pod_of_a_newer_api_server_loses_nothing() {
    let mut before = vault(&[("agent-inject-secret-a", "kv/a")]);
    before["spec"]["brandNew"] = json!({"a": [1.5, -3, 18_446_744_073_709_551_615_u64, null, {"b": ""}]});
    before["spec"]["containers"][0]["brandNew"] = json!(true);
    let after = whole(&before);
    assert_eq!(after["spec"]["brandNew"], before["spec"]["brandNew"]);
    assert_eq!(after["spec"]["containers"][0]["brandNew"], true);
}

#[test]
fn a_configuration_that_no_variable_can_hold_is_refused() {
    let long = "x".repeat(130 * 1024);
    let refusal = refused(&vault(&[("agent-inject-template-a", &long)]));
    assert!(
        refusal.contains("is the most; put it into a ConfigMap"),
        "{}",
        &refusal[..200.min(refusal.len())]
    );
}

#[test]
fn what_asks_for_nothing_is_left_alone() {
    assert_eq!(run(&pod(&[])), Ok(Outcome::Untouched("not asked for")));
}

#[test]
fn an_annotation_without_quotes_is_refused_and_not_passed_over() {
    let mut before = vault(&[]);
    before["metadata"]["annotations"]["vault.hashicorp.com/agent-inject"] = json!(true);
    assert_eq!(
        refused(&before),
        "vault.hashicorp.com/agent-inject: the value of an annotation is text; put it in quotes"
    );
}

#[test]
fn variables_in_the_words_of_bank_vaults_are_replaced_on_request_in_exec_mode() {
    let mut before = own(&[("mode", "exec"), ("containers", "web"), ("resolve-env", "true")]);
    before["spec"]["containers"][0]["command"] = json!(["/server"]);
    before["spec"]["containers"][0]["env"] =
        json!([{"name": "PASSWORD", "value": "vault:secret/web#password"}]);
    let after = whole(&before);
    let web = container(&after, "web").expect("the application");
    assert_eq!(configuration(web)["exec"], json!({"resolve_env": true}));
    assert_eq!(web["env"][0], before["spec"]["containers"][0]["env"][0]);
    let refusal = refused(&own(&[("secret-a", "kv/a#b"), ("resolve-env", "true")]));
    assert!(refusal.starts_with("leasehold.dev/resolve-env: "), "{refusal}");
}
