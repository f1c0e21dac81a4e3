//! `writeToFile`: what a rendering gathers, and what it refuses.

use super::*;
use crate::render::Write;

fn rules() -> WriteRules {
    WriteRules { folders: vec!["/w".into()], taken: ["/w/own".into()].into() }
}

/// Returns what the template renders to, and what it wrote.
fn written(text: &str) -> Result<(String, Vec<Write>), Ending> {
    let store = store(&[("kv/web", r#"{"pass":"hunter2"}"#)]);
    match render(FILE, &template(text), &store, &environment(), &rules()) {
        Outcome::Done { made, .. } => Ok((made.bytes.expose_str().expect("UTF-8").to_owned(), made.writes)),
        Outcome::Failed { why, .. } => Err(why),
        other @ Outcome::Needs { .. } => panic!("unexpected: {other:?}"),
    }
}

fn contents(writes: &[Write]) -> Vec<(&str, &str, bool)> {
    writes
        .iter()
        .map(|write| {
            let path = write.path.to_str().expect("UTF-8");
            (path, write.content.expose_str().expect("UTF-8"), write.append)
        })
        .collect()
}

#[test]
fn a_write_leaves_nothing_in_the_output_and_has_mode_and_owner() {
    let text = r#"a{{ with secret "kv/web" }}{{ .Data.pass | writeToFile "/w/sub/x" "web" "tls" "0640" }}{{ end }}b"#;
    let (output, writes) = written(text).expect("rendered");
    assert_eq!(output, "ab");
    let [write] = &writes[..] else { panic!("one: {writes:?}") };
    assert_eq!((write.mode, write.uid, write.gid), (0o640, Some(101), Some(7)));
    assert_eq!(contents(&writes), [("/w/sub/x", "hunter2", false)]);
    let (_, writes) = written(r#"{{ "x" | writeToFile "/w/x" "12" "" "400" }}"#).expect("rendered");
    assert_eq!((writes[0].mode, writes[0].uid, writes[0].gid), (0o400, Some(12), None));
}

#[test]
fn flags_add_a_newline_and_go_on_from_what_the_same_rendering_wrote() {
    let text = r#"{{ "1" | writeToFile "/w/x" "" "" "0400" "newline" }}{{ "2" | writeToFile "/w/y" "" "" "0400" "append,newline" -}}
        {{ "3" | writeToFile "/w/x" "" "" "0400" "append" }}{{ "4" | writeToFile "/w/y" "" "" "0400" "append" }}"#;
    let (_, writes) = written(text).expect("rendered");
    assert_eq!(contents(&writes), [("/w/x", "1\n3", false), ("/w/y", "2\n4", true)]);
    let text =
        r#"{{ "1" | writeToFile "/w/x" "" "" "0400" "append" }}{{ "2" | writeToFile "/w/x" "" "" "0440" }}"#;
    let (_, writes) = written(text).expect("rendered");
    assert_eq!(contents(&writes), [("/w/x", "2", false)], "written anew");
    assert_eq!(writes[0].mode, 0o440);
}

#[test]
fn what_may_not_be_written_is_refused_with_the_key_and_without_a_value() {
    for (call, why) in [
        (
            r#"writeToFile "/tmp/x" "" "" "0400""#,
            "below no folder that the configuration's `write_to_file` names",
        ),
        (
            r#"writeToFile (print "/" .) "" "" "0400""#,
            "below no folder that the configuration's `write_to_file` names",
        ),
        (r#"writeToFile "/w/../etc/passwd" "" "" "0400""#, "`.` or `..` in the path"),
        (r#"writeToFile "x" "" "" "0400""#, "the path is not absolute"),
        (r#"writeToFile "/w/own" "" "" "0400""#, "in the way of one of the configuration's `files`"),
        (r#"writeToFile "/w/x" "nobody-here" "" "0400""#, "the owner's name is not in /etc/passwd"),
        (r#"writeToFile "/w/x" "" "4294967295" "0400""#, "the owner's name is not in /etc/group"),
        (r#"writeToFile "/w/x" "" "" "4755""#, "the mode is not one of a file"),
        (r#"writeToFile "/w/x" "" "" "rw""#, "the mode is not an octal number"),
    ] {
        let text = format!(
            r#"{{{{ with secret "kv/web" }}}}{{{{ with .Data.pass }}}}{{{{ . | {call} }}}}{{{{ end }}}}{{{{ end }}}}"#
        );
        let error = written(&text).expect_err(call);
        assert_eq!(error.cause, Cause::Template);
        assert!(error.what.contains("files[0].template:1:") && error.what.contains(why), "{error}");
        assert!(!error.what.contains("hunter2"), "{error}");
    }
}

#[test]
fn a_rendering_that_fails_or_lacks_something_writes_nothing() {
    let write = r#"{{ "x" | writeToFile "/w/x" "" "" "0400" }}"#;
    for rest in [r#"{{ (secret "kv/other").Data.x }}"#, r#"{{ (secret "kv/web").Data.none }}"#] {
        let store = store(&[("kv/web", r#"{"pass":"hunter2"}"#)]);
        let outcome = render(FILE, &template(&format!("{write}{rest}")), &store, &environment(), &rules());
        assert!(!matches!(outcome, Outcome::Done { .. }), "{outcome:?}");
    }
}

#[test]
fn one_rendering_does_not_write_without_end() {
    let many = r#"{{ range loop 1001 }}{{ writeToFile (printf "/w/%d" .) "" "" "0400" "x" }}{{ end }}"#;
    let long = r#"{{ range loop 3 }}{{ sprig_repeat 25000000 "x" | writeToFile "/w/x" "" "" "0400" "append" }}{{ end }}"#;
    // What is written is held until the end of the rendering.
    let held = r#"{{ range loop 3 }}{{ sprig_repeat 40000000 "x" | writeToFile (printf "/w/%d" .) "" "" "0400" }}{{ end }}"#;
    let error = written(held).expect_err("too much");
    assert!(error.what.contains("more than 64 MiB of values at once for one rendering"), "{error}");
    // The last of them may be written again.
    let most = r#"{{ range loop 1000 }}{{ writeToFile (printf "/w/%d" .) "" "" "0400" "x" }}{{ end }}{{ "y" | writeToFile "/w/999" "" "" "0400" "append" }}"#;
    assert_eq!(written(most).expect("a thousand files").1.len(), 1000);
    for text in [many, long] {
        let error = written(text).expect_err("too much");
        assert!(error.what.contains("too much is written by one rendering"), "{error}");
    }
}

#[test]
fn without_a_configuration_nothing_is_written() {
    let (store, environment) = (Store::default(), environment());
    let text = br#"{{ "x" | writeToFile "/w/x" "" "" "0644" }}"#;
    let template = Template::parse("t", text, None, functions::all()).expect("a template");
    let mut world = World::new(&store, &environment);
    let error = template
        .execute(Value::Nil, crate::template::MissingKey::Error, Limits::default(), &mut world)
        .expect_err("refused");
    assert!(error.to_string().contains("writeToFile: nothing is written without a configuration"), "{error}");
}
