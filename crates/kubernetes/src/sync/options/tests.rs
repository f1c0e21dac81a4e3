use super::*;

fn resolve(args: &[&str], variables: &[(&str, &str)]) -> Result<Options, String> {
    let args: Vec<String> = args.iter().map(|arg| (*arg).to_owned()).collect();
    let flags = Flags::read(&args).expect("flags");
    let find =
        |name: &str| variables.iter().find(|(known, _)| *known == name).map(|(_, value)| (*value).to_owned());
    Options::resolve(&flags, &find)
}

/// Resolves the options from these arguments and variables, and from the least that a start needs.
fn good(args: &[&str], variables: &[(&str, &str)]) -> Options {
    let mut all = vec![("VAULT_ROLE_ID", "role"), ("VAULT_SECRET_ID", "id")];
    all.splice(0..0, variables.iter().copied());
    resolve(args, &all).expect("options")
}

#[test]
fn what_is_not_given_is_as_in_secrets_manager() {
    let options = good(&[], &[]);
    assert_eq!(options.vault.address.as_str(), "https://127.0.0.1:8200/");
    assert_eq!(options.vault.timeout, Duration::from_secs(5));
    assert_eq!(options.auth.expect("a login").mount, "approle");
    assert_eq!((options.period, options.listen.port()), (Duration::from_secs(5), 8080));
    assert_eq!(options.rules.kv, Kv::Two);
    assert!(!options.elects && options.watched.is_empty() && options.excluded.is_empty());
    assert_eq!(options.warnings, [""; 0]);
}

#[test]
fn variables_win_over_flags_and_an_empty_one_does_not() {
    let args = ["-vault.url=https://flag:1", "-vault.role-id=flag", "-vault.secret-id=flag"];
    let role = |options: &Options| match &options.auth.as_ref().expect("a login").method {
        AuthMethod::AppRole {
            role_id: Credential::Given(role),
            secret_id: Some(Credential::Given(id)),
            ..
        } => [role.expose_str().map(str::to_owned), id.expose_str().map(str::to_owned)],
        other => panic!("{other:?}"),
    };
    let all = [("VAULT_ADDR", "https://variable:2"), ("VAULT_ROLE_ID", "a"), ("VAULT_SECRET_ID", "b")];
    let options = resolve(&args, &all).expect("options");
    assert_eq!(options.vault.address.as_str(), "https://variable:2/");
    assert_eq!(role(&options), [Some("a".to_owned()), Some("b".to_owned())]);
    let empty = all.map(|(name, _)| (name, ""));
    let options = resolve(&args, &empty).expect("options");
    assert_eq!(options.vault.address.as_str(), "https://flag:1/");
    assert_eq!(role(&options), [Some("flag".to_owned()), Some("flag".to_owned())]);
    assert_eq!(
        options.warnings.len(),
        1,
        "a secret id on the command line is seen by others: {:?}",
        options.warnings
    );
}

#[test]
fn variables_of_the_client_library_are_honoured() {
    let options = good(
        &[],
        &[
            ("VAULT_NAMESPACE", "team"),
            ("VAULT_CACERT", "/ca.pem"),
            ("VAULT_CAPATH", "/ca"),
            ("VAULT_CLIENT_CERT", "/c.pem"),
            ("VAULT_CLIENT_KEY", "/c.key"),
            ("VAULT_TLS_SERVER_NAME", "vault"),
            ("VAULT_HTTP_PROXY", "http://proxy:3128"),
        ],
    );
    let vault = options.vault;
    assert_eq!(vault.namespace.as_deref(), Some("team"));
    assert_eq!((vault.ca_file, vault.ca_dir), (Some("/ca.pem".into()), Some("/ca".into())));
    assert_eq!(vault.client_cert.map(|own| own.key_file), Some("/c.key".into()));
    assert_eq!(vault.server_name.as_deref(), Some("vault"));
    assert_eq!(vault.proxy.map(|proxy| proxy.to_string()).as_deref(), Some("http://proxy:3128/"));
}

#[test]
fn a_login_with_the_pods_own_token() {
    let options =
        resolve(&["-vault.auth-method=kubernetes", "-vault.kubernetes-role=sync"], &[]).expect("options");
    let auth = options.auth.expect("a login");
    assert_eq!(auth.mount, "kubernetes");
    let AuthMethod::Kubernetes { role, jwt_file } = auth.method else { panic!("another method") };
    assert_eq!((role.as_str(), jwt_file.to_str()), ("sync", Some(TOKEN)));
}

#[test]
fn without_a_login_of_its_own_the_controller_starts_for_synced_secrets() {
    let options = resolve(&["-vault.auth-method=none"], &[]).expect("options");
    assert!(options.auth.is_none() && !options.rules.logs_in);
}

#[test]
fn names_are_trimmed_and_may_stand_in_quotes() {
    let options = good(&["-watch-namespaces=\"a, b\"", "-exclude-namespaces=b,c,"], &[]);
    assert_eq!(options.watched, ["a".to_owned(), "b".to_owned()].into());
    assert_eq!(options.excluded, ["b".to_owned(), "c".to_owned()].into());
}

#[test]
fn durations_are_gos() {
    for (text, millis) in
        [("1m", 60_000), ("1m30s", 90_000), ("1.5s", 1500), ("250ms", 250), ("1h", 3_600_000)]
    {
        let options = good(&[&format!("-reconcile-period={text}")], &[]);
        assert_eq!(options.period, Duration::from_millis(millis), "{text}");
    }
    for text in ["5", "-5s", "s", "0s", "5x", "1e300h"] {
        let error = resolve(&["-reconcile-period", text], &[("VAULT_ROLE_ID", "r")]).expect_err(text);
        assert!(error.contains("is no duration above 0"), "{error}");
    }
}

#[test]
fn what_cannot_be_is_refused_with_what_to_do() {
    for (args, variables, part) in [
        (&["-backend=azure-kv"][..], &[][..], "-azure-kv.name is missing"),
        (
            &["-backend=azure-kv", "-azure-kv.name=http://vault"],
            &[("AZURE_MANAGED_CLIENT_ID", "x")],
            "neither the name nor the URL",
        ),
        (&["-backend=consul"], &[], "write vault"),
        (&["-vault.engine=kv3"], &[("VAULT_ROLE_ID", "r")], "write kv2 or kv1"),
        (&[], &[], "set VAULT_ROLE_ID"),
        (&["-vault.auth-method=kubernetes"], &[], "-vault.kubernetes-role is missing"),
        (&[], &[("VAULT_SKIP_VERIFY", "true"), ("VAULT_ROLE_ID", "r")], "set VAULT_CACERT"),
        (&[], &[("VAULT_CLIENT_KEY", "/k"), ("VAULT_ROLE_ID", "r")], "belong together"),
        (&["-vault.url=vault:8200"], &[("VAULT_ROLE_ID", "r")], "write https://vault:8200"),
        (&["-metrics-addr=x"], &[("VAULT_ROLE_ID", "r")], "-metrics-addr"),
        (&["-secret-types=kubernetes.io/service-account-token"], &[("VAULT_ROLE_ID", "r")], "never made"),
    ] {
        let error = resolve(args, variables).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}

/// Facts about which credentials of Azure are enough.
#[test]
fn azure_is_asked_by_a_managed_identity_or_by_a_service_principal() {
    let facts: serde_json::Value =
        serde_json::from_str(include_str!("../../../tests/sync/facts.json")).expect("a table");
    let of_azure = |fact: &&serde_json::Value| {
        fact["name"].as_str().is_some_and(|name| name.starts_with("Azure credentials"))
    };
    let all: Vec<_> = facts.as_array().expect("a list").iter().filter(of_azure).collect();
    assert_eq!(all.len(), 9);
    for fact in all {
        let flags = fact["flags"].as_object().expect("flags").iter();
        let mut args: Vec<String> =
            flags.map(|(name, value)| format!("-{name}={}", value.as_str().expect("text"))).collect();
        args.push("-azure-kv.name=my-vault".to_owned());
        let args: Vec<&str> = args.iter().map(String::as_str).collect();
        let result = resolve(&args, &[]);
        assert_eq!(result.is_ok(), fact["expect"]["starts"] == true, "{fact}: {result:?}");
        let Ok(options) = result else { continue };
        let store = options.store.expect("a store");
        let leasehold_stores::Kind::Azure(azure) = &store.settings.kind else { panic!("{store:?}") };
        assert_eq!(azure.url.as_str(), "https://my-vault.vault.azure.net/");
        assert_eq!(
            azure.identity.managed_identity.is_some(),
            fact["expect"]["credential"] == "managed",
            "{fact}"
        );
        assert!(options.auth.is_none() && options.rules.logs_in && options.rules.kv == Kv::Azure);
    }
}

#[test]
fn variables_of_azure_win_over_flags_and_an_empty_one_does_not() {
    let args = [
        "-backend=azure-kv",
        "-azure-kv.name=v",
        "-azure-kv.client-id=flag",
        "-azure-kv.tenant-id=t",
        "-azure-kv.client-secret=s",
    ];
    for (variable, wanted) in [("environment", "environment"), ("", "flag")] {
        let options = resolve(&args, &[("AZURE_CLIENT_ID", variable)]).expect("options");
        let store = options.store.expect("a store");
        let leasehold_stores::Kind::Azure(azure) = &store.settings.kind else { panic!("{store:?}") };
        assert_eq!(azure.identity.client_id.as_deref(), Some(wanted));
        assert_eq!(store.environment["AZURE_CLIENT_SECRET"].expose_str(), Some("s"));
        assert_eq!(options.warnings.len(), 1, "{:?}", options.warnings);
    }
    let managed =
        ["-backend=azure-kv", "-azure-kv.name=https://v.vault.azure.cn", "-azure-kv.managed-client-id=flag"];
    let options = resolve(&managed, &[("AZURE_MANAGED_CLIENT_ID", "environment")]).expect("options");
    let store = options.store.expect("a store");
    let leasehold_stores::Kind::Azure(azure) = &store.settings.kind else { panic!("{store:?}") };
    assert_eq!(
        azure.identity.managed_identity,
        Some(leasehold_stores::ManagedIdentity::Client("environment".to_owned()))
    );
}

#[test]
fn definitions_are_bound_to_roles_of_their_namespaces() {
    let options = resolve(
        &[
            "-vault.auth-method=none",
            "-namespace-roles=sm-{namespace}",
            "-namespace-account=sm",
            "-vault.kubernetes-path=/auth/k8s/",
        ],
        &[],
    );
    let rules = options.expect("options").rules;
    assert!(rules.logs_in, "a login of its own is not needed");
    let roles = rules.by_namespace.expect("roles");
    assert_eq!(
        [&*roles.account, &*roles.role, &*roles.mount, &*roles.audience],
        ["sm", "sm-{namespace}", "k8s", "vault"]
    );
    for (args, part) in [
        (["-namespace-roles=a", "-namespace-account=../x"], "is no name of a service account"),
        (["-namespace-roles=a", "-backend=azure-kv"], "-azure-kv.name"),
        (["-namespace-roles=a", "-namespace-logins=0"], "is no number above 0"),
    ] {
        let error = resolve(&args, &[("VAULT_ROLE_ID", "r")]).expect_err(part);
        assert!(error.contains(part), "{error}");
    }
}
