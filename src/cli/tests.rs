use super::habits::{HABITS, Habit};
use super::*;

/// Returns what clap says about a command line that is wrong, taken apart.
fn said(arguments: &[&str]) -> (String, String) {
    let arguments = ["leasehold"].iter().chain(arguments);
    let error = Cli::try_parse_from(arguments).expect_err("it is wrong");
    misused::taken_apart(&error.to_string())
}

#[test]
fn what_is_wrong_with_a_command_line_is_one_line_and_is_not_said_twice() {
    let (what, rest) = said(&["sidecar", "--confg", "a"]);
    assert_eq!(what, "unexpected argument '--confg' found");
    assert!(
        rest.contains("a similar argument exists: '--config'") && rest.contains("Usage: leasehold sidecar"),
        "{rest}"
    );
    assert!(!rest.contains("unexpected") && !rest.contains("For more information"), "{rest}");
}

#[test]
fn the_flag_of_vaults_own_programs_is_ours_before_the_command_of_exec() {
    let given = ["exec", "-config=a.hcl", "-config", "b.hcl", "-c", "c", "--", "agent", "-config=d.hcl"];
    let words: Vec<OsString> = words(given.into_iter().map(OsString::from)).collect();
    let ours = ["exec", "--config=a.hcl", "--config", "b.hcl", "-c", "c", "--", "agent", "-config=d.hcl"];
    assert_eq!(words, ours.map(OsString::from));
}

#[test]
fn what_is_missing_or_not_among_the_values_is_named_in_that_line() {
    let (what, _) = said(&["render"]);
    assert_eq!(what, "the following required arguments were not provided: --template <F>");
    let (what, _) = said(&["init", "--timeout", "0s"]);
    assert_eq!(
        what,
        "invalid value '0s' for '--timeout <DURATION>': too short to log in; use a second or more"
    );
    let (what, _) = said(&["check", "--format", "xml"]);
    assert_eq!(what, "invalid value 'xml' for '--format <FORMAT>' [possible values: text, json]");
}

/// Returns the last line about a refused command line that is a habit. Returns `None` for any other command line.
fn refused(arguments: &[&str]) -> Option<String> {
    let words: Vec<OsString> = words(arguments.iter().map(OsString::from)).collect();
    match parsed(&words) {
        Ok(_) => None,
        Err(error) if !error.use_stderr() => None,
        Err(error) => habits::ending(&words, &error).map(|ending| ending.words()),
    }
}

/// Returns the words that a line says to type behind `leasehold`. Returns `None` if the line says to type none.
fn suggested(line: &str) -> Option<Vec<String>> {
    let (_, rest) = line.split_once("type leasehold ")?;
    let end = rest.find([',', ';']).unwrap_or(rest.len());
    Some(rest[..end].split_whitespace().map(str::to_owned).collect())
}

#[test]
fn every_habit_is_answered_with_what_can_be_typed_instead() {
    let mut commands = 0;
    for Habit { behind, typed, .. } in HABITS {
        let places: Vec<&[&str]> =
            if behind.is_empty() { vec![&[]] } else { behind.iter().map(std::slice::from_ref).collect() };
        for (place, word) in places.iter().flat_map(|place| typed.iter().map(move |word| (place, word))) {
            let arguments = [place, std::slice::from_ref(word), &["-c", "web.yaml"]].concat();
            let line = refused(&arguments).unwrap_or_else(|| panic!("{arguments:?} is taken, or not known"));
            assert!(!line.contains(['{', '\n']) || line.contains(": {"), "{arguments:?}: {line}");
            if let Some(words) = suggested(&line) {
                let taken = Cli::try_parse_from(["leasehold".to_owned()].iter().chain(&words));
                assert!(taken.is_ok(), "{arguments:?}: {line}");
                commands += 1;
            }
        }
    }
    assert!(commands > 40, "{commands}");
}

#[test]
fn what_is_behind_the_dashes_or_has_a_value_is_not_repeated() {
    for arguments in [
        &["put", "secret/web", "password=hunter2"][..],
        &["get", "password=hunter2"],
        &["run", "--", "env", "hunter2"],
        &["exec", "env", "PASSWORD=hunter2"],
        &["init", "--token=hunter2"],
        &["init", "--token", "hunter2"],
    ] {
        let line = refused(arguments).unwrap_or_else(|| panic!("{arguments:?} is taken, or not known"));
        assert!(!line.contains("hunter2"), "{line}");
    }
}

#[test]
fn the_text_of_a_template_is_told_from_its_file() {
    let line = refused(&["render", "{{ env \"HOME\" }}"]).expect("a template comes from a file");
    assert!(line.contains("--template -") && !line.contains("{{"), "{line}");
}

#[test]
fn what_can_only_mean_one_thing_is_taken() {
    let printed = |arguments: &[&str]| {
        let words: Vec<OsString> = words(arguments.iter().map(OsString::from)).collect();
        parsed(&words).expect_err("clap returns what is printed as an error").to_string()
    };
    let version = concat!("leasehold ", env!("CARGO_PKG_VERSION"), "\n");
    for arguments in [&["version"][..], &["-v"], &["-version"], &["--version"], &["-V"]] {
        assert_eq!(printed(arguments), version, "{arguments:?}");
    }
    let help = printed(&["init", "--help"]);
    for arguments in
        [&["--help", "init"][..], &["-h", "init"], &["init", "help"], &["help", "init"], &["init", "-help"]]
    {
        assert!(printed(arguments).contains("Usage: leasehold init") && !help.is_empty(), "{arguments:?}");
    }
    let words = |words: &[&str]| -> Vec<OsString> { words.iter().map(OsString::from).collect() };
    for arguments in [
        &["init", "-timeout=30s", "-config", "a.hcl", "-dry-run"][..],
        &["check", "-format=json", "-strict", "a.yaml"],
        &["exec", "-config=a.hcl", "--", "ls", "-format"],
        &["convert", "-output", "new", "old"],
        &["status", "-json"],
    ] {
        let given: Vec<OsString> = super::words(arguments.iter().map(OsString::from)).collect();
        assert!(parsed(&given).is_ok(), "{arguments:?}");
    }
    let meant = habits::meant(&words(&["exec", "-json", "--", "ls", "-json"]));
    assert_eq!(meant, Some(words(&["exec", "--json", "--", "ls", "-json"])));
}
