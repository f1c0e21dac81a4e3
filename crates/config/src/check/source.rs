//! Checks the source of a file: a template, a template from a file, or a secret as it is.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::manner::Manner;
use crate::desk::{Desk, On, Spot};
use crate::file::{Encoding, SourceKeys};
use crate::keypath::KeyPath;
use crate::plan::{MissingKey, Source, TemplateSource};
use crate::yaml::MAX_BYTES;
use leasehold_base::request::Request;
use leasehold_template::Position;

use super::path;
use crate::problem::io_words;

/// Returns the source of `whose`, which is a file or a variable.
pub(super) fn check(
    whose: &str,
    keys: &SourceKeys<'_>,
    missing_key: MissingKey,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<Source> {
    const KINDS: [&str; 3] = ["template", "template_file", "secret"];
    let manner = Manner::check(keys, missing_key, at, desk);
    let given = [keys.template.is_some(), keys.template_file.is_some(), keys.secret.is_some()];
    let kinds: Vec<&str> =
        KINDS.iter().zip(given).filter_map(|(kind, given)| given.then_some(*kind)).collect();
    if keys.encoding.is_some() && keys.secret.is_none() && !desk.is_broken(&at.key("secret")) {
        let message = "`encoding` means nothing without `secret: PATH#KEY`";
        desk.wrong_key(&at.key("encoding"), message, "in a template, use base64Decode");
    }
    match kinds[..] {
        ["template"] => {
            let (at, text) = (at.key("template"), keys.template?);
            template(text.as_bytes().to_vec(), None, manner, &at, desk)
        }
        ["template_file"] => template_file(keys.template_file?, manner, &at.key("template_file"), desk),
        ["secret"] => secret(keys.secret?, keys.encoding, at, desk),
        [.., last] => {
            let message = format!("`{}` exclude one another", kinds.join("` and `"));
            desk.wrong_key(&at.key(last), message, format!("{whose} is made of one of them"));
            None
        }
        [] => {
            if !KINDS.iter().any(|kind| desk.is_broken(&at.key(kind))) {
                let hint = "add `template`, `template_file` or `secret`";
                desk.missing(at, format!("{whose} that is made of nothing"), hint);
            }
            None
        }
    }
}

/// Parses a template. Its name is its file, or its place in the configuration.
fn template(
    text: Vec<u8>,
    file: Option<PathBuf>,
    manner: Manner,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<Source> {
    let name = file.as_ref().map_or_else(|| at.to_string(), |file| file.display().to_string());
    let parsed = manner.parse(&name, &text, desk);
    match parsed {
        Ok(template) => {
            let Manner { missing_key, delimiters, denied } = manner;
            let template = Arc::new(template);
            let source =
                TemplateSource { name, file, origin: None, template, missing_key, delimiters, denied };
            Some(Source::Template(source))
        }
        Err(error) => {
            let spot = spot(&text, error.position);
            let on = if file.is_some() { On::File(name, spot) } else { On::Inside(spot) };
            desk.wrong_text(at, on, format!("template: {}", error.message), error.advice());
            None
        }
    }
}

/// Returns a place in characters, which people and editors count. Go counts bytes.
fn spot(text: &[u8], place: Position) -> Spot {
    let (line, column) = place.in_characters(text);
    Spot { text: String::from_utf8_lossy(text).into_owned(), line, column }
}

/// Warns of a place in a template, which stands at `at` or in a file that is named there.
pub(super) fn warn_in(
    source: &TemplateSource,
    place: Position,
    at: &KeyPath,
    desk: &mut Desk<'_>,
    message: impl Into<String>,
    hint: impl Into<String>,
) {
    let spot = spot(source.template.text(), place);
    let (key, on) = match &source.file {
        Some(_) => ("template_file", On::File(source.name.clone(), spot)),
        None => ("template", On::Inside(spot)),
    };
    desk.warn_text(&at.key(key), on, message, hint);
}

fn template_file(text: &str, manner: Manner, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Source> {
    let file = path(text, at, desk)?;
    let bytes = match (desk.read_file)(Path::new(text)) {
        Ok(bytes) => bytes,
        Err(error) if desk.elsewhere => {
            let message = format!("cannot read {text}, so it is not checked: {}", io_words(&error));
            desk.warn(at, message, "check it where it is");
            Vec::new()
        }
        Err(error) => {
            desk.wrong_value(
                at,
                format!("cannot read {text}: {}", io_words(&error)),
                "name a file that is there and readable",
            );
            return None;
        }
    };
    if bytes.len() > MAX_BYTES {
        desk.wrong_value(at, format!("{text} is larger than 8 MiB"), "split it");
        return None;
    }
    template(bytes, Some(file), manner, at, desk)
}

fn secret(text: &str, encoding: Option<Encoding>, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Source> {
    let secret_at = at.key("secret");
    let (path, key) = match text.split_once('#') {
        Some((path, key)) => (path, Some(key)),
        None => (text, None),
    };
    let request = match Request::read(path) {
        Ok(request) => request,
        Err(bad) => {
            desk.wrong_value(&secret_at, bad.to_string(), "write it like secret/web#api_key");
            return None;
        }
    };
    match key {
        Some("") => {
            desk.wrong_value(
                &secret_at,
                "no key behind the #",
                "name one, or take the # out for all fields as JSON",
            );
            None
        }
        Some(key) => Some(Source::Field { request, key: key.to_owned(), base64: encoding.is_some() }),
        None if desk.is_stored(&request.path) => Some(Source::Value { request, base64: encoding.is_some() }),
        None if encoding == Some(Encoding::Base64) => {
            let message = "`encoding` decodes one value, and `secret` names all of them";
            desk.wrong_key(&at.key("encoding"), message, "write secret: PATH#KEY");
            None
        }
        None => Some(Source::Json { request }),
    }
}
