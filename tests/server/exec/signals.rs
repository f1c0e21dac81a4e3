//! Signals that come to us are the process's.

use nix::sys::signal::Signal;

use crate::exec::scene::{FILE, PATIENCE, Scene, is_gone, kill};
use crate::support::{Child, Leasehold, SOON, wait_until};

#[test]
fn every_signal_is_passed_on() {
    let scene = Scene::new();
    // The shell counts what it hears: those that do not end it anyhow, and real-time ones too.
    let numbers: Vec<i32> = (1..=31)
        .filter(|n| !matches!(n, 4 | 5 | 6 | 7 | 8 | 9 | 11 | 13 | 15 | 17 | 19..=22 | 24 | 25 | 27 | 31))
        .chain([34, 35, 64])
        .collect();
    let traps: String = numbers.iter().map(|n| format!("trap 'echo {n} >>heard' {n}; ")).collect();
    let script = format!("{traps} trap 'exit 3' TERM; echo up >heard; while :; do sleep 0.01; done");
    let running = scene.start(FILE, &script);
    let mut heard = "up\n".to_owned();
    scene.wait_for_text("heard", &heard);
    for number in numbers {
        shell_kill(&running, number);
        heard += &format!("{number}\n");
        scene.wait_for_text("heard", &heard);
    }
    assert_eq!(running.stop().code, Some(3));
}

/// The shell's kill knows the real-time signals, which nix does not.
fn shell_kill(running: &crate::support::Running, number: i32) {
    let script = format!("kill -{number} {}", running.pid());
    assert!(crate::exec::scene::shell(&script).status().expect("a shell").success());
}

#[test]
fn a_process_that_will_not_stop_is_killed_with_all_of_its_group_after_its_time() {
    let scene = Scene::new();
    let rest = format!("{FILE}exec: {{stop_timeout: {}ms}}", PATIENCE.as_millis());
    let script =
        "trap '' TERM; sh -c 'echo $$ >below; while :; do sleep 1; done' & while :; do sleep 1; done";
    let running = scene.start(&rest, script);
    let below = scene.wait_for_pid("below");
    let finished = running.stop();
    assert_eq!(finished.code, Some(137), "{}", finished.stderr);
    wait_until("the one below to be killed too", SOON, || is_gone(below));
}

/// Below a process that ends when it is told to, one that does not mind SIGTERM until there is a file.
const STUBBORN: &str = "sh -c 'trap \"\" TERM; echo $$ >below; until test -e go; do sleep 0.01; done; \
                        echo below $PASSWORD >>seen' & \
                        trap 'echo above >>seen; exit 5' TERM; echo $PASSWORD >>seen; \
                        while :; do sleep 0.01; done";

#[test]
fn what_outlives_a_process_that_was_told_to_stop_is_killed_when_the_time_is_over() {
    let scene = Scene::new();
    let rest = format!("{FILE}exec: {{stop_timeout: {}ms}}", PATIENCE.as_millis());
    let running = scene.start(&rest, STUBBORN);
    let below = scene.wait_for_pid("below");
    scene.wait_for_text("seen", "\n");
    let finished = running.stop();
    assert_eq!(finished.code, Some(5), "its code is the first one's: {}", finished.stderr);
    assert!(is_gone(below), "we end when all of it has ended");
    assert!(finished.took >= PATIENCE, "it had its time");
}

#[test]
fn the_next_process_starts_when_nobody_is_left_of_the_one_before() {
    let scene = Scene::new();
    let rest = "exec: {env: {PASSWORD: {secret: 'secret/web#password', refresh: 1s}}}";
    let running = scene.start(rest, STUBBORN);
    scene.wait_for_pid("below");
    scene.wait_for_text("seen", "one\n");
    scene.put("two");
    scene.wait_for_text("seen", "one\nabove\n");
    scene.space.file("go", "");
    // Who came first is the order of the lines. The next one's own line comes behind its trap, and may
    // come behind that of the one below it.
    let next = |seen: String| seen.lines().any(|line| line == "two");
    wait_until("the next one", SOON, || scene.space.read("seen").is_some_and(next));
    let seen = scene.space.read("seen").expect("it is there");
    assert!(seen.starts_with("one\nabove\nbelow one\n"), "{seen}");
    assert_eq!(running.stop().code, Some(5));
}

#[test]
fn what_stops_us_stops_the_process_by_its_own_signal_and_all_of_its_group() {
    let scene = Scene::new();
    let rest = format!("{FILE}exec: {{stop_signal: USR1}}");
    let script = "trap 'exit 5' USR1; trap 'exit 6' TERM; \
                  sh -c 'trap \"echo told >below; exit\" USR1; echo up >below; while :; do sleep 0.01; done' & \
                  while :; do sleep 0.01; done";
    let running = scene.start(&rest, script);
    scene.wait_for_text("below", "up\n");
    assert_eq!(running.stop().code, Some(5));
    scene.wait_for_text("below", "told\n");
}

#[test]
fn a_signal_other_than_the_stop_reaches_the_process_alone() {
    let scene = Scene::new();
    let script = "trap 'echo told >above' USR1; \
                  sh -c 'echo $$ >below; exec sleep 600' & while :; do sleep 0.01; done";
    let running = scene.start(FILE, script);
    let below = scene.wait_for_pid("below");
    running.signal(Signal::SIGUSR1);
    scene.wait_for_text("above", "told\n");
    assert!(!is_gone(below), "SIGUSR1 would have ended it");
    running.stop();
}

#[test]
fn before_there_is_a_process_a_stop_ends_us() {
    let scene = Scene::new();
    let program = scene.program(FILE).env("VAULT_ADDR", "http://127.0.0.1:1");
    for signal in [Signal::SIGTERM, Signal::SIGINT, Signal::SIGHUP] {
        let running = program.spawn(&["exec", "--", "true"]);
        wait_until("the server to be missed", SOON, || running.stderr().contains("is away"));
        running.signal(signal);
        // As a sidecar that was never ready: with the code of what was in the way.
        let finished = running.wait(SOON).expect_code(69);
        assert!(finished.last_line().contains("the server does not answer"), "{}", finished.last_line());
    }
}

#[test]
fn what_we_were_told_to_ignore_stays_ignored_by_the_process() {
    let scene = Scene::new();
    let program = scene.program(FILE);
    let script = "trap '' HUP; exec \"$0\" exec -- sh -c 'kill -HUP $$; echo alive'";
    let binary = Leasehold::binary().display().to_string();
    let mut child = Child::start("/bin/sh".as_ref(), "ignoring", scene.space.path(), |command| {
        command
            .args(["-c", script, &binary])
            .env_clear()
            .envs(program.variables())
            .current_dir(scene.space.path());
    });
    assert!(child.wait(SOON).success());
    assert_eq!(child.stdout(), "alive\n");
}

#[test]
fn nothing_of_ours_is_open_in_the_process_or_blocked_and_its_output_is_its_own() {
    let scene = Scene::new();
    let script = "ls -1 /proc/self/fd | wc -l; grep -E '^Sig(Blk|Ign)' /proc/self/status; ulimit -c";
    let bare = crate::exec::scene::shell(script).output().expect("a shell");
    let finished = scene.run(FILE, script).expect_code(0);
    assert_eq!(finished.stdout, String::from_utf8_lossy(&bare.stdout));
}

#[test]
fn the_last_words_of_a_process_are_not_cut_and_its_children_outlive_it_if_it_wants() {
    let scene = Scene::new();
    let script = "sh -c 'echo $$ >below; exec sleep 600' & echo last words >&2; until test -s below; do :; done; exit 2";
    let finished = scene.run(FILE, script).expect_code(2);
    assert!(finished.stderr.contains("last words"), "{}", finished.stderr);
    let below = scene.wait_for_pid("below");
    assert!(!is_gone(below), "it ended by itself: what it left is not ours");
    kill(below, Signal::SIGKILL);
}
