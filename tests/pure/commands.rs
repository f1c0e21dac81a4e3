//! Commands that ask no server: many conversions, completions, and the usual configuration.

use std::fs;
use std::path::Path;
use std::process::Command;

use crate::support::{Finished, Leasehold, Terminal, Workspace, need};

const HCL: &str = "\
vault {
  address = \"https://vault.example.com:8200\"
}
auto_auth {
  method \"kubernetes\" {
    config = { role = \"web\" }
  }
}
template {
  contents    = \"x\"
  destination = \"/run/web/x\"
  left_delimiter = \"{{\"
  right_delimiter = \"}}\"
}
";

#[test]
fn many_configurations_are_converted_with_one_report_and_none_is_replaced() {
    let space = Workspace::new();
    for name in ["web", "mail", "shop"] {
        space.dir(&format!("old/{name}"));
    }
    space.file("old/web/agent.hcl", HCL);
    space.file("old/mail/agent.hcl", format!("pid_file = \"/run/agent.pid\"\n{HCL}"));
    space.file("old/shop/agent.hcl", HCL.replace("contents ", "sandbox_path = \"/srv\"\n  contents "));
    space.file("old/shop/notes.json", "{\"no\": \"agent\"}");
    let leasehold = Leasehold::new(&space).within(space.path());
    let ended = leasehold.run(&["convert", "-o", "new", "old"]).expect_code(78);
    for (name, result) in [("web", "ok"), ("mail", "1 warning"), ("shop", "1 REFUSED")] {
        let line = format!("old/{name}/agent.hcl");
        let line = ended.stdout.lines().find(|said| said.starts_with(&line)).expect("it is reported");
        assert!(line.contains(&format!("new/old/{name}/agent.yaml")) && line.ends_with(result), "{line}");
        let text = space.read(&format!("new/old/{name}/agent.yaml")).expect("it is written");
        assert!(!text.contains("delimiters"), "{text}");
    }
    for part in
        ["not converted: ", "1 x", "no pid file", "REFUSED: ", "2 of 4 files converted without a refusal"]
    {
        assert!(ended.stdout.contains(part), "{part}: {}", ended.stdout);
    }
    leasehold.run(&["check", "--elsewhere", "new/old/web/agent.yaml"]).expect_code(0);
    let again = leasehold.run(&["convert", "-o", "new", "old/web"]).expect_code(78);
    assert!(
        again.stdout.contains("not converted: cannot write new/old/web/agent.yaml: "),
        "{}",
        again.stdout
    );
}

#[test]
fn completions_of_bash_complete_commands_flags_words_and_files() {
    let space = Workspace::new();
    let script = Leasehold::new(&space).run(&["completions", "bash"]).expect_code(0).stdout;
    space.file("leasehold.bash", script);
    space.file("web.yaml", "");
    let complete = |line: &str| {
        let words: Vec<&str> = line.split(' ').collect();
        let array = words.iter().map(|word| format!("'{word}'")).collect::<Vec<_>>().join(" ");
        let program = format!(
            "set -eu; source ./leasehold.bash; COMP_WORDS=({array}); COMP_CWORD={}; _leasehold; echo \"${{COMPREPLY[*]-}}\"",
            words.len() - 1
        );
        let output = Command::new("bash").args(["-c", &program]).current_dir(space.path()).output();
        let output = output.expect("a shell");
        assert!(output.status.success(), "{line}: {}", String::from_utf8_lossy(&output.stderr));
        String::from_utf8_lossy(&output.stdout).trim().to_owned()
    };
    assert_eq!(complete("leasehold si"), "sidecar");
    assert_eq!(complete("leasehold help che"), "check");
    assert_eq!(complete("leasehold init --t"), "--timeout");
    assert_eq!(complete("leasehold check --format "), "text json");
    assert_eq!(complete("leasehold sidecar -c we"), "web.yaml");
    assert_eq!(complete("leasehold convert we"), "web.yaml");
    assert_eq!(complete("leasehold log-level de"), "debug");
    assert_eq!(complete("leasehold status --e"), "--explain");
    assert_eq!(complete("leasehold completions "), "bash zsh fish");
    assert_eq!(complete("leasehold init --timeout "), "");
}

#[test]
fn without_a_name_the_usual_configuration_is_taken() {
    if !need("root", "a mount namespace", nix::unistd::geteuid().is_root()) {
        return;
    }
    let space = Workspace::new();
    let text = fs::read_to_string(crate::support::repository().join("examples/kv.yaml")).expect("an example");
    space.file("usual.yaml", text);
    let script = format!(
        "cp usual.yaml /dev/shm/usual-$$; mount -t tmpfs none /etc; mkdir /etc/leasehold
         mv /dev/shm/usual-$$ /etc/leasehold/leasehold.yaml; exec '{}' check --elsewhere",
        Leasehold::binary().display()
    );
    let output = Command::new("unshare")
        .args(["--mount", "--propagation", "private", "sh", "-euc", &script])
        .current_dir(space.path())
        .env_remove("LEASEHOLD_CONFIG")
        .output()
        .expect("unshare is util-linux's");
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success() && said.contains("good: "),
        "{said}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}

#[test]
fn what_every_user_of_the_machine_may_write_or_read_draws_a_warning() {
    use std::os::unix::fs::PermissionsExt as _;
    let space = Workspace::new();
    let dir = space.path().display();
    let config = format!(
        "vault: {{address: 'https://vault.example.com:8200'}}\n\
         auth: {{method: approle, role_id_file: '{dir}/role', secret_id_file: '{dir}/id'}}\n\
         secrets_dir: '{dir}/secrets'\n\
         files: [{{path: web, secret: 'secret/web#password'}}]\n"
    );
    let files = [space.file("web.yaml", config), space.file("role", "role"), space.file("id", "CANARY-id")];
    space.dir("secrets");
    let warned = |modes: [u32; 3]| {
        for (file, mode) in files.iter().zip(modes) {
            fs::set_permissions(file, fs::Permissions::from_mode(mode)).expect("it is ours");
        }
        let checked = Leasehold::new(&space).within(space.path()).run(&["check", "--config", "web.yaml"]);
        let said = format!("{}{}", checked.stdout, checked.stderr);
        assert!(!said.contains("CANARY"), "{said}");
        said.matches("every user of this machine may ").count()
    };
    assert_eq!(warned([0o644, 0o644, 0o600]), 0, "a configuration and a role id are no secrets");
    assert_eq!(warned([0o666, 0o600, 0o600]), 1, "the configuration");
    assert_eq!(warned([0o600, 0o600, 0o644]), 1, "the secret id");
    assert_eq!(warned([0o666, 0o666, 0o666]), 3, "all of them");
}

/// `leasehold new web` with these arguments besides.
fn new(space: &Workspace, arguments: &[&str]) -> Finished {
    let given: Vec<&str> = ["new", "web"].iter().chain(arguments).copied().collect();
    Leasehold::new(space).within(space.path()).run(&given)
}

const FOR_A_MACHINE: [&str; 8] = [
    "--for",
    "machine",
    "--address",
    "https://vault.example.com:8200",
    "--method",
    "approle",
    "--secret",
    "secret/web#password",
];

#[test]
fn a_new_machine_gets_a_configuration_that_is_good_its_policy_and_the_shipped_unit() {
    let space = Workspace::new();
    let more = [
        "--secret",
        "db/odd \"name\"=database/creds/web#user\"name",
        "--ca-file",
        "/etc/ca.pem",
        "-o",
        "out",
    ];
    let said = new(&space, &[&FOR_A_MACHINE[..], &more].concat()).expect_code(0).stdout;
    for file in ["web.yaml", "web.policy.hcl", "leasehold@.service", "web.service.d/leasehold.conf"] {
        assert!(
            said.contains(&format!("  out/{file}\n")) && space.join("out").join(file).exists(),
            "{file}: {said}"
        );
    }
    let leasehold = Leasehold::new(&space).within(space.path());
    let good =
        leasehold.run(&["check", "--elsewhere", "--strict", "-c", "out/web.yaml"]).expect_code(0).stdout;
    assert!(good.contains("good: 2 files"), "{good}");
    let policy = leasehold.run(&["policy", "-c", "out/web.yaml"]).expect_code(0).stdout;
    assert_eq!(space.read("out/web.policy.hcl").as_deref(), Some(policy.as_str()));
    let unit = crate::support::guide::page("manifests/systemd/leasehold@.service");
    assert_eq!(space.read("out/leasehold@.service"), Some(unit));
    // What is there is somebody's.
    let again = new(&space, &[&FOR_A_MACHINE[..], &["-o", "out"]].concat()).expect_code(73);
    assert!(again.last_line().contains("out/web.yaml is there already"), "{}", again.stderr);
}

#[test]
fn a_new_machine_whose_login_has_no_secret_id_is_told_of_none() {
    let space = Workspace::new();
    let mut arguments = FOR_A_MACHINE;
    arguments[5] = "cert";
    let said = new(&space, &arguments).expect_code(0).stdout;
    assert!(said.contains("  ./leasehold@.service\n") && !said.contains("secret-id"), "{said}");
}

#[test]
fn a_new_pod_has_its_own_name_and_the_configuration_that_was_written_beside_it() {
    let space = Workspace::new();
    let arguments = ["new", "shop", "--for", "pod", "--address", "https://vault.vault.svc:8200"];
    let arguments = [&arguments[..], &["--method", "kubernetes", "--secret", "secret/shop#key"]].concat();
    Leasehold::new(&space).within(space.path()).run(&arguments).expect_code(0);
    let text = space.read("shop-pod.yaml").expect("it is written");
    let documents: Vec<serde_yaml::Value> = serde_yaml::Deserializer::from_str(&text)
        .map(|document| serde::Deserialize::deserialize(document).expect("YAML"))
        .collect();
    let [map, pod] = documents.as_slice() else { panic!("{text}") };
    assert_eq!(map["data"]["leasehold.yaml"].as_str(), space.read("shop.yaml").as_deref());
    assert_eq!(
        (&map["metadata"]["name"], &pod["metadata"]["name"]),
        (&"shop-leasehold".into(), &"shop".into())
    );
    assert_eq!(pod["spec"]["serviceAccountName"], "shop");
    assert!(!text.contains("web-leasehold") && text.contains("configMap: {name: shop-leasehold}"), "{text}");
}

#[test]
fn answers_that_make_no_configuration_write_nothing() {
    let space = Workspace::new();
    let mut wrong = FOR_A_MACHINE;
    wrong[3] = "ftp://vault";
    let ended = new(&space, &wrong).expect_code(78);
    assert!(ended.stderr.contains("web.yaml:2:12: "), "{}", ended.stderr);
    let ended = new(&space, &FOR_A_MACHINE[..6]).expect_code(64);
    assert!(
        ended.last_line().contains("no terminal to ask at, and not given: --secret; "),
        "{}",
        ended.stderr
    );
    let ended = Leasehold::new(&space).run(&["new", "../web"]).expect_code(64);
    assert!(ended.last_line().contains("use small letters, digits and hyphens"), "{}", ended.stderr);
    assert!(!space.join("web.yaml").exists());
}

#[test]
fn where_nobody_can_be_asked_all_that_is_missing_is_named_with_an_example_that_works() {
    let space = Workspace::new();
    let ended = Leasehold::new(&space).within(space.path()).run(&["new"]).expect_code(64);
    let line = ended.last_line();
    let (missing, example) = line.split_once("; an example: leasehold ").expect("an example");
    assert!(missing.ends_with("not given: NAME, --for, --address, --secret"), "{missing}");
    let example: Vec<&str> = example.split(' ').collect();
    Leasehold::new(&space).within(space.path()).run(&example).expect_code(0);
    let text = space.read("web.yaml").expect("it is written");
    assert!(text.contains("method: approle"), "as a person is offered for a machine: {text}");
}

/// `leasehold new` at a terminal, with its standard output in a file.
fn new_at_a_terminal(space: &Workspace, arguments: &[&str]) -> Terminal {
    let binary = Leasehold::binary().display().to_string();
    let words = [&[binary.as_str(), "new"], arguments].concat();
    let output = fs::File::create(space.join("said")).expect("the test's own folder");
    Terminal::start(&words, |command| {
        command.current_dir(space.path()).stdout(output);
    })
}

/// The files below a folder, with their text.
fn files(folder: &Path) -> Vec<(String, String)> {
    let (mut found, mut folders) = (Vec::new(), vec![folder.to_owned()]);
    while let Some(next) = folders.pop() {
        for entry in fs::read_dir(next).expect("it was made").map(|entry| entry.expect("it can be listed")) {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else {
                let name = path.strip_prefix(folder).expect("it is below").display().to_string();
                found.push((name, fs::read_to_string(&path).expect("text")));
            }
        }
    }
    found.sort();
    found
}

#[test]
fn answers_at_a_terminal_make_the_files_that_flags_make() {
    let space = Workspace::new();
    let mut terminal = new_at_a_terminal(&space, &["-o", "asked"]);
    terminal.answer("The application's name [web]: ", "My App\n");
    terminal.answer("becomes part of a unit or of a pod\nThe application's name [web]: ", "\n");
    terminal.answer("Where it runs: machine, pod [machine]: ", "vm\n");
    terminal.answer("  it is one of machine, pod\nWhere it runs: machine, pod [machine]: ", "Machine\n");
    // There is no default: an empty line asks again.
    terminal.answer("The server's address: ", "\n");
    terminal.answer("address: \nThe server's address: ", "vault.example.com:8200\n");
    terminal.answer(
        "such as https://vault.example.com:8200\nThe server's address: ",
        "https://vault.example.com:8200\n",
    );
    terminal.answer("How to log in: approle, kubernetes, jwt, cert, token-file [approle]: ", "\n");
    terminal.answer(
        "FILE=PATH#KEY [secret/web#password]: ",
        "secret/web#password db=database/creds/web#username\n",
    );
    let (code, seen) = terminal.end();
    assert_eq!(code, 0, "{seen}");
    // The questions are for the person, and the result is for a file or a pipe.
    let said = space.read("said").expect("the result");
    assert!(
        said.starts_with("Wrote\n") && !said.contains("name [web]") && !seen.contains("Wrote"),
        "{said}{seen}"
    );
    let more = ["--secret", "db=database/creds/web#username", "-o", "flags"];
    new(&space, &[&FOR_A_MACHINE[..], &more].concat()).expect_code(0);
    assert_eq!(files(&space.join("asked")), files(&space.join("flags")));
}

#[test]
fn only_what_the_flags_leave_out_is_asked_and_the_address_of_the_shell_is_offered() {
    let space = Workspace::new();
    let binary = Leasehold::binary().display().to_string();
    let words = [&binary, "new", "shop", "--for", "pod", "--secret", "secret/shop#key"];
    let mut terminal = Terminal::start(&words, |command| {
        command.current_dir(space.path()).env("BAO_ADDR", "https://bao.example.com:8200");
    });
    terminal.answer("The server's address [https://bao.example.com:8200]: ", "\n");
    terminal.answer("[kubernetes]: ", "\n");
    let (code, seen) = terminal.end();
    assert_eq!((code, seen.matches("]: ").count()), (0, 2), "{seen}");
    let text = space.read("shop.yaml").expect("it is written");
    assert!(
        text.contains("\"https://bao.example.com:8200\"") && text.contains("method: kubernetes"),
        "{text}"
    );
}

#[test]
fn questions_that_are_broken_off_write_nothing() {
    for (keys, code, line) in [
        ("\x04", 64, "leasehold: --address is missing; see leasehold new --help"),
        // As a shell reports what SIGINT has ended.
        ("\x03", 130, "The server's address: ^C"),
    ] {
        let space = Workspace::new();
        let binary = Leasehold::binary().display().to_string();
        let script = "trap : INT; \"$0\" new web --for machine; exit $?";
        let mut terminal = Terminal::start(&["sh", "-c", script, &binary], |command| {
            command.current_dir(space.path());
        });
        terminal.answer("The server's address: ", keys);
        let (ended, seen) = terminal.end();
        assert_eq!(seen.trim_end().lines().last(), Some(line), "{seen}");
        assert!(ended == code, "{ended:?}");
        assert_eq!(files(space.path()), []);
    }
}
