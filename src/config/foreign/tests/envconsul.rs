//! envconsul's keys.

use super::{converted, said};
use crate::config::tests::World;

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
        (
            "secret { path = \"secret/web\" }",
            "e.hcl:2:1: every key of a secret as a variable: Leasehold wants each named; name them: exec: {env: {NAME: {secret: \"secret/web#key\"}}}, or here: key { name = \"…\" format = \"…\" }",
        ),
        ("secret { key { name = \"x\" } }", "e.hcl:2:1: a secret without a `path`; say which"),
        (
            "secret { path = \"a/b\" key { name = \"x\" format = \"{{ key | toUpper }}\" } }",
            "e.hcl:2:29: a format that is more than `{{ key }}`; write the variable's name, or a name with one {{ key }} in it",
        ),
        (
            "upcase = true\nprefix { path = \"config\" }",
            "e.hcl:3:1: variables out of Consul: there is no Consul here; put the values into Vault, or set them otherwise",
        ),
    ] {
        let lines = told(text);
        assert!(lines.contains(&says.to_owned()), "{text}: {lines:#?}");
    }
}
