//! `urlParse` and `urlJoin`: addresses as maps of their parts.

use zeroize::Zeroizing;

use super::url::{Url, User};
use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, fail, map, text};
use crate::value::{Key, Map, Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_urlJoin", &[Type::MAP], url_join).returns(Type::String),
    Function::new("sprig_urlParse", &[Type::String], url_parse).returns(Type::MAP),
];

fn url_parse(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let Some(url) = Url::parse(text(args, 0)) else { return fail("urlParse: the text is no address") };
    let mut user = Zeroizing::new(Vec::new());
    if let Some(parsed) = &url.user {
        parsed.write(&mut user);
    }
    let hostname = url.hostname().to_vec();
    Ok(Value::map([
        ("scheme", Value::text(url.scheme)),
        ("host", Value::text(url.host)),
        ("hostname", Value::text(hostname)),
        ("path", Value::text(url.path)),
        ("query", Value::text(url.query)),
        ("opaque", Value::text(url.opaque)),
        ("fragment", Value::text(url.fragment)),
        ("userinfo", Value::text(std::mem::take(&mut *user))),
    ]))
}

/// Returns the text under `key`; the empty text if there is none.
fn part(map: Option<&Map>, key: &str) -> Result<Vec<u8>, FunctionError> {
    match map.and_then(|map| map.get(&Key::Text(key.into()))) {
        None => Ok(Vec::new()),
        Some(Value::Text(text) | Value::Number(text)) => Ok(text.expose().to_vec()),
        Some(_) => fail(format!("urlJoin: {key} is not a text")),
    }
}

/// Parses the user of an address. Like Sprig, this function takes the user out of an address that is made for it. A
/// sign that ends the user there (`/`, `?`, `#`) leaves no user.
fn user(info: &[u8]) -> Result<Option<User>, FunctionError> {
    if info.is_empty() {
        return Ok(None);
    }
    let address = Zeroizing::new([b"proto://", info, b"@host"].concat());
    match Url::parse(&address) {
        Some(url) => Ok(url.user),
        None => fail("urlJoin: userinfo has signs that must be escaped"),
    }
}

fn url_join(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let map = map(args, 0);
    let user = user(&Zeroizing::new(part(map, "userinfo")?))?;
    let url = Url {
        scheme: part(map, "scheme")?,
        opaque: part(map, "opaque")?,
        user,
        host: part(map, "host")?,
        path: part(map, "path")?,
        query: part(map, "query")?,
        fragment: part(map, "fragment")?,
    };
    let mut out = Vec::new();
    url.write(&mut out);
    Ok(Value::text(out))
}
