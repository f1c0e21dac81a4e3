//! Encodings, digests and password hashes.

use base64::Engine as _;
use base64::alphabet::BCRYPT;
use base64::engine::general_purpose::{GeneralPurpose, NO_PAD};
use sha1::Sha1;
use sha2::{Digest as _, Sha256};

use zeroize::Zeroizing;

use crate::eval::Scope;
use crate::function::{Function, FunctionError};
use crate::functions::arg::{Answer, answer, fail, text, written};
use crate::functions::encoding::{STANDARD, decode, hex};
use crate::value::{Type, Value};

const TEXT: &[Type] = &[Type::String];

pub(super) static FUNCTIONS: &[Function] = &[
    Function::new("sprig_adler32sum", TEXT, adler32).returns(Type::String),
    Function::new("sprig_b32dec", TEXT, base32_decode).returns(Type::String),
    Function::new("sprig_b32enc", TEXT, base32_encode).returns(Type::String),
    Function::new("sprig_b64dec", TEXT, base64_decode).returns(Type::String),
    Function::new("sprig_b64enc", TEXT, base64_encode).returns(Type::String),
    Function::new("sprig_bcrypt", TEXT, bcrypt).returns(Type::String),
    Function::new("sprig_htpasswd", &[Type::String; 2], htpasswd).returns(Type::String),
    Function::new("sprig_sha1sum", TEXT, sha1).returns(Type::String),
    Function::new("sprig_sha256sum", TEXT, sha256).returns(Type::String),
];

fn sha1(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(hex(&Sha1::digest(text(args, 0))).as_bytes())
}

fn sha256(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    answer(hex(&Sha256::digest(text(args, 0))).as_bytes())
}

fn adler32(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    const MODULUS: u32 = 65_521;
    let (mut low, mut high) = (1, 0);
    for &byte in text(args, 0) {
        low = (low + u32::from(byte)) % MODULUS;
        high = (high + low) % MODULUS;
    }
    Ok(Value::text((high << 16 | low).to_string()))
}

fn base64_encode(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    Ok(Value::text(STANDARD.encode(text(args, 0))))
}

fn base64_decode(_: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    match decode(&STANDARD, text(args, 0)) {
        Some(bytes) => Ok(Value::text(bytes)),
        None => fail("b64dec: illegal base64 data"),
    }
}

const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";

/// Encodes a text in base32, in groups of eight signs for five bytes, filled up with `=`.
fn base32_encode(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    written(scope, |out| {
        for group in text(args, 0).chunks(5) {
            let bits =
                (0..5).fold(0_u64, |bits, at| bits << 8 | u64::from(group.get(at).copied().unwrap_or(0)));
            let signs = (group.len() * 8).div_ceil(5);
            for at in 0..signs {
                out.push(&[ALPHABET[(bits >> (35 - 5 * at) & 31) as usize]]);
            }
            out.repeat(b'=', 8 - signs);
        }
        Ok(())
    })
}

fn base32_decode(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    let wrong = || FunctionError::new("b32dec: illegal base32 data");
    let signs: zeroize::Zeroizing<Vec<u8>> = text(args, 0)
        .iter()
        .copied()
        .filter(|byte| !matches!(byte, b'\r' | b'\n'))
        .collect::<Vec<u8>>()
        .into();
    if !signs.len().is_multiple_of(8) {
        return Err(wrong());
    }
    let groups = signs.len() / 8;
    written(scope, |out| {
        for (index, group) in signs.chunks(8).enumerate() {
            let count = group.iter().position(|&sign| sign == b'=').unwrap_or(8);
            let filled =
                group[count..].iter().all(|&sign| sign == b'=') && (count == 8 || index + 1 == groups);
            if !filled || !matches!(count, 2 | 4 | 5 | 7 | 8) {
                return Err(wrong());
            }
            let mut bits = 0_u64;
            for sign in &group[..count] {
                let value = ALPHABET.iter().position(|letter| letter == sign).ok_or_else(wrong)?;
                bits = bits << 5 | value as u64;
            }
            let bytes = (bits << (5 * (8 - count)) << 24).to_be_bytes();
            out.push(&bytes[..count * 5 / 8]);
        }
        Ok(())
    })
}

/// What hashing a password costs, as text that would cost as much.
const COST_OF_A_HASH: usize = 4 << 20;

/// Hashes a password of no more than 72 bytes as Go's bcrypt does: version 2a at cost 10.
fn hash(scope: &mut Scope<'_, '_>, password: &[u8]) -> Result<String, FunctionError> {
    scope.spend(COST_OF_A_HASH)?;
    let mut salt = [0; 16];
    scope.host().random(&mut salt);
    if password.len() > 72 {
        return fail("bcrypt: the password is longer than 72 bytes");
    }
    // The end of the password counts, as far as the key goes.
    let mut key = Zeroizing::new([password, &[0]].concat());
    key.truncate(72);
    let hash = ::bcrypt::bcrypt(10, salt, &key);
    let letters = GeneralPurpose::new(&BCRYPT, NO_PAD);
    // The last of its 24 bytes has never been part of a hash.
    Ok(format!("$2a$10${}{}", letters.encode(salt), letters.encode(&hash[..23])))
}

fn bcrypt(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    hash(scope, text(args, 0)).map(Value::text)
}

/// Returns a line of a password file: `htpasswd user password`.
fn htpasswd(scope: &mut Scope<'_, '_>, args: &[Value]) -> Answer {
    if text(args, 0).contains(&b':') {
        return fail("htpasswd: the user's name has a colon in it");
    }
    let hash = hash(scope, text(args, 1))?;
    written(scope, |out| {
        out.push(text(args, 0));
        out.push(b":");
        out.push(hash.as_bytes());
        Ok(())
    })
}

#[cfg(test)]
mod tests {
    use crate::Template;
    use crate::eval::MissingKey;
    use crate::functions;
    use crate::host::Nowhere;
    use crate::limits::Limits;
    use crate::value::Value;

    /// `Nowhere` salts with zeros, so the hash is one that any bcrypt can be asked for:
    /// `bcrypt.hashpw(b"secret", b"$2a$10$" + 22 * b".")`.
    #[test]
    fn a_password_hash_is_the_one_that_others_compute() {
        let text = br#"{{ sprig_htpasswd "web" "secret" }}"#;
        let template = Template::parse("t", text, None, functions::all()).expect("a template");
        let out = template.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut Nowhere);
        assert_eq!(
            out.expect("renders").expose_str(),
            Some("web:$2a$10$......................a8yCYP74N5C7MbVWc4itOGadCb9nAeG")
        );
    }
}
