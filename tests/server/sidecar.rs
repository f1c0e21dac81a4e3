//! `leasehold sidecar` against a real server: what changes is rendered and told, what is leased is kept
//! and replaced in time, and nothing is left behind.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use crate::support::{CANARY, Child, Lives, SOON, Stage, need, wait_for, wait_until};
use leasehold_testkit::evidence;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use nix::unistd::geteuid;
use serde_json::json;

const PASSWORD: &str = "files: [{path: password, secret: 'secret/web#password', refresh: 1s}]\n";

/// Not looked at for as long as a test takes.
const PASSWORD_SELDOM: &str = "files: [{path: password, secret: 'secret/web#password'}]\n";

/// User and password of one lease, over two files of the set.
const CREDENTIALS: &str = r#"
files:
  - {path: user, secret: "rabbitmq/creds/app#username"}
  - {path: password, secret: "rabbitmq/creds/app#password"}
"#;

/// Something that ends when it gets SIGUSR1, as an application that is told would react. Not SIGHUP,
/// which everything below `nohup` ignores.
fn application(stage: &Stage) -> Child {
    let fifo = stage.space.join("never-written");
    nix::unistd::mkfifo(&fifo, Mode::S_IRWXU).expect("a FIFO can be made");
    let child = Child::start("/bin/cat".as_ref(), "application", stage.space.path(), |command| {
        command.arg(&fifo);
    });
    stage.space.file("app.pid", format!("{}\n", child.pid()));
    child
}

#[test]
fn a_changed_secret_is_in_the_file_and_told_within_refresh_and_a_second() {
    let stage = Stage::new();
    stage.put_password("one");
    let mut app = application(&stage);
    let pid_file = stage.space.join("app.pid");
    let notify = format!("notify: {{app: {{signal: USR1, pid_file: '{}'}}}}\n", pid_file.display());
    let config = stage.config(&(PASSWORD.to_owned() + &notify));
    // The first generation is init's, which tells nobody, so that what is told is the change.
    stage.init(&config).expect_code(0);
    let _sidecar = stage.sidecar(&config);
    assert_eq!(stage.read("password"), Some(format!("{CANARY}-one")));
    assert!(app.ended().is_none(), "nothing has changed since it started");

    stage.put_password("two");
    let both = Duration::from_secs(2);
    let in_file =
        wait_until("the file to change", both, || stage.read("password") == Some(format!("{CANARY}-two")));
    let told = wait_for("the application to be told", both - in_file, || app.ended());
    assert_eq!(told.signal(), Some(Signal::SIGUSR1 as i32));
}

#[test]
fn a_refresh_on_request_takes_less_than_200_ms() {
    let stage = Stage::new();
    stage.put_password("0");
    let _sidecar = stage.sidecar(&stage.config(PASSWORD_SELDOM));
    // The fastest of five: the others may have had to wait for a processor.
    let fastest = (1..=5).map(|round| {
        stage.put_password(&round.to_string());
        assert_eq!(stage.post("/refresh").status / 100, 2);
        let expected = Some(format!("{CANARY}-{round}"));
        wait_until("the file to change", SOON, || stage.read("password") == expected)
    });
    let fastest = fastest.min().expect("five rounds");
    assert!(fastest < Duration::from_millis(200), "{fastest:?}");
}

#[test]
fn an_idle_sidecar_gives_back_the_pages_that_only_its_start_needed() {
    let stage = Stage::new();
    stage.put_password("one");
    let mut sidecar = stage.sidecar(&stage.config(PASSWORD_SELDOM));
    let most = sidecar.child().peak_kib();
    let fewer = || sidecar.child().resident_kib() * 3 < most * 2;
    wait_until("a third of it to be given back", SOON, fewer);
    // What is done now needs much of it again.
    stage.put_password("two");
    assert_eq!(stage.post("/refresh").status / 100, 2);
    wait_until("the file to change", SOON, || stage.read("password") == Some(format!("{CANARY}-two")));
}

#[test]
fn a_reader_of_two_files_never_sees_two_generations() {
    let stage = Stage::new();
    stage.put(json!({ "a": "0", "b": "0" }));
    let files = "files: [{path: a, secret: 'secret/web#a'}, {path: b, secret: 'secret/web#b'}]\n";
    let _sidecar = stage.sidecar(&stage.config(files));
    let data = stage.space.join("secrets/..data");
    let done = AtomicBool::new(false);
    let (reads, generations) = thread::scope(|scope| {
        let reader = scope.spawn(|| {
            let (mut reads, mut seen) = (0, std::collections::BTreeSet::new());
            while !done.load(Ordering::SeqCst) {
                // One generation is one folder; it may be gone by the time that the second file is opened.
                let generation = fs::read_link(&data).expect("the link is never missing");
                let read = |name| fs::read_to_string(data.with_file_name(&generation).join(name));
                if let (Ok(a), Ok(b)) = (read("a"), read("b")) {
                    assert_eq!(a, b);
                    reads += 1;
                    seen.insert(a);
                }
            }
            (reads, seen.len())
        });
        for round in 1..=20 {
            let value = round.to_string();
            stage.put(json!({ "a": value, "b": value }));
            stage.post("/refresh");
            wait_until("the next generation", SOON, || stage.read("b").as_ref() == Some(&value));
        }
        done.store(true, Ordering::SeqCst);
        reader.join().expect("the reader never saw two")
    });
    assert!(reads > 20 && generations > 10, "{reads} reads of {generations} generations show too little");
}

#[test]
fn a_sidecar_with_nothing_to_do_does_nothing() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config("files: [{path: password, secret: 'secret/web#password'}]\n");
    let mut sidecar = stage.sidecar(&config);
    // Its own reading of the authority must not be taken for a change of it: SIGHUP makes it read.
    sidecar.signal(Signal::SIGHUP);
    wait_until("the secret to be read anew", SOON, || stage.server.requests("secret/data/web") >= 2);
    let (ticks, requests) = (sidecar.child().cpu_ticks(), stage.server.requests(""));
    // Not a wait for something: the window that is measured.
    thread::sleep(Duration::from_secs(2));
    let spent = sidecar.child().cpu_ticks() - ticks;
    assert!(spent < 20, "{spent} ticks of a hundredth of a second in two seconds");
    assert!(stage.server.requests("") - requests < 5);
}

#[test]
fn sidecar_takes_over_from_init_without_a_login_or_a_write() {
    let mut fault = evidence!(30, Server);
    let stage = Stage::new();
    let config = stage.config(CREDENTIALS);
    stage.init(&config).expect_code(0);
    let inode = || fs::metadata(stage.space.join("secrets/user")).expect("it is there").ino();
    let (before, user) = (inode(), stage.read("user"));
    let _sidecar = stage.sidecar(&config);
    assert_eq!((inode(), stage.read("user")), (before, user));
    assert_eq!(stage.logins(), 1);
    assert_eq!(stage.server.leases("rabbitmq/").len(), 1);
    fault.metric(&stage.metrics(), "leasehold_logins_total 0");
    fault.holds("one login and one lease in all, the file unchanged");
}

#[test]
fn a_killed_sidecar_is_taken_over_by_the_next() {
    let mut fault = evidence!(30, Server);
    let stage = Stage::new();
    let config = stage.config(CREDENTIALS);
    let mut first = stage.sidecar(&config);
    let user = stage.read("user");
    first.child().kill();
    let _second = stage.sidecar(&config);
    assert_eq!(stage.read("user"), user);
    assert_eq!(stage.logins(), 1);
    assert_eq!(stage.server.leases("rabbitmq/").len(), 1);
    fault.metric(&stage.metrics(), "leasehold_logins_total 0");
    fault.holds("taken over after SIGKILL too");
}

#[test]
fn a_sidecar_after_a_reboot_goes_on_with_the_token_and_the_lease_once_the_server_has_told_of_both() {
    if !need("a mount namespace of one's own", "run the tests as root", geteuid().is_root()) {
        return;
    }
    let mut fault = evidence!(30, Server);
    let stage = Stage::new();
    let config = stage.config(CREDENTIALS);
    let mut first = stage.sidecar(&config);
    let user = stage.read("user");
    first.child().kill();
    // The boot clock's times in the handoff mean nothing now; the token and the lease are still good.
    let second = stage.sidecar_on_another_boot(&config);
    assert_eq!(stage.read("user"), user);
    assert_eq!((stage.logins(), stage.server.leases("rabbitmq/").len()), (1, 1));
    assert_eq!(stage.server.requests("auth/token/lookup-self"), 1, "what is left of the token");
    assert_eq!(stage.server.requests("sys/leases/renew"), 1, "what is left of the lease");
    fault.metric(&stage.metrics(), "leasehold_logins_total 0");
    second.stop().expect_code(0);
    stage.assert_nothing_left();
    fault.holds("taken over by another boot of the machine: one look-up, one renewal, no login");
}

#[test]
fn token_and_lease_outlive_their_first_life_without_another_login() {
    let stage = Stage::with(Lives { token: (4, 600), lease: (4, 600), ..Lives::default() });
    let _sidecar = stage.sidecar(&stage.config(CREDENTIALS));
    let user = stage.read("user");
    let accessor = stage.server.accessors().pop().expect("one token");
    let issued = stage.server.lookup_accessor(&accessor).expect("it lives")["creation_time"].as_i64();
    // By the server's own clock both have outlived their first life twice.
    wait_until("two lives to pass", SOON * 2, || {
        let me = stage.server.ask("GET", "sys/health", None).json()["server_time_utc"].as_i64();
        me.zip(issued).is_some_and(|(now, then)| now > then + 9)
    });
    assert!(stage.server.lookup_accessor(&accessor).is_some(), "the token died");
    assert_eq!(stage.read("user"), user);
    assert_eq!(stage.rabbit.users().into_iter().collect::<Vec<_>>(), [user.expect("rendered")]);
    assert_eq!(stage.logins(), 1);
    // Renewed a few times a life, not in a loop.
    let renewals = stage.server.requests("auth/token/renew-self") + stage.server.requests("sys/leases/renew");
    assert!((4..=16).contains(&renewals), "{renewals} renewals in 9 s");
}

#[test]
fn credentials_at_their_longest_life_are_replaced_before_they_end() {
    let mut fault = evidence!(10, Server);
    let stage = Stage::with(Lives { lease: (3, 6), ..Lives::default() });
    let _sidecar = stage.sidecar(&stage.config(CREDENTIALS));
    let first = stage.read("user").expect("rendered");
    wait_until("new credentials", SOON, || {
        // The engine deletes a user when its lease ends: the one in the file is always alive.
        let user = stage.read("user").expect("never missing");
        let alive = stage.rabbit.users().contains(&user) || stage.read("user").as_ref() != Some(&user);
        assert!(alive, "{user} is in the file and was deleted");
        user != first
    });
    wait_until("the old ones to be revoked", SOON, || !stage.rabbit.users().contains(&first));
    assert_eq!(stage.logins(), 1);
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.holds("replaced before they end, the old ones revoked; the user in the file is always alive");
}

#[test]
fn a_revoked_token_is_replaced_and_so_is_what_died_with_it() {
    let mut fault = evidence!(8, Server);
    let stage = Stage::with(Lives { token: (4, 600), ..Lives::default() });
    let _sidecar = stage.sidecar(&stage.config(CREDENTIALS));
    let first = stage.read("user");
    let accessor = stage.server.accessors().pop().expect("one token");
    stage.server.revoke_accessor(&accessor);
    wait_until("new credentials", SOON, || {
        stage.read("user") != first && stage.rabbit.users().contains(&stage.read("user").unwrap_or_default())
    });
    assert_eq!(stage.logins(), 2);
    fault.metric(&stage.metrics(), "leasehold_logins_total 2");
    fault.holds("a new login; credentials that died with the token are replaced");
}

#[test]
fn sigterm_revokes_everything_and_keeps_the_log_free_of_secrets() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config(&format!("{CREDENTIALS}  - {{path: kv, secret: \"secret/web#password\"}}\n"));
    let sidecar = stage.sidecar(&config);
    let password = stage.read("password").expect("rendered");
    let shown =
        ["/status", "/metrics", "/readyz", "/livez"].map(|path| stage.get(path).expect("it listens").text);
    let finished = sidecar.stop();
    assert_eq!(finished.code, Some(0), "{}", finished.stderr);
    for secret in [CANARY, &password] {
        finished.assert_silent_about(secret);
        assert!(!shown.iter().any(|text| text.contains(secret)), "an endpoint shows a secret");
    }
    stage.assert_nothing_left();
    assert!(!stage.space.join("handoff/state").exists());
    // The application may still be reading.
    assert_eq!(stage.read("password"), Some(password));
}

#[test]
fn a_denied_path_harms_only_its_own_file() {
    let mut fault = evidence!(13, Server);
    let stage = Stage::new();
    stage.put_password("one");
    let files = "files: [{path: good, secret: 'secret/web#password', refresh: 1s}, {path: bad, secret: 'secret/denied#k'}]\n";
    let mut sidecar = stage.start(&stage.config(files));
    wait_until("the good file", SOON, || stage.read("good") == Some(format!("{CANARY}-one")));
    stage.put_password("two");
    wait_until("the good file to follow", SOON, || stage.read("good") == Some(format!("{CANARY}-two")));
    assert!(sidecar.runs());
    assert_eq!(stage.get("/readyz").expect("it listens").status, 503);
    assert_eq!(stage.get("/livez").expect("it listens").status, 200);
    assert_eq!(stage.logins(), 1);
    let inode = || fs::metadata(stage.space.join("secrets/good")).expect("there").ino();
    let before = inode();
    // Mended on the server, it comes by itself.
    stage.server.put("secret", "denied", json!({ "k": "v" }));
    stage.server.policy("web", r#"path "secret/data/*" { capabilities = ["read"] }"#);
    wait_until("the other file", SOON * 2, || stage.read("bad").as_deref() == Some("v"));
    wait_until("readiness", SOON, || stage.ready());
    assert_eq!(inode(), before, "in the sandbox, too, what stays the same goes on as the same file");
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_ready 1");
    fault
        .holds("the other file follows its secret, one login; published by itself when the policy is mended");
}

#[test]
fn an_outage_changes_nothing_and_the_return_is_noticed() {
    let mut fault = evidence!(1, Server);
    let mut stage = Stage::with(Lives { durable: true, ..Lives::default() });
    stage.put_password("one");
    let config = stage
        .config(&format!("{CREDENTIALS}  - {{path: kv, secret: \"secret/web#password\", refresh: 1s}}\n"));
    let _sidecar = stage.sidecar(&config);
    let says = |stage: &Stage| stage.get("/readyz").expect("it listens").text;
    let user = stage.read("user");
    stage.server.kill();
    wait_until("the outage to be noticed", SOON, || {
        says(&stage).contains("server down, secrets still valid")
    });
    assert!(stage.ready(), "the secrets are still valid");
    assert_eq!((stage.read("user"), stage.read("kv")), (user.clone(), Some(format!("{CANARY}-one"))));
    stage.server.restart();
    stage.put_password("two");
    wait_until("the file to follow", SOON, || stage.read("kv") == Some(format!("{CANARY}-two")));
    assert_eq!(stage.read("user"), user);
    assert_eq!(stage.logins(), 1);
    fault.metric(&stage.metrics(), "leasehold_logins_total 1");
    fault.metric(&stage.metrics(), "leasehold_replacements_total 0");
    fault.holds("killed and started again on the same data: ready throughout, the lease unchanged, KV current, no login");
}

#[test]
fn a_command_and_an_http_endpoint_are_told_too() {
    let stage = Stage::new();
    stage.put_password("one");
    let told = crate::support::Posted::start();
    let script = stage.space.file("hook", "#!/bin/sh\necho told >>hook.log\nenv >hook.env\n");
    nix::sys::stat::fchmodat(
        nix::fcntl::AT_FDCWD,
        &script,
        Mode::S_IRWXU,
        nix::sys::stat::FchmodatFlags::FollowSymlink,
    )
    .expect("it is ours");
    let notify = format!(
        "notify: {{hook: {{command: ['{}']}}, app: {{http: '{}/-/reload'}}}}\n",
        script.display(),
        told.address()
    );
    let _sidecar = stage.sidecar(&stage.config(&(PASSWORD.to_owned() + &notify)));
    let hooks = || stage.space.read("hook.log").unwrap_or_default().lines().count();
    let (before, posts) = (hooks(), told.paths().len());
    stage.put_password("two");
    wait_until("the hook to run", SOON, || hooks() > before);
    wait_until("the endpoint to be asked", SOON, || told.paths().len() > posts);
    assert_eq!(told.paths().last().map(String::as_str), Some("POST /-/reload"));
    assert!(!stage.space.read("hook.env").unwrap_or_default().contains(CANARY));
}
