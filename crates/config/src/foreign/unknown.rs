//! Reports keys that the foreign program does not know either.

use super::draft::Weight;
use super::stanza::{Desk, Row, Stanza};
use super::tree::Item;
use crate::keypath::KeyPath;
use crate::shape::nearest;

/// The foreign program's way with a key that it does not know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Unknown {
    /// It does not start.
    Mistake,
    /// It passes over the key without a word.
    PassedOver,
}

/// Parts of names of keys that were meant to say whom to trust. To pass over such a key would make the connection
/// weaker than its author believes.
const TRUST: &[&str] = &["ca_", "cacert", "capath", "cert", "tls", "ssl", "verify", "insecure", "pinned"];

/// The same for the `vault` block, in which an address is the other half of trust.
const SERVER: &[&str] = &["addr", "url", "host", "proxy"];

impl Desk<'_> {
    pub(super) fn unknown(
        &mut self,
        stanza: &Stanza<'_>,
        item: &Item,
        rows: &[Row],
        base: &KeyPath,
        unknown: Unknown,
    ) {
        let passed_over = unknown == Unknown::PassedOver && !is_about_trust(stanza, &item.key);
        let weight = if passed_over { Weight::Lost } else { Weight::Refused };
        if self.is_full(weight) {
            return;
        }
        let names: Vec<&str> = rows.iter().map(|row| row.key).collect();
        let near = meant(&item.key, &names);
        let hint = match near {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("the keys here are {}", names.join(", ")),
        };
        let name: String = item.key.chars().take(40).filter(|c| !c.is_control()).collect();
        if passed_over {
            let message = format!("unknown key `{name}`, which is passed over, as Vault Agent does");
            let hint = near.map_or_else(|| "take it out".to_owned(), |_| hint);
            return self.note(Weight::Lost, item.at, stanza.path(&name), base, (message, hint));
        }
        let told = (format!("unknown key `{name}`"), hint);
        let meant = rows.iter().find(|row| Some(row.key) == near && !base.steps().is_empty());
        match meant {
            // Or its absence would be a second problem with the same cause.
            Some(row) => self.refuse(item.at, stanza.path(&name), &row.to.home(base), told),
            None => self.note(Weight::Refused, item.at, stanza.path(&name), &KeyPath::top(), told),
        }
    }
}

/// Returns the known key that was meant: one that is spelled alike, or one all of whose words are in `name`. So
/// `ca_cert_file` is `ca_cert`.
fn meant<'n>(name: &str, names: &[&'n str]) -> Option<&'n str> {
    let longer = |known: &&&str| name.strip_prefix(**known).is_some_and(|rest| rest.starts_with('_'));
    nearest(name, names).or_else(|| names.iter().filter(longer).max_by_key(|known| known.len()).copied())
}

fn is_about_trust(stanza: &Stanza<'_>, key: &str) -> bool {
    let key = key.to_ascii_lowercase();
    let has = |words: &[&str]| words.iter().any(|word| key.contains(word));
    has(TRUST) || stanza.name == "vault" && has(SERVER)
}
