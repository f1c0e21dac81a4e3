//! The room as a whole: foreign texts in, plans or problems out.

mod agent;
mod consul_template;
mod envconsul;
mod print;
mod published;

use std::path::Path;

use super::{Converted, convert};
use crate::plan::{FileSource, Plan, Source};
use crate::problem::Problem;
use crate::read::Text;
use crate::tests::World;

/// Returns a configuration with what every one needs, and `rest`.
fn agent(rest: &str) -> World {
    World::empty().text("agent.hcl", &format!("{HEAD}{rest}"))
}

const HEAD: &str = "\
vault { address = \"https://v:8200\" }
auto_auth { method \"kubernetes\" { config = { role = \"web\" } } }
";

/// Returns the lines that are said about `rest`, without those that every foreign configuration gets.
fn told(rest: &str) -> Vec<String> {
    said(&agent(rest))
}

fn said(world: &World) -> Vec<String> {
    let usual = ["may be written to a disk", "anyone on this machine may read", "a missing key renders as"];
    let lines = world.problems().into_iter();
    lines.filter(|line| !usual.iter().any(|usual| line.contains(usual))).collect()
}

/// Removes the places of templates, which are others in another text.
fn without_places(mut plan: Plan) -> Plan {
    let files = plan.files.iter_mut().filter_map(|file| file.source.template_mut());
    let variables = plan.exec.env.iter_mut().filter_map(|variable| variable.source.template_mut());
    files.chain(variables).for_each(|template| template.origin = None);
    plan
}

fn converted(texts: &[(&str, &str)]) -> Converted {
    let texts: Vec<Text> = texts
        .iter()
        .map(|(name, text)| Text { name: (*name).to_owned(), bytes: text.as_bytes().to_vec() })
        .collect();
    convert(&texts, Path::new("/work-dir"), &|_| Err(std::io::ErrorKind::NotFound.into()), None)
        .unwrap_or_else(|rejected| {
            panic!("{:?}", rejected.problems.iter().map(Problem::one_line).collect::<Vec<_>>())
        })
}

/// Returns the text of the template of file `index`.
fn template(plan: &Plan, index: usize) -> &[u8] {
    match &plan.files[index].source {
        FileSource::Made(Source::Template(template)) => template.template.text(),
        other => panic!("not a template: {other:?}"),
    }
}

#[test]
fn what_is_ours_is_never_taken_for_anothers() {
    let is = |name: &str, text: &str| {
        super::is_foreign(&Text { name: name.to_owned(), bytes: text.as_bytes().to_vec() })
    };
    for (name, text) in [
        ("a.yaml", "vault { }"),
        ("a.yml", "{\"auto_auth\": {}}"),
        ("standard input", "vault:\n  address: x\n"),
        ("standard input", "# vault {\nvault: {address: x}\n"),
        ("standard input", ""),
        ("standard input", "{vault: {address: x}, files: [], template: 1}"),
        ("standard input", "{\"vault\": {}, \"auth\": {}, \"secret\": 1}"),
        ("a.json", "{\"vault\": {\"address\": \"x\"}}"),
        ("a.json", "vault {"),
        ("a", "- x = 1"),
        ("a", "%YAML 1.2\n---\na: b"),
        ("a", "\u{feff}vault: {}"),
    ] {
        assert!(!is(name, text), "{name}: {text}");
    }
    for (name, text) in [
        ("a.hcl", "vault:"),
        ("a.HCL", ""),
        ("standard input", "# c\n// d\n/* e */\nvault {"),
        ("standard input", "pid_file = \"x\""),
        ("standard input", "template \"x\" {"),
        ("a.json", "{\"auto_auth\": {}}"),
        ("a", "\n {\"template\": []}"),
    ] {
        assert!(is(name, text), "{name}: {text}");
    }
}

#[test]
fn texts_of_one_program_are_one_configuration_and_ours_lies_upon_it() {
    let world = World::empty()
        .text("a.hcl", "vault { address = \"https://a:8200\" }\ntemplate { contents = \"one\" destination = \"/o/1\" }\n")
        .text("b.hcl", "auto_auth { method \"kubernetes\" { config = { role = \"web\" } } }\nvault { address = \"https://b:8200\" }\ntemplate { contents = \"two\" destination = \"/o/2\" }\n")
        .text("c.yaml", "require_tmpfs: true\ndefaults: {missing_key: error, mode: '0400'}\n");
    let plan = world.plan();
    assert_eq!(plan.vault.address.as_str(), "https://b:8200/");
    assert_eq!((template(&plan, 0), template(&plan, 1)), (&b"one"[..], &b"two"[..]));
    assert!(plan.require_tmpfs);
    assert_eq!(plan.files[1].mode, 0o400);
}

#[test]
fn a_later_check_points_into_the_foreign_text_that_it_is_about() {
    let world = World::empty()
        .text("a.hcl", &format!("{HEAD}template {{ contents = \"one\" destination = \"/o/1\" }}\n"))
        .text(
            "b.hcl",
            "template {\n  destination = \"/o/2\"\n  contents = <<-EOT\n    first\n      {{ secert \"x\" }}\n    EOT\n}\ntemplate {\n  contents = \"{{ secert }}\" // hunter2\n  destination = \"/o/1\"\n}\n",
        );
    let problems = world.read().expect_err("mistakes").problems;
    let errors: Vec<String> =
        problems.iter().filter(|problem| problem.excerpt.is_some()).map(Problem::to_string).collect();
    assert_eq!(
        errors,
        [
            "b.hcl:5:10: template: function \"secert\" not defined; did you mean \"secret\"?
   |
 5 |       {{ secert \"x\" }}
   |          ^",
            "b.hcl:9:18: template: function \"secert\" not defined; did you mean \"secret\"?
   |
 9 |   contents = \"{{ secert }}\" …
   |                  ^",
            "b.hcl:10:17: the same path as files[0]; two files cannot be one: rename it
    |
 10 |   destination = \"/o/1\"
    |                 ^",
        ]
    );
}

#[test]
fn what_json_and_yaml_read_differently_is_refused() {
    let text = "{\"auto_auth\": {},\n \"template\": [{\"contents\": \"a\u{2028}b\"}]}";
    let world = World::empty().text("agent.json", text);
    assert_eq!(
        world.problems(),
        [
            "agent.json:2:30: a line separator of Unicode; remove it, or write it as an escape in double quotes"
        ]
    );
}
