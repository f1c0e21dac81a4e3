//! Nonsense: whatever the bytes, parsing and rendering end without a panic. The fuzz targets go on where
//! these stop.

use leasehold::template::function::Functions;
use leasehold::template::host::Nowhere;
use leasehold::template::value::Value;
use leasehold::template::{Limits, MissingKey, Template};
use leasehold::tree::Tree;
use proptest::prelude::*;

const LIMITS: Limits = Limits { depth: 100, range: 100, output: 1 << 14, steps: 5_000, held: 64 << 20 };

/// Parses and, where it is a template, renders.
fn swallow(text: &[u8], delimiters: Option<(&str, &str)>) {
    let tree =
        Tree::from_json(br#"{"a":"x","b":{"c":[1,2.50,null]},"l":["y",true,{}],"n":5432}"#).expect("JSON");
    match Template::parse("soup", text, delimiters, &Functions::new()) {
        Err(error) => assert!(error.position.offset <= text.len(), "{error}"),
        Ok(template) => {
            if let Ok(output) =
                template.execute(Value::from_tree(&tree), MissingKey::Default, LIMITS, &mut Nowhere)
            {
                assert!(output.len() <= LIMITS.output);
            }
        }
    }
}

/// Pieces of the language in any order.
fn soup() -> impl Strategy<Value = Vec<u8>> {
    let words: &[&str] = &[
        "{{",
        "}}",
        "{{-",
        "-}}",
        " ",
        "\n",
        "(",
        ")",
        "|",
        ".",
        "$",
        ",",
        ":=",
        "=",
        "if",
        "else",
        "end",
        "range",
        "with",
        "define",
        "block",
        "template",
        "break",
        "continue",
        "nil",
        "true",
        "\"t\"",
        "\"\\xff%d\"",
        "`r`",
        "'c'",
        "1",
        "-1",
        "1e999",
        "0x1p-1074",
        "9223372036854775807",
        "1+2i",
        ".a",
        ".b.c",
        ".l",
        ".n",
        "$x",
        "$y.z",
        "print",
        "printf",
        "index",
        "slice",
        "len",
        "and",
        "or",
        "not",
        "eq",
        "lt",
        "html",
        "js",
        "urlquery",
        "call",
        "/*",
        "*/",
        "é",
        "\u{0}",
    ];
    let word = proptest::sample::select(words).prop_map(|word| word.as_bytes().to_vec());
    let spaced = prop_oneof![3 => word.clone().prop_map(|mut word| { word.push(b' '); word }), 1 => word];
    prop::collection::vec(spaced, 0..60).prop_map(|words| words.concat())
}

/// An action with any words in it: more of these get past the parser.
fn actions() -> impl Strategy<Value = Vec<u8>> {
    let operand = proptest::sample::select(
        &[
            ".",
            ".a",
            ".b.c",
            ".l",
            ".n",
            "$",
            "1",
            "-1",
            "99",
            "1.5",
            "1e300",
            "\"%*d%[5]v\"",
            "\"a\"",
            "nil",
            "true",
            "1+2i",
        ][..],
    );
    let function = proptest::sample::select(
        &[
            "print", "printf", "println", "index", "slice", "len", "and", "or", "not", "eq", "ne", "lt",
            "ge", "html", "js", "urlquery", "call", "range", "if", "with",
        ][..],
    );
    let action = (function, prop::collection::vec(operand, 0..4)).prop_map(|(function, args)| {
        let end = if matches!(function, "range" | "if" | "with") { "{{.}}{{end}}" } else { "" };
        format!("{{{{ {function} {} }}}}{end}", args.join(" "))
    });
    prop::collection::vec(action, 1..4).prop_map(|actions| actions.concat().into_bytes())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_parse_or_fail(bytes in prop::collection::vec(any::<u8>(), 0..200), left in ".{0,3}", right in ".{0,3}") {
        swallow(&bytes, None);
        swallow(&bytes, Some((&left, &right)));
    }

    #[test]
    fn any_words_parse_or_fail(text in soup(), left in ".{0,2}") {
        swallow(&text, None);
        swallow(&text, Some((&left, "}}")));
    }

    #[test]
    fn any_actions_render_or_fail(text in actions()) {
        swallow(&text, None);
    }
}
