//! Checks an identity in a cloud, which a backend and a login describe in the same way.

use leasehold_settings::stores::ManagedIdentity;

use crate::desk::Desk;
use crate::file::IdentityEntry;
use crate::keypath::KeyPath;

/// Checks an identity that Azure has given to the machine.
pub(super) fn managed(entry: &IdentityEntry, at: &KeyPath, desk: &mut Desk<'_>) -> Option<ManagedIdentity> {
    let at = at.key("managed_identity");
    let kinds = [
        ("client_id", &entry.client_id, ManagedIdentity::Client as fn(String) -> ManagedIdentity),
        ("object_id", &entry.object_id, ManagedIdentity::Object),
        ("resource_id", &entry.resource_id, ManagedIdentity::Resource),
    ];
    let mut given = kinds.iter().filter_map(|(key, id, make)| Some((*key, id.as_deref()?, *make)));
    let Some((key, id, make)) = given.next() else { return Some(ManagedIdentity::System) };
    if let Some((second, _, _)) = given.next() {
        let message = format!("`{key}` and `{second}` exclude one another");
        desk.wrong_key(&at.key(second), message, "one of them is enough to name an identity");
        return None;
    }
    let hint = ("an id of Azure", "write it as Azure shows it");
    text(Some(id), &at.key(key), hint, desk, |id| !id.is_empty() && is_word(id))?.map(make)
}

/// Checks a region of AWS.
pub(super) fn region(given: Option<&str>, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<String>> {
    text(given, at, ("a region of AWS", "write it like eu-central-1"), desk, |text| {
        let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (4..=32).contains(&text.len()) && text.contains('-') && text.chars().all(is_part)
    })
}

/// Returns `None` if the text is wrong, and `Some(None)` if it is left out.
pub(super) fn text(
    text: Option<&str>,
    at: &KeyPath,
    (what, hint): (&str, &str),
    desk: &mut Desk<'_>,
    is_good: impl Fn(&str) -> bool,
) -> Option<Option<String>> {
    match text {
        Some(text) if !is_good(text) => {
            desk.wrong_value(at, format!("not {what}"), hint);
            None
        }
        text => Some(text.map(str::to_owned)),
    }
}

pub(super) fn is_word(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_graphic())
}
