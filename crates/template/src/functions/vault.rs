//! `secret`, `secrets` and `pkiCert`: the functions that ask the server.

use std::collections::BTreeMap;

use super::arg::{Answer, fail, name, text};
use super::{pem, time};
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::value::{IntType, Key, Map, Record, Shape, Type, Value};
use leasehold_base::request::{BadPath, Request};
use leasehold_base::response::{Auth, Response, WrapInfo};
use leasehold_base::secret::Secret;
use leasehold_base::tree::Tree;

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("pkiCert", &[Type::String], pki_cert).variadic(),
    Function::new("secret", &[Type::String], secret).variadic(),
    Function::new("secrets", &[Type::String], secrets).returns(Type::STRINGS),
];

static SECRET: Shape = Shape {
    name: "dependency.Secret",
    pointer: true,
    fields: &["RequestID", "LeaseID", "LeaseDuration", "Renewable", "Data", "Warnings", "Auth", "WrapInfo"],
    methods: &[],
};

static AUTH: Shape = Shape {
    name: "dependency.SecretAuth",
    pointer: true,
    fields: &["ClientToken", "Accessor", "Policies", "Metadata", "LeaseDuration", "Renewable"],
    methods: &[],
};

static WRAP_INFO: Shape = Shape {
    name: "dependency.SecretWrapInfo",
    pointer: true,
    fields: &["Token", "TTL", "CreationTime", "WrappedAccessor"],
    methods: &[],
};

/// Reads or writes a secret: `secret path [key=value…]`. The call is a read without arguments after the path, and a
/// write with any.
fn secret(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let request = match args {
        [] => return Ok(Value::Nil),
        [_] => Request::read(&name(args, 0)),
        _ => Request::write(&name(args, 0), pairs(&args[1..])?),
    };
    Ok(scope.host().ask(&request.map_err(bad_path)?)?.map_or(Value::Nil, |response| value_of(&response)))
}

/// Returns the names below a path: `secrets path`. The name of a folder ends in a slash.
fn secrets(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    if text(args, 0).is_empty() {
        return Ok(Value::NilOf(Type::STRINGS));
    }
    let request = Request::list(&name(args, 0)).map_err(bad_path)?;
    let Some(response) = scope.host().ask(&request)? else { return Ok(Value::NilOf(Type::STRINGS)) };
    let Some(keys) = response.data.get("keys").and_then(Tree::as_list) else {
        return Ok(Value::NilOf(Type::STRINGS));
    };
    let mut names: Vec<Secret> = keys.iter().filter_map(Tree::as_text).cloned().collect();
    names.sort_unstable();
    Ok(Value::texts(names))
}

/// Returns a certificate with its key and its authorities: `pkiCert path key=value…`.
fn pki_cert(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    if args.is_empty() {
        return Ok(Value::Nil);
    }
    let request = Request::write(&name(args, 0), pairs(&args[1..])?).map_err(bad_path)?;
    match scope.host().ask(&request)? {
        Some(response) => pem::certificate_of(&response.data),
        None => Ok(Value::Nil),
    }
}

fn bad_path(bad: BadPath) -> FunctionError {
    FunctionError::new(bad.to_string())
}

/// Splits arguments at their first `=` and trims both sides. Empty arguments are skipped.
fn pairs(args: &[Value]) -> Result<BTreeMap<String, Secret>, FunctionError> {
    let mut pairs = BTreeMap::new();
    for index in 0..args.len() {
        let pair = text(args, index);
        if pair.is_empty() {
            continue;
        }
        let Some(equals) = pair.iter().position(|&byte| byte == b'=') else {
            return fail("an argument after the path is not of the form key=value");
        };
        let key = String::from_utf8_lossy(super::text::trim_space(&pair[..equals])).into_owned();
        pairs.insert(key, Secret::new(super::text::trim_space(&pair[equals + 1..]).to_vec()));
    }
    Ok(pairs)
}

fn value_of(response: &Response) -> Value {
    if response.is_nothing() {
        // As in Go: a nil pointer, which is false, and whose fields are an error.
        return Value::NilOf(SECRET.type_of());
    }
    let data = match Value::from_tree(&response.data) {
        Value::Map(map) => Value::Map(map),
        _ => Value::NilOf(Type::MAP),
    };
    Record::value(
        &SECRET,
        vec![
            Value::text(response.request_id.as_str()),
            Value::text(response.lease_id.as_str()),
            seconds(response.lease_duration),
            Value::Bool(response.renewable),
            data,
            texts(&response.warnings),
            response.auth.as_ref().map_or(Value::NilOf(AUTH.type_of()), auth),
            response.wrap_info.as_ref().map_or(Value::NilOf(WRAP_INFO.type_of()), wrap_info),
        ],
    )
}

fn auth(auth: &Auth) -> Value {
    let metadata = match &auth.metadata {
        Tree::Map(entries) => {
            let texts = entries.iter().filter_map(|(key, value)| {
                Some((Key::Text(key.into()), Value::Text(value.as_text()?.clone())))
            });
            Value::Map(Map::with(Type::String, Type::String, texts.collect()))
        }
        _ => Value::NilOf(Type::STRING_MAP),
    };
    Record::value(
        &AUTH,
        vec![
            Value::Text(auth.client_token.clone()),
            Value::text(auth.accessor.as_str()),
            texts(&auth.policies),
            metadata,
            seconds(auth.lease_duration),
            Value::Bool(auth.renewable),
        ],
    )
}

fn wrap_info(wrap: &WrapInfo) -> Value {
    let created =
        time::parse(time::RFC3339, wrap.creation_time.as_bytes(), &time::Zone::Utc).unwrap_or_default();
    Record::value(
        &WRAP_INFO,
        vec![
            Value::Text(wrap.token.clone()),
            seconds(wrap.ttl),
            time::value(created),
            Value::text(wrap.accessor.as_str()),
        ],
    )
}

fn texts(texts: &[String]) -> Value {
    if texts.is_empty() {
        Value::NilOf(Type::STRINGS)
    } else {
        Value::texts(texts.iter().map(String::as_str))
    }
}

fn seconds(seconds: u64) -> Value {
    Value::Int(IntType::Int, i64::try_from(seconds).unwrap_or(i64::MAX))
}
