//! The start of a sidecar: what it ends with where it never becomes ready, who hears of the first files, and when an
//! end that is delayed for the application is not delayed any longer.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::{Pid, geteuid};
use serde_json::json;

use crate::support::{
    Cell, Leasehold, Listener, Running, SOON, Stage, children, free_address, need, wait_until,
};

const PASSWORD: &str = "files: [{path: password, secret: 'secret/web#password'}]\n";

/// What the sidecar says first of trouble.
fn wait_for_trouble(sidecar: &Running) {
    wait_until("a word about the trouble", SOON, || {
        let said = sidecar.stderr();
        ["WARN", "ERROR", "\"warn\"", "\"error\""].iter().any(|level| said.contains(level))
    });
}

#[test]
fn a_sidecar_that_is_stopped_before_it_was_ready_ends_with_the_code_of_what_it_lacks() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config(PASSWORD);
    let away = format!("https://{}", free_address());
    for (wrong, code) in [
        (config.replace("secret/web#", "secret/denied#"), 77),
        (config.replace("secret/web#", "secret/wbe#"), 66),
        (config.replace("#password", "#pasword"), 66),
        (config.replace("role: web", "role: wbe"), 77),
        (config.replace(&stage.server.address(), &away), 69),
    ] {
        let sidecar = stage.start(&wrong);
        wait_for_trouble(&sidecar);
        let finished = sidecar.stop();
        assert_eq!(finished.code, Some(code), "{wrong}\n{}", finished.stderr);
        let last = finished.last_line();
        assert!(last.contains(';') && !last.contains("stopped before"), "the cause, and what to do: {last}");
        fs::remove_dir_all(stage.space.join("handoff")).expect("it is there");
        stage.space.dir("handoff");
    }
    // Nothing went wrong: it was only stopped early, or late.
    stage.sidecar(&config).stop().expect_code(0);
}

/// The program with a service manager that waits for it.
fn unit(stage: &Stage) -> (UnixDatagram, Leasehold) {
    let path = stage.space.join("notify");
    let _ = fs::remove_file(&path);
    let socket = UnixDatagram::bind(&path).expect("a fresh folder");
    let program = Leasehold::new(&stage.space).env("NOTIFY_SOCKET", &path.display().to_string());
    (socket, program)
}

#[test]
fn a_unit_whose_credentials_are_refused_fails_with_the_reason_and_at_once_where_they_cannot_be_used() {
    let stage = Stage::new();
    stage.put_password("one");
    let (role_id, _) = stage.server.approle("web", &["web"], "1h");
    let config = stage.config(PASSWORD);
    let own = config.lines().find(|line| line.starts_with("auth:")).expect("a login").to_owned();
    let file = stage.space.file("secret-id", "wrong\n");
    let auth =
        format!("auth: {{method: approle, role_id: '{role_id}', secret_id_file: '{}'}}", file.display());
    let path = stage.space.file("unit.yaml", config.replace(&own, &auth));
    let run = || {
        let (_manager, program) = unit(&stage);
        program.run(&["sidecar", "--config", &path.to_string_lossy()])
    };
    let refused = run().expect_code(77);
    assert!(refused.took >= Duration::from_secs(29), "it may be granted in a moment: {:?}", refused.took);
    assert_eq!(stage.server.requests("auth/approle/login"), 3, "so that the account is not locked");
    assert!(refused.last_line().contains(&*file.to_string_lossy()), "{}", refused.last_line());
    fs::remove_file(&file).expect("it is there");
    stage.space.dir("secret-id");
    let unusable = run().expect_code(77);
    assert!(unusable.took < Duration::from_secs(20), "{:?}", unusable.took);
}

#[test]
fn a_unit_whose_secret_is_missing_for_half_a_minute_fails_and_a_container_does_not() {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.config(&PASSWORD.replace("#password", "#pasword"));
    let path = stage.space.file(
        "unit.yaml",
        config
            .replace("/status.sock", "/unit.sock")
            .replace("/secrets'", "/unit'")
            .replace("/handoff/state", "/handoff/unit"),
    );
    let mut container = stage.start(&config);
    let (_manager, program) = unit(&stage);
    let began = Instant::now();
    let finished = program.run(&["sidecar", "--config", &path.to_string_lossy()]).expect_code(66);
    assert!(began.elapsed() >= Duration::from_secs(29), "{:?}", began.elapsed());
    assert!(finished.last_line().contains("did you mean `password`?"), "{}", finished.last_line());
    assert!(container.runs(), "it goes on trying: {}", container.stderr());
    stage.put(json!({ "pasword": "there" }));
    stage.post("/refresh");
    wait_until("the file", SOON, || stage.read("password").as_deref() == Some("there"));
    container.stop().expect_code(0);
}

#[test]
fn an_application_that_does_not_listen_yet_is_notified_later_without_a_warning() {
    let stage = Stage::new();
    stage.put_password("one");
    let address = free_address();
    let notify = |more: &str| format!("notify: {{app: {{http: 'http://{address}/reload'{more}}}}}\n");
    let sidecar = stage.sidecar(&stage.config(&(PASSWORD.to_owned() + &notify(""))));
    let said = "could not notify app of the first files yet, trying again";
    wait_until("a word that it is notified later", SOON, || sidecar.stderr().contains(said));
    let lines = sidecar.stderr();
    let line = lines.lines().find(|line| line.contains(said)).expect("it was there");
    assert!(line.to_lowercase().contains("info"), "{line}");
    assert!(!lines.to_lowercase().contains("warn"), "{lines}");
    sidecar.stop().expect_code(0);
    // Of the first files it need not be notified at all.
    for name in ["secrets", "handoff"] {
        fs::remove_dir_all(stage.space.join(name)).expect("it is there");
        stage.space.dir(name);
    }
    let asked = Arc::new(AtomicUsize::new(0));
    let counted = Arc::clone(&asked);
    let app = Listener::start(move |_| {
        counted.fetch_add(1, Ordering::SeqCst);
        (200, String::new())
    });
    let notify = notify(", on_first: false").replace(&address.to_string(), &app.address().to_string());
    let sidecar = stage.sidecar(&stage.config(&(PASSWORD.to_owned() + &notify)));
    stage.put_password("two");
    stage.post("/refresh");
    let heard = || asked.load(Ordering::SeqCst);
    wait_until("the application to be notified of the change", SOON, || heard() > 0);
    assert_eq!(heard(), 1, "of the change, and not of the first files");
    sidecar.stop().expect_code(0);
}

/// Whether a process is gone, or waits only for its parent to look.
fn is_over(pid: Pid) -> bool {
    fs::read_to_string(format!("/proc/{pid}/stat")).map_or(true, |stat| stat.contains(") Z "))
}

#[test]
fn a_delayed_end_comes_as_soon_as_no_other_process_of_the_pod_is_left() {
    if !need("root", "run the tests as root, for namespaces", geteuid().is_root()) {
        return;
    }
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.space.file("pod.yaml", stage.config(&format!("{PASSWORD}shutdown: {{delay: 5m}}\n")));
    // The first process holds the namespaces, as a pod's does; the application is beside Leasehold.
    let script = "\"$1\" sidecar --config \"$2\" & sleep 1001 & exec sleep 1002";
    let cell = Cell::start(
        stage.space.path(),
        "pod",
        script,
        &[Leasehold::binary().as_os_str(), config.as_os_str()],
    );
    wait_until("the sidecar to be ready", SOON, || {
        cell.assert_lives();
        stage.ready()
    });
    let named = |name: &str| {
        let is = |pid: &Pid| {
            fs::read_to_string(format!("/proc/{pid}/cmdline")).is_ok_and(|line| line.contains(name))
        };
        children(cell.first()).into_iter().find(is).expect("it runs")
    };
    let (leasehold, application) = (named("sidecar"), named("1001"));
    kill(leasehold, Signal::SIGTERM).expect("it is there");
    let told = Instant::now();
    // It looks every half second: three looks that find the application.
    wait_until("some time to pass", SOON, || told.elapsed() > Duration::from_millis(1600));
    assert!(!is_over(leasehold), "the application still uses the files");
    kill(application, Signal::SIGKILL).expect("it is there");
    wait_until("the end, long before the delay", SOON, || is_over(leasehold));
    stage.assert_nothing_left();
}
