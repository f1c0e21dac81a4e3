//! The surroundings of a template: environment, files that it reads and writes, other templates.

use super::arg::{Answer, any, fail, name, secret, text};
use crate::buffer::Buffer;
use crate::eval::Scope;
use crate::function::Function;
use crate::host::WrittenFile;
use crate::value::{Type, Value};
use leasehold_base::secret::Secret;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("env", &[Type::String], env).returns(Type::String),
    Function::new("envOrDefault", &[Type::String, Type::String], env_or_default).returns(Type::String),
    Function::new("executeTemplate", &[Type::String, Type::Interface], execute_template)
        .variadic()
        .returns(Type::String),
    Function::new("file", &[Type::String], file).returns(Type::String),
    Function::new("mustEnv", &[Type::String], must_env).returns(Type::String),
    Function::new("writeToFile", &[Type::String; 5], write_to_file).variadic().returns(Type::String),
];

/// Returns the variable's value; the empty text if it is not set.
pub(super) fn env(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Text(scope.host().env(&name(args, 0)).unwrap_or_default()))
}

fn env_or_default(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Text(scope.host().env(&name(args, 0)).unwrap_or_else(|| secret(args, 1))))
}

fn must_env(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match scope.host().env(&name(args, 0)) {
        Some(value) if !value.is_empty() => Ok(Value::Text(value)),
        // The error does not name the variable, because the name may come out of a secret. The position shows the call.
        _ => fail("the required environment variable is empty"),
    }
}

fn file(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let path = name(args, 0);
    if path.is_empty() {
        return Ok(Value::text(""));
    }
    Ok(Value::Text(scope.host().file(&path)?.unwrap_or_default()))
}

/// Renders another template of the same text, and returns the output as a text: `executeTemplate name [data]`.
fn execute_template(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    if args.len() > 2 {
        return fail(format!(
            "executeTemplate: wrong number of arguments, expected 1 or 2, but got {}",
            args.len()
        ));
    }
    scope.execute_template(text(args, 0), any(args, 1).clone()).map(Value::Text)
}

/// Writes another file: `writeToFile path user group mode [flags] content`. The flags are any text with `append` or
/// `newline` in it.
fn write_to_file(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    if args.len() < 5 {
        return fail("writeToFile: the content is missing");
    }
    let flags = if args.len() == 6 { name(args, 4) } else { String::new() };
    let mode = name(args, 3);
    if mode.is_empty() || !mode.bytes().all(|digit| matches!(digit, b'0'..=b'7')) {
        return fail("writeToFile: the mode is not an octal number");
    }
    let content = secret(args, args.len() - 1);
    let content = if flags.contains("newline") { with_newline(&content) } else { content };
    scope.host().write(WrittenFile {
        path: name(args, 0),
        user: name(args, 1),
        group: name(args, 2),
        mode,
        append: flags.contains("append"),
        content,
    })?;
    Ok(Value::text(""))
}

fn with_newline(content: &Secret) -> Secret {
    let mut out = Buffer::new(content.len() + 1);
    out.push(content.expose());
    out.push(b"\n");
    out.into_secret()
}
