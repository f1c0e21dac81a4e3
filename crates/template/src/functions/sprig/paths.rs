//! Paths with slashes, as texts: nothing is looked up. On the platforms that matter a file's path is
//! the same, so the `os…` names are the same functions.

use crate::eval::Scope;
use crate::function::Function;
use crate::functions::arg::{Answer, answer, text};
use crate::value::{Type, Value};

const TEXT: &[Type] = &[Type::String];

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_base", TEXT, base).returns(Type::String),
    Function::new("sprig_clean", TEXT, |_, args| answer(&clean(text(args, 0)))).returns(Type::String),
    Function::new("sprig_dir", TEXT, dir).returns(Type::String),
    Function::new("sprig_ext", TEXT, ext).returns(Type::String),
    Function::new("sprig_isAbs", TEXT, is_abs).returns(Type::Bool),
    Function::new("sprig_osBase", TEXT, base).returns(Type::String),
    Function::new("sprig_osClean", TEXT, |_, args| answer(&clean(text(args, 0)))).returns(Type::String),
    Function::new("sprig_osDir", TEXT, dir).returns(Type::String),
    Function::new("sprig_osExt", TEXT, ext).returns(Type::String),
    Function::new("sprig_osIsAbs", TEXT, is_abs).returns(Type::Bool),
];

/// Returns the shortest path that means the same.
fn clean(path: &[u8]) -> Vec<u8> {
    let rooted = path.starts_with(b"/");
    let mut names: Vec<&[u8]> = Vec::new();
    for name in path.split(|&byte| byte == b'/') {
        match name {
            b"" | b"." => {}
            b".." if names.last().is_some_and(|last| *last != b"..") => {
                names.pop();
            }
            b".." if rooted => {}
            name => names.push(name),
        }
    }
    let joined = names.join(&b'/');
    match (rooted, joined.is_empty()) {
        (true, _) => [b"/", joined.as_slice()].concat(),
        (false, true) => b".".to_vec(),
        (false, false) => joined,
    }
}

fn base(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let path = text(args, 0);
    if path.is_empty() {
        return answer(b".");
    }
    let end = path.iter().rposition(|&byte| byte != b'/').map_or(0, |at| at + 1);
    match path[..end].rsplit(|&byte| byte == b'/').next() {
        None | Some(b"") => answer(b"/"),
        Some(name) => answer(name),
    }
}

fn dir(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let path = text(args, 0);
    let end = path.iter().rposition(|&byte| byte == b'/').map_or(0, |at| at + 1);
    answer(&clean(&path[..end]))
}

fn ext(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let name = text(args, 0).rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    answer(name.iter().rposition(|&byte| byte == b'.').map_or(&b""[..], |at| &name[at..]))
}

fn is_abs(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::Bool(text(args, 0).starts_with(b"/")))
}
