//! `scratch`: named values that a template keeps during one rendering.

use std::any::Any;
use std::collections::BTreeMap;
use std::rc::Rc;

use super::arg::{Answer, any, fail, name, secret};
use crate::eval::Scope;
use crate::function::Function;
use crate::value::{Key, Map, Object, Shape, Type, Value};

pub(super) static FUNCTIONS: &[Function] =
    &[Function::new("scratch", &[], scratch).returns(Type::Pointer("template.Scratch"))];

static SHAPE: Shape = Shape { name: "template.Scratch", pointer: true, fields: &[], methods: METHODS };

static METHODS: &[Function] = &[
    Function::new("Get", &[Type::String], get),
    Function::new("Key", &[Type::String], key).returns(Type::Bool),
    Function::new("MapSet", &[Type::String, Type::String, Type::Interface], map_set).returns(Type::String),
    Function::new("MapSetX", &[Type::String, Type::String, Type::Interface], map_set_x).returns(Type::String),
    Function::new("MapValues", &[Type::String], map_values).returns(Type::LIST),
    Function::new("Set", &[Type::String, Type::Interface], set).returns(Type::String),
    Function::new("SetX", &[Type::String, Type::Interface], set_x).returns(Type::String),
];

/// The values of one rendering, by name.
#[derive(Default)]
struct Values(BTreeMap<String, Value>);

/// The result of `scratch`. All calls in one rendering share the same values.
struct Handle;

impl Object for Handle {
    fn shape(&self) -> &'static Shape {
        &SHAPE
    }

    fn field(&self, _: usize) -> Value {
        Value::Nil
    }

    fn as_any(&self) -> &dyn Any {
        self
    }
}

fn scratch(_: &mut Scope<'_, '_>, _: &[Value]) -> Answer {
    Ok(Value::Object(Rc::new(Handle)))
}

fn get(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(scope.local::<Values>().0.get(&name(args, 1)).cloned().unwrap_or_default())
}

fn key(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(scope.local::<Values>().0.contains_key(&name(args, 1))))
}

fn set(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    scope.local::<Values>().0.insert(name(args, 1), any(args, 2).clone());
    Ok(Value::text(""))
}

fn set_x(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    scope.local::<Values>().0.entry(name(args, 1)).or_insert_with(|| any(args, 2).clone());
    Ok(Value::text(""))
}

fn map_set(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    store(scope, args, true)
}

fn map_set_x(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    store(scope, args, false)
}

fn store(scope: &mut Scope<'_, '_>, args: &[Value], overwrite: bool) -> Answer {
    let values = &mut scope.local::<Values>().0;
    let entry = values.entry(name(args, 1)).or_insert_with(|| Value::Map(Map::new()));
    // Maps of other types (of splitToMap and parseYAML) do not count as maps here.
    let Some(map) = as_map(entry) else {
        return fail("what is kept under this name is not a map[string]interface {}");
    };
    let key = Key::Text(secret(args, 2));
    if overwrite || map.get(&key).is_none() {
        map.insert(key, any(args, 3).clone())?;
    }
    Ok(Value::text(""))
}

fn as_map(value: &Value) -> Option<&Map> {
    match value {
        Value::Map(map) if map.type_of() == Type::MAP => Some(map),
        _ => None,
    }
}

fn map_values(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(match scope.local::<Values>().0.get(&name(args, 1)).and_then(as_map) {
        Some(map) => Value::list(map.entries().into_iter().map(|(_, value)| value)),
        _ => Value::NilOf(Type::LIST),
    })
}
