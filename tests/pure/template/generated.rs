//! Templates out of a grammar, with data, beside Go.
//!
//! The ordinary run is a small, fixed set; `tests/oracle/generate.sh` runs 100,000.

use leasehold::template::function::Functions;
use proptest::prelude::*;
use proptest::strategy::ValueTree;
use proptest::test_runner::{Config, RngAlgorithm, TestRng, TestRunner};

use super::case::Case;
use super::oracle::Oracle;

const FEW: usize = 500;
/// How many cases are made before they are compared.
const BATCH: usize = 5_000;

fn pick(words: &'static [&'static str]) -> impl Strategy<Value = String> + Clone {
    proptest::sample::select(words).prop_map(str::to_owned)
}

/// A name that the data often has, and sometimes has not.
fn name() -> impl Strategy<Value = String> {
    pick(&["a", "b", "c", "d", "n", "s", "l", "m", "X", "ü"])
}

fn field() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => name().prop_map(|name| format!(".{name}")),
        2 => (name(), name()).prop_map(|(a, b)| format!(".{a}.{b}")),
        1 => name().prop_map(|name| format!("$.{name}")),
        1 => Just(".".to_owned()),
        1 => Just("$".to_owned()),
        1 => Just("$x".to_owned()),
        1 => name().prop_map(|name| format!("$x.{name}")),
    ]
}

/// Whole numbers are small here: a `range` may go over them, nested.
fn constant() -> impl Strategy<Value = String> {
    prop_oneof![
        3 => (-3i64..12).prop_map(|number| number.to_string()),
        1 => any::<f64>().prop_filter("a literal", |number| number.is_finite()).prop_map(|number| format!("{number:e}")),
        1 => (-1000i32..1000, 0u32..1000).prop_map(|(whole, part)| format!("{whole}.{part}")),
        2 => pick(&[
            "0", "1", "2", "1.0", "0x_f", "0b11", "0o17", "1e3", "0x1p-2", "1i", "1+2i", "'\\n'",
            "true", "false", "nil", "\"\"", "\"a\"", "\"b\"", "`raw`", "\"\\xff\"", "\"<&'>\"", "\"é\\t\"", "\"5\"",
        ]),
    ]
}

/// A format and the constant arguments, for `printf`.
fn format_string() -> impl Strategy<Value = String> {
    let directive = (
        "[-+# 0]{0,3}",
        prop_oneof![4 => Just(String::new()), 1 => "[0-9]{1,2}", 1 => Just("*".to_owned()), 1 => "\\[[0-4]\\]"],
        prop_oneof![4 => Just(String::new()), 1 => "\\.[0-9]{0,2}", 1 => Just(".*".to_owned())],
        pick(&[
            "v", "v", "d", "s", "q", "x", "X", "o", "O", "b", "c", "U", "e", "E", "f", "F", "g", "G", "t",
            "T", "%", "z", "w",
        ]),
    );
    let piece = prop_oneof![
        3 => directive.prop_map(|(flags, width, precision, verb)| format!("%{flags}{width}{precision}{verb}")),
        1 => pick(&["a", " ", "|", "%", "é"]),
    ];
    prop::collection::vec(piece, 0..5).prop_map(|pieces| format!("\"{}\"", pieces.concat()))
}

fn operand() -> BoxedStrategy<String> {
    let leaf = prop_oneof![3 => field(), 2 => constant()];
    leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            4 => call(inner.clone()).prop_map(|call| format!("({call})")),
            1 => (call(inner.clone()), name()).prop_map(|(call, name)| format!("({call}).{name}")),
            1 => (inner.clone(), function(inner, 1)).prop_map(|(first, second)| format!("({first} | {second})")),
        ]
    })
    .boxed()
}

/// A function with about as many arguments as it takes, or just an operand.
fn call(operand: impl Strategy<Value = String> + Clone + 'static) -> impl Strategy<Value = String> {
    prop_oneof![4 => function(operand.clone(), 0), 1 => operand]
}

/// A function; `less` arguments come out of the pipeline.
fn function(operand: impl Strategy<Value = String> + Clone + 'static, less: usize) -> BoxedStrategy<String> {
    let of = |names: &'static [&'static str], least: usize, most: usize| {
        let args = prop::collection::vec(operand.clone(), least.saturating_sub(less)..=most - less);
        (pick(names), args)
            .prop_map(|(name, args)| format!("{name} {}", args.join(" ")).trim_end().to_owned())
    };
    let large = prop_oneof![
        any::<i64>().prop_map(|number| number.to_string()),
        any::<char>().prop_map(|rune| format!("'\\U{:08x}'", u32::from(rune))),
    ];
    let printed = prop::collection::vec(prop_oneof![4 => operand.clone(), 1 => large], 0..4);
    prop_oneof![
        6 => of(&["print", "println", "html", "js", "urlquery"], 1, 3),
        6 => (format_string(), printed).prop_map(|(format, args)| format!("printf {format} {}", args.join(" ")).trim_end().to_owned()),
        4 => of(&["and", "or", "eq"], 2, 3),
        4 => of(&["ne", "lt", "le", "gt", "ge"], 2, 2),
        3 => of(&["len", "not"], 1, 1),
        3 => of(&["index", "slice"], 2, 3),
        1 => of(&["print", "len", "index", "slice", "and", "not", "eq", "ne", "lt", "call", "printf"], 1, 4),
    ]
    .boxed()
}

fn pipeline() -> impl Strategy<Value = String> {
    prop_oneof![
        4 => call(operand()),
        2 => (call(operand()), function(operand(), 1)).prop_map(|(first, second)| format!("{first} | {second}")),
        1 => prop::collection::vec(call(operand()), 1..3).prop_map(|stages| stages.join(" | ")),
    ]
}

fn delimited() -> impl Strategy<Value = (String, String)> {
    (pick(&["{{", "{{ ", "{{- "]), pick(&["}}", " }}", " -}}"]))
}

fn action(text: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    (delimited(), text).prop_map(|((left, right), text)| format!("{left}{text}{right}"))
}

fn text() -> impl Strategy<Value = String> {
    pick(&["", "x", " ", "\n", "a b ", "\n  ", "{ ", "}", "é<"])
}

/// A body. `break` and `continue` stand in loops, and now and then where they must not.
fn body() -> BoxedStrategy<String> {
    let jump =
        pick(&["{{break}}", "{{continue}}", "{{if .a}}{{break}}{{end}}", "{{if .l}}{{continue}}{{end}}"]);
    let leaf = prop_oneof![
        20 => text(),
        40 => action(pipeline()),
        10 => action(pipeline().prop_map(|pipe| format!("$x := {pipe}"))),
        10 => action(pipeline().prop_map(|pipe| format!("$x = {pipe}"))),
        10 => pick(&["{{/* c */}}", "{{- /* c */ -}}", "{{template \"t\" .}}", "{{template \"t\"}}"]),
        1 => jump.clone(),
    ];
    leaf.prop_recursive(3, 16, 4, move |inner| {
        let looped = prop::collection::vec(prop_oneof![4 => inner.clone(), 1 => jump.clone()], 0..3);
        let inner = prop::collection::vec(inner, 0..3).prop_map(|nodes| nodes.concat());
        let otherwise = prop_oneof![
            2 => Just(String::new()),
            1 => inner.clone().prop_map(|body| format!("{{{{else}}}}{body}")),
        ];
        let head = prop_oneof![
            2 => action(pipeline().prop_map(|pipe| format!("if {pipe}"))),
            2 => action(pipeline().prop_map(|pipe| format!("with {pipe}"))),
            1 => action(pipeline().prop_map(|pipe| format!("with $x := {pipe}"))),
            1 => action((operand(), operand()).prop_map(|(a, b)| format!("if {a}}}}}{{{{else if {b}"))),
        ];
        let items = prop_oneof![4 => pick(&[".l", ".m", "$.l", "$.m", ".", "3", "$x"]), 1 => operand()];
        let range = prop_oneof![
            2 => action(items.clone().prop_map(|pipe| format!("range {pipe}"))),
            1 => action(items.clone().prop_map(|pipe| format!("range $x := {pipe}"))),
            1 => action(items.clone().prop_map(|pipe| format!("range $i, $x := {pipe}"))),
            1 => action(items.prop_map(|pipe| format!("range $x = {pipe}"))),
        ];
        let looped = looped.prop_map(|nodes| nodes.concat());
        let branch = prop_oneof![(head, inner), (range, looped)];
        (branch, otherwise)
            .prop_map(|((head, body), otherwise)| format!("{head}{body}{otherwise}{{{{end}}}}"))
    })
    .boxed()
}

fn template() -> impl Strategy<Value = String> {
    let whole = prop::collection::vec(body(), 1..3).prop_map(|bodies| bodies.concat());
    let with_definition = (whole.clone(), body()).prop_map(|(whole, inner)| {
        format!("{{{{$x := 1}}}}{whole}{{{{define \"t\"}}}}{{{{$x := .}}}}{inner}{{{{end}}}}")
    });
    prop_oneof![
        30 => with_definition,
        1 => whole.clone(),
        // Broken ones: the errors must be Go's too.
        1 => (whole, any::<prop::sample::Index>()).prop_map(|(whole, at)| {
            let mut cut: Vec<char> = whole.chars().collect();
            if !cut.is_empty() {
                let at = at.index(cut.len());
                cut.remove(at);
            }
            cut.into_iter().collect()
        }),
    ]
}

fn json() -> impl Strategy<Value = String> {
    let leaf = prop_oneof![
        Just("null".to_owned()),
        pick(&[
            "true",
            "false",
            "0",
            "1",
            "-5",
            "1.50",
            "1e3",
            "5432",
            "\"\"",
            "\"a\"",
            "\"5\"",
            "\"<&>\"",
            "\"é\\n\""
        ]),
    ];
    let value = leaf.prop_recursive(3, 12, 4, |inner| {
        prop_oneof![
            prop::collection::vec(inner.clone(), 0..4).prop_map(|items| format!("[{}]", items.join(","))),
            object(inner),
        ]
    });
    prop_oneof![1 => object(value.clone()), 2 => value]
}

/// With a list under `l` and a map under `m`, most of the time.
fn data() -> impl Strategy<Value = String> {
    let items = prop::collection::vec(json(), 0..4).prop_map(|items| format!("[{}]", items.join(",")));
    let entries = prop::collection::vec((name(), json()), 0..8);
    let whole = (items, object(json()), entries).prop_map(|(list, map, entries)| {
        let mut text = format!("{{\"l\":{list},\"m\":{map}");
        for (key, value) in entries {
            text.push_str(&format!(",\"{key}\":{value}"));
        }
        text + "}"
    });
    prop_oneof![6 => whole, 1 => json()]
}

fn object(value: impl Strategy<Value = String>) -> impl Strategy<Value = String> {
    prop::collection::btree_map(name(), value, 0..7).prop_map(|entries| {
        let entries: Vec<String> = entries.iter().map(|(key, value)| format!("\"{key}\":{value}")).collect();
        format!("{{{}}}", entries.join(","))
    })
}

fn case() -> impl Strategy<Value = Case> {
    let missing_key = pick(&["default", "default", "default", "default", "zero", "error"]);
    (template(), data(), any::<bool>(), missing_key).prop_map(|(template, data, go_numbers, missing_key)| {
        Case {
            name: "generated".to_owned(),
            template: template.into_bytes(),
            data,
            go_numbers,
            missing_key,
            ..Case::default()
        }
    })
}

#[test]
fn generated_templates_render_as_go_renders_them() {
    let Some(oracle) = Oracle::find() else { return };
    let wanted = std::env::var("LEASEHOLD_GENERATED").map_or(FEW, |count| count.parse().expect("a number"));
    let seed = std::env::var("LEASEHOLD_SEED").map_or(1, |seed| seed.parse().expect("a number"));
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&u64::to_le_bytes(seed));
    let rng = TestRng::from_seed(RngAlgorithm::ChaCha, &bytes);
    let mut runner = TestRunner::new_with_rng(Config::default(), rng);
    let functions = Functions::new();
    let (strategy, mut done, mut outputs, mut differing) = (case(), 0, 0, Vec::new());
    while done < wanted && differing.len() < 20 {
        let cases: Vec<Case> = (0..BATCH.min(wanted - done))
            .map(|_| strategy.new_tree(&mut runner).expect("a case").current())
            .collect();
        for (case, go) in cases.iter().zip(oracle.answer(&cases)) {
            let ours = case.run(&functions);
            outputs += usize::from(matches!(go, super::case::Outcome::Output(_)));
            if !ours.agrees(&go) {
                let template = String::from_utf8_lossy(&case.template).into_owned();
                differing.push(format!(
                    "{template}\n  with {}, {}\n  go   {go:?}\n  ours {ours:?}",
                    case.data, case.missing_key
                ));
            }
        }
        done += cases.len();
    }
    println!(
        "generated: {done} cases from seed {seed}, {outputs} of them render; {} differ",
        differing.len()
    );
    assert!(outputs * 10 > done, "too few render to say much");
    differing.sort_by_key(String::len);
    differing.truncate(20);
    assert!(differing.is_empty(), "{}", differing.join("\n"));
}
