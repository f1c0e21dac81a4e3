//! Lists. None is ever changed: each function makes another.

use super::convert::{int_of, kind, list_of, text_of, texts_of};
use super::same::deep_equal;
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, any, fail, int, text, written};
use crate::functions::merge::is_empty;
use crate::value::{List, Type, Value};

const ANY: Type = Type::Interface;

/// `[][]interface {}`
const LISTS: Type = Type::Slice(&Type::LIST);

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_append", &[ANY; 2], append).returns(Type::LIST),
    Function::new("sprig_chunk", &[Type::INT, ANY], chunk).returns(LISTS),
    Function::new("sprig_compact", &[ANY], compact).returns(Type::LIST),
    Function::new("sprig_concat", &[ANY], concat).variadic(),
    Function::new("sprig_first", &[ANY], first),
    Function::new("sprig_has", &[ANY; 2], has).returns(Type::Bool),
    Function::new("sprig_initial", &[ANY], initial).returns(Type::LIST),
    Function::new("sprig_join", &[Type::String, ANY], join).returns(Type::String),
    Function::new("sprig_last", &[ANY], last),
    Function::new("sprig_list", &[ANY], list).variadic().returns(Type::LIST),
    Function::new("sprig_mustAppend", &[ANY; 2], append).returns(Type::LIST),
    Function::new("sprig_mustChunk", &[Type::INT, ANY], chunk).returns(LISTS),
    Function::new("sprig_mustCompact", &[ANY], compact).returns(Type::LIST),
    Function::new("sprig_mustFirst", &[ANY], first),
    Function::new("sprig_mustHas", &[ANY; 2], has).returns(Type::Bool),
    Function::new("sprig_mustInitial", &[ANY], initial).returns(Type::LIST),
    Function::new("sprig_mustLast", &[ANY], last),
    Function::new("sprig_mustPrepend", &[ANY; 2], prepend).returns(Type::LIST),
    Function::new("sprig_mustPush", &[ANY; 2], append).returns(Type::LIST),
    Function::new("sprig_mustRest", &[ANY], rest).returns(Type::LIST),
    Function::new("sprig_mustReverse", &[ANY], reverse).returns(Type::LIST),
    Function::new("sprig_mustSlice", &[ANY; 2], slice).variadic(),
    Function::new("sprig_mustUniq", &[ANY], uniq).returns(Type::LIST),
    Function::new("sprig_mustWithout", &[ANY; 2], without).variadic().returns(Type::LIST),
    Function::new("sprig_prepend", &[ANY; 2], prepend).returns(Type::LIST),
    Function::new("sprig_push", &[ANY; 2], append).returns(Type::LIST),
    Function::new("sprig_rest", &[ANY], rest).returns(Type::LIST),
    Function::new("sprig_reverse", &[ANY], reverse).returns(Type::LIST),
    Function::new("sprig_slice", &[ANY; 2], slice).variadic(),
    Function::new("sprig_sortAlpha", &[ANY], sort_alpha).returns(Type::STRINGS),
    Function::new("sprig_toStrings", &[ANY], to_strings).returns(Type::STRINGS),
    Function::new("sprig_tuple", &[ANY], list).variadic().returns(Type::LIST),
    Function::new("sprig_uniq", &[ANY], uniq).returns(Type::LIST),
    Function::new("sprig_without", &[ANY; 2], without).variadic().returns(Type::LIST),
];

/// Charges the work for a list of so many elements.
fn making(scope: &mut Scope<'_, '_>, elements: usize) -> Result<(), FunctionError> {
    scope.spend(elements.saturating_mul(size_of::<Value>()))
}

fn list(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::list(args.iter().cloned()))
}

fn append(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 0), "append")?;
    making(scope, items.len() + 1)?;
    Ok(Value::list(items.iter().chain([any(args, 1)]).cloned()))
}

fn prepend(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 0), "prepend")?;
    making(scope, items.len() + 1)?;
    Ok(Value::list([any(args, 1)].into_iter().chain(items).cloned()))
}

/// Splits a list into lists of `size` elements: `chunk size list`.
fn chunk(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 1), "chunk")?;
    let Ok(size @ 1..) = usize::try_from(int(args, 0)) else {
        return fail("chunk: the size is not positive");
    };
    making(scope, items.len())?;
    let chunks = items.chunks(size).map(|chunk| Value::list(chunk.iter().cloned()));
    Ok(Value::List(List::new(Type::LIST, chunks.collect())))
}

fn compact(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 0), "compact")?;
    making(scope, items.len())?;
    Ok(Value::list(items.iter().filter(|item| !is_empty(item)).cloned()))
}

fn concat(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let mut all = Vec::new();
    for arg in args {
        let items = list_of(arg, "concat")?;
        making(scope, items.len())?;
        all.extend(items.iter().cloned());
    }
    Ok(if all.is_empty() { Value::NilOf(Type::LIST) } else { Value::list(all) })
}

fn first(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(list_of(any(args, 0), "first")?.first().cloned().unwrap_or_default())
}

fn last(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(list_of(any(args, 0), "last")?.last().cloned().unwrap_or_default())
}

fn rest(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 0), "rest")?;
    making(scope, items.len())?;
    let rest = items.split_first().map(|(_, rest)| Value::list(rest.iter().cloned()));
    Ok(rest.unwrap_or(Value::NilOf(Type::LIST)))
}

fn initial(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 0), "initial")?;
    making(scope, items.len())?;
    let initial = items.split_last().map(|(_, initial)| Value::list(initial.iter().cloned()));
    Ok(initial.unwrap_or(Value::NilOf(Type::LIST)))
}

fn reverse(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 0), "reverse")?;
    making(scope, items.len())?;
    Ok(Value::list(items.iter().rev().cloned()))
}

/// Returns whether `value` is among `items`. The search is charged as work.
fn is_among(scope: &mut Scope<'_, '_>, items: &[Value], value: &Value) -> Result<bool, FunctionError> {
    making(scope, items.len())?;
    items.iter().try_fold(false, |found, item| Ok(found || deep_equal(scope, value, item)?))
}

/// Returns whether a list has a value: `has value list`.
fn has(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match any(args, 1) {
        Value::Nil => Ok(Value::Bool(false)),
        list => is_among(scope, list_of(list, "has")?, any(args, 0)).map(Value::Bool),
    }
}

fn uniq(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let mut unique = Vec::new();
    for item in list_of(any(args, 0), "uniq")? {
        if !is_among(scope, &unique, item)? {
            unique.push(item.clone());
        }
    }
    Ok(Value::list(unique))
}

/// Returns a list without the given values: `without list value…`.
fn without(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let mut kept = Vec::new();
    for item in list_of(any(args, 0), "without")? {
        if !is_among(scope, args.get(1..).unwrap_or_default(), item)? {
            kept.push(item.clone());
        }
    }
    Ok(Value::list(kept))
}

/// Returns a part of a list: `slice list [from [to]]`.
fn slice(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let items = list_of(any(args, 0), "slice")?;
    if items.is_empty() {
        return Ok(Value::Nil);
    }
    making(scope, items.len())?;
    let bound = |index: usize, otherwise: usize| {
        args.get(index).map_or(Some(otherwise), |bound| usize::try_from(int_of(bound)).ok())
    };
    let part = match (bound(1, 0), bound(2, items.len())) {
        (Some(from), Some(to)) => items.get(from..to),
        _ => None,
    };
    let elem = if let Value::List(list) = any(args, 0) { list.elem() } else { ANY };
    match part {
        Some(part) => Ok(Value::List(List::new(elem, part.to_vec()))),
        None => fail("slice: bounds out of range"),
    }
}

fn to_strings(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    texts_of(scope, any(args, 0)).map(Value::texts)
}

fn sort_alpha(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let mut texts = match any(args, 0) {
        list if kind(list) == "slice" => texts_of(scope, list)?,
        other => vec![text_of(scope, other)?],
    };
    texts.sort_unstable();
    Ok(Value::texts(texts))
}

/// Joins the elements of a list as texts: `join separator list`.
fn join(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let texts = texts_of(scope, any(args, 1))?;
    written(scope, |out| {
        for (index, item) in texts.iter().enumerate() {
            if index > 0 {
                out.push(text(args, 0));
            }
            out.push(item.expose());
        }
        Ok(())
    })
}
