//! Exit codes are the process's own.

use std::thread;

use crate::exec::scene::Scene;

/// Every signal whose default is to end a process, as the shell numbers them: the real-time ones too.
fn fatal() -> impl Iterator<Item = i32> {
    // Not CHLD, CONT, STOP, TSTP, TTIN, TTOU, URG, WINCH. 32 and 33 are the C library's own.
    (1..=31).filter(|number| !matches!(number, 17..=23 | 28)).chain(34..=64)
}

#[test]
fn every_exit_code_and_every_fatal_signal_comes_through() {
    let scene = Scene::new();
    // Variables alone: so many runs at once would be in each other's way in one folder.
    let program = scene.program("exec: {env: {PASSWORD: {secret: 'secret/web#password'}}}");
    let exits = (0..=255).map(|code| (code, format!("exit {code}")));
    let deaths = fatal().map(|signal| (128 + signal, format!("kill -{signal} $$")));
    let cases: Vec<(i32, String)> = exits.chain(deaths).collect();
    assert_eq!(cases.len(), 256 + 23 + 31);
    thread::scope(|scope| {
        for part in cases.chunks(cases.len().div_ceil(4)) {
            let program = &program;
            scope.spawn(move || {
                for (code, script) in part {
                    let finished = program.run(&["exec", "--", "sh", "-c", script]);
                    assert_eq!(finished.code, Some(*code), "{script}: {}", finished.stderr);
                }
            });
        }
    });
}
