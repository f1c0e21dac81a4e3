//! The fuzz targets' corpora and some thousand mutations of them, through the same code that
//! `scripts/fuzz` runs for as long as one likes. Every input that ever failed is in a corpus.

use std::fs;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::process::Command;

use leasehold::handoff::Loaded;

use crate::support::{need, repository};

#[path = "../../fuzz/bodies/mod.rs"]
#[allow(unreachable_pub, reason = "each target is a crate of its own that includes one of them")]
mod bodies;

const MUTATIONS: usize = 2_000;

/// What mutations put in: words and bytes that mean something to one target or another.
const WORDS: [&[u8]; 24] = [
    b"\0",
    b"\xff",
    b"\n",
    b"\r\n",
    b"\"",
    b"\\u0000",
    b"\\ud800",
    b"{",
    b"[",
    b"}",
    b"]",
    b":",
    b",",
    b"null",
    b"-1",
    b"18446744073709551616",
    b"1e999",
    b"..",
    b"%2e",
    b"/",
    b"*a",
    b"&a ",
    b"\xf0\x9f\x98\x80",
    b"{{",
];

/// The same numbers in every run, so that a failure comes again.
struct Dice(u64);

impl Dice {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        usize::try_from(self.0 % limit.max(1) as u64).expect("below a usize")
    }
}

/// One to four changes to `input`.
fn mutated(input: &[u8], others: &[Vec<u8>], dice: &mut Dice) -> Vec<u8> {
    let mut bytes = input.to_vec();
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len() + 1);
        let end = at + dice.below((bytes.len() - at).min(40) + 1);
        let piece = bytes[at..end].to_vec();
        match dice.below(6) {
            0 if at < bytes.len() => bytes[at] ^= 1 << dice.below(8),
            1 => drop(bytes.drain(at..end)),
            2 => drop(bytes.splice(at..end, WORDS[dice.below(WORDS.len())].to_vec())),
            3 => drop(bytes.splice(at..at, piece.repeat(dice.below(20)))),
            4 => bytes.truncate(at),
            _ => {
                let other = &others[dice.below(others.len())];
                let from = dice.below(other.len());
                let to = from + dice.below((other.len() - from).min(80) + 1);
                drop(bytes.splice(at..end, other[from..to].to_vec()));
            }
        }
    }
    bytes
}

fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let entries = fs::read_dir(&folder).expect("each target has a corpus");
    let mut paths: Vec<_> = entries.map(|entry| entry.expect("listed").path()).collect();
    paths.sort();
    paths.iter().map(|path| fs::read(path).expect("readable")).collect()
}

fn run(target: &str, body: fn(&[u8])) {
    let corpus = corpus(target);
    assert!(corpus.len() >= 5, "{target}: that is no corpus");
    let mut dice = Dice(0x2545_f491_4f6c_dd1d);
    let mutations = std::iter::repeat_with(|| {
        let input = &corpus[dice.below(corpus.len())];
        mutated(input, &corpus, &mut dice)
    });
    for input in corpus.iter().cloned().chain(mutations.take(MUTATIONS)) {
        let went_well = catch_unwind(AssertUnwindSafe(|| body(&input))).is_ok();
        assert!(went_well, "add this to fuzz/corpus/{target}: b\"{}\"", input.escape_ascii());
    }
}

#[test]
fn any_answer_of_a_server_is_a_response_or_a_failure() {
    run("response", bodies::response::run);
}

#[test]
fn any_path_is_refused_or_stays_below_the_api() {
    run("request", bodies::request::run);
}

#[test]
fn any_configuration_is_a_plan_or_problems() {
    run("configuration", bodies::configuration::run);
}

#[test]
fn any_handoff_is_ours_or_unusable() {
    run("handoff", bodies::handoff::run);
    let ours = |bytes: &Vec<u8>| {
        matches!(
            Loaded::parse(bytes, &bodies::handoff::binding(), bodies::handoff::NOW),
            Loaded::Found { .. }
        )
    };
    assert!(corpus("handoff").iter().any(ours), "the corpus gets inside");
}

#[test]
fn any_credential_fits_a_header_or_is_refused() {
    run("jwt", bodies::jwt::run);
}

#[test]
fn any_client_of_the_listener_gets_an_answer_or_nothing() {
    run("listener", bodies::listener::run);
}

#[test]
fn any_annotations_are_refused_or_make_a_pod() {
    run("annotations", bodies::annotations::run);
}

#[test]
fn any_review_is_answered_or_is_an_error() {
    run("review", bodies::review::run);
}

#[test]
fn any_secret_that_is_read_as_yaml_is_values_or_an_error() {
    run("yaml", bodies::yaml::run);
}

/// The house is built without the fuzz targets, so no other build notices that their lock file is behind.
#[test]
fn the_lock_file_of_the_fuzz_targets_has_what_they_depend_on() {
    let output = Command::new("cargo")
        .args([
            "metadata",
            "--format-version=1",
            "--locked",
            "--offline",
            "--manifest-path",
            "fuzz/Cargo.toml",
        ])
        .current_dir(repository())
        .output()
        .expect("cargo");
    let said = String::from_utf8_lossy(&output.stderr);
    let is_behind = said.contains("--locked");
    // Without the network, cargo can judge a lock file only where the crates have been fetched.
    let how = "cargo fetch --locked --manifest-path fuzz/Cargo.toml";
    if is_behind || need("the crates of the fuzz targets", how, output.status.success()) {
        assert!(output.status.success(), "run `cargo metadata --manifest-path fuzz/Cargo.toml`: {said}");
    }
}
