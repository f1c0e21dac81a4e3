//! `leasehold init` against a real server: all or nothing, one login, and what it leaves.

use std::fs;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt};

use crate::support::{CANARY, Leasehold, SOON, Stage, wait_until};
use leasehold_testkit::evidence;
use serde_json::json;

const EVERY_KIND: &str = r#"
files:
  - path: template
    template: |
      {{ with secret "secret/web" }}{{ .Data.data.password }}{{ end }}!
  - path: old-template
    template: '{{ with secret "old/web" }}{{ .Data.key }}{{ end }}'
  - {path: value, secret: "secret/web#password", mode: "0400"}
  - {path: old-value, secret: "old/web#key"}
  - {path: all.json, secret: secret/web}
  - {path: decoded, secret: "secret/web#binary", encoding: base64}
  - path: tls/cert.pem
    template: '{{ with secret "pki/issue/web" "common_name=web.test" }}{{ .Data.certificate }}{{ end }}'
  - path: tls/key.pem
    template: '{{ with secret "pki/issue/web" "common_name=web.test" }}{{ .Data.private_key }}{{ end }}'
"#;

fn stage() -> Stage {
    let stage = Stage::new();
    // "AP8K" is the bytes 0, 255 and newline: not text.
    stage.put(json!({ "password": CANARY, "binary": "AP8K" }));
    stage.server.write("old/web", json!({ "key": "of version one" }));
    stage
}

#[test]
fn init_publishes_files_of_every_kind_with_one_login() {
    let stage = stage();
    let finished = stage.init(&stage.config(EVERY_KIND)).expect_code(0);
    finished.assert_silent_about(CANARY);

    let read = |file: &str| stage.read(file).unwrap_or_else(|| panic!("{file} is not there"));
    assert_eq!(read("template"), format!("{CANARY}!\n"));
    assert_eq!(read("old-template"), "of version one");
    assert_eq!(read("value"), CANARY);
    assert_eq!(read("old-value"), "of version one");
    let all: serde_json::Value = serde_json::from_str(&read("all.json")).expect("JSON");
    assert_eq!(all, json!({ "password": CANARY, "binary": "AP8K" }));
    assert_eq!(fs::read(stage.space.join("secrets/decoded")).expect("it is there"), [0, 255, b'\n']);
    assert!(read("tls/cert.pem").starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(read("tls/key.pem").starts_with("-----BEGIN EC PRIVATE KEY-----"));

    let mode = |file: &str| {
        let meta = fs::metadata(stage.space.join("secrets").join(file)).expect("it is there");
        meta.permissions().mode() & 0o7777
    };
    assert_eq!((mode("value"), mode("template")), (0o400, 0o440));
    // Both files of the certificate came from one request, and the whole from one login.
    assert_eq!(stage.logins(), 1);
    assert_eq!(stage.server.leases("pki/").len(), 1);
    assert_eq!(stage.server.accessors().len(), 1);
}

#[test]
fn the_set_hangs_on_one_link() {
    let stage = stage();
    stage.init(&stage.config(EVERY_KIND)).expect_code(0);
    let link = |name: &str| fs::read_link(stage.space.join("secrets").join(name)).expect("a symlink");
    let generation = link("..data");
    assert!(stage.space.join("secrets").join(&generation).is_dir());
    for name in ["template", "tls"] {
        assert_eq!(link(name), std::path::Path::new("..data").join(name));
    }
    // Nothing else is beside the generation, its link and the names.
    let hidden: Vec<_> = stage.published().into_iter().filter(|name| name.starts_with('.')).collect();
    assert_eq!(hidden.len(), 2, "{hidden:?}");
}

#[test]
fn a_denied_path_publishes_nothing_and_leaves_nothing_on_the_server() {
    let mut fault = evidence!(13, Server);
    let stage = stage();
    let config = stage.config(&format!("{EVERY_KIND}  - {{path: denied, secret: \"secret/denied#key\"}}\n"));
    let finished = stage.init(&config).expect_code(77);
    assert!(finished.last_line().contains("secret/denied"), "{}", finished.stderr);
    finished.assert_silent_about(CANARY);
    assert_eq!(stage.published(), [""; 0]);
    stage.assert_nothing_left();
    assert!(!stage.space.join("handoff/state").exists());
    fault.exit(finished.code, 77);
    fault.holds("init writes nothing, names the path and gives back what it minted");
}

#[test]
fn a_second_init_takes_over_what_the_first_left() {
    let stage = stage();
    let config = stage.config(EVERY_KIND);
    stage.init(&config).expect_code(0);
    let certificate = stage.read("tls/cert.pem");
    stage.init(&config).expect_code(0);
    assert_eq!(stage.read("tls/cert.pem"), certificate);
    assert_eq!(stage.logins(), 1);
    assert_eq!(stage.server.leases("pki/").len(), 1);
}

#[test]
fn templates_write_beside_their_file_where_the_configuration_allows() {
    let stage = stage();
    let written = stage.space.join("written");
    let files = |write: &str| {
        format!(
            "files:\n  - path: main\n    template: |\n      a{{{{ with secret \"secret/web\" }}}}{{{{ .Data.data.password | {write} }}}}{{{{ end }}}}b\n"
        )
    };
    let write = format!("writeToFile \"{}/sub/password\" \"\" \"\" \"0400\" \"newline\"", written.display());

    let finished = stage.init(&stage.config(&files(&write))).expect_code(65);
    assert!(finished.last_line().contains("`write_to_file`"), "the key: {}", finished.stderr);
    finished.assert_silent_about(CANARY);
    assert!(!written.exists() && stage.read("main").is_none());

    let allowed = format!("write_to_file: ['{}']\n{}", written.display(), files(&write));
    let config = stage.config(&allowed);
    stage.init(&config).expect_code(0).assert_silent_about(CANARY);
    assert_eq!(stage.read("main").as_deref(), Some("ab\n"));
    let path = written.join("sub/password");
    assert_eq!(fs::read_to_string(&path).expect("written"), format!("{CANARY}\n"));
    let before = fs::metadata(&path).expect("there");
    assert_eq!(before.permissions().mode() & 0o7777, 0o400);
    stage.init(&config).expect_code(0);
    assert_eq!(
        fs::metadata(&path).expect("there").ino(),
        before.ino(),
        "nothing differs: nothing is written"
    );

    // A rendering that fails writes nothing, though the call that writes came first.
    stage.put(json!({ "password": "newer" }));
    let failing = allowed.replace("}}b\n", "}}{{ (secret \"secret/web\").Data.none }}b\n");
    stage.init(&stage.config(&failing)).expect_code(65);
    assert_eq!(fs::metadata(&path).expect("there").ino(), before.ino());
}

#[test]
fn a_handoff_is_for_its_owner_only() {
    let stage = stage();
    stage.init(&stage.config(EVERY_KIND)).expect_code(0);
    let meta = fs::metadata(stage.space.join("handoff/state")).expect("init leaves one");
    assert_eq!(meta.permissions().mode() & 0o7777, 0o600);
}

#[test]
fn init_without_a_handoff_keeps_what_its_files_need() {
    let stage = stage();
    let config = stage.config(EVERY_KIND);
    let without: String =
        config.lines().filter(|line| !line.starts_with("handoff")).map(|it| format!("{it}\n")).collect();
    assert_ne!(config, without);
    stage.init(&without).expect_code(0);
    assert_eq!(stage.server.leases("pki/").len(), 1);
    assert_eq!(stage.server.accessors().len(), 1);
}

#[test]
fn a_command_that_the_application_needs_before_its_start_has_run_when_init_ends() {
    let stage = stage();
    let store = stage.space.join("store");
    let notify = |how: &str| {
        format!(
            "files:\n  - {{path: value, secret: \"secret/web#password\"}}\nsandbox: off\nnotify:\n  store: {{command: [sh, -c, {how}], on_init: true}}\n"
        )
    };
    let good = format!("\"cp {0}/secrets/value {1}\"", stage.space.path().display(), store.display());
    stage.init(&stage.config(&notify(&good))).expect_code(0);
    assert_eq!(fs::read_to_string(&store).expect("the command made it"), CANARY);

    // One that fails is tried again up to the deadline, and named then.
    let stage = self::stage();
    let log = stage.space.join("tries");
    let bad = format!("\"echo x >>{}; exit 3\"", log.display());
    let config = stage.config(&(notify(&bad) + "init: {timeout: 5s}\n"));
    let failed = stage.init(&config).expect_code(75);
    assert!(failed.last_line().contains("could not notify store: "), "{}", failed.last_line());
    assert!(fs::read_to_string(&log).expect("it was tried").lines().count() > 1);
}

/// One file, and a command of its notifier that init runs, too.
fn on_init(command: &str) -> String {
    format!(
        "files: [{{path: value, secret: 'secret/web#password', notify: [store]}}]\nsandbox: off\nnotify: {{store: {{command: [sh, -c, {command:?}], on_init: true}}}}\n"
    )
}

#[test]
fn a_command_that_init_has_run_is_not_run_again_by_the_sidecar_that_goes_on_from_it() {
    let stage = stage();
    let log = stage.space.join("ran");
    let ran = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    let config = stage.config(&on_init(&format!("echo x >>{}", log.display())));
    stage.init(&config).expect_code(0);
    assert_eq!(ran(), 1);
    let sidecar = stage.sidecar(&config);
    assert_eq!(ran(), 1, "nothing is new to the application");
    stage.put(json!({ "password": format!("{CANARY}-newer"), "binary": "AP8K" }));
    assert_eq!(stage.post("/refresh").status, 202);
    wait_until("the command to be run for the change", SOON, || ran() == 2);
    sidecar.stop().expect_code(0);
    assert_eq!(stage.logins(), 1);
}

#[test]
fn an_init_that_is_killed_while_its_command_runs_leaves_it_to_the_next() {
    let stage = stage();
    let (log, go) = (stage.space.join("ran"), stage.space.join("go"));
    let ran = || fs::read_to_string(&log).unwrap_or_default().lines().count();
    // It ends when it may, also where its parent has ended before it.
    let command = format!("echo x >>{}; while [ ! -e {} ]; do sleep 0.05; done", log.display(), go.display());
    let config = stage.config(&on_init(&command));
    let path = stage.space.file("killed.yaml", &config);
    let first = Leasehold::new(&stage.space).spawn(&["init", "--config", &path.to_string_lossy()]);
    wait_until("the command to run", SOON, || ran() == 1);
    first.signal(nix::sys::signal::Signal::SIGKILL);
    assert_eq!(first.wait(SOON).code, None);
    assert_eq!(stage.read("value").as_deref(), Some(CANARY), "it was published before");
    stage.space.file("go", "");
    stage.init(&config).expect_code(0);
    assert_eq!(ran(), 2, "the next run has the command run to its end");
    assert_eq!(stage.logins(), 1);
    stage.init(&config).expect_code(0);
    assert_eq!(ran(), 2, "and once is enough");
}

#[test]
fn a_device_is_left_alone_and_what_is_written_beside_it_is_there() {
    let stage = stage();
    let out = stage.space.join("written").display().to_string();
    let template = |name: &str| {
        format!(
            "  - path: /dev/null\n    template: '{{{{ with secret \"secret/web\" }}}}{{{{ .Data.data.password | writeToFile \"{out}/{name}\" \"\" \"\" \"0600\" }}}}{{{{ end }}}}'\n"
        )
    };
    let config = stage.config(&format!(
        "files:\n{}{}write_to_file: ['{out}']\nrequire_tmpfs: false\n",
        template("a"),
        template("b")
    ));
    stage.init(&config).expect_code(0);
    for name in ["a", "b"] {
        assert_eq!(
            fs::read_to_string(stage.space.join("written").join(name)).expect("it was written"),
            CANARY
        );
    }
    use std::os::unix::fs::FileTypeExt as _;
    assert!(fs::metadata("/dev/null").expect("it is there").file_type().is_char_device());
}
