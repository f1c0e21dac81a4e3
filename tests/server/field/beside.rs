//! What Vault Agent does with the same configuration, at the same time, on the same server.

use std::fs;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::support::{Child, Leasehold, OpenBao, SOON, Workspace, wait_until};

const POLICY: &str = r#"
path "auth/token/create" { capabilities = ["update"] }
path "auth/token/lookup-self" { capabilities = ["read"] }
"#;

/// A server with an AppRole, and a folder with its credentials for each program.
struct Pair {
    server: OpenBao,
    theirs: Workspace,
    ours: Workspace,
}

impl Pair {
    fn new(templates: &str) -> Self {
        let server = OpenBao::start();
        server.policy("web", POLICY);
        let (role_id, secret_id) = server.approle("web", &["web"], "1h");
        let space = || {
            let space = Workspace::new();
            space.file("role-id", &role_id);
            space.file("secret-id", &secret_id);
            space.file(
                "agent.hcl",
                format!(
                    "auto_auth {{\n method \"approle\" {{\n  config = {{\n   role_id_file_path = \"role-id\"\n   secret_id_file_path = \"secret-id\"\n   remove_secret_id_file_after_reading = false\n  }}\n }}\n}}\n{templates}"
                ),
            );
            space
        };
        Self { theirs: space(), ours: space(), server }
    }

    fn agent(&self) -> Child {
        Child::start(&OpenBao::program(), "agent", self.theirs.path(), |command| {
            command.args(["agent", "-log-level=error", "-config", "agent.hcl"]).env_clear();
            command.current_dir(self.theirs.path()).env("HOME", self.theirs.path());
            command.env("VAULT_ADDR", self.server.plain_address());
        })
    }

    fn leasehold(&self) -> Leasehold {
        Leasehold::new(&self.ours).within(self.ours.path()).env("VAULT_ADDR", &self.server.plain_address())
    }

    fn is_alive(&self, token: &str) -> bool {
        self.server.ask_as(token, "GET", "auth/token/lookup-self", None).status == 200
    }
}

fn read(space: &Workspace, file: &str) -> Option<String> {
    fs::read_to_string(space.join(file)).ok().filter(|text| !text.is_empty())
}

/// A dead token on the disk, which nothing has replaced since it was read.
fn is_dead(pair: &Pair, space: &Workspace, file: &str) -> bool {
    let token = read(space, file).expect("a published file stays");
    !pair.is_alive(&token) && read(space, file).as_ref() == Some(&token)
}

#[test]
fn a_childs_token_is_alive_at_every_look_at_which_the_agents_is() {
    let tokens = [
        ("renewed", "\\\"ttl=6s\\\""),
        ("replaced", "\\\"ttl=6s\\\" \\\"renewable=false\\\""),
        ("clamped", "\\\"ttl=4s\\\" \\\"explicit_max_ttl=8s\\\""),
    ];
    let template = |(name, arguments): &(&str, &str)| {
        format!(
            "template {{\n contents = \"{{{{ with secret \\\"auth/token/create\\\" {arguments} \\\"policies=default\\\" }}}}{{{{ .Auth.ClientToken }}}}{{{{ end }}}}\"\n destination = \"out/{name}\"\n}}\n"
        )
    };
    let pair = Pair::new(&tokens.iter().map(template).collect::<String>());
    let _agent = pair.agent();
    let sidecar = pair.leasehold().spawn(&["sidecar", "--config", "agent.hcl"]);
    let files = tokens.map(|(name, _)| format!("out/{name}"));
    wait_until("both programs' files", SOON, || {
        files.iter().all(|file| read(&pair.theirs, file).is_some() && read(&pair.ours, file).is_some())
    });
    let (begin, mut looks, mut theirs, mut ours) = (Instant::now(), 0, [0; 3], [0; 3]);
    while begin.elapsed() < Duration::from_secs(15) {
        looks += 1;
        for (at, file) in files.iter().enumerate() {
            theirs[at] += u32::from(is_dead(&pair, &pair.theirs, file));
            ours[at] += u32::from(is_dead(&pair, &pair.ours, file));
        }
        std::thread::sleep(Duration::from_millis(50));
    }
    assert_eq!(ours, [0; 3], "dead tokens at {looks} looks; the agent's: {theirs:?}");
    assert!(looks > 20, "{looks} looks show nothing");
    sidecar.stop();
}

#[test]
fn an_answer_without_a_token_of_its_own_is_an_error_of_that_file_alone() {
    let pair = Pair::new(
        "template {\n contents = \"{{ with secret \\\"auth/token/lookup-self\\\" }}{{ .Auth.ClientToken }}{{ end }}\"\n destination = \"out/bad\"\n}\n\
         template {\n contents = \"{{ with secret \\\"auth/token/lookup-self\\\" }}{{ .Data.display_name }}{{ end }}\"\n destination = \"out/good\"\n}\n",
    );
    pair.server.write("auth/approle/role/web", json!({ "token_policies": "web" }));
    fs::create_dir(pair.ours.join("out")).expect("a folder");
    fs::write(pair.ours.join("out/bad"), "what was good").expect("written");
    let finished = pair.leasehold().run(&["init", "--config", "agent.hcl"]).expect_code(65);
    let line = finished.last_line();
    assert!(line.contains("out/bad") && line.contains(".Auth"), "{line}");
    let sidecar = pair.leasehold().spawn(&["sidecar", "--config", "agent.hcl"]);
    wait_until("the other file", SOON, || read(&pair.ours, "out/good").as_deref() == Some("approle"));
    assert_eq!(read(&pair.ours, "out/bad").as_deref(), Some("what was good"), "the last good bytes stay");
    sidecar.stop();
}
