//! The functions that Go's own test tables call.

use leasehold::secret::Secret;
use leasehold::template::Buffer;
use leasehold::template::fmt;
use leasehold::template::function::Scope;
use leasehold::template::function::{Function, FunctionError, Functions};
use leasehold::template::value::{Channel, Key, Map, Type, Value};

type Made = Result<Value, FunctionError>;

static TABLE: [Function; 12] = [
    Function::new("zeroArgs", &[], |_, _| Ok(Value::text("zeroArgs"))).returns(Type::String),
    Function::new("oneArg", &[Type::String], |_, args| Ok(joined("oneArg=", args))).returns(Type::String),
    Function::new("twoArgs", &[Type::String, Type::String], |_, args| Ok(joined("twoArgs=", args)))
        .returns(Type::String),
    Function::new("dddArg", &[Type::INT, Type::String], ddd_arg).variadic().returns(Type::String),
    Function::new("echo", &[Type::Interface], |_, args| Ok(args[0].clone())),
    Function::new("typeOf", &[Type::Interface], type_of).returns(Type::String),
    Function::new("add", &[Type::INT], add).variadic().returns(Type::INT),
    Function::new("returnInt", &[], |_, _| Ok(Value::int(7))).returns(Type::INT),
    Function::new("mapOfThree", &[], map_of_three),
    Function::new("makemap", &[Type::String], make_map).variadic().returns(Type::STRING_MAP),
    Function::new("count", &[Type::INT], count).returns(Type::Chan("chan string")),
    Function::new("die", &[], |_, _| Err(FunctionError::new("die"))).returns(Type::Bool),
];

/// Those of the parser's tables too.
static PARSE_TABLE: [Function; 1] =
    [Function::new("contains", &[Type::String, Type::String], |_, _| Ok(Value::Bool(false)))
        .returns(Type::Bool)];

pub(crate) fn functions() -> Functions {
    let mut functions = Functions::new();
    functions.add(&TABLE);
    functions
}

pub(crate) fn parse_functions() -> Functions {
    let mut functions = Functions::new();
    functions.add(&PARSE_TABLE);
    functions
}

fn bytes(value: &Value) -> &[u8] {
    value.as_bytes_kind().map(Secret::expose).unwrap_or_default()
}

fn joined(prefix: &str, args: &[Value]) -> Value {
    let mut text = prefix.as_bytes().to_vec();
    args.iter().for_each(|arg| text.extend(bytes(arg)));
    Value::text(text)
}

fn ddd_arg(_: &mut Scope<'_, '_>, args: &[Value]) -> Made {
    let mut out = Buffer::new(1000);
    let rest = args[1..].iter().map(|arg| Secret::new(bytes(arg).to_vec()));
    fmt::sprintln(&[args[0].clone(), Value::texts(rest)], &mut out);
    Ok(Value::Text(out.into_secret()))
}

fn type_of(_: &mut Scope<'_, '_>, args: &[Value]) -> Made {
    let mut out = Buffer::new(1000);
    fmt::sprintf(b"%T", args, &mut out);
    Ok(Value::Text(out.into_secret()))
}

fn add(_: &mut Scope<'_, '_>, args: &[Value]) -> Made {
    let ints =
        args.iter().map(|arg| if let Value::Int(_, int) = arg { *int } else { unreachable!("checked") });
    Ok(Value::int(ints.sum()))
}

fn map_of_three(_: &mut Scope<'_, '_>, _: &[Value]) -> Made {
    Ok(Value::map([("three", Value::int(3))]))
}

fn make_map(_: &mut Scope<'_, '_>, args: &[Value]) -> Made {
    if !args.len().is_multiple_of(2) {
        return Err(FunctionError::new("bad makemap"));
    }
    let pairs = args.chunks(2).filter_map(|pair| Some((Key::from_value(&pair[0])?, pair[1].clone())));
    Ok(Value::Map(Map::with(Type::String, Type::String, pairs.collect())))
}

fn count(_: &mut Scope<'_, '_>, args: &[Value]) -> Made {
    let Value::Int(_, count) = args[0] else { unreachable!("checked") };
    if count == 0 {
        return Ok(Value::NilOf(Type::Chan("chan string")));
    }
    let letters = ('a'..='p').take(usize::try_from(count).expect("a small number"));
    Ok(Value::Channel(Channel::new("chan string", letters.map(|letter| Value::text(letter.to_string())))))
}
