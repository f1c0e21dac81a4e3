//! Variables of the environment.

use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, text, written};
use crate::functions::environment;
use crate::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_env", &[Type::String], environment::env).returns(Type::String),
    Function::new("sprig_expandenv", &[Type::String], expand).returns(Type::String),
];

/// What stands behind a dollar.
enum Name<'t> {
    /// A variable, and how many bytes its name takes.
    Variable(&'t [u8], usize),
    /// A brace that does not belong there: so many bytes to leave out.
    Wrong(usize),
    /// No name: the dollar is one.
    None,
}

/// Replaces `$NAME` and `${NAME}` by the variable's value, as Go's `os.ExpandEnv` does.
fn expand(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let mut parts = Vec::new();
    let mut rest = text(args, 0);
    while let Some(dollar) = rest.iter().position(|&byte| byte == b'$').filter(|at| at + 1 < rest.len()) {
        parts.push(rest[..dollar].to_vec().into());
        rest = &rest[dollar + 1..];
        rest = match name(rest) {
            Name::Variable(name, len) => {
                let value = scope.host().env(&String::from_utf8_lossy(name));
                parts.extend(value);
                &rest[len..]
            }
            Name::Wrong(len) => &rest[len..],
            Name::None => {
                parts.push("$".into());
                rest
            }
        };
    }
    written(scope, |out| {
        parts.iter().for_each(|part: &leasehold_base::secret::Secret| out.push(part.expose()));
        out.push(rest);
        Ok(())
    })
}

fn name(text: &[u8]) -> Name<'_> {
    let is_special = |byte: &u8| b"*#$@!?-0123456789".contains(byte);
    match text {
        [b'{', special, b'}', ..] if is_special(special) => Name::Variable(&text[1..2], 3),
        [b'{', b'}', ..] => Name::Wrong(2),
        [b'{', rest @ ..] => match rest.iter().position(|&byte| byte == b'}') {
            Some(end) => Name::Variable(&rest[..end], end + 2),
            None => Name::Wrong(1),
        },
        [special, ..] if is_special(special) => Name::Variable(&text[..1], 1),
        _ => {
            let is_other = |byte: &u8| !byte.is_ascii_alphanumeric() && *byte != b'_';
            match text.iter().position(is_other).unwrap_or(text.len()) {
                0 => Name::None,
                len => Name::Variable(&text[..len], len),
            }
        }
    }
}
