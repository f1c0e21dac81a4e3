//! What the process gets, and what keeps it from being started.

use nix::sys::signal::Signal;

use crate::exec::scene::{FILE, Scene, executable};
use crate::support::{CANARY, SOON, Stage, wait_until};

#[test]
fn files_and_variables_are_there_before_the_process_and_ours_are_not() {
    let scene = Scene::new();
    let rest = format!(
        "{FILE}exec:\n  env:\n    PASSWORD: {{secret: 'secret/web#password'}}\n    \
         DSN: {{template: '{{{{ with secret \"secret/web\" }}}}pg://{{{{ .Data.data.user }}}}@db{{{{ end }}}}'}}\n    \
         HOME: {{template: /rendered}}"
    );
    let script = "cat secrets/password; echo; echo $PASSWORD $DSN $HOME $KEPT; env | grep -E '^(VAULT_TOKEN|LEASEHOLD_)'";
    let program = scene.program(&rest).env("KEPT", "kept").env("HOME", "/inherited");
    let finished = program.run(&["exec", "--", "sh", "-c", script]).expect_code(1);
    assert_eq!(finished.stdout, "one\none pg://u@db /rendered kept\n");
    finished.assert_silent_about(scene.server.root_token());
}

#[test]
fn the_command_is_the_configuration_s_unless_one_follows_the_dashes() {
    let scene = Scene::new();
    let rest = format!("{FILE}exec: {{command: [sh, -c, 'echo \"$0\"; exit 4', configured]}}");
    let finished = scene.program(&rest).run(&["exec"]).expect_code(4);
    assert_eq!(finished.stdout, "configured\n");
    let finished = scene.program(&rest).run(&["exec", "--", "echo", "--config", "x"]).expect_code(0);
    assert_eq!(finished.stdout, "--config x\n", "what follows the dashes is not ours");
}

#[test]
fn inherited_values_are_resolved_where_that_is_wanted_and_nowhere_else() {
    let scene = Scene::new();
    scene.put("two");
    let program = |rest: &str| {
        scene
            .program(rest)
            .env("PASSWORD", "vault:secret/data/web#password")
            .env("FIRST", "vault:secret/data/web#password#1")
            .env("DSN", "pg://${vault:secret/web#user}:${vault:secret/web#password}@db")
    };
    let show = ["exec", "--", "sh", "-c", "echo $PASSWORD $FIRST $DSN"];
    let finished = program("exec: {resolve_env: true}").run(&show).expect_code(0);
    assert_eq!(finished.stdout, "two one pg://u:two@db\n");
    let finished = program(FILE).run(&show).expect_code(0);
    assert!(finished.stdout.starts_with("vault:secret/data/web#password vault:"), "{}", finished.stdout);
    let spoilt =
        program("exec: {resolve_env: true}").env("BAD", "vault:secret/web").run(&show).expect_code(78);
    assert!(spoilt.last_line().contains("the variable BAD of the environment"), "{}", spoilt.last_line());
}

#[test]
fn an_environment_that_asks_for_nothing_costs_no_login_and_the_process_runs() {
    let stage = Stage::new();
    let config = stage.config("exec: {resolve_env: true, command: [sh, -c, 'exit 7']}\n");
    stage.run(&["exec"], &config).expect_code(7);
    assert_eq!(stage.logins(), 0);
    let config = stage.config("exec: {command: [sh, -c, 'exit 7']}\n");
    let finished = stage.run(&["exec"], &config).expect_code(78);
    assert!(finished.last_line().contains("nothing to render"), "{}", finished.last_line());
}

#[test]
fn without_a_secret_for_a_variable_the_process_is_not_started() {
    let stage = Stage::new();
    stage.put_password("x");
    let denied = stage.space.join("started");
    for (source, code, says) in [
        ("{secret: 'secret/web#nope'}", 66, "exec.env.A: secret/web#nope"),
        ("{secret: 'secret/absent#a'}", 66, "exec.env.A: "),
        ("{template: '{{ with secret \"secret/web\" }}{{ .Data.data.nope }}{{ end }}'}", 65, "exec.env.A: "),
        ("{template: '{{ \"a\\x00b\" }}'}", 65, "exec.env.A: the value has a NUL byte"),
        ("{secret: 'secret/denied#a'}", 77, "exec.env.A: "),
    ] {
        let config = stage
            .config(&format!("exec: {{command: [touch, '{}'], env: {{A: {source}}}}}\n", denied.display()));
        let finished = stage.run(&["exec"], &config).expect_code(code);
        assert!(finished.last_line().contains(says), "{source}: {}", finished.last_line());
        finished.assert_silent_about(CANARY);
        assert!(!denied.exists(), "{source}");
    }
    stage.assert_nothing_left();
}

#[test]
fn a_command_that_is_not_there_or_cannot_run_costs_no_login() {
    let stage = Stage::new();
    let file = stage.space.file("not-executable", "#!/bin/sh\n").display().to_string();
    let config = stage.config("files: [{path: password, secret: 'secret/web#password'}]\n");
    for (command, code) in
        [("no-such-program", 127), ("/no/such/program", 127), (file.as_str(), 126), ("/", 126)]
    {
        let config = format!("{config}exec: {{command: [{command}]}}\n");
        let finished = stage.run(&["exec"], &config).expect_code(code);
        assert!(finished.last_line().contains(command), "{}", finished.last_line());
    }
    let finished = stage.run(&["exec"], &config).expect_code(64);
    assert!(finished.last_line().contains("no command"), "{}", finished.last_line());
    assert_eq!(stage.logins(), 0);
}

#[test]
fn an_interpreter_that_is_not_there_is_127_and_no_program_126_and_both_give_everything_back() {
    let stage = Stage::new();
    stage.put_password("x");
    for (text, code) in [("#!/no/such/interpreter\n", 127), ("no program at all\n", 126)] {
        let program = executable(&stage.space, text);
        let config = stage.config(&format!(
            "files: [{{path: password, secret: 'secret/web#password'}}]\nexec: {{command: ['{program}']}}\n"
        ));
        stage.run(&["exec"], &config).expect_code(code);
        stage.assert_nothing_left();
    }
}

#[test]
fn after_the_process_everything_that_was_minted_is_given_back() {
    let stage = Stage::new();
    let config = stage.config(
        "files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n\
         exec: {env: {PASSWORD: {secret: 'rabbitmq/creds/app#password'}}, command: [sh, -c, 'test -n \"$PASSWORD\" && exit 7']}\n",
    );
    stage.run(&["exec"], &config).expect_code(7);
    assert_eq!(stage.logins(), 1);
    stage.assert_nothing_left();
}

#[test]
fn exec_takes_over_from_init_with_one_login_and_one_lease_and_answers_while_it_runs() {
    let stage = Stage::new();
    let config = stage.config(
        "files: [{path: user, secret: 'rabbitmq/creds/app#username'}]\n\
         exec: {env: {PASSWORD: {secret: 'rabbitmq/creds/app#password'}}, command: [sleep, '600']}\n",
    );
    stage.init(&config).expect_code(0);
    let user = stage.read("user");
    let path = stage.space.file("leasehold.yaml", &config).display().to_string();
    let running = crate::support::Leasehold::new(&stage.space).spawn(&["exec", "--config", &path]);
    wait_until("exec to be ready", SOON, || stage.ready());
    assert_eq!(stage.read("user"), user);
    assert_eq!((stage.logins(), stage.server.leases("rabbitmq/").len()), (1, 1));
    let status = stage.get("/status").expect("it listens").text;
    assert!(status.contains("exec.env.PASSWORD"), "{status}");
    running.signal(Signal::SIGTERM);
    assert_eq!(running.wait(SOON).code, Some(143));
    stage.assert_nothing_left();
}

#[test]
fn every_key_of_a_secret_is_a_variable_where_that_is_wanted() {
    let scene = Scene::new();
    let rest = "exec:\n  env:\n    WEB: {from: secret/web, prefix: web_, upcase: true}\n    \
                OTHER: {from: secret/data/web, format: 'APP_{{ key }}'}\n    APP_user: {template: named}";
    let script = "echo $WEB_PASSWORD $WEB_USER $APP_password $APP_user \"[$WEB$OTHER]\"";
    let finished = scene.run(rest, script).expect_code(0);
    assert_eq!(finished.stdout, "one u one named []\n");
    // A key that comes later is a change like any.
    let running = scene.start(
        &format!("{rest}\n  stop_timeout: 5s\ndefaults: {{refresh: 1s}}"),
        "echo \"$WEB_PASSWORD $WEB_MORE\" >>seen; exec sleep 600",
    );
    scene.wait_for_text("seen", "one \n");
    scene.server.put("secret", "web", serde_json::json!({ "password": "two", "user": "u", "more": "m" }));
    scene.wait_for_text("seen", "one \ntwo m\n");
    drop(running);
    // What makes no name is a failure with the key, before the process.
    scene.server.put("secret", "web", serde_json::json!({ "a=b": CANARY }));
    let failed = scene.run("exec: {env: {WEB: {from: secret/web}}}", "true").expect_code(65);
    assert!(failed.last_line().contains("exec.env.WEB: the key \"a=b\""), "{}", failed.last_line());
    failed.assert_silent_about(CANARY);
}

#[test]
fn envconsul_s_whole_secrets_are_taken_and_convert_can_name_each_key() {
    let scene = Scene::new();
    let config = format!(
        "vault {{ address = \"{}\" renew_token = false }}\nupcase = true\nsecret {{ no_prefix = true path = \"secret/web\" }}\n\
         exec {{ env {{ custom = [\"EXTRA=x\"] }} kill_timeout = \"5s\" }}\n",
        scene.server.plain_address()
    );
    scene.space.file("envconsul.hcl", config);
    let program = scene.program("").env("LEASEHOLD_CONFIG", "envconsul.hcl");
    let show = ["exec", "--", "sh", "-c", "echo $PASSWORD $USER $EXTRA"];
    assert_eq!(program.run(&show).expect_code(0).stdout, "one u x\n");
    let named = program.run(&["convert", "--from-server", "envconsul.hcl"]).expect_code(0).stdout;
    assert!(named.contains("    PASSWORD:\n      secret: \"secret/web#password\"\n"), "{named}");
    assert!(!named.contains("from:"), "{named}");
    scene.space.file("named.yaml", named);
    let program = scene.program("").env("LEASEHOLD_CONFIG", "named.yaml");
    assert_eq!(program.run(&show).expect_code(0).stdout, "one u x\n");
    let refused = program.env("VAULT_TOKEN", "nonsense").run(&["convert", "--from-server", "envconsul.hcl"]);
    refused.expect_code(77);
}

/// The kernel's limit for arguments and environment together: a quarter of the stack's, and 6 MiB at most.
fn limit() -> usize {
    let limits = std::fs::read_to_string("/proc/self/limits").expect("Linux has it");
    let stack = limits.lines().find_map(|line| line.strip_prefix("Max stack size")).expect("it is there");
    let soft = stack.split_whitespace().next().and_then(|soft| soft.parse().ok());
    (soft.unwrap_or(usize::MAX) / 4).min(6 << 20)
}

#[test]
fn what_the_process_inherits_counts_against_the_room_for_its_variables() {
    const EACH: usize = 100_000;
    let scene = Scene::new();
    scene.put(&"x".repeat(EACH));
    // Three fifths of the room each: the kernel takes either alone.
    let count = limit() / EACH * 3 / 5;
    let rendered: String =
        (0..count).map(|number| format!("    V{number}: {{secret: 'secret/web#password'}}\n")).collect();
    let variables = format!("exec:\n  env:\n{rendered}");
    scene.program(&variables).run(&["exec", "--", "echo", "alone"]).expect_code(0);
    let mut program = scene.program(&variables);
    for number in 0..count {
        program = program.env(&format!("KEPT{number}"), &"y".repeat(EACH));
    }
    let finished = program.run(&["exec", "--", "echo", "both"]);
    let refusal = "arguments and environment of the process take";
    assert!(finished.stderr.contains(refusal), "{:?}: {}", finished.code, finished.stderr);
    assert!(finished.code != Some(0) && finished.stdout.is_empty(), "{:?}", finished.code);
    let same = scene.program(FILE).env("KEPT0", &"y".repeat(EACH)).run(&["exec", "--", "echo", "inherited"]);
    assert_eq!(same.expect_code(0).stdout, "inherited\n");
}
