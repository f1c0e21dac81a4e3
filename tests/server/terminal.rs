//! What a person sees at a terminal: the steps of init with their times, the status in colours; and nothing of
//! that anywhere else.

use crate::support::{CANARY, Leasehold, SOON, Stage, Terminal, wait_until};

/// Our program at a terminal.
fn at_a_terminal(arguments: &[&str], variables: &[(&str, &str)]) -> Terminal {
    let binary = Leasehold::binary().display().to_string();
    Terminal::start(&[&[binary.as_str()], arguments].concat(), |command| {
        command.envs(variables.iter().copied());
    })
}

const FILES: &str = "\
files:
  - {path: password, secret: 'secret/web#password'}
  - {path: user, secret: 'rabbitmq/creds/app#username'}
";

fn stage() -> (Stage, String) {
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.space.file("leasehold.yaml", stage.config(FILES)).to_string_lossy().into_owned();
    (stage, config)
}

#[test]
fn init_tells_each_step_with_its_time() {
    let (stage, config) = stage();
    let (code, seen) = at_a_terminal(&["init", "--config", &config], &[("NO_COLOR", "1")]).end();
    assert_eq!(code, 0, "{seen}");
    let mut steps: Vec<&str> = seen
        .lines()
        .map(|line| {
            let (took, what) = line.trim().split_once("  ").expect("a time and a step");
            assert!(took.ends_with('s') && took.starts_with(|char: char| char.is_ascii_digit()), "{line:?}");
            what
        })
        .collect();
    // Two are asked for at once.
    steps[1..5].sort_unstable();
    assert_eq!(
        steps,
        [
            "logged in",
            "read rabbitmq/creds/app",
            "read secret/data/web",
            "rendered password",
            "rendered user",
            "published generation 1: 2 changed",
            "done"
        ],
        "{seen}"
    );
    assert!(!seen.contains(CANARY) && !seen.contains('\u{1b}'), "{seen:?}");

    stage.space.dir("handoff");
    let (_, seen) = at_a_terminal(&["init", "--config", &config], &[]).end();
    assert!(seen.contains("\u{1b}[2m"), "the times are faint: {seen:?}");
}

#[test]
fn init_off_a_terminal_and_with_a_log_that_was_asked_for_tells_no_steps() {
    let (stage, _) = stage();
    let finished = stage.init(&stage.config(FILES)).expect_code(0);
    assert!(finished.stderr.lines().all(|line| line.starts_with('{')), "{}", finished.stderr);
    let json = stage.config(&format!("{FILES}log: {{format: json}}\n"));
    let config = stage.space.file("json.yaml", json).to_string_lossy().into_owned();
    let (code, seen) = at_a_terminal(&["init", "--config", &config], &[]).end();
    assert_eq!(code, 0);
    assert!(seen.lines().all(|line| line.starts_with('{')), "{seen}");
}

#[test]
fn init_that_fails_says_what_and_what_to_do() {
    let (stage, _) = stage();
    let config = stage.config(FILES).replace("role: web", "role: other");
    let config = stage.space.file("other.yaml", config).to_string_lossy().into_owned();
    let (code, seen) = at_a_terminal(&["init", "--config", &config], &[("NO_COLOR", "1")]).end();
    let last = seen.lines().last().unwrap_or_default();
    assert_eq!(code, 77, "{seen}");
    assert!(last.starts_with("leasehold: login refused") && last.contains("check that role"), "{seen}");
    assert!(!seen.contains("  done"), "{seen}");
    // At once, since it is tried for a while, and at the end.
    assert_eq!(seen.matches("login refused").count(), 2, "{seen}");
}

#[test]
fn a_configuration_that_is_not_good_is_shown_once() {
    let (stage, _) = stage();
    let config = stage.space.file("odd.yaml", stage.config(FILES) + "sekrets: 1\n");
    let config = config.to_string_lossy().into_owned();
    for command in ["init", "sidecar", "policy", "plan"] {
        let (code, seen) = at_a_terminal(&[command, "--config", &config], &[("NO_COLOR", "1")]).end();
        assert_eq!(code, 78, "{seen}");
        assert_eq!(seen.matches("unknown key").count(), 1, "{seen}");
        let last = seen.lines().last().unwrap_or_default();
        assert!(
            last.starts_with("leasehold: ")
                && last.ends_with("an error in `sekrets`; fix what is shown above"),
            "{seen}"
        );
    }
}

#[test]
fn the_status_is_coloured_and_watched() {
    let (stage, config) = stage();
    let sidecar = stage.sidecar(&stage.config(FILES));
    let (code, seen) = at_a_terminal(&["status", "--config", &config], &[]).end();
    assert_eq!(code, 0, "{seen}");
    assert!(
        seen.contains(": \u{1b}[32mready\u{1b}[0m") && seen.contains("\u{1b}[32mok\u{1b}[0m"),
        "{seen:?}"
    );
    let (_, plain) = at_a_terminal(&["status", "--config", &config], &[("NO_COLOR", "1")]).end();
    assert!(plain.contains(": ready") && !plain.contains('\u{1b}'), "{plain:?}");
    let watched = at_a_terminal(&["status", "--watch", "--config", &config], &[("NO_COLOR", "1")]);
    wait_until("the screen to be drawn again", SOON, || {
        watched.seen().matches("\u{1b}[H\u{1b}[2J").count() >= 2
    });
    sidecar.stop().expect_code(0);
    wait_until("the daemon to be missed", SOON, || watched.seen().contains("no leasehold answers at unix:"));
}
