//! The folder that is shared with an application, on a bad day: files are removed or changed, the folder is
//! replaced, a second run has the same one, and what leaves the configuration leaves the disk.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};

use crate::support::{CANARY, SOON, Stage, has_landlock, wait_until};
use leasehold_testkit::evidence;

/// Looked at every second.
const OFTEN: &str = "files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n";

/// Not looked at, but on request, for as long as a test takes.
const SELDOM: &str = "files: [{path: password, secret: 'secret/web#password'}]\n";

fn is_published(stage: &Stage) -> bool {
    stage.read("password") == Some(format!("{CANARY}-one"))
}

/// What happens to the folder of a stage, in words and in fact.
type Mishap = (&'static str, fn(&Stage));

const MISHAPS: [Mishap; 6] = [
    ("the link of the set is removed", |stage| {
        fs::remove_file(stage.space.join("secrets/..data")).expect("removed");
    }),
    ("an application empties its folder", |stage| {
        fs::remove_file(stage.space.join("secrets/password")).expect("removed");
    }),
    ("a cleaner removes the old files", |stage| {
        fs::remove_file(stage.space.join("secrets/..data/password")).expect("removed");
    }),
    ("all of it is removed", |stage| {
        for name in stage.published() {
            let path = stage.space.join("secrets").join(name);
            let is_folder = fs::symlink_metadata(&path).expect("there").is_dir();
            if is_folder { fs::remove_dir_all(path) } else { fs::remove_file(path) }.expect("removed");
        }
    }),
    ("the link leads elsewhere", |stage| {
        fs::remove_file(stage.space.join("secrets/password")).expect("removed");
        symlink("/etc/hostname", stage.space.join("secrets/password")).expect("linked");
    }),
    ("somebody edits a file", |stage| {
        let path = stage.space.join("secrets/..data/password");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("ours");
        let bytes = fs::read(&path).expect("there").into_iter().rev().collect::<Vec<_>>();
        fs::write(&path, bytes).expect("written");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o440)).expect("ours");
    }),
];

#[test]
fn files_that_are_gone_or_changed_are_put_back_within_a_refresh_and_nothing_is_notified() {
    let evidence = evidence!(43, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let posted = crate::support::Posted::start();
    let alone = stage.space.join("alone/password");
    let config = stage.config(&format!("notify: {{app: {{http: '{}/reload'}}}}\n{OFTEN}", posted.address(),));
    let config = config.replace(
        "files: [",
        &format!("files: [{{path: '{}', secret: 'secret/web#password', refresh: 1s}}, ", alone.display()),
    );
    // The first generation is init's, which notifies nothing.
    stage.init(&config).expect_code(0);
    let sidecar = stage.sidecar(&config);
    for (what, mishap) in MISHAPS {
        mishap(&stage);
        wait_until(what, SOON, || is_published(&stage));
    }
    fs::remove_file(&alone).expect("removed");
    wait_until("the single file", SOON, || {
        fs::read_to_string(&alone).is_ok_and(|text| text.ends_with("-one"))
    });
    wait_until("to be ready", SOON, || stage.ready());
    assert_eq!(posted.paths(), [""; 0], "the application has these bytes already");
    let finished = sidecar.stop().expect_code(0);
    assert!(finished.stderr.contains("removed by another process"), "{}", finished.stderr);
    assert!(finished.stderr.contains("changed by another process"), "{}", finished.stderr);
    finished.assert_silent_about(CANARY);
    evidence.holds(
        "put back within one `refresh`, whatever was done to them; the application is not notified again",
    );
}

#[test]
fn a_refresh_on_request_puts_files_back_whatever_their_own_interval() {
    let stage = Stage::new();
    stage.put_password("one");
    let _sidecar = stage.sidecar(&stage.config(SELDOM));
    for (what, mishap) in MISHAPS {
        mishap(&stage);
        assert_eq!(stage.post("/refresh").status / 100, 2);
        wait_until(what, SOON, || is_published(&stage));
    }
}

#[test]
fn what_is_gone_is_put_back_with_whatever_wakes_the_process_although_no_refresh_is_due() {
    let stage = Stage::new();
    stage.put_password("one");
    let sidecar = stage.sidecar(&stage.config(SELDOM));
    fs::remove_file(stage.space.join("secrets/..data")).expect("removed");
    // The minute is long for a test. The same look comes with a change beside the watched credentials, which are
    // watched from a second after the start on.
    let mut changes = 0;
    wait_until("the file", SOON, || {
        changes += 1;
        stage.space.file("serviceaccount/beside", changes.to_string());
        is_published(&stage)
    });
    let finished = sidecar.stop().expect_code(0);
    assert!(finished.stderr.contains("put back password"), "{}", finished.stderr);
}

/// The next minute's look is far away, and a probe may not say that what is gone is there.
#[test]
fn a_probe_notices_what_is_gone_and_has_it_put_back() {
    let stage = Stage::new();
    stage.put_password("one");
    let _sidecar = stage.sidecar(&stage.config(SELDOM));
    for name in ["..data", "password"] {
        fs::remove_file(stage.space.join("secrets").join(name)).expect("removed");
        let reply = stage.get("/readyz").expect("the sidecar listens");
        assert!(reply.status == 503 || is_published(&stage), "{name}: {}", reply.text);
        wait_until("the file", SOON, || is_published(&stage));
        wait_until("to be ready", SOON, || stage.ready());
    }
}

#[test]
fn a_file_that_cannot_be_put_back_is_named_and_ready_is_not_said() {
    let stage = Stage::new();
    stage.put_password("one");
    let _sidecar = stage.sidecar(&stage.config(OFTEN));
    fs::remove_file(stage.space.join("secrets/password")).expect("removed");
    fs::create_dir(stage.space.join("secrets/password")).expect("made");
    let says = || stage.get("/readyz").map(|reply| (reply.status, reply.text));
    wait_until("not to be ready", SOON, || says().is_some_and(|(status, _)| status == 503));
    let (_, text) = says().expect("the sidecar listens");
    assert!(text.contains("lost: password") && text.contains("a directory is in the way"), "{text}");
    fs::remove_dir(stage.space.join("secrets/password")).expect("removed");
    wait_until("the file", SOON, || is_published(&stage));
    wait_until("to be ready", SOON, || stage.ready());
}

#[test]
fn a_folder_that_was_replaced_is_published_into_or_named_where_the_sandbox_forbids_that() {
    for sandbox in ["'off'", "required"] {
        if sandbox == "required" && !has_landlock() {
            return;
        }
        let stage = Stage::new();
        stage.put_password("one");
        let sidecar = stage.sidecar(&stage.config(&format!("{OFTEN}sandbox: {sandbox}\n")));
        fs::rename(stage.space.join("secrets"), stage.space.join("old")).expect("moved");
        fs::create_dir(stage.space.join("secrets")).expect("made");
        if sandbox == "'off'" {
            wait_until("the file", SOON, || is_published(&stage));
            let told =
                || sidecar.stderr().contains("the folder was replaced, or something was mounted over it");
            wait_until("the application's folder to be named", SOON, || {
                let _probe = stage.get("/readyz");
                told()
            });
            continue;
        }
        wait_until("not to be ready", SOON, || !stage.ready());
        let text = stage.get("/readyz").expect("the sidecar listens").text;
        assert!(text.contains("the folder was removed or replaced since leasehold started"), "{text}");
        assert!(sidecar.stderr().contains("removed or replaced"), "{}", sidecar.stderr());
        // The old one comes back, as where a mount over it is undone.
        fs::remove_dir(stage.space.join("secrets")).expect("removed");
        fs::rename(stage.space.join("old"), stage.space.join("secrets")).expect("moved");
        wait_until("to be ready", SOON, || stage.ready());
        assert!(is_published(&stage));
    }
}

#[test]
fn what_is_gone_is_put_back_while_the_server_is_away() {
    let mut stage = Stage::new();
    stage.put_password("one");
    let _sidecar = stage.sidecar(&stage.config(SELDOM));
    stage.server.kill();
    fs::remove_file(stage.space.join("secrets/..data")).expect("removed");
    assert_eq!(stage.post("/refresh").status / 100, 2);
    wait_until("the file", SOON, || is_published(&stage));
}

#[test]
fn a_second_run_on_the_same_folder_is_kept_out_and_told_by_which_process() {
    let mut evidence = evidence!(44, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config(SELDOM);
    let first = stage.sidecar(&config);
    // Neither the handoff nor the listener of the first is in its way.
    let other = |config: &str| {
        let config = config.replace("handoff/state", "handoff/other").replace("status.sock", "other.sock");
        config.replace("path: password", "path: other")
    };
    for command in [&["init", "--timeout", "20s"][..], &["sidecar"]] {
        let second = stage.run(command, &other(&config));
        evidence.exit(second.code, 73);
        let says = format!("another leasehold does, process {}", first.pid());
        assert!(second.last_line().contains(&says), "{}", second.stderr);
    }
    assert_eq!(stage.published().iter().filter(|name| !name.starts_with("..")).count(), 1);
    assert!(is_published(&stage) && stage.ready());
    // A configuration that is read again goes on in the folder that is ours already.
    stage.space.file("leasehold.yaml", stage.config(OFTEN));
    first.signal(nix::sys::signal::Signal::SIGHUP);
    wait_until("the configuration to be read again", SOON, || {
        first.stderr().contains("configuration read again")
    });
    let elsewhere = other(&config).replace("/secrets'", "/elsewhere'");
    stage.init(&elsewhere).expect_code(0);
    first.stop().expect_code(0);
    // Nothing is left that would keep the next run out.
    stage.init(&other(&config)).expect_code(0);
    evidence
        .holds("the second ends at once and names the process of the first, whose files stay as they are");
}

#[test]
fn a_second_run_with_the_same_absolute_file_is_kept_out_and_one_with_another_file_of_the_folder_is_not() {
    let mut evidence = evidence!(44, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let folder = stage.space.join("alone");
    let file =
        |name: &str| format!("{{path: '{}', secret: 'secret/web#password'}}", folder.join(name).display());
    let run = |run: &str, files: &[String]| {
        let config = stage.config(&format!("files: [{}]\n", files.join(", ")));
        let config = config.replace("handoff/state", &format!("handoff/{run}"));
        config.replace("/secrets'", &format!("/{run}'")).replace("status.sock", &format!("{run}.sock"))
    };
    let start = |config: &str, text: &str, file: &str| {
        let path = stage.space.file(config, text).to_string_lossy().into_owned();
        let running = crate::support::Leasehold::new(&stage.space).spawn(&["sidecar", "--config", &path]);
        wait_until("its file", SOON, || folder.join(file).exists());
        running
    };
    let mut first = start("first.yaml", &run("first", &[file("a"), file("b")]), "b");
    for command in [&["init", "--timeout", "20s"][..], &["sidecar"]] {
        let second = stage.run(command, &run("second", &[file("c"), file("b")]));
        evidence.exit(second.code, 73);
        let says = format!("b: another leasehold does, process {}", first.pid());
        assert!(second.last_line().contains(&says), "{}", second.stderr);
    }
    assert!(!folder.join("c").exists(), "nothing of the second is there");
    // Another file of the folder is another affair, and is not given away by a configuration that is read again.
    let mut third = start("third.yaml", &run("third", &[file("c")]), "c");
    let reread = |running: &crate::support::Running, says: &str| {
        running.signal(nix::sys::signal::Signal::SIGHUP);
        wait_until(says, SOON, || running.stderr().contains(says));
    };
    stage.space.file("third.yaml", run("third", &[file("c"), file("a")]));
    reread(&third, &format!("a: another leasehold does, process {}", first.pid()));
    assert!(third.stderr().contains("the configuration stays as it was"), "{}", third.stderr());
    // What leaves the configuration of one run is free for the other.
    stage.space.file("first.yaml", run("first", &[file("b")]));
    reread(&first, "which the configuration no longer names");
    reread(&third, "configuration read again");
    wait_until("the file of its new run", SOON, || folder.join("a").exists());
    assert!(first.runs() && third.runs());
    let again = stage.run(&["init", "--timeout", "20s"], &run("second", &[file("a")])).expect_code(73);
    assert!(again.last_line().contains(&format!("process {}", third.pid())), "{}", again.stderr);
    first.stop().expect_code(0);
    third.stop().expect_code(0);
    stage.run(&["init", "--timeout", "20s"], &run("second", &[file("b"), file("c")])).expect_code(0);
    evidence.holds("the second run of an absolute file ends at once and names the first; other files of the folder are free");
}

#[test]
fn a_file_and_a_sink_that_leave_the_configuration_leave_the_disk_and_the_token_is_replaced() {
    let evidence = evidence!(45, Server);
    let stage = Stage::new();
    stage.put_password("one");
    let path = |name: &str| stage.space.join("alone").join(name);
    let (file, changed, sink) = (path("file"), path("changed"), path("sink"));
    let with = stage.config(&format!(
        "files: [{{path: password, secret: 'secret/web#password'}}, {{path: '{}', secret: 'secret/web#password'}}, \
         {{path: '{}', secret: 'secret/web#password'}}]\nsinks: [{{path: '{}'}}]\n",
        file.display(),
        changed.display(),
        sink.display()
    ));
    let sidecar = stage.sidecar(&with);
    let token = fs::read_to_string(&sink).expect("the token");
    fs::remove_file(&changed).expect("removed");
    fs::write(&changed, "mine").expect("written");

    stage.space.file("leasehold.yaml", stage.config(SELDOM));
    sidecar.signal(nix::sys::signal::Signal::SIGHUP);
    wait_until("the files to go", SOON, || !file.exists() && !sink.exists());
    assert_eq!(fs::read_to_string(&changed).expect("it stays"), "mine");
    let is_dead = || stage.server.ask_as(token.trim(), "GET", "auth/token/lookup-self", None).status == 403;
    wait_until("the token to be revoked", SOON * 4, is_dead);
    assert!(stage.ready() && is_published(&stage));
    let finished = sidecar.stop().expect_code(0);
    for says in ["removed", "stays, although the configuration no longer names it", "logging in anew"] {
        assert!(finished.stderr.contains(says), "{says}: {}", finished.stderr);
    }
    finished.assert_silent_about(token.trim());
    stage.assert_nothing_left();
    evidence.holds("removed after HUP where they are as published, named where not; the token that a sink showed is replaced and revoked");
}

#[test]
fn files_and_sinks_that_leave_the_configuration_while_no_process_runs_leave_the_disk_at_the_next_start() {
    let evidence = evidence!(45, Server);
    for (sandbox, killed) in [("'off'", false), ("auto", false), ("auto", true)] {
        let stage = Stage::new();
        stage.put_password("one");
        let path = |name: &str| stage.space.join("alone").join(name);
        let names = ["file", "changed", "sink", "stays"];
        let entry =
            |name: &str| format!("{{path: '{}', secret: 'secret/web#password'}}", path(name).display());
        let config = |files: &[&str], sinks: &str| {
            let files: Vec<String> = files.iter().map(|name| entry(name)).collect();
            let files = format!("files: [{}]\nsinks: [{sinks}]\nsandbox: {sandbox}\n", files.join(", "));
            stage.config(&files)
        };
        let with = config(&["file", "changed", "stays"], &format!("{{path: '{}'}}", path("sink").display()));
        let first = stage.sidecar(&with);
        if killed {
            first.signal(nix::sys::signal::Signal::SIGKILL);
            first.wait(SOON);
        } else {
            first.stop().expect_code(0);
        }
        assert!(names.iter().all(|name| path(name).exists()), "what was published stays over a stop");
        fs::remove_file(path("changed")).expect("removed");
        fs::write(path("changed"), "mine").expect("written");
        // Nothing that is published needs the folder of the others any more.
        let moved = config(&["stays"], "").replace("/alone/", "/elsewhere/");
        let second = stage.sidecar(&moved);
        wait_until("the files to go", SOON, || !path("file").exists() && !path("sink").exists());
        wait_until("the third to go", SOON, || !path("stays").exists());
        assert!(stage.space.join("elsewhere/stays").exists(), "they go once the new ones are there");
        assert_eq!(fs::read_to_string(path("changed")).expect("it stays"), "mine");
        let finished = second.stop().expect_code(0);
        let says = |name: &str, what: &str| {
            let file = path(name).display().to_string();
            finished.stderr.lines().filter(|line| line.contains(&file) && line.contains(what)).count()
        };
        for name in ["file", "sink", "stays"] {
            assert_eq!(says(name, "which the configuration no longer names"), 1, "{}", finished.stderr);
        }
        assert_eq!(says("changed", "it is not as it was published"), 1, "{}", finished.stderr);
        // After an orderly end there is nothing on the server to give back.
        assert_eq!(finished.stderr.contains("cannot go on from the handoff"), killed, "{}", finished.stderr);
        // It is said once.
        let third = stage.sidecar(&moved).stop().expect_code(0);
        assert!(!third.stderr.contains("no longer names"), "{}", third.stderr);
        stage.assert_nothing_left();
    }
    evidence.holds("removed by the next run, in the sandbox too, after its own files are there; a changed one stays and is named");
}

#[test]
fn a_file_that_the_configuration_names_again_before_the_others_are_published_stays() {
    let stage = Stage::new();
    stage.put_password("one");
    let path = stage.space.join("alone/file");
    let file = format!("{{path: '{}', secret: 'secret/web#password'}}", path.display());
    let sidecar = stage.sidecar(&stage.config(&format!("files: [{file}]\n")));
    let mut reread = 0;
    let mut reload = |files: &str| {
        reread += 1;
        stage.space.file("leasehold.yaml", stage.config(&format!("files: [{files}]\n")));
        sidecar.signal(nix::sys::signal::Signal::SIGHUP);
        wait_until("the configuration to be read again", SOON, || {
            sidecar.stderr().matches("configuration read again").count() == reread
        });
    };
    // Nothing is there, so that this one is never published.
    reload("{path: other, secret: 'secret/none#password'}");
    assert!(path.exists(), "the others are not there yet");
    reload(&file);
    wait_until("to be ready", SOON, || stage.ready());
    let finished = sidecar.stop().expect_code(0);
    assert!(path.exists() && !finished.stderr.contains("no longer names"), "{}", finished.stderr);
}

#[test]
fn files_that_left_the_configuration_stay_until_the_new_ones_are_published() {
    let stage = Stage::new();
    stage.put_password("one");
    let path = |name: &str| stage.space.join("alone").join(name);
    let config = |name: &str| {
        stage.config(&format!(
            "files: [{{path: '{}', secret: 'secret/web#password'}}]\n",
            path(name).display()
        ))
    };
    let (old, new) = (config("old"), config("new"));
    stage.sidecar(&old).stop().expect_code(0);
    stage.server.seal();
    let waiting = stage.start(&new);
    wait_until("the server to be missed", SOON, || waiting.stderr().contains("the server is away"));
    waiting.stop().expect_code(69);
    assert!(path("old").exists() && !path("new").exists(), "the application has nothing else");
    stage.server.unseal();
    let ready = stage.sidecar(&new);
    wait_until("the old file to go", SOON, || !path("old").exists());
    assert!(path("new").exists());
    ready.stop().expect_code(0);
}
