//! What the injection makes of annotations, beside what vault-k8s makes of them: the same bytes, from a real `bao agent`
//! with the configuration that vault-k8s writes, and from Leasehold with the one that the pod would get.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::time::Duration;

use leasehold_kubernetes::settings::Settings;
use leasehold_kubernetes::{Outcome, Request, inject};
use serde_json::{Value, json};

use crate::support::{Child, Leasehold, OpenBao, Workspace};

const POLICY: &str = r#"path "*" { capabilities = ["read", "list", "update", "create"] }"#;

/// The default templates of vault-k8s.
const MAP: &str =
    "{{ with secret \"PATH\" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}";
const JSON: &str = "{{ with secret \"PATH\" }}{{ .Data | toJSON }}\n{{ end }}";

/// Annotations, and the template blocks that vault-k8s writes for them.
struct Group {
    name: &'static str,
    annotations: Vec<(&'static str, &'static str)>,
    /// The file's place below the volume, its contents, and other keys of the block.
    blocks: Vec<(&'static str, String, Value)>,
}

fn groups() -> Vec<Group> {
    let map = |path: &str| MAP.replace("PATH", path);
    let nginx =
        "{{ with secret \"secret/data/tls\" }}{{ .Data.data.certificate }}\n{{ .Data.data.key }}{{ end }}";
    let env = "{{ with secret \"kv/db\" -}}\nexport DB_USER=\"{{ .Data.username }}\"\nexport DB_PASSWORD=\"{{ .Data.password }}\"\n{{- end }}\n";
    let keystore = "{{ with secret \"kv/keystore\" }}{{ base64Decode .Data.bytes }}{{ end }}";
    let brackets = "[[ with secret \"kv/db\" ]]{{ not ours }} [[ .Data.username ]][[ end ]]";
    let missing = "{{ with secret \"kv/db\" }}<{{ .Data.absent }}>{{ end }}";
    vec![
        Group {
            name: "the default template, of KV 1 and KV 2",
            annotations: vec![
                ("agent-inject-secret-db", "kv/db"),
                ("agent-inject-secret-Web.TXT", "secret/data/web"),
            ],
            blocks: vec![("db", map("kv/db"), json!({})), ("web.txt", map("secret/data/web"), json!({}))],
        },
        Group {
            name: "JSON",
            annotations: vec![("agent-inject-default-template", "json"), ("agent-inject-secret-db", "kv/db")],
            blocks: vec![("db", JSON.replace("PATH", "kv/db"), json!({}))],
        },
        Group {
            name: "TLS of nginx, in a folder of its own, with a mode",
            annotations: vec![
                ("agent-inject-secret-tls", "secret/data/tls"),
                ("agent-inject-template-tls", nginx),
                ("agent-inject-file-tls", "/nginx/tls.pem"),
                ("agent-inject-perms-tls", "0400"),
            ],
            blocks: vec![("nginx/tls.pem", nginx.to_owned(), json!({"perms": "0400"}))],
        },
        Group {
            name: "an env file and the bytes of a keystore",
            annotations: vec![
                ("preserve-secret-case", "true"),
                ("agent-inject-template-ENV", env),
                ("agent-inject-template-keystore", keystore),
            ],
            blocks: vec![("ENV", env.to_owned(), json!({})), ("keystore", keystore.to_owned(), json!({}))],
        },
        Group {
            name: "other delimiters",
            annotations: vec![
                ("agent-inject-template-a", brackets),
                ("agent-template-left-delim-a", "[["),
                ("agent-template-right-delim-a", "]]"),
            ],
            blocks: vec![(
                "a",
                brackets.to_owned(),
                json!({"left_delimiter": "[[", "right_delimiter": "]]"}),
            )],
        },
        Group {
            name: "a missing key that is no error",
            annotations: vec![("agent-inject-template-a", missing), ("error-on-missing-key-a", "false")],
            blocks: vec![("a", missing.to_owned(), json!({"error_on_missing_key": false}))],
        },
        Group {
            name: "dollars, which Kubernetes would replace",
            annotations: vec![(
                "agent-inject-template-a",
                "{{ with secret \"kv/db\" }}$(HOME) $$ {{ .Data.username }}{{ end }}",
            )],
            blocks: vec![(
                "a",
                "{{ with secret \"kv/db\" }}$(HOME) $$ {{ .Data.username }}{{ end }}".to_owned(),
                json!({}),
            )],
        },
    ]
}

struct World {
    server: OpenBao,
    token: String,
}

impl World {
    fn new() -> Self {
        let server = OpenBao::start();
        server.kv1("kv");
        server.kv2("secret");
        server.policy("pod", POLICY);
        server.write(
            "kv/db",
            json!({"username": "web", "password": "a:b\"c $HOME", "port": 5432, "tags": ["x", "y"]}),
        );
        server.write("kv/keystore", json!({"bytes": "MIIKAAH/AP4K"}));
        server.put("secret", "web", json!({"host": "web<1>&co"}));
        server.put("secret", "tls", json!({"certificate": "CERT\n", "key": "KEY"}));
        let token = server.token(&["pod"], "1h").token;
        Self { server, token }
    }

    /// What the containers of a pod would find, below a folder that stands for `/`.
    fn leasehold(&self, annotations: &[(&str, &str)]) -> Workspace {
        let space = Workspace::new();
        let config = configuration(&self.server, annotations);
        space.file("token", &self.token);
        // The set goes to a folder of the test's own, and the login is one that needs no cluster.
        let dir = space.path().display();
        let here = format!(
            "vault: {{ca_file: {}}}\nauth: {{method: token_file, token_file: {dir}/token, role: null, jwt_file: null}}\n\
             secrets_dir: {dir}/vault/secrets\nhandoff: {{file: {dir}/handoff/state}}\nlisten: unix:{dir}/status.sock\n",
            self.server.ca_file().display()
        );
        let files = [space.file("leasehold.yaml", config), space.file("here.yaml", here)];
        let [config, here] = files.map(|file| file.to_string_lossy().into_owned());
        Leasehold::new(&space).run(&["init", "--config", &config, "--config", &here]).expect_code(0);
        space
    }

    /// What vault-k8s' agent writes.
    fn agent(&self, blocks: &[(&str, String, Value)]) -> Workspace {
        let space = Workspace::new();
        space.file("token", &self.token);
        let block = |(path, contents, more): &(&str, String, Value)| {
            let mut block = json!({"destination": format!("vault/secrets/{path}"), "contents": contents});
            for (key, value) in more.as_object().expect("a map") {
                block[key] = value.clone();
            }
            block
        };
        let config = json!({
            "auto_auth": {"method": [{"type": "token_file", "mount_path": "auth/token_file", "config": {"token_file_path": "token"}}]},
            "template": blocks.iter().map(block).collect::<Vec<_>>(),
            "template_config": {"exit_on_retry_failure": true},
        });
        space.file("agent.json", config.to_string());
        let mut agent = Child::start(&OpenBao::program(), "agent", space.path(), |command| {
            command.args(["agent", "-log-level=error", "-config", "agent.json", "-exit-after-auth"]);
            command.current_dir(space.path()).env_clear().env("HOME", space.path());
            command.env("VAULT_ADDR", self.server.plain_address());
        });
        let status = agent.wait(Duration::from_secs(60));
        assert!(status.success(), "{}{}", agent.stdout(), agent.stderr());
        space
    }
}

/// The configuration in the variable of the init container, as the kubelet hands it over.
fn configuration(server: &OpenBao, annotations: &[(&str, &str)]) -> String {
    let mut all = json!({"vault.hashicorp.com/agent-inject": "true", "vault.hashicorp.com/role": "web"});
    for (name, value) in annotations {
        all[format!("vault.hashicorp.com/{name}")] = json!(value);
    }
    let containers = json!([{"name": "web", "image": "web"}]);
    let pod = json!({"metadata": {"name": "web", "annotations": all}, "spec": {"containers": containers}});
    let settings =
        Settings { address: Some(server.address()), authority: Some(server.ca_pem()), ..Settings::default() };
    let outcome = inject(&pod, Request { namespace: "default" }, &settings).expect("a pod that is admitted");
    let Outcome::Injected { pod, .. } = outcome else { panic!("not injected") };
    let ours = &pod["spec"]["initContainers"][0];
    assert_eq!(ours["name"], "vault-agent-init");
    ours["env"][0]["value"].as_str().expect("a configuration").replace("$$", "$")
}

/// Every file of the volume: its bytes and its mode.
fn files(space: &Workspace) -> BTreeMap<String, (u32, String)> {
    let folder = space.join("vault/secrets");
    let (mut found, mut open) = (BTreeMap::new(), vec![folder.clone()]);
    while let Some(dir) = open.pop() {
        for entry in fs::read_dir(&dir).expect("a folder") {
            let path = entry.expect("an entry").path();
            if is_of_the_layout(&path) {
                continue;
            }
            if path.is_dir() {
                open.push(path);
                continue;
            }
            let name = path.strip_prefix(&folder).expect("below it").to_string_lossy().into_owned();
            let mode = fs::metadata(&path).expect("a file").permissions().mode() & 0o777;
            found.insert(name, (mode, fs::read(&path).expect("a file").escape_ascii().to_string()));
        }
    }
    found
}

/// Generations, the link to the newest, and the lock.
fn is_of_the_layout(path: &Path) -> bool {
    path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b".."))
}

#[test]
fn annotations_make_the_same_files_as_with_vault_k8s() {
    let world = World::new();
    for group in groups() {
        let (theirs, ours) = (world.agent(&group.blocks), world.leasehold(&group.annotations));
        let theirs = files(&theirs);
        assert_eq!(theirs.len(), group.blocks.len(), "{}: {theirs:?}", group.name);
        assert_eq!(files(&ours), theirs, "{}", group.name);
    }
}

/// What init of the mode env-file writes, by the names of the variables; or its words, if it fails.
fn variables(world: &World, secrets: &[(&str, &str)]) -> Result<BTreeMap<String, String>, String> {
    let mut all = json!({"leasehold.dev/inject": "true", "leasehold.dev/role": "web", "leasehold.dev/mode": "env-file"});
    for (name, secret) in secrets {
        all[format!("leasehold.dev/secret-{name}")] = json!(secret);
    }
    let pod =
        json!({"metadata": {"name": "web", "annotations": all}, "spec": {"containers": [{"name": "web"}]}});
    let address = Some(world.server.address());
    let settings = Settings { address, authority: Some(world.server.ca_pem()), ..Settings::default() };
    let outcome = inject(&pod, Request { namespace: "default" }, &settings).expect("a pod that is admitted");
    let Outcome::Injected { pod, .. } = outcome else { panic!("not injected") };
    let config = pod["spec"]["initContainers"][0]["env"][0]["value"].as_str().expect("a configuration");
    let space = Workspace::new();
    let dir = space.dir("variables");
    let config = config.replace("$$", "$").replace("/leasehold/variables", &dir.to_string_lossy());
    space.file("token", &world.token);
    let here = format!(
        "vault: {{ca_file: {}}}\nauth: {{method: token_file, token_file: {}, role: null, jwt_file: null}}\n",
        world.server.ca_file().display(),
        space.join("token").display()
    );
    let files = [space.file("leasehold.yaml", config), space.file("here.yaml", here)];
    let [config, here] = files.map(|file| file.to_string_lossy().into_owned());
    let done = Leasehold::new(&space).run(&["init", "--config", &config, "--config", &here]);
    if done.code != Some(0) {
        return Err(done.stderr);
    }
    let entries = fs::read_dir(&dir).expect("a folder").map(|entry| entry.expect("an entry").path());
    let regular = entries.filter(|path| path.is_file() && !is_of_the_layout(path));
    let read = |path: std::path::PathBuf| {
        let name = path.file_name().expect("a name").to_string_lossy().into_owned();
        (name, fs::read_to_string(&path).expect("text"))
    };
    Ok(regular.map(read).filter(|(name, _)| !name.starts_with('.')).collect())
}

#[test]
fn variables_by_files_are_written_as_the_kubelet_reads_them() {
    let world = World::new();
    let secrets = [
        ("USER", "kv/db#username"),
        ("PASSWORD", "kv/db#password"),
        ("PORT", "kv/db#port"),
        ("TAGS", "kv/db#tags"),
        ("HOST", "secret/data/web#host"),
        ("LINES", "secret/data/tls#certificate"),
    ];
    let written = variables(&world, &secrets).expect("all can be made");
    let expected = [
        ("HOST", "HOST='web<1>&co'\n"),
        ("LINES", "LINES='CERT\n'\n"),
        ("PASSWORD", "PASSWORD='a:b\"c $HOME'\n"),
        ("PORT", "PORT='5432'\n"),
        ("TAGS", "TAGS='[\"x\",\"y\"]'\n"),
        ("USER", "USER='web'\n"),
    ];
    let expected = expected.map(|(name, text)| (name.to_owned(), text.to_owned()));
    assert_eq!(written, BTreeMap::from(expected));
    // The kubelet has no way to read a quote, and a key that is not there is no empty variable.
    world.server.write("kv/quote", json!({"value": "it's"}));
    for (name, secret) in [("QUOTE", "kv/quote#value"), ("ABSENT", "kv/db#absent")] {
        let words = variables(&world, &[(name, secret)]).expect_err("it cannot be written");
        assert!(words.contains(name) && !words.contains("it's"), "{words}");
    }
}

#[test]
fn check_has_nothing_against_what_the_injection_writes() {
    let world = World::new();
    let groups = groups().into_iter().map(|group| group.annotations);
    let logins = [
        vec![("auth-type", "jwt"), ("auth-path", "auth/cluster-a")],
        vec![
            ("auth-type", "approle"),
            ("auth-config-role-id-file-path", "/r"),
            ("auth-config-secret-id-file-path", "/s"),
        ],
        vec![
            ("auth-type", "cert"),
            ("auth-config-name", "web"),
            ("client-cert", "/vault/tls/c.pem"),
            ("client-key", "/vault/tls/k.pem"),
        ],
        vec![
            ("auth-type", "ldap"),
            ("auth-config-username", "web"),
            ("auth-config-password-file-path", "/p"),
        ],
        vec![
            ("agent-inject-token", "true"),
            ("agent-revoke-on-shutdown", "true"),
            ("agent-revoke-grace", "10"),
        ],
        vec![
            ("client-timeout", "10s"),
            ("proxy-address", "http://proxy:3128"),
            ("namespace", "team/a"),
            ("log-format", "json"),
        ],
        vec![
            ("secret-volume-path", "/run/creds"),
            ("agent-inject-secret-a", "kv/a"),
            ("secret-volume-path-a", "/etc/own"),
        ],
        vec![("agent-inject-template-a", "{{ \"x\" }}"), ("agent-inject-command-a", "pkill -HUP nginx")],
        vec![
            ("template-static-secret-render-interval", "90s"),
            ("template-max-connections-per-host", "4"),
            ("agent-enable-quit", "true"),
        ],
    ];
    for annotations in groups.chain(logins) {
        let space = Workspace::new();
        let file = space.file("leasehold.yaml", configuration(&world.server, &annotations));
        let checked = Leasehold::new(&space).run(&["check", "--config", &file.to_string_lossy()]);
        assert_eq!(checked.code, Some(0), "{annotations:?}: {}", checked.stdout);
    }
}
