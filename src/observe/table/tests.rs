use super::*;
use crate::core::view::{Fault, Health, LoginTrouble, Outage};
use crate::observe::metrics::Besides;
use crate::observe::sample;

#[test]
fn a_cell_of_any_length_and_a_time_of_any_sign_are_shown() {
    let long = "p".repeat(70_000);
    let row = |text: &str| [Cell::from(text.to_owned()), Cell::from("x".to_owned())];
    let lines = columns(["PATH", "STATE"], vec![row(&long), row("short")], Palette::PLAIN);
    assert_eq!(lines[2].len(), 70_000 + 3, "as wide as the widest");
    assert!(until(i64::MIN).ends_with(" ago"));
}

#[test]
fn a_person_sees_files_secrets_and_notifiers_in_columns() {
    let expected = "\
leasehold VERSION: ready, 1 of 1 notifier failing
next:   see that app runs and can be notified: its files are new already
server  up, https://vault.example:8200
login   kubernetes at auth/kubernetes, role web
token   acc, expires in 30m, renew in 15m
process up for 2h, /etc/leasehold/web.yaml

FILE     GENERATION  CHANGED     EXPIRES  STATE
db.env   4           1m 40s ago  in 10m   ok
api-key  4           -           -        ok

SECRET              ID        VERSION  EXPIRES  NEXT         STATE
database/creds/web  0a1b2c3d  -        in 10m   renew in 5m  ok
secret/data/web     4e5f6a7b  7        -        read in 25s  ok

BACKEND  ANSWERS  FAILURES  STATE
disk     3        0         ok

NOTIFIER  NOTIFIED    SENT  FAILED  STATE
app       1m 39s ago  2     1       failing: no answer
";
    let version = env!("CARGO_PKG_VERSION");
    let status = Status::of(&sample::view(), &Besides { certificates: vec![], ..sample::besides() });
    assert_eq!(text(&status, Palette::PLAIN).replace(version, "VERSION"), expected);
}

#[test]
fn trouble_is_told_and_cannot_steer_the_terminal() {
    let mut view = sample::view();
    view.outage = Some(Outage { since: view.now, why: "refused\u{1b}[2J\nforged".into() });
    view.now = view.now.after(Duration::from_secs(700));
    view.token = None;
    view.files[1].generation = None;
    view.files[1].health = Health::Missing;
    view.files[0].health = Health::Expired(view.now);
    view.secrets[1].health = Health::Stale(view.now);
    let text = text(&Status::from(&view), Palette::PLAIN);
    for words in [
        "server  down for 11m 40s: refused [2J forged\n",
        "token   none\n",
        "1m 40s ago  expired: it is past its end, and no successor could be had\n",
        "missing: not yet rendered\n",
        "waits for the server  stale: the server is down\n",
    ] {
        assert!(text.contains(words), "{words:?} in:\n{text}");
    }
    assert!(!text.chars().any(|char| char.is_control() && char != '\n'));
}

#[test]
fn what_is_wrong_comes_first_and_a_login_that_is_lost_says_since_when_and_when_next() {
    let mut view = sample::view_of_the_well();
    view.files[1].health = Health::Failing;
    view.files[1].error = Some(Fault { class: "denied", text: "permission denied".into() });
    let (since, next) = (view.now.before(Duration::from_secs(14)), view.now.after(Duration::from_secs(16)));
    view.token = None;
    view.logged_out = Some(since);
    view.login = Some(LoginTrouble { since, why: "login refused".into(), next: Some(next) });
    let text = text(&Status::of(&view, &sample::besides()), Palette::PLAIN);
    let place = |words: &str| text.find(words).unwrap_or_else(|| panic!("{words:?} in:\n{text}"));
    assert!(place("\napi-key ") < place("\ndb.env "), "{text}");
    place(": ready, 1 of 2 files failing, not logged in since 14s: login refused\n");
    place("role web: not logged in since 14s, next try in 16s: login refused\n");
    place("failing: permission denied\n");
}

#[test]
fn a_store_that_is_away_is_named_by_what_waits_for_it() {
    let mut view = sample::view_of_the_well();
    view.stores[0].outage = Some(Outage { since: view.now, why: "it hangs".into() });
    view.now = view.now.after(Duration::from_secs(65));
    view.secrets[0].source = "disk/db".into();
    view.secrets[0].version = None;
    view.secrets[0].version_id = Some("3f2c91ab-77".into());
    view.secrets[0].health = Health::Stale(view.now);
    view.files[0].health = Health::Stale(view.now);
    let status = Status::of(&view, &sample::besides());
    assert!(!status.is_well());
    let text = text(&status, Palette::PLAIN);
    for words in [
        "next:   see that disk can be reached: it hangs; files stay as they are",
        "stale: disk is down",
        " 3f2c91ab…  ",
        "waits for disk  stale: disk is down",
        "disk     3        0         down for 1m 5s: it hangs",
    ] {
        assert!(text.contains(words), "{words:?} in:\n{text}");
    }
    let mut both = status.clone();
    both.server.up = false;
    both.files[0].sources.push("secret/data/web".into());
    let shown = super::text(&both, Palette::PLAIN);
    assert!(shown.contains("stale: the server and disk are down"), "{shown}");
    let of = |name| text_of(&status, name, Palette::PLAIN).unwrap_or_default();
    assert!(of("db.env").contains("BACKEND") && !of("api-key").contains("BACKEND"));
    assert!(of("disk").contains("down for 1m 5s") && !of("disk").contains("api-key"), "{}", of("disk"));
}

#[test]
fn without_a_vault_there_is_no_server_and_no_token_to_be_told_of() {
    let mut besides = sample::besides();
    (besides.about.method, besides.about.address) = ("none", String::new());
    let mut view = sample::view_of_the_well();
    view.token = None;
    let text = text(&Status::of(&view, &besides), Palette::PLAIN);
    for word in ["server", "login", "token"] {
        assert!(!text.contains(&format!("\n{word} ")), "{word} in:\n{text}");
    }
    assert!(text.contains("disk     3        0         ok"), "{text}");
}

#[test]
fn colours_tell_good_from_bad_and_move_no_column() {
    let mut view = sample::view();
    view.files[0].health = Health::Failing;
    view.files[0].error = Some(Fault { class: "denied", text: "permission denied".into() });
    let status = Status::from(&view);
    let coloured = text(&status, Palette::COLOURED);
    assert!(coloured.contains("\u{1b}[31mfailing: permission denied\u{1b}[0m\n"), "{coloured:?}");
    assert!(coloured.contains("\u{1b}[32mok\u{1b}[0m\n"), "{coloured:?}");
    let codes = ["2", "31", "32", "33", "0"].map(|code| format!("\u{1b}[{code}m"));
    let without = codes.iter().fold(coloured, |text, code| text.replace(code, ""));
    assert_eq!(without, text(&status, Palette::PLAIN));
}

#[test]
fn a_length_of_time_has_two_units_at_most() {
    assert_eq!(span(0), "0s");
    assert_eq!(span(59), "59s");
    assert_eq!(span(3_661), "1h 1m");
    assert_eq!(span(86_400 * 3 + 1), "3days 1s");
    assert_eq!(until(-5), "5s ago");
    span(i64::MIN);
}
