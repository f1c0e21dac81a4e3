use std::collections::BTreeSet;

use super::*;
use crate::host::Nowhere;
use crate::value::Type;

/// A world that notes what is asked of it.
#[derive(Default)]
struct Spy(BTreeSet<&'static str>);

impl Host for Spy {
    fn ask(&mut self, _: &Request) -> Result<Option<Response>, HostError> {
        Ok(None)
    }

    fn env(&mut self, _: &str) -> Option<Secret> {
        self.0.insert("env");
        Some("of the controller".into())
    }

    fn file(&mut self, _: &str) -> Result<Option<Secret>, HostError> {
        self.0.insert("file");
        Ok(Some("the controller's token".into()))
    }

    fn now(&mut self) -> WallTime {
        self.0.insert("now");
        WallTime { seconds: 1_700_000_000, nanoseconds: 0 }
    }

    fn zone(&mut self, _: &str) -> Option<Vec<u8>> {
        self.0.insert("zone");
        None
    }

    fn network(&mut self) -> Result<Network, HostError> {
        self.0.insert("network");
        Ok(Network::default())
    }

    fn random(&mut self, bytes: &mut [u8]) {
        self.0.insert("random");
        bytes.fill(1);
    }

    fn write(&mut self, _: WrittenFile) -> Result<(), HostError> {
        self.0.insert("write");
        Ok(())
    }
}

/// Returns arguments of these types that are good enough for the function to begin.
fn arguments(name: &str, types: &[Type]) -> String {
    match name {
        "writeToFile" => return r#" "/tmp/x" "" "" "0644" "content""#.to_owned(),
        "sprig_randInt" => return " 1 9".to_owned(),
        "sockaddr" => return r#" "GetPrivateIP""#.to_owned(),
        _ => {}
    }
    let one = |of: &Type| match of {
        Type::Int(_) => " 3",
        Type::Bool => " true",
        Type::Struct("time.Time") => r#" (sprig_toDate "2006" "2006")"#,
        _ => r#" "abc""#,
    };
    types.iter().map(one).collect()
}

#[test]
fn each_function_that_reaches_the_program_is_refused_by_name_with_the_reason() {
    for (why, names) in IMPURE {
        for name in *names {
            let function = functions::all().get(name).expect("IMPURE names a function");
            for text in [
                format!("{{{{ {name}{} }}}}", arguments(name, function.params)),
                format!("{{{{ if false }}}}{{{{ {name} }}}}{{{{ end }}}}"),
                format!("{{{{ define \"x\" }}}}{{{{ \"a\" | {name} }}}}{{{{ end }}}}"),
                format!("{{{{ with $f := ({name}) }}}}{{{{ end }}}}"),
            ] {
                let error = Profile::pure().parse("t", text.as_bytes(), None).expect_err(&text);
                assert_eq!(error.message, format!("function \"{name}\" not defined"), "{text}");
                assert_eq!(error.hint.as_deref(), Some(*why), "{text}");
            }
        }
    }
}

#[test]
fn what_no_template_may_call_stays_refused() {
    for name in ["plugin", "key", "sprig_getHostByName", "sprig_genPrivateKey"] {
        let error = Profile::pure().parse("t", format!("{{{{ {name} \"a\" }}}}").as_bytes(), None);
        assert!(error.expect_err(name).hint.is_some(), "{name}");
    }
}

/// A function that is added later and reaches the program must be dealt with: this test finds it.
#[test]
fn no_other_function_reaches_anything_but_secrets_and_the_salt_of_a_hash() {
    let allowed = Profile::pure().functions();
    for name in allowed.names() {
        let function = allowed.get(name).expect("it is named");
        let text = format!("{{{{ {name}{} }}}}", arguments(name, function.params));
        let template = Profile::pure().parse("t", text.as_bytes(), None).expect(&text);
        let mut spy = Spy::default();
        let result = template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut spy);
        let crossed = result.is_err_and(|error| error.message.starts_with("a template that is to be pure"));
        // They take the time of now where they are given none.
        assert_eq!(crossed, matches!(name, "sprig_date" | "sprig_htmlDate"), "{text}");
        let expected: BTreeSet<&str> = match name {
            "sprig_bcrypt" | "sprig_htpasswd" => ["random"].into(),
            _ => BTreeSet::new(),
        };
        assert_eq!(spy.0, expected, "{text}");
    }
}

/// The other side of the wall, by a function set that lets everything through.
#[test]
fn what_is_not_refused_by_name_ends_the_rendering() {
    let open = Profile { functions: functions::all().clone(), limits: LIMITS, text: TEXT };
    for (text, what) in [
        (r#"{{ env "HOME" }}"#, "the environment"),
        (r#"{{ envOrDefault "HOME" "x" }}"#, "the environment"),
        (r#"{{ sprig_expandenv "$HOME" }}"#, "the environment"),
        (r#"{{ file "/etc/passwd" }}"#, "a file"),
        (r#"{{ writeToFile "/tmp/x" "" "" "0644" "a" }}"#, "a file to write"),
        ("{{ timestamp }}", "the clock"),
        ("{{ sprig_now }}", "the clock"),
        (r#"{{ sprig_date "2006" "no time" }}"#, "the clock"),
        (r#"{{ sprig_dateInZone "2006" (sprig_toDate "2006" "2006") "Europe/Berlin" }}"#, "a time zone"),
        (r#"{{ sockaddr "GetPrivateIP" }}"#, "the network"),
        (r#"{{ executeTemplate "x" }}{{ define "x" }}{{ env "HOME" }}{{ end }}"#, "the environment"),
    ] {
        let template = open.parse("t", text.as_bytes(), None).expect(text);
        let mut spy = Spy::default();
        let error =
            template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut spy).expect_err(text);
        assert_eq!(error.message, format!("a template that is to be pure asks for {what}"), "{text}");
        assert_eq!(spy.0, BTreeSet::new(), "{text}");
    }
}

#[test]
fn dates_are_shown_in_utc() {
    let text = br#"{{ sprig_toDate "2006-01-02" "2024-05-06" | sprig_date "2006-01-02 MST" }}"#;
    let template = Profile::pure().parse("t", text, None).expect("a template");
    let out = template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut Spy::default());
    assert_eq!(out.expect("it renders").expose_str(), Some("2024-05-06 UTC"));
}

#[test]
fn each_bound_holds_whatever_the_caller_allows() {
    let deep = format!("{}1{}", "{{ if true }}".repeat(120), "{{ end }}".repeat(120));
    for text in [
        // Steps: rounds within rounds, and hashes of passwords.
        r#"{{ $r := sprig_until 9000 }}{{ range $r }}{{ range $r }}{{ end }}{{ end }}"#,
        r#"{{ range sprig_until 100 }}{{ $x := sprig_bcrypt "a" }}{{ end }}"#,
        // One range, the output, the values and the depth.
        "{{ range sprig_until 10001 }}{{ end }}",
        r#"{{ range sprig_until 4400 }}{{ sprig_repeat 1000 "x" }}{{ end }}"#,
        r#"{{ $x := "abcdefgh" }}{{ range sprig_until 30 }}{{ $x = print $x $x }}{{ end }}"#,
        r#"{{ define "x" }}{{ template "x" }}{{ end }}{{ template "x" }}"#,
        &deep,
    ] {
        let template = Profile::pure().parse("t", text.as_bytes(), None).expect(text);
        let generous = Limits { depth: 500, ..Limits::default() };
        let error = template.execute(Value::Nil, MissingKey::Error, generous, &mut Nowhere).expect_err(text);
        assert_eq!(error.kind, ExecErrorKind::Limit, "{text}: {error}");
    }
    let long = "a".repeat(TEXT + 1);
    let error = Profile::pure().parse("t", long.as_bytes(), None).expect_err("it is too long");
    assert_eq!(
        error.to_string(),
        "template: t:1: the text has more than 64 KiB (split it into several templates)"
    );
}

#[test]
fn a_caller_may_allow_less() {
    let template =
        Profile::pure().parse("t", b"{{ range sprig_until 11 }}a{{ end }}", None).expect("a template");
    let few = Limits { range: 10, ..Limits::default() };
    assert!(template.execute(Value::Nil, MissingKey::Error, few, &mut Nowhere).is_err());
    assert!(template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut Nowhere).is_ok());
}
