//! What a file is made of: a template, a template from a file, or a secret as it is.

use std::path::Path;

use crate::config::desk::Desk;
use crate::config::file::{Encoding, FileEntry};
use crate::config::keypath::KeyPath;
use crate::config::places::MAX_BYTES;
use crate::config::plan::{MissingKey, Source, TemplateSource};
use crate::vault::request::Request;

use super::path;
use crate::config::problem::io_words;

pub(super) fn check(
    entry: &FileEntry,
    missing_key: MissingKey,
    at: &KeyPath,
    desk: &mut Desk<'_>,
) -> Option<Source> {
    const KINDS: [&str; 3] = ["template", "template_file", "secret"];
    let given = [entry.template.is_some(), entry.template_file.is_some(), entry.secret.is_some()];
    let kinds: Vec<&str> =
        KINDS.iter().zip(given).filter_map(|(kind, given)| given.then_some(*kind)).collect();
    if entry.encoding.is_some() && entry.secret.is_none() && !desk.is_broken(&at.key("secret")) {
        let message = "`encoding` means nothing without `secret: PATH#KEY`";
        desk.wrong_key(&at.key("encoding"), message, "in a template, use base64Decode");
    }
    match kinds[..] {
        ["template"] => {
            let name = at.key("template").to_string();
            template(name, None, entry.template.as_deref()?.as_bytes().to_vec(), missing_key)
        }
        ["template_file"] => {
            template_file(entry.template_file.as_deref()?, missing_key, &at.key("template_file"), desk)
        }
        ["secret"] => secret(entry.secret.as_deref()?, entry.encoding, at, desk),
        [.., last] => {
            let message = format!("`{}` exclude one another", kinds.join("` and `"));
            desk.wrong_key(&at.key(last), message, "a file is made of one of them");
            None
        }
        [] => {
            if !KINDS.iter().any(|kind| desk.is_broken(&at.key(kind))) {
                let hint = "add `template`, `template_file` or `secret`";
                desk.missing(at, "a file that is made of nothing", hint);
            }
            None
        }
    }
}

fn template(
    name: String,
    file: Option<std::path::PathBuf>,
    text: Vec<u8>,
    missing_key: MissingKey,
) -> Option<Source> {
    Some(Source::Template(TemplateSource { name, file, text, missing_key }))
}

fn template_file(text: &str, missing_key: MissingKey, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Source> {
    let file = path(text, at, desk)?;
    let bytes = match (desk.read_file)(Path::new(text)) {
        Ok(bytes) => bytes,
        Err(error) => {
            desk.wrong_value(
                at,
                format!("cannot read {text}: {}", io_words(&error)),
                "put the template there",
            );
            return None;
        }
    };
    if bytes.len() > MAX_BYTES {
        desk.wrong_value(at, format!("{text} is larger than 8 MiB"), "split it");
        return None;
    }
    template(text.to_owned(), Some(file), bytes, missing_key)
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
        None if encoding == Some(Encoding::Base64) => {
            let message = "`encoding` decodes one value, and `secret` names all of them";
            desk.wrong_key(&at.key("encoding"), message, "write secret: PATH#KEY");
            None
        }
        None => Some(Source::Json { request }),
    }
}
