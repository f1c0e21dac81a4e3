//! base64 and digests.

use base64::alphabet::Alphabet;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use base64::engine::{DecodePaddingMode, Engine};
use hmac::{Hmac, Mac};
use md5::Md5;
use sha2::{Digest, Sha256};
use zeroize::Zeroizing;

use super::arg::{Answer, answer, fail, text};
use crate::eval::Scope;
use crate::function::Function;
use crate::value::{Type, Value};

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("base64Decode", &[Type::String], decode_std).returns(Type::String),
    Function::new("base64Encode", &[Type::String], encode_std).returns(Type::String),
    Function::new("base64URLDecode", &[Type::String], decode_url).returns(Type::String),
    Function::new("base64URLEncode", &[Type::String], encode_url).returns(Type::String),
    Function::new("hmacSHA256Hex", &[Type::String, Type::String], hmac_sha256_hex).returns(Type::String),
    Function::new("md5sum", &[Type::String], md5sum).returns(Type::String),
    Function::new("sha256Hex", &[Type::String], sha256_hex).returns(Type::String),
];

/// The rules of Go's decoders: padding is required, and surplus bits in the last character are ignored.
const GO: GeneralPurposeConfig = GeneralPurposeConfig::new()
    .with_decode_padding_mode(DecodePaddingMode::RequireCanonical)
    .with_decode_allow_trailing_bits(true);

/// Go's `base64.StdEncoding`.
pub(super) const STANDARD: GeneralPurpose = GeneralPurpose::new(&base64::alphabet::STANDARD, GO);

/// Go's `base64.URLEncoding`.
const URL: GeneralPurpose = GeneralPurpose::new(URL_ALPHABET, GO);

const URL_ALPHABET: &Alphabet = &base64::alphabet::URL_SAFE;

/// Returns the bytes that `text` encodes; `None` if it is not base64. Line breaks are skipped, as in Go.
pub(super) fn decode(engine: &impl Engine, text: &[u8]) -> Option<Vec<u8>> {
    if !text.iter().any(|byte| matches!(byte, b'\r' | b'\n')) {
        return engine.decode(text).ok();
    }
    let mut joined = Zeroizing::new(Vec::with_capacity(text.len()));
    joined.extend(text.iter().filter(|byte| !matches!(byte, b'\r' | b'\n')));
    engine.decode(&*joined).ok()
}

/// Returns `bytes` in hexadecimal.
pub(super) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn decode_std(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match decode(&STANDARD, text(args, 0)) {
        Some(bytes) => Ok(Value::text(bytes)),
        None => fail("base64Decode: illegal base64 data"),
    }
}

fn decode_url(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match decode(&URL, text(args, 0)) {
        Some(bytes) => Ok(Value::text(bytes)),
        None => fail("base64URLDecode: illegal base64 data"),
    }
}

fn encode_std(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::text(STANDARD.encode(text(args, 0))))
}

fn encode_url(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::text(URL.encode(text(args, 0))))
}

fn sha256_hex(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(hex(&Sha256::digest(text(args, 0))).as_bytes())
}

fn md5sum(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(hex(&Md5::digest(text(args, 0))).as_bytes())
}

/// Returns the HMAC-SHA-256 of a message in hexadecimal: `hmacSHA256Hex message key`.
fn hmac_sha256_hex(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let Ok(mut mac) = Hmac::<Sha256>::new_from_slice(text(args, 1)) else {
        return fail("hmacSHA256Hex: a key of this length cannot be used");
    };
    mac.update(text(args, 0));
    answer(hex(&mac.finalize().into_bytes()).as_bytes())
}
