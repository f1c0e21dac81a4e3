//! What goes wrong at a newcomer's first try: each a clear last line with what to do, its exit code,
//! nothing half-written, and no secret in any output.

use std::fs::File;
use std::process::Command;

use crate::support::{CANARY, Finished, Identity, Stage, free_address};
use leasehold_testkit::evidence;
use serde_json::json;

const ONE_FILE: &str = "files: [{path: password, secret: 'secret/web#password'}]\n";

fn stage() -> Stage {
    let stage = Stage::new();
    stage.put(json!({ "password": CANARY }));
    stage
}

/// The last line names each of `words`; nothing was written, shown, or left on the server.
#[track_caller]
fn assert_clear(stage: &Stage, finished: &Finished, words: &[&str]) {
    for word in words {
        assert!(finished.last_line().contains(word), "no {word:?} in the last line of\n{}", finished.stderr);
    }
    let end = finished.log().pop().expect("a line says why");
    assert_eq!((&end["level"], &end["exit_code"]), (&json!("ERROR"), &json!(finished.code)));
    finished.assert_silent_about(CANARY);
    finished.assert_silent_about("eyJ");
    assert_eq!(stage.published(), [""; 0]);
    assert_eq!(stage.server.accessors(), [""; 0]);
}

#[test]
fn an_unknown_key_is_named_with_its_place() {
    let stage = stage();
    let config = stage.config(ONE_FILE) + "sekrets: 1\n";
    let line = config.lines().count();
    for command in [&["check"][..], &["init"], &["sidecar"]] {
        let finished = stage.run(command, &config).expect_code(78);
        let output = finished.stdout.clone() + &finished.stderr;
        assert!(output.contains("sekrets"), "{output}");
        assert!(output.contains(&format!("leasehold.yaml:{line}:1")), "{output}");
        assert_eq!(stage.published(), [""; 0]);
    }
}

#[test]
fn a_bad_duration_is_named_with_its_place() {
    let stage = stage();
    let config = stage.config(ONE_FILE) + "init: {timeout: soon}\n";
    let finished = stage.init(&config).expect_code(78);
    let place = format!("leasehold.yaml:{}:17", config.lines().count());
    assert_clear(&stage, &finished, &[&place, "not a duration"]);
}

#[test]
fn every_problem_is_told_at_once() {
    let stage = stage();
    let config =
        stage.config("files: [{path: a, template: '{{ if }}'}, {path: b, secret: 1, mod: 1}]\nsekrets: 1\n");
    let finished = stage.run(&["check"], &config).expect_code(78);
    let output = finished.stdout + &finished.stderr;
    for word in ["sekrets", "mod", "template"] {
        assert!(output.contains(word), "no {word:?} in\n{output}");
    }
}

#[test]
fn a_secrets_dir_on_a_disk_is_refused() {
    let stage = stage();
    // The build's own folder: no test machine has that on a tmpfs.
    let disk = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).expect("the build's folder takes folders");
    let dir = disk.path().to_string_lossy().into_owned();
    let config =
        stage.config(ONE_FILE).replace(&stage.space.join("secrets").to_string_lossy().into_owned(), &dir);
    let finished = stage.init(&config).expect_code(73);
    assert_clear(&stage, &finished, &[&dir, "tmpfs"]);
    assert_eq!(disk.path().read_dir().expect("it is there").count(), 0);
}

#[test]
fn plain_http_to_another_host_is_refused_without_asking_it() {
    let stage = stage();
    let config = stage.config(ONE_FILE).replace(&stage.server.address(), "http://vault.example.com:8200");
    let finished = stage.init(&config).expect_code(78);
    let output = finished.stdout.clone() + &finished.stderr;
    assert!(output.contains("plaintext"), "{output}");
    assert_eq!(stage.published(), [""; 0]);
}

#[test]
fn a_missing_or_empty_jwt_file_is_named() {
    let stage = stage();
    let token = stage.space.join("serviceaccount/token");
    let init = || stage.init(&stage.config(ONE_FILE)).expect_code(77);
    std::fs::remove_file(&token).expect("the stage wrote it");
    assert_clear(&stage, &init(), &[&token.to_string_lossy()]);
    stage.space.file("serviceaccount/token", "\n");
    assert_clear(&stage, &init(), &[&token.to_string_lossy()]);
    assert_eq!(stage.logins(), 0);
}

#[test]
fn a_role_that_the_server_does_not_have_is_named() {
    let stage = stage();
    let config = stage.config(ONE_FILE).replace("role: web", "role: nobody");
    let finished = stage.init(&config).expect_code(77);
    assert_clear(&stage, &finished, &["nobody"]);
    // After 1 s, 2 s, 4 s and 8 s: a role may be made a moment after the pod.
    assert!(stage.logins() <= 6);
}

#[test]
fn an_account_that_the_role_is_not_for_is_refused() {
    let stage = stage();
    let stranger = Identity { account: "stranger".into(), ..Identity::default() };
    stage.space.file("serviceaccount/token", stage.cluster.token(&stranger));
    let finished = stage.init(&stage.config(ONE_FILE)).expect_code(77);
    assert_clear(&stage, &finished, &["service account name not authorized", "auth"]);
    assert!(stage.logins() <= 6);
}

#[test]
fn a_denied_path_is_named() {
    let stage = stage();
    let config = stage
        .config("files: [{path: a, secret: 'secret/web#password'}, {path: b, secret: 'secret/denied#k'}]\n");
    let finished = stage.init(&config).expect_code(77);
    assert_clear(&stage, &finished, &["secret/denied"]);
}

#[test]
fn several_paths_that_cannot_be_read_are_each_logged_once_as_final() {
    let stage = stage();
    let config = stage.config(
        "files: [{path: a, secret: 'secret/denied#k'}, {path: b, secret: 'secret/nowhere#k'}, {path: c, secret: 'other/web#k'}]\n",
    );
    let finished = stage.init(&config).expect_code(77);
    assert_clear(&stage, &finished, &["a: could not read secret/denied:"]);
    // The first denial is logged at once, too: it may be a standby that lags behind.
    let last: Vec<&str> = finished.stderr.lines().filter(|line| !line.contains("asking again")).collect();
    for path in ["read secret/denied:", "secret/nowhere does not exist", "read other/web:"] {
        let lines = last.iter().filter(|line| line.contains(path)).count();
        assert_eq!(lines, 1, "{path}: {}", finished.stderr);
    }
}

#[test]
fn a_path_that_does_not_exist_is_named() {
    let stage = stage();
    let config = stage
        .config("files: [{path: a, secret: 'secret/web#password'}, {path: b, secret: 'secret/nowhere#k'}]\n");
    let finished = stage.init(&config).expect_code(66);
    assert_clear(&stage, &finished, &["secret/nowhere"]);
}

#[test]
fn a_missing_key_is_named() {
    let stage = stage();
    let finished =
        stage.init(&stage.config("files: [{path: a, secret: 'secret/web#pasword'}]\n")).expect_code(66);
    assert_clear(&stage, &finished, &["secret/web", "pasword"]);
}

#[test]
fn a_missing_key_in_a_template_is_not_rendered_as_no_value() {
    let stage = stage();
    let config = stage.config(
        "files: [{path: a, template: '{{ with secret \"secret/web\" }}{{ .Data.data.pasword }}{{ end }}'}]\n",
    );
    let finished = stage.init(&config).expect_code(65);
    assert_clear(&stage, &finished, &["pasword"]);
}

#[test]
fn a_failure_is_told_once_and_what_failed_besides_too() {
    let stage = stage();
    let bad = |name| format!("{{path: {name}, template: '{{{{ sprig_fail \"for {name}\" }}}}'}}");
    let config = stage.config(&format!("files: [{}, {}]\n", bad("first"), bad("second")));
    let finished = stage.init(&config).expect_code(65);
    assert_clear(&stage, &finished, &["for first"]);
    for name in ["for first", "for second"] {
        assert_eq!(finished.stderr.matches(name).count(), 1, "{name}: {}", finished.stderr);
    }
    let config = stage.config(ONE_FILE).replace("role: web", "role: nobody");
    let finished = stage.init(&config).expect_code(77);
    // At once, since it is tried for a while, and at the end.
    assert_eq!(finished.stderr.matches("invalid role name").count(), 2, "{}", finished.stderr);
    let finished = stage.init(&(stage.config(ONE_FILE) + "sekrets: 1\nflies: 2\n")).expect_code(78);
    assert_clear(&stage, &finished, &["sekrets", "the first of 2 errors"]);
    assert_eq!(finished.log().len(), 2, "{}", finished.stderr);
    assert_eq!(finished.stderr.matches("flies").count(), 1, "{}", finished.stderr);
}

#[test]
fn a_server_that_is_not_there_is_named_when_the_deadline_has_passed() {
    let mut fault = evidence!(3, Server);
    let stage = stage();
    let address = free_address();
    let config = stage.config(ONE_FILE).replace(&stage.server.address(), &format!("https://{address}"));
    let finished = stage.run(&["init", "--timeout", "2s"], &config).expect_code(69);
    assert!(finished.took.as_secs() < 20, "{:?}", finished.took);
    assert_clear(&stage, &finished, &[&address.to_string(), "check that the server is running"]);
    assert!(!finished.last_line().contains("unsealed"), "one advice: {}", finished.stderr);
    fault.exit(finished.code, 69);
    fault
        .holds("ends at the deadline with the address in the last line, no file, nothing left on the server");
}

#[test]
fn a_server_that_hangs_does_not_hold_init_beyond_its_deadline() {
    let stage = stage();
    stage.server.freeze();
    let finished = stage.run(&["init", "--timeout", "2s"], &stage.config(ONE_FILE)).expect_code(69);
    assert!(finished.took.as_secs() < 20, "{:?}", finished.took);
    stage.server.thaw();
    assert_clear(&stage, &finished, &[]);
}

#[test]
fn a_server_of_another_authority_is_not_trusted() {
    let stage = stage();
    let other = Stage::new();
    let config = stage.config(ONE_FILE).replace(
        &stage.server.ca_file().to_string_lossy().into_owned(),
        &other.server.ca_file().to_string_lossy(),
    );
    let finished = stage.run(&["init", "--timeout", "2s"], &config);
    assert_ne!(finished.code, Some(0));
    assert_clear(&stage, &finished, &["certificate"]);
    assert_eq!(stage.logins(), 0);
}

#[test]
fn help_that_cannot_be_written_is_an_error_that_says_so() {
    for arguments in [&["--help"][..], &["--version"], &["render", "--help"]] {
        let full = File::options().write(true).open("/dev/full").expect("the full device");
        let ended = Command::new(env!("CARGO_BIN_EXE_leasehold"))
            .args(arguments)
            .stdout(full)
            .output()
            .expect("leasehold runs");
        assert_eq!(ended.status.code(), Some(73), "{arguments:?}");
        let said = String::from_utf8_lossy(&ended.stderr);
        assert!(said.starts_with("leasehold: standard output cannot be written: "), "{said}");
    }
}
