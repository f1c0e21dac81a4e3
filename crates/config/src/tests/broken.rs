//! What is refused: each row a mistake, and every line that must be said about it.

mod exec;
mod files;
mod keys;
mod kinds;
mod login;
mod notify;
mod rest;
mod server;
mod sinks;
mod unwise;
mod yaml;

use super::World;
use leasehold_base::exit::Cause;

/// A part of [`BASE`], what stands there instead, and the problems that follow, one line each.
type Row = (&'static str, &'static str, &'static [&'static str]);

/// A configuration without a problem.
const BASE: &str = "\
vault:
  address: https://v:8200
auth:
  method: kubernetes
  role: web
secrets_dir: /s
files:
  - path: a
    secret: kv/a#k
";

fn world(part: &str, instead: &str) -> World {
    assert!(BASE.contains(part), "not a part of the base: {part:?}");
    World::new(&BASE.replacen(part, instead, 1)).var("TWO_WORDS", "a b").var("ONE_WORD", "a")
}

fn check(rows: &[Row]) {
    for (part, instead, says) in rows {
        assert_eq!(world(part, instead).problems(), *says, "{instead}");
    }
}

#[test]
fn the_base_has_no_problem() {
    assert_eq!(World::new(BASE).problems(), [""; 0]);
}

#[test]
fn every_mistake_in_a_key_is_named_with_its_place_and_its_mend() {
    check(keys::ROWS);
}

#[test]
fn every_value_of_the_wrong_kind_is_named_with_its_place_and_its_mend() {
    check(kinds::ROWS);
}

#[test]
fn every_mistake_about_a_sink_is_named_with_its_place_and_its_mend() {
    check(sinks::ROWS);
}

#[test]
fn every_mistake_about_the_process_is_named_with_its_place_and_its_mend() {
    check(exec::ROWS);
}

#[test]
fn every_mistake_about_the_server_is_named_with_its_place_and_its_mend() {
    check(server::ROWS);
}

#[test]
fn every_mistake_in_the_login_is_named_with_its_place_and_its_mend() {
    check(login::ROWS);
}

#[test]
fn every_mistake_in_a_file_is_named_with_its_place_and_its_mend() {
    check(files::ROWS);
}

#[test]
fn every_mistake_in_a_notifier_is_named_with_its_place_and_its_mend() {
    check(notify::ROWS);
}

#[test]
fn every_other_mistake_is_named_with_its_place_and_its_mend() {
    check(rest::ROWS);
}

#[test]
fn what_is_not_yaml_is_explained_in_words() {
    check(yaml::ROWS);
}

#[test]
fn unwise_choices_are_told_and_accepted() {
    check(unwise::ROWS);
    for (part, instead, _) in unwise::ROWS {
        assert!(world(part, instead).read().is_ok(), "{instead}");
    }
}

#[test]
fn mistakes_of_every_step_are_told_in_one_run() {
    let world = World::new("vault: {address: 'https://v:8200', tiemout: 3s}\nauth: {method: kubernetes}\nfiles: [{path: /a, secret: 'kv/a#'}]\n")
        .text("b.yaml", "listen: nowhere\nlog: {level: 3}\n")
        .var("VAULT_CLIENT_TIMEOUT", "soon");
    assert_eq!(
        world.problems(),
        [
            "VAULT_CLIENT_TIMEOUT: not a duration; write it like 30s, 5m, 1h30m or 250ms",
            "c.yaml:1:36: unknown key `tiemout`; did you mean `timeout`?",
            "c.yaml:2:1: method `kubernetes` needs `role`; add `role:` to `auth`",
            "c.yaml:3:28: no key behind the #; name one, or take the # out for all fields as JSON",
            "b.yaml:1:9: neither IP:PORT nor unix:/path; write it like 127.0.0.1:9110 or unix:/run/leasehold.sock",
            "b.yaml:2:14: expected a word, found a number; put it in quotes",
        ]
    );
    assert_eq!(world.read().expect_err("problems").cause, Cause::Config);
}

#[test]
fn a_problem_is_shown_on_its_line_with_everything_else_left_out() {
    let world = World::new(BASE).text("b.yaml", "log: {level: info, format: xml} # hunter2\n");
    let rejected = world.read().expect_err("a problem");
    assert_eq!(
        rejected.problems[0].to_string(),
        "b.yaml:1:28: unknown value; use one of auto, text, json\n   |\n 1 | log: {level: …, format: xml}\n   |                         ^"
    );
}
