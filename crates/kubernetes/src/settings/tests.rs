use super::*;

fn read(variables: &[(&str, &str)], file: Option<&str>) -> Result<(Settings, Vec<String>), String> {
    let get =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Settings::read(&get, file.map(|text| ("settings.yaml", text.as_bytes())))
        .map_err(|error| error.to_string())
}

#[test]
fn the_deployment_of_the_injector_keeps_its_variables() {
    let variables = [
        ("AGENT_INJECT_VAULT_ADDR", "https://vault:8200"),
        ("AGENT_INJECT_VAULT_AUTH_PATH", "auth/cluster-a"),
        ("AGENT_INJECT_VAULT_IMAGE", "hashicorp/vault:1.21"),
        ("AGENT_INJECT_RUN_AS_USER", "200"),
        ("AGENT_INJECT_CPU_REQUEST", "10m"),
        ("AGENT_INJECT_REVOKE_ON_SHUTDOWN", "true"),
        ("AGENT_INJECT_TEMPLATE_STATIC_SECRET_RENDER_INTERVAL", "1m30s"),
    ];
    let (settings, notes) = read(&variables, None).expect("good settings");
    assert_eq!(settings.address.as_deref(), Some("https://vault:8200"));
    assert_eq!(
        (settings.auth_path.as_str(), settings.user, settings.revoke),
        ("auth/cluster-a", 200, Some(true))
    );
    assert_eq!((settings.requests["cpu"].as_str(), settings.requests["memory"].as_str()), ("10m", "16Mi"));
    assert_eq!(settings.refresh.as_deref(), Some("90s"));
    assert!(!settings.image.contains("vault"), "an image of Vault is not ours");
    assert!(notes.iter().any(|note| note.starts_with("AGENT_INJECT_VAULT_IMAGE: ")), "{notes:?}");
}

#[test]
fn an_authority_is_pem_or_base64_of_it() {
    let pem = "-----BEGIN CERTIFICATE-----\nAA==\n-----END CERTIFICATE-----\n";
    let encoded = "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURS0tLS0tCkFBPT0KLS0tLS1FTkQgQ0VSVElGSUNBVEUtLS0tLQo=";
    for text in [pem, encoded] {
        let (settings, _) = read(&[("AGENT_INJECT_VAULT_CACERT_BYTES", text)], None).expect("good settings");
        assert_eq!(settings.authority.as_deref(), Some(pem));
    }
}

#[test]
fn wrong_settings_name_their_place() {
    let wrong = |variables: &[(&str, &str)], file| read(variables, file).expect_err("wrong settings");
    let expected = "AGENT_INJECT_RUN_AS_SAME_USER: \"maybe\" is not a boolean; write \"true\" or \"false\"";
    assert_eq!(wrong(&[("AGENT_INJECT_RUN_AS_SAME_USER", "maybe")], None), expected);
    assert!(wrong(&[("AGENT_INJECT_MEM_LIMIT", "64mb")], None).contains("not a quantity"));
    assert!(wrong(&[], Some("imagee: x")).starts_with("settings.yaml: unknown field `imagee`"));
    assert!(wrong(&[], Some("token_seconds: 5")).contains("no less than 600"));
}

#[test]
fn a_list_has_whole_names_and_beginnings() {
    let list = ["https://vault:8200".to_owned(), "https://*".to_owned(), "registry.example/".to_owned()];
    assert!(allows(&list[..1], "https://vault:8200/"));
    assert!(!allows(&list[..1], "https://vault:8200.evil.example"));
    assert!(allows(&list, "https://other") && !allows(&list[2..], "registry.example/x"));
}
