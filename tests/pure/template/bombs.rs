//! Every function there is, thrown at values that are much larger than they look and at sizes without end: it
//! answers or fails in bounded memory and time.

#![allow(clippy::disallowed_methods, reason = "a test measures real time and memory")]

use std::fs;
use std::process::Command;
use std::time::{Duration, Instant};

use leasehold::functions;
use leasehold::template::function::Function;
use leasehold::template::host::Nowhere;
use leasehold::template::value::{Type, Value};
use leasehold::template::{Limits, MissingKey, Template};

/// Small ones, so that the test is quick also where nothing is optimised. What a function takes grows with them.
const LIMITS: Limits = Limits { depth: 500, range: 100_000, output: 1 << 20, steps: 100_000, held: 4 << 20 };
/// The steps' worth of text, and the values themselves, twice over.
const MOST_KIB: u64 = 48 << 10;
/// What all that a template holds may take: the steps' worth of text twice over, and the values themselves.
const HELD_KIB: u64 = 16 << 10;
const LONGEST: Duration = Duration::from_secs(20);
const CHILD: &str = "TEMPLATE_TEST_BOMBS";
const TEXT: usize = 64 << 10;

/// A list that holds itself in effect 2^60 times, of few parts.
fn doubled() -> Value {
    (0..60).fold(Value::list([Value::text("x")]), |inner, _| Value::list([inner.clone(), inner]))
}

/// The same of maps.
fn doubled_maps() -> Value {
    (0..60)
        .fold(Value::map([("x", Value::int(1))]), |inner, _| Value::map([("a", inner.clone()), ("b", inner)]))
}

fn texts() -> Vec<Value> {
    let of = |part: &str| Value::text(part.repeat(TEXT / part.len()));
    let nested = "[".repeat(TEXT / 2) + &"]".repeat(TEXT / 2);
    let mut texts: Vec<Value> =
        ["a", ",", "[],", "- \n", "1", "%9999999d", "a: 1\n", "Aa ", "{\"a\":", "\u{fffd}"].map(of).into();
    texts.push(Value::text(format!("[{}[]]", "[],".repeat(TEXT / 3))));
    texts.push(Value::text(format!("[{}]", "{},".repeat(TEXT / 3 - 1) + "{}")));
    texts.push(Value::text("- [[[]]]\n".repeat(TEXT / 9)));
    texts.push(Value::text(nested));
    texts.extend(["", "1000000000", "%999999999d", "(a*)*b"].map(Value::text));
    texts
}

/// What may stand for a parameter of this type: never none.
fn values(of: Type) -> Vec<Value> {
    let numbers = [0, -1, 1, 100_000, 1_000_000_000, i64::MAX, i64::MIN];
    match of {
        Type::String => texts(),
        Type::Int(size) => numbers.map(|number| Value::Int(size, size.cut(number))).into(),
        Type::Uint(size) => numbers.map(|number| Value::Uint(size, size.cut(number.cast_unsigned()))).into(),
        Type::Float64 => [0.0, 1e300, -1.0, f64::NAN].map(Value::Float).into(),
        Type::Bool => vec![Value::Bool(true)],
        Type::Map(..) => vec![doubled_maps()],
        Type::Slice(_) => {
            vec![doubled(), Value::list((0..5_000).map(Value::int)), Value::texts(vec!["ab"; 5_000])]
        }
        _ => {
            let mut all = vec![doubled(), doubled_maps(), Value::list((0..5_000).map(Value::int))];
            all.extend(texts());
            all.extend(numbers.map(Value::int));
            all
        }
    }
}

/// The arguments of the calls of a function: each parameter goes through all that it may be, each a step ahead of
/// the one before it.
fn calls(function: &Function) -> Vec<Vec<Value>> {
    let count = function.params.len() + if function.variadic { 2 } else { 0 };
    let choices: Vec<Vec<Value>> = (0..count).map(|index| values(function.param(index))).collect();
    let most = choices.iter().map(Vec::len).max().unwrap_or(1);
    let at = |round: usize| {
        let value = |(index, all): (usize, &Vec<Value>)| all[(round + index) % all.len()].clone();
        choices.iter().enumerate().map(value).collect::<Vec<_>>()
    };
    (0..most).map(at).collect()
}

/// The most memory that this process ever had, in KiB; counted anew from here on.
fn peak() -> u64 {
    let status = fs::read_to_string("/proc/self/status").expect("it can be read");
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).expect("the kernel counts it");
    fs::write("/proc/self/clear_refs", "5").expect("it is ours");
    line.trim().trim_end_matches(" kB").parse().expect("a number")
}

/// Holds all that the function makes of everything, for as long as the steps last; what was too much of it.
fn hoard(name: &str, function: &Function, limits: Limits) -> Vec<String> {
    let mut faults = Vec::new();
    // Not all of them, for the time's sake.
    for (round, args) in calls(function).into_iter().enumerate().step_by(5) {
        let names: String = (0..args.len()).map(|index| format!(" .a{index}")).collect();
        let text = format!(
            "{{{{ $all := sprig_list }}}}{{{{ range loop 100000 }}}}{{{{ $all = sprig_list $all ({name}{names}) }}}}{{{{ end }}}}"
        );
        let Ok(template) = Template::parse("bomb", text.as_bytes(), None, functions::all()) else { continue };
        let data = Value::map(
            args.into_iter().enumerate().map(|(index, arg)| (format!("a{index}").into_bytes(), arg)),
        );
        let (before, begun) = (peak(), Instant::now());
        let _answered_or_not = template.execute(data, MissingKey::Error, limits, &mut Nowhere);
        let (took, grown) = (begun.elapsed(), peak().saturating_sub(before.min(40 << 10)));
        if took > LONGEST || grown > HELD_KIB {
            faults.push(format!("{name} {round}: {grown} KiB, {took:?}"));
        }
    }
    faults
}

/// Goes through all functions, in a process of its own because other tests use memory too.
fn of_all(test: &str, faults_of: impl Fn(&str, &Function) -> Vec<String>) {
    if std::env::var_os(CHILD).is_some() {
        let faults: Vec<String> = functions::all()
            .names()
            .flat_map(|name| faults_of(name, functions::all().get(name).expect("it is among the names")))
            .collect();
        assert!(faults.is_empty(), "{faults:#?}");
        return;
    }
    let child = Command::new(std::env::current_exe().expect("this program has a path"))
        .args(["--exact", &format!("template::bombs::{test}")])
        .env(CHILD, "1")
        .output()
        .expect("this program runs");
    let said = String::from_utf8_lossy(&child.stdout);
    assert!(child.status.success() && said.contains("1 passed"), "{said}");
}

#[test]
fn what_functions_make_is_bounded_together_where_a_template_holds_all_of_it() {
    let test = "what_functions_make_is_bounded_together_where_a_template_holds_all_of_it";
    of_all(test, |name, function| hoard(name, function, LIMITS));
}

/// Steps without end, as it were: the bytes that are held bound the memory.
#[test]
fn what_functions_make_is_bounded_together_however_many_steps_there_are() {
    let test = "what_functions_make_is_bounded_together_however_many_steps_there_are";
    let limits = Limits { steps: 50 * LIMITS.steps, held: 4 << 20, ..LIMITS };
    of_all(test, |name, function| hoard(name, function, limits));
}

/// Calls the function with everything; what was too much of it.
fn throw(name: &str, function: &Function) -> Vec<String> {
    let mut faults = Vec::new();
    for (round, args) in calls(function).into_iter().enumerate() {
        let names: String = (0..args.len()).map(|index| format!(" .a{index}")).collect();
        let text = format!("{{{{ $made := {name}{names} }}}}");
        let Ok(template) = Template::parse("bomb", text.as_bytes(), None, functions::all()) else { continue };
        let data = Value::map(
            args.into_iter().enumerate().map(|(index, arg)| (format!("a{index}").into_bytes(), arg)),
        );
        // Values that hold themselves many times over come first, and there the steps must not be what bounds the
        // memory: a copy of ten times as many parts takes as much as it would here.
        let limits = if round == 0 { Limits { steps: 10 * LIMITS.steps, ..LIMITS } } else { LIMITS };
        let (before, begun) = (peak(), Instant::now());
        let _answered_or_not = template.execute(data, MissingKey::Error, limits, &mut Nowhere);
        let (took, grown) = (begun.elapsed(), peak().saturating_sub(before.min(40 << 10)));
        if took > LONGEST || grown > MOST_KIB {
            faults.push(format!("{name} {round}: {grown} KiB, {took:?}"));
        }
    }
    faults
}

#[test]
fn every_function_ends_in_bounded_memory_and_time_whatever_it_is_given() {
    of_all("every_function_ends_in_bounded_memory_and_time_whatever_it_is_given", throw);
}

#[test]
fn the_output_of_templates_that_wait_for_one_another_counts_together() {
    let text = "{{ define \"t\" }}{{ printf \"%600000s\" \"\" }}{{ executeTemplate \"t\" . }}{{ end }}{{ executeTemplate \"t\" . }}";
    let template = Template::parse("bomb", text.as_bytes(), None, functions::all()).expect("a template");
    let error =
        template.execute(Value::int(1), MissingKey::Error, LIMITS, &mut Nowhere).expect_err("too much");
    assert!(error.to_string().contains("too much output for one rendering"), "{error}");
    // What was given back counts no more.
    let text = "{{ define \"t\" }}{{ printf \"%600000s\" \"\" }}{{ end }}{{ range loop 3 }}{{ executeTemplate \"t\" . | len }} {{ end }}";
    let template = Template::parse("bomb", text.as_bytes(), None, functions::all()).expect("a template");
    let made =
        template.execute(Value::int(1), MissingKey::Error, LIMITS, &mut Nowhere).expect("within bounds");
    assert_eq!(made.expose(), b"600000 600000 600000 ");
}
