//! Defaults, JSON and types.

use super::convert::kind;
use super::same::deep_equal;
use crate::eval::{A_STEP, Scope};
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, any, fail, flag, name, or_nothing, text, written};
use crate::functions::json::{self, Style};
use crate::functions::merge::is_empty;
use crate::value::{A_LIST, A_MAP, AN_ENTRY, List, Map, Type, Value};

const ANY: Type = Type::Interface;

const RAW: Style = Style { html: false, pretty: false };

const PRETTY: Style = Style { html: true, pretty: true };

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_all", &[ANY], all).variadic().returns(Type::Bool),
    Function::new("sprig_any", &[ANY], one).variadic().returns(Type::Bool),
    Function::new("sprig_coalesce", &[ANY], coalesce).variadic(),
    Function::new("sprig_deepCopy", &[ANY], deep_copy),
    Function::new("sprig_deepEqual", &[ANY; 2], same).returns(Type::Bool),
    Function::new("sprig_default", &[ANY; 2], default).variadic(),
    Function::new("sprig_empty", &[ANY], empty).returns(Type::Bool),
    Function::new("sprig_fail", &[Type::String], refuse).returns(Type::String),
    Function::new("sprig_fromJson", &[Type::String], from_json),
    Function::new("sprig_kindIs", &[Type::String, ANY], kind_is).returns(Type::Bool),
    Function::new("sprig_kindOf", &[ANY], kind_of).returns(Type::String),
    Function::new("sprig_mustDeepCopy", &[ANY], deep_copy),
    Function::new("sprig_mustFromJson", &[Type::String], must_from_json),
    Function::new("sprig_mustToJson", &[ANY], must_to_json).returns(Type::String),
    Function::new("sprig_mustToPrettyJson", &[ANY], must_to_pretty_json).returns(Type::String),
    Function::new("sprig_mustToRawJson", &[ANY], to_raw_json).returns(Type::String),
    Function::new("sprig_ternary", &[ANY, ANY, Type::Bool], ternary),
    Function::new("sprig_toJson", &[ANY], to_json).returns(Type::String),
    Function::new("sprig_toPrettyJson", &[ANY], to_pretty_json).returns(Type::String),
    Function::new("sprig_toRawJson", &[ANY], to_raw_json).returns(Type::String),
    Function::new("sprig_typeIs", &[Type::String, ANY], type_is).returns(Type::Bool),
    Function::new("sprig_typeIsLike", &[Type::String, ANY], type_is_like).returns(Type::Bool),
    Function::new("sprig_typeOf", &[ANY], type_of).returns(Type::String),
];

fn all(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(!args.iter().any(is_empty)))
}

fn one(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(!args.iter().all(is_empty)))
}

fn coalesce(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(args.iter().find(|arg| !is_empty(arg)).cloned().unwrap_or_default())
}

/// Returns the first value, or the fallback if this value is empty or missing: `default fallback [value…]`.
fn default(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(args.get(1).filter(|given| !is_empty(given)).unwrap_or_else(|| any(args, 0)).clone())
}

fn empty(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(is_empty(any(args, 0))))
}

/// Returns `yes` if the flag is true, and `no` otherwise: `ternary yes no flag`.
fn ternary(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(any(args, if flag(args, 2) { 0 } else { 1 }).clone())
}

/// Fails the rendering. The error does not repeat the message, because a template may make it out of a secret.
fn refuse(_: &mut Scope<'_, '_>, _: &[Value]) -> Answer {
    fail("fail: the template gave up here")
}

/// Returns nil if the text is no JSON.
fn from_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    scope.spend(text(args, 0).len())?;
    json::read(text(args, 0)).or_else(|error| or_nothing(error, Value::Nil))
}

fn must_from_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    scope.spend(text(args, 0).len())?;
    json::read(text(args, 0))
}

fn encode(scope: &mut Scope<'_, '_>, args: &[Value], style: Style) -> Answer {
    written(scope, |out| json::write(any(args, 0), style, out))
}

/// Returns the empty text if the value cannot be JSON.
fn to_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    encode(scope, args, Style::COMPACT).or_else(|error| or_nothing(error, Value::text("")))
}

fn to_pretty_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    encode(scope, args, PRETTY).or_else(|error| or_nothing(error, Value::text("")))
}

fn to_raw_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    encode(scope, args, RAW)
}

fn must_to_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    encode(scope, args, Style::COMPACT)
}

fn must_to_pretty_json(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    encode(scope, args, PRETTY)
}

fn kind_of(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::text(kind(any(args, 0))))
}

fn kind_is(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(name(args, 0) == kind(any(args, 1))))
}

fn type_name(value: &Value) -> String {
    value.type_of().map_or_else(|| "<nil>".to_owned(), |of| of.to_string())
}

fn type_of(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::text(type_name(any(args, 0))))
}

fn type_is(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(name(args, 0) == type_name(any(args, 1))))
}

/// Returns whether a value is of the type itself or a pointer to it.
fn type_is_like(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let (wanted, of) = (name(args, 0), type_name(any(args, 1)));
    Ok(Value::Bool(wanted == of || of.strip_prefix('*') == Some(&wanted)))
}

fn same(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    deep_equal(scope, any(args, 0), any(args, 1)).map(Value::Bool)
}

/// Deeper values are refused, because each level is a call on the stack.
const MAX_DEPTH: usize = 200;

fn deep_copy(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match any(args, 0) {
        Value::Nil => fail("deepCopy: nothing to copy"),
        value => copy(scope, value, 0),
    }
}

/// Copies a value with every list and map in it. A value that stands in many places is copied for each, so a few parts could
/// fill the memory: each part is charged before it is made. Texts are shared.
fn copy(scope: &mut Scope<'_, '_>, value: &Value, depth: usize) -> Result<Value, FunctionError> {
    if depth > MAX_DEPTH {
        return Err(FunctionError::beyond("deepCopy: nested too deeply"));
    }
    let bytes = match value {
        Value::List(list) => A_LIST + size_of_val(list.items()),
        Value::Map(map) => A_MAP + AN_ENTRY * map.len(),
        _ => 0,
    };
    scope.spend(bytes.max(A_STEP))?;
    Ok(match value {
        Value::List(list) => {
            let items = list.items().iter().map(|item| copy(scope, item, depth + 1));
            Value::List(List::new(list.elem(), items.collect::<Result<_, _>>()?))
        }
        Value::Map(map) => {
            let entries = map.entries().into_iter();
            let entries = entries.map(|(key, value)| Ok((key, copy(scope, &value, depth + 1)?)));
            let entries = entries.collect::<Result<_, FunctionError>>()?;
            Value::Map(Map::with(map.key_type(), map.elem(), entries))
        }
        other => other.clone(),
    })
}
