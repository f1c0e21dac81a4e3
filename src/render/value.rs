//! Renders files without a template: one value of a secret, or all of them as JSON.

use base64::Engine as _;
use base64::engine::DecodePaddingMode;
use base64::engine::general_purpose::{GeneralPurpose, GeneralPurposeConfig};
use zeroize::Zeroizing;

use super::World;
use crate::config::plan::Part;
use crate::exit::{Cause, Ending};
use crate::secret::Secret;
use crate::template::advice::of_absent;
use crate::tree::Tree;
use leasehold_base::request::Request;
use leasehold_base::response::Response;

/// Base64 with or without padding, because values come from many hands.
const LENIENT: GeneralPurpose = GeneralPurpose::new(
    &base64::alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true),
);

/// Returns the value under `key`: a text as it is, a number in its spelling, a list or map as JSON.
pub(super) fn field(
    request: &Request,
    key: &str,
    base64: bool,
    world: &mut World<'_>,
) -> Result<Secret, Ending> {
    // Without an answer the caller reports what is missing, whatever this says.
    let Some(response) = world.get(request) else { return Ok(Secret::default()) };
    let path = &request.path;
    let missing =
        |what: &str, hint: String| Ending::new(Cause::Missing, format!("{path}#{key}: {what}"), hint);
    let fields = fields(request, &response)?;
    let value = match fields.get(key) {
        None if is_no_object(&response) => {
            let hint = format!("write {path} for the whole value, or store an object with this key");
            return Err(missing("the value is no JSON object, so it has no keys", hint));
        }
        None => {
            let hint = of_metadata(path, key, fields).unwrap_or_else(|| of_absent(key, &[fields]));
            return Err(missing("the secret has no such key", hint));
        }
        Some(Tree::Null) => {
            return Err(missing("the value is null", "write a text or a number to it".to_owned()));
        }
        Some(Tree::Text(text) | Tree::Number(text)) => text.clone(),
        Some(Tree::Bool(flag)) => flag.to_string().into(),
        Some(nested) => json_of(nested),
    };
    if base64 { decode(path, key, &value) } else { Ok(value) }
}

/// Returns the value of a store that is no Vault, as it is kept there.
pub(super) fn whole(request: &Request, base64: bool, world: &mut World<'_>) -> Result<Secret, Ending> {
    let Some(response) = world.get(request) else { return Ok(Secret::default()) };
    // What was written down of a store's answer, or given to `render --secrets`, may have fields alone.
    let Some(value) = &response.raw else { return field(request, "value", base64, world) };
    if base64 { decode(&request.path, "value", value) } else { Ok(value.clone()) }
}

/// Returns whether it is a store's value that has no fields: all of it is its one field `value`.
fn is_no_object(response: &Response) -> bool {
    let value = response.data.get("value").and_then(Tree::as_text);
    response.raw.as_ref().is_some_and(|raw| value == Some(raw))
}

/// Returns what to do if the path is that of a secret's versions, which have no keys of the secret.
fn of_metadata(path: &str, key: &str, fields: &Tree) -> Option<String> {
    let (mount, rest) = path.split_once("/metadata/").filter(|_| fields.get("versions").is_some())?;
    Some(format!("these are its versions: write {mount}/{rest}#{key}"))
}

/// Joins texts and values in a row.
pub(super) fn parts(parts: &[Part], world: &mut World<'_>) -> Result<Secret, Ending> {
    let mut pieces = Vec::new();
    for part in parts {
        pieces.push(match part {
            Part::Text(text) => text.clone(),
            Part::Field { request, key } => field(request, key, false, world)?,
        });
    }
    // With room for all of it the buffer does not move.
    let mut joined = Zeroizing::new(Vec::with_capacity(pieces.iter().map(Secret::len).sum()));
    pieces.iter().for_each(|piece| joined.extend_from_slice(piece.expose()));
    Ok(Secret::new(std::mem::take(&mut *joined)))
}

/// Returns all fields as a compact JSON object, sorted by key.
pub(super) fn json(request: &Request, world: &mut World<'_>) -> Result<Secret, Ending> {
    let Some(response) = world.get(request) else { return Ok(Secret::default()) };
    Ok(json_of(fields(request, &response)?))
}

/// Returns the fields of the secret; for KV version 2, those of its `data`.
fn fields<'r>(request: &Request, response: &'r Response) -> Result<&'r Tree, Ending> {
    let fields = response.kv2_fields().unwrap_or(&response.data);
    if fields.as_map().is_some() {
        return Ok(fields);
    }
    let hint = "write a new version, if this one was deleted; otherwise correct the path";
    Err(Ending::new(Cause::Missing, format!("{}: the secret has no keys", request.path), hint))
}

fn json_of(tree: &Tree) -> Secret {
    Secret::new(std::mem::take(&mut *tree.to_json()))
}

fn decode(path: &str, key: &str, value: &Secret) -> Result<Secret, Ending> {
    let mut joined = Zeroizing::new(Vec::with_capacity(value.len()));
    joined.extend(value.expose().iter().filter(|byte| !byte.is_ascii_whitespace()));
    LENIENT.decode(&*joined).map(Secret::new).map_err(|_| {
        let what = format!("{path}#{key}: the value is not base64");
        Ending::new(Cause::Template, what, "store it in base64, or take `encoding` out")
    })
}
