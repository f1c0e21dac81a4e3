//! The mistakes that people make first, each with the place that holds what Leasehold says about it: an entry of
//! tests/server/mistakes.txt, or a configuration of tests/broken. And what holds for all that stands there.

use std::fs;

use crate::support::repository;

/// Each mistake, and its entry or its configuration.
const FIRST: [(&str, &str); 42] = [
    ("AppRole: wrong role_id", "AppRole: a role id that does not exist"),
    ("AppRole: wrong secret_id", "AppRole: a wrong secret id"),
    ("AppRole: expired secret_id", "AppRole: a secret id that has expired"),
    ("AppRole: used-up secret_id", "AppRole: a secret id that is used up"),
    ("JWT: wrong role", "JWT: a role that does not exist"),
    ("JWT: wrong audience", "JWT: a token for another audience"),
    ("JWT: expired", "JWT: a token that has expired"),
    ("JWT: not yet valid", "JWT: a token that is not valid yet"),
    ("wrong auth.mount", "Kubernetes: a mount that does not exist"),
    ("policy missing", "a path that the policy does not allow"),
    ("policy missing, with a short init.timeout", "the same with a short deadline"),
    ("path typo, policy allows", "a mistyped path"),
    ("key typo", "a mistyped key"),
    ("key typo in a template", "a mistyped key in a template"),
    (".Data.password on KV 2", "a key of KV 2 one level up"),
    (".Data.data on KV 1", "a key of KV 1 one level down"),
    ("kv1/data/web on KV 1", "a path of KV 1 with data/"),
    ("no ca_file", "no ca_file"),
    ("another CA", "the ca_file of another server"),
    ("https to http", "https:// to a port without TLS"),
    ("http to TLS", "http:// to a port with TLS"),
    ("wrong port", "a port where nothing listens"),
    ("wrong host name", "a host that does not resolve"),
    ("plain http to another host", "http:// to another host"),
    ("not a tmpfs", "a secrets_dir on a disk"),
    ("folder not writable", "a folder that we may not write"),
    ("chown refused", "an owner that we may not give a file to"),
    ("secret_id file not there", "AppRole: no secret id file"),
    ("secret_id file not readable", "a secret id file that we may not read"),
    ("unknown owner name", "an owner whose name is not known"),
    ("function typo", "mistyped-function.yaml"),
    ("Sprig's name of a function", "sprig-function-without-prefix.yaml"),
    ("mode 400", "mode-as-a-number.yaml"),
    ("tab", "tab-indentation.yaml"),
    ("signal that does not exist", "unknown-signal.yaml"),
    ("unknown key", "unknown-key.yaml"),
    ("missing {{ end }}", "missing-end.yaml"),
    ("port taken", "a port that is taken"),
    ("second sidecar", "a second sidecar"),
    ("no configuration", "no configuration"),
    ("positional configuration", "a file without --config"),
    ("daemon not running", "the status of a daemon that does not run"),
];

/// Words of a place that these mistakes are not made in, which is a machine without Kubernetes.
const OF_A_POD: [&str; 7] =
    ["fsGroup", "emptyDir", "sizeLimit", "subPath", "shareProcessNamespace", "kubectl", "kubelet"];

/// Names that nobody has configured: temporary files, and files of our own.
const OF_OURS: [&str; 3] = ["..leasehold", "/tmp/", "..data_tmp"];

/// Advice that would make a secret readable, a server unverified or a run die.
const HARMFUL: [&str; 7] =
    ["777", "666", "skip_verify: true", "SKIP_VERIFY=1", "--privileged", "kill -9", "kill -KILL"];

/// Each entry of mistakes.txt: the mistake, and what is said about it.
fn entries() -> Vec<(String, String)> {
    let page = fs::read_to_string(repository().join("tests/server/mistakes.txt")).expect("it is there");
    let lines: Vec<&str> = page.lines().collect();
    let pair =
        |two: &[&str]| two[1].strip_prefix("    ").map(|said| (two[0].trim().to_owned(), said.to_owned()));
    lines.windows(2).filter_map(pair).collect()
}

/// What is said about the broken configuration of that name.
fn broken(name: &str) -> Option<String> {
    fs::read_to_string(repository().join("tests/broken").join(format!("{name}.txt"))).ok()
}

#[test]
fn each_mistake_that_people_make_first_has_what_is_said_about_it_in_a_snapshot() {
    let entries = entries();
    for (mistake, at) in FIRST {
        let entry = entries.iter().find(|(name, _)| name == at).map(|(_, said)| said.clone());
        let said =
            entry.or_else(|| broken(at)).unwrap_or_else(|| panic!("{mistake}: nothing is called {at}"));
        // What is wrong, and behind it what to do.
        assert!(said.contains("; "), "{mistake}: no advice: {said}");
    }
}

#[test]
fn no_message_names_what_nobody_has_configured_or_gives_advice_for_another_place_or_that_does_harm() {
    let folder = fs::read_dir(repository().join("tests/broken")).expect("it is in the repository");
    let texts = folder.map(|entry| entry.expect("it can be listed").path());
    let texts = texts.filter(|path| path.extension().is_some_and(|ending| ending == "txt"));
    let broken =
        texts.map(|path| (path.display().to_string(), fs::read_to_string(&path).expect("it can be read")));
    let all: Vec<(String, String)> = broken.chain(entries()).collect();
    assert!(all.len() > 180, "{}", all.len());
    for (name, said) in all {
        // The line of the configuration itself is the person's own.
        let ours: String = said.lines().filter(|line| !line.contains(" | ")).collect();
        for word in OF_A_POD.iter().chain(&OF_OURS).chain(&HARMFUL) {
            assert!(!ours.contains(word), "{name}: {word} in\n{said}");
        }
    }
}
