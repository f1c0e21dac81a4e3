//! Whatever a template does, it ends: in an error that says which limit, on a small stack.

use leasehold::template::function::Functions;
use leasehold::template::host::Nowhere;
use leasehold::template::value::Value;
use leasehold::template::{ExecError, ExecErrorKind, Limits, MissingKey, Template};

fn fails(template: &str, limits: Limits) -> Box<ExecError> {
    let parsed = Template::parse("limits", template.as_bytes(), None, &Functions::new()).expect("a template");
    parsed
        .execute(Value::Nil, MissingKey::Default, limits, &mut Nowhere)
        .err()
        .unwrap_or_else(|| panic!("{template} reaches no limit"))
}

fn limit(template: &str, limits: Limits) -> String {
    let error = fails(template, limits);
    assert_eq!(error.kind, ExecErrorKind::Limit, "{error}");
    error.message.clone()
}

#[test]
fn endless_recursion_ends_with_gos_words() {
    for endless in [
        r#"{{ define "t" }}{{ template "t" . }}{{ end }}{{ template "t" . }}"#,
        r#"{{ define "t" }}{{ if true }}{{ with 1 }}{{ range 1 }}{{ template "t" (print (print .)) }}{{ end }}{{ end }}{{ end }}{{ end }}{{ template "t" . }}"#,
        r#"{{ define "a" }}{{ template "b" . }}{{ end }}{{ define "b" }}{{ template "a" . }}{{ end }}{{ template "a" . }}"#,
    ] {
        assert_eq!(limit(endless, Limits::default()), "exceeded maximum template depth (500)");
    }
}

#[test]
fn huge_ranges_end() {
    let limits = Limits { range: 1000, ..Limits::default() };
    assert_eq!(limit("{{ range 1001 }}{{ end }}", limits), "range goes round more than 1000 times");
    let nested = "{{ range 1000000 }}{{ range 1000000 }}{{ range 1000000 }}{{ end }}{{ end }}{{ end }}";
    let limits = Limits { steps: 100_000, ..Limits::default() };
    assert_eq!(limit(nested, limits), "too much work for one rendering");
}

#[test]
fn texts_that_double_end() {
    let limits = Limits { output: 1 << 16, ..Limits::default() };
    let doubling = r#"{{ $x := "x" }}{{ range 60 }}{{ $x = print $x $x }}{{ end }}"#;
    assert!(
        fails(doubling, limits).message.ends_with("error calling print: too much text for one rendering")
    );
    for all_at_once in [
        r#"{{ printf "%1000000d" 1 }}"#,
        r#"{{ printf "%.1000000f" 1.0 }}"#,
        r#"{{ printf "%1000000s" "" | html }}"#,
    ] {
        assert!(
            fails(all_at_once, limits).message.contains("too much text for one rendering"),
            "{all_at_once}"
        );
    }
    assert_eq!(
        limit(r#"{{ range 100000 }}0123456789{{ end }}"#, limits),
        "too much output for one rendering"
    );
}

#[test]
fn deep_nesting_is_refused_by_the_parser() {
    let deep = 100_000;
    for nested in [
        format!("{{{{ {}1{} }}}}", "(".repeat(deep), ")".repeat(deep)),
        format!("{}{}", "{{ if true }}".repeat(deep), "{{ end }}".repeat(deep)),
        format!("{{{{ if true }}}}{}{{{{ end }}}}", "{{ else if true }}".repeat(deep)),
        format!("{}{}", r#"{{ block "b" . }}"#.repeat(deep), "{{ end }}".repeat(deep)),
    ] {
        let error =
            Template::parse("limits", nested.as_bytes(), None, &Functions::new()).expect_err("too deep");
        assert_eq!(error.message, "max expression depth exceeded");
    }
}

#[test]
fn what_the_parser_takes_at_its_deepest_renders() {
    let deep = 190;
    let text = format!("{{{{ {}1{} }}}}", "(".repeat(deep), ")".repeat(deep));
    let template = Template::parse("limits", text.as_bytes(), None, &Functions::new()).expect("not too deep");
    let output =
        template.execute(Value::Nil, MissingKey::Default, Limits::default(), &mut Nowhere).expect("renders");
    assert_eq!(output.expose(), b"1");
}

#[test]
fn errors_hold_no_value() {
    let canary = "hunter2-canary";
    let data = Value::map([
        ("s", Value::text(canary)),
        ("l", Value::list([Value::text(canary)])),
        ("m", Value::map([("k", Value::text(canary))])),
    ]);
    for template in [
        "{{ range .s }}{{ end }}",
        "{{ .s.x }}",
        "{{ .m.k.x }}",
        "{{ index .l .s }}",
        "{{ index .s .l }}",
        "{{ index .m .l }}",
        "{{ eq .s .l }}",
        "{{ eq .l .l }}",
        "{{ eq .m .l }}",
        "{{ lt .s 1 }}",
        "{{ len .s .s }}",
        "{{ slice .m 1 }}",
        "{{ call .s }}",
        "{{ printf .l }}",
        "{{ template \"x\" .s }}",
        "{{ .s .s }}",
        "{{ 1 | .s }}",
    ] {
        let template =
            Template::parse("canary", template.as_bytes(), None, &Functions::new()).expect("a template");
        let result = template.execute(data.clone(), MissingKey::Error, Limits::default(), &mut Nowhere);
        let error = result.expect_err("an error");
        assert!(!format!("{error} {error:?}").contains(canary), "{error}");
    }
}
