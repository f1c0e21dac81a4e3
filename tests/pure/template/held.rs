//! The memory that the values of one rendering take at once is bounded, whichever functions made them.

use leasehold::functions;
use leasehold::template::host::Nowhere;
use leasehold::template::value::Value;
use leasehold::template::{ExecErrorKind, Limits, MissingKey, Template};

const HELD: usize = 256 << 10;

fn render(text: &str, held: usize) -> Result<Vec<u8>, Box<leasehold::template::ExecError>> {
    let limits = Limits { held, ..Limits::default() };
    let template = Template::parse("web.tpl", text.as_bytes(), None, functions::all()).expect("a template");
    let data = Value::map([
        ("text", Value::text("ab ".repeat(2_000))),
        ("few", Value::text("ab ".repeat(100))),
        ("one", Value::text("x")),
    ]);
    template.execute(data, MissingKey::Error, limits, &mut Nowhere).map(|made| made.expose().to_vec())
}

/// What one expression of each family makes is kept 1,000 times, and takes at least 300 bytes.
#[test]
fn what_each_family_of_functions_makes_counts_while_it_is_held() {
    for (family, expression) in [
        ("text of Go", "printf \"%1000s\" $.one"),
        ("text of Go, escaped", "html (printf \"%1000s<\" $.one)"),
        ("text repeated", "sprig_repeat 500 $.one"),
        ("text joined", "sprig_cat $.text $.one"),
        ("text cut", "sprig_nospace $.text"),
        ("text replaced", "replaceAll \"a\" \"bb\" $.text"),
        ("text indented", "indent 400 $.one"),
        ("text encoded", "base64Encode $.text"),
        ("text made of values", "toJSON (sprig_list $.text)"),
        ("values made of text", "parseJSON \"[[],[],[],[],[]]\""),
        ("values made of text, in YAML", "parseYAML \"{a: {b: 1}, c: []}\""),
        ("text split", "split \" \" $.few"),
        ("text split by an expression", "sprig_regexFindAll \"ab\" $.text -1"),
        ("text split to a map", "sprig_split \" \" \"a b c\""),
        ("numbers", "sprig_until 100"),
        ("numbers of a loop", "sprig_untilStep 0 100 1"),
        ("lists", "sprig_list 1 2 3 4 5 6 7 8 9 10"),
        ("lists put together", "sprig_concat (split \" \" $.few) (sprig_list 1)"),
        ("lists turned round", "sprig_reverse (split \" \" $.few)"),
        ("lists made longer", "sprig_append (split \" \" $.few) 1"),
        ("maps", "sprig_dict \"a\" 1"),
        ("maps of a map", "sprig_pick (sprig_dict \"a\" 1) \"a\""),
        ("maps merged", "mergeMap (sprig_dict \"a\" 1) (sprig_dict \"b\" 1)"),
        ("copies", "sprig_deepCopy (sprig_dict \"a\" (sprig_list 1))"),
    ] {
        let text = format!(
            "{{{{ $all := sprig_list }}}}\n{{{{ range loop 1000 }}}}{{{{ $all = sprig_list $all ({expression}) }}}}{{{{ end }}}}"
        );
        assert!(render(&text, usize::MAX).is_ok(), "{family}: {:?}", render(&text, usize::MAX));
        let error = render(&text, HELD).err().unwrap_or_else(|| panic!("{family}: nothing is counted"));
        assert_eq!(error.kind, ExecErrorKind::Limit, "{family}: {error}");
        let said = error.to_string();
        assert!(said.starts_with("template: web.tpl:2:"), "{family}: {said}");
        assert!(said.contains("more than 256 KiB of values at once for one rendering"), "{family}: {said}");
        // The same, of which nothing is kept, goes on as before.
        let text = format!("{{{{ range loop 1000 }}}}{{{{ $one := {expression} }}}}{{{{ end }}}}");
        assert!(render(&text, HELD).is_ok(), "{family}: {:?}", render(&text, HELD));
    }
}

/// What is kept elsewhere than in a variable.
#[test]
fn what_is_kept_in_maps_and_in_the_scratch_counts() {
    for keeps in [
        "{{ $d := sprig_dict }}{{ range loop 1000 }}{{ $_ := sprig_set $d (toString .) (printf \"%1000d\" .) }}{{ end }}",
        "{{ range loop 1000 }}{{ scratch.Set (toString .) (printf \"%1000d\" .) }}{{ end }}",
        "{{ range loop 1000 }}{{ scratch.MapSet \"a\" (toString .) (printf \"%1000d\" .) }}{{ end }}",
    ] {
        let text = keeps.replace("toString", "sprig_toString");
        assert!(render(&text, usize::MAX).is_ok(), "{keeps}: {:?}", render(&text, usize::MAX));
        let error = render(&text, HELD).err().unwrap_or_else(|| panic!("{keeps}: nothing is counted"));
        assert!(error.to_string().contains("values at once"), "{keeps}: {error}");
    }
}

/// A function that would make all of it in one call is stopped before it does.
#[test]
fn one_call_cannot_make_more_than_may_be_held() {
    for (call, whole) in [
        ("printf \"%600000s\" .one", true),
        ("sprig_repeat 600000 .one", true),
        ("sprig_until 50000", true),
        ("indent 600000 .one", true),
        ("toJSON (printf \"%200000s\" .one)", false),
        ("sprig_cat (printf \"%200000s\" .one) .text", false),
    ] {
        let text = format!("{{{{ $made := {call} }}}}");
        let held = if whole { HELD } else { 300_000 };
        assert!(render(&text, usize::MAX).is_ok(), "{call}: {:?}", render(&text, usize::MAX));
        let error = render(&text, held).err().unwrap_or_else(|| panic!("{call}: it was made"));
        assert!(error.to_string().contains("values at once"), "{call}: {error}");
    }
}

/// What a rendering before this one made, and what the caller holds, is not this one's.
#[test]
fn only_what_this_rendering_made_counts() {
    let mine = Value::text("x".repeat(4 * HELD));
    let text = "{{ $made := printf \"%100000s\" .one }}{{ len $made }}";
    for _ in 0..10 {
        assert_eq!(render(text, HELD).expect("within bounds"), b"100000");
    }
    drop(mine);
    let kept: Vec<_> = (0..10).map(|_| render(text, HELD).expect("within bounds")).collect();
    assert_eq!(kept.len(), 10);
}
