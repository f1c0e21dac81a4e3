//! Mistakes in templates, shown at their places.

use super::World;

const HEAD: &str = "\
vault: {address: 'https://v:8200'}
auth: {method: kubernetes, role: web}
";

/// Returns the whole message about the one mistake in a file whose keys are `keys`.
fn told(keys: &str) -> String {
    let world = World::new(&format!("{HEAD}files:\n{keys}"))
        .file("/t/bad.tpl", "good\n  é {{ secret \"kv/a\" | toJSNO }}\n")
        .file("/t/open.tpl", "{{ if true }}\nx\n");
    let problems = world.read().expect_err("a mistake").problems;
    assert_eq!(problems.len(), 1, "{problems:?}");
    problems[0].to_string()
}

#[test]
fn in_a_block_the_line_and_column_are_those_of_the_configuration() {
    assert_eq!(
        told("  - path: /a\n    template: |\n      first\n\n        {{ secert \"kv/a\" }}\n"),
        "c.yaml:8:12: template: function \"secert\" not defined; did you mean \"secret\"?
   |
 8 |         {{ secert \"kv/a\" }}
   |            ^"
    );
    // The block says itself how deep it is indented.
    let indented = told("  - path: /a\n    template: |2-\n        {{ secert \"kv/a\" }}\n");
    assert!(indented.starts_with("c.yaml:6:12: template: function"), "{indented}");
    let crlf = told("  - path: /a\r\n    template: |\r\n      first\r\n      {{ secert }}\r\n");
    assert!(crlf.starts_with("c.yaml:7:10: template: function"), "{crlf}");
}

#[test]
fn on_one_line_the_column_is_that_of_the_configuration() {
    assert_eq!(
        told("  - {path: /a, template: '{{ secert }}', mode: '0400'}\n"),
        "c.yaml:4:30: template: function \"secert\" not defined; did you mean \"secret\"?
   |
 4 |   - {path: …, template: '{{ secert }}', mode: …}
   |                             ^"
    );
    let plain = told("  - path: /a\n    template: x {{ secert }}\n");
    assert!(plain.starts_with("c.yaml:5:20: template: function"), "{plain}");
}

#[test]
fn where_the_text_is_folded_or_escaped_the_value_is_shown() {
    for template in [">\n      x\n      {{ secert }}\n", "\"\\t{{ secert }}\"\n", "'it''s {{ secert }}'\n"] {
        let problem = told(&format!("  - path: /a\n    template: {template}"));
        assert!(problem.starts_with("c.yaml:5:15: template: function"), "{template}: {problem}");
    }
}

#[test]
fn in_a_template_file_the_place_is_that_files() {
    assert_eq!(
        told("  - {path: /a, template_file: /t/bad.tpl}\n"),
        "/t/bad.tpl:2:24: template: function \"toJSNO\" not defined; did you mean \"toJSON\"?
   |
 2 |   é {{ secret \"kv/a\" | toJSNO }}
   |                        ^"
    );
    let open = told("  - {path: /a, template_file: /t/open.tpl}\n");
    assert!(open.starts_with("/t/open.tpl:1:4: template: unexpected EOF"), "{open}");
}

#[test]
fn the_mistakes_of_all_templates_are_told_in_one_run_each_with_its_caret() {
    let files = "  - {path: /a, template: '{{ secert }}'}\n  - {path: /b, template: '{{ if }}x{{ end }}'}\n  \
        - {path: /c, template_file: /t/bad.tpl}\n";
    let world =
        World::new(&format!("{HEAD}files:\n{files}")).file("/t/bad.tpl", "a\n{{ range .l }}\n{{ break");
    let problems = world.read().expect_err("mistakes").problems;
    let told: Vec<String> = problems.iter().map(ToString::to_string).collect();
    let places = ["c.yaml:4:30: ", "c.yaml:5:33: ", "/t/bad.tpl:3:9: "];
    assert_eq!(told.len(), places.len(), "{told:#?}");
    for place in places {
        assert!(told.iter().any(|told| told.starts_with(place) && told.ends_with('^')), "{place}: {told:#?}");
    }
}
