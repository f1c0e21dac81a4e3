//! envconsul's keys.

use std::path::Path;

use super::{converted, said};
use crate::foreign::{Keys, convert};
use crate::plan::{Source, VariableSource};
use crate::read::Text;
use crate::tests::World;

#[test]
fn each_key_that_is_named_becomes_a_variable() {
    let text = r#"
vault { address = "https://v" }
upcase = true
sanitize = true
secret {
  path = "secret/web-app"
  key { name = "api-key" }
  key { name = "port" format = "APP_{{ key }}" }
}
secret {
  path = "database/creds/web"
  no_prefix = true
  key { name = "password" format = "db_password" }
  key { name = "username" }
}
exec { command = "server --port 80" kill_signal = "SIGUSR1" kill_timeout = "5s" splay = "1m" }
"#;
    let yaml = converted(&[("envconsul.hcl", text)]).yaml;
    for line in [
        "  command: [sh, \"-c\", \"server --port 80\"]",
        "    SECRET_WEB_APP_API_KEY:\n      secret: \"secret/web-app#api-key\"",
        "    APP_SECRET_WEB_APP_PORT:\n      secret: \"secret/web-app#port\"",
        "    DB_PASSWORD:\n      secret: \"database/creds/web#password\"",
        "    USERNAME:\n      secret: \"database/creds/web#username\"",
        "  stop_signal: SIGUSR1",
        "  stop_timeout: 5s",
        "  splay: 1m",
    ] {
        assert!(yaml.contains(line), "{line} in\n{yaml}");
    }
}

#[test]
fn what_cannot_be_taken_over_is_refused_with_its_place_and_a_mend() {
    let told = |text: &str| {
        said(&World::empty().text("e.hcl", &format!("vault {{ address = \"https://v\" }}\n{text}")))
    };
    for (text, says) in [
        ("secret { key { name = \"x\" } }", "e.hcl:2:1: a secret without a `path`; say which"),
        (
            "secret { path = \"a/b\" key { name = \"x\" format = \"{{ key | toUpper }}\" } }",
            "e.hcl:2:29: a format that is more than `{{ key }}`; write the variable's name, or a name with one {{ key }} in it",
        ),
        (
            "upcase = true\nprefix { path = \"config\" }",
            "e.hcl:3:1: variables out of Consul: Leasehold does not ask Consul; put the values into Vault, or set them otherwise",
        ),
    ] {
        let lines = told(text);
        assert!(lines.contains(&says.to_owned()), "{text}: {lines:#?}");
    }
}

/// The most frequent kind of published configuration: whole secrets, and the command on the command line.
const WHOLE: &str = r#"
vault { address = "https://v" renew_token = true }
upcase = true
secret { no_prefix = true path = "secret/infra/cloud" }
secret { path = "secret/infra/terraform/" format = "TF_{{ key }}" }
exec {
  env { pristine = false denylist = ["VAULT_*"] custom = ["TF_IN_AUTOMATION=1", "A=b=c,d", "T={{ x }}"] }
  kill_timeout = "5s"
}
"#;

#[test]
fn a_secret_without_keys_gives_all_of_them() {
    let plan = World::empty().text("envconsul.hcl", WHOLE).plan();
    assert!(plan.exec.command.is_empty());
    let spread: Vec<_> = plan.exec.env.iter().filter(|variable| variable.spread.is_some()).collect();
    let names = |key: &str| {
        spread.iter().map(|one| one.spread.as_ref().expect("filtered").name(key)).collect::<Vec<_>>()
    };
    assert_eq!(names("api_key"), ["API_KEY", "TF_SECRET_INFRA_TERRAFORM_API_KEY"]);
    let paths = spread.iter().map(|one| match &one.source {
        VariableSource::Made(Source::Json { request }) => request.path.as_str(),
        other => panic!("{other:?}"),
    });
    assert_eq!(paths.collect::<Vec<_>>(), ["secret/infra/cloud", "secret/infra/terraform"]);
    let yaml = converted(&[("envconsul.hcl", WHOLE)]).yaml;
    for line in [
        "    secret_infra_cloud:\n      from: secret/infra/cloud\n      upcase: true\n",
        "    secret_infra_terraform:\n      from: secret/infra/terraform\n      prefix: secret_infra_terraform_\n      format: |-\n        TF_{{ key }}\n      upcase: true\n",
        "    TF_IN_AUTOMATION:\n      template: \"1\"\n",
        "    A:\n      template: \"b=c,d\"\n",
    ] {
        assert!(yaml.contains(line), "{line} in\n{yaml}");
    }
    let literal = plan.exec.env.iter().find(|variable| variable.name == "T").expect("it is there");
    let VariableSource::Made(Source::Template(source)) = &literal.source else { panic!("a template") };
    assert_eq!(source.template.text(), br#"{{ "{{" }} x }}"#);
}

#[test]
fn where_the_server_was_asked_every_key_is_named() {
    let texts = [Text { name: "envconsul.hcl".to_owned(), bytes: WHOLE.as_bytes().to_vec() }];
    let keys = Keys::from([
        ("secret/infra/cloud".to_owned(), vec!["api_key".to_owned(), "zone".to_owned()]),
        ("secret/infra/terraform".to_owned(), vec!["token".to_owned()]),
    ]);
    let yaml = convert(&texts, Path::new("/"), &|_| Err(std::io::ErrorKind::NotFound.into()), Some(&keys))
        .expect("good")
        .yaml;
    for line in [
        "    API_KEY:\n      secret: \"secret/infra/cloud#api_key\"\n",
        "    ZONE:\n      secret: \"secret/infra/cloud#zone\"\n",
        "    TF_SECRET_INFRA_TERRAFORM_TOKEN:\n      secret: \"secret/infra/terraform#token\"\n",
    ] {
        assert!(yaml.contains(line), "{line} in\n{yaml}");
    }
    assert!(!yaml.contains("from:"), "{yaml}");
}

#[test]
fn a_secret_twice_a_format_that_is_more_and_a_custom_without_a_name() {
    let plan = |text: &str| {
        World::empty().text("e.hcl", &format!("vault {{ address = \"https://v\" }}\n{text}")).plan()
    };
    let twice =
        "secret { path = \"a/b\" no_prefix = true }\nsecret { path = \"a/b\" format = \"X_{{key}}\" }\n";
    assert_eq!(plan(twice).exec.env.len(), 2);
    let told = |text: &str| {
        said(&World::empty().text("e.hcl", &format!("vault {{ address = \"https://v\" }}\n{text}")))
    };
    let lines = told("secret { path = \"a/b\" format = \"N_{{ key | replaceKey `a` `b` }}\" }");
    assert!(lines.iter().all(|line| !line.contains("nothing to render")), "{lines:?}");
    assert!(lines[1].starts_with("e.hcl:2:1: a format that is more than `{{ key }}`"), "{lines:?}");
    let lines = told("secret { path = \"a/b\" }\nexec { env { custom = [\"=x\"] } }");
    assert!(lines[1].starts_with("e.hcl:3:23: a variable without a `=` and a name"), "{lines:?}");
}
