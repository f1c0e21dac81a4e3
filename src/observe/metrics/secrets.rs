//! The metrics of each secret. A secret has no name in the configuration, so it goes by the first file that uses it
//! and by its place among that file's secrets, and never by its path.

use std::fmt::Error;

use super::writer::{Labels, SECONDS, Writer};
use crate::core::view::{SecretView, View};
use crate::observe::status;

/// The number of secrets that have series of their own. A template may read as many as somebody puts into a list on
/// the server, and nobody's Prometheus is to pay for that.
pub(super) const MOST: usize = 1000;

/// A secret and its labels.
struct Named<'v> {
    secret: &'v SecretView,
    file: &'v str,
    place: String,
}

impl Named<'_> {
    fn labels(&self) -> Labels<'_, 2> {
        [("file", self.file), ("secret", self.place.as_str())]
    }
}

/// Returns the secrets by the file that uses them first, and by their path within it. So their places stay the same
/// while the file reads the same.
fn named(view: &View) -> Vec<Named<'_>> {
    let mut taken = vec![false; view.secrets.len()];
    let mut all = Vec::new();
    for file in &view.files {
        let mut own: Vec<&SecretView> = Vec::new();
        for &index in &file.secrets {
            if let (Some(secret), Some(taken)) = (view.secrets.get(index), taken.get_mut(index))
                && !std::mem::replace(taken, true)
            {
                own.push(secret);
            }
        }
        own.sort_by(|a, b| (&a.source, &a.id).cmp(&(&b.source, &b.id)));
        all.extend(own.into_iter().zip(1..).map(|(secret, place): (_, usize)| Named {
            secret,
            file: &file.name,
            place: place.to_string(),
        }));
    }
    all.truncate(MOST);
    all
}

pub(super) fn write(writer: &mut Writer<'_>, view: &View) -> Result<(), Error> {
    let secrets = &view.secrets;
    writer.gauge("secrets", "How many secrets are kept", None, Some(secrets.len()))?;
    let failing = secrets.iter().filter(|secret| secret.error.is_some()).count();
    writer.gauge("secrets_failing", "Of these, how many failed last", None, Some(failing))?;
    let named = named(view);
    let untold = secrets.len() - named.len();
    let help = "Of these, how many have no series of their own: no file uses them yet, or they are too many";
    writer.gauge("secrets_untold", help, None, Some(untold))?;
    times(writer, view, &named)?;
    let error = named.iter().map(|one| (one.labels(), u32::from(one.secret.error.is_some())));
    writer.gauges("secret_error", "Whether the secret failed last", None, error)?;
    let class = named.iter().filter_map(|one| {
        let [file, place] = one.labels();
        Some(([file, place, ("class", one.secret.error.as_ref()?.class)], 1_u32))
    });
    writer.gauges("secret_error_class", "1 for the class of the secret's last failure", None, class)?;
    let reads = named.iter().map(|one| (one.labels(), one.secret.reads));
    writer.counters("secret_reads", "How often the secret was read", reads)?;
    let renewals = named.iter().map(|one| (one.labels(), one.secret.renewals));
    writer.counters("secret_renewals", "How often its lease was renewed", renewals)?;
    let replacements = named.iter().map(|one| (one.labels(), one.secret.replacements));
    writer.counters("secret_replacements", "How often it was minted anew", replacements)
}

fn times(writer: &mut Writer<'_>, view: &View, named: &[Named<'_>]) -> Result<(), Error> {
    let version = named.iter().filter_map(|one| Some((one.labels(), one.secret.version?)));
    writer.gauges("secret_version", "Its version, where the engine counts them", None, version)?;
    let id = named.iter().filter_map(|one| {
        let [file, place] = one.labels();
        Some(([file, place, ("version_id", one.secret.version_id.as_deref()?)], 1_u32))
    });
    let help = "1 for the name of its version, of a store that is no Vault and has any";
    writer.gauges("secret_version_info", help, None, id)?;
    let age =
        named.iter().filter_map(|one| Some((one.labels(), -status::until(view.now, one.secret.fresh?))));
    writer.gauges("secret_age", "Since it was last read or renewed with success", SECONDS, age)?;
    let expiry =
        named.iter().filter_map(|one| Some((one.labels(), status::until(view.now, one.secret.expires?))));
    let help = "Until the secret ends, negative where that is past; absent where it does not";
    writer.gauges("secret_expiry", help, SECONDS, expiry)?;
    let next = named.iter().filter_map(|one| {
        let (action, at) = one.secret.next?;
        let [file, place] = one.labels();
        let labels = [file, place, ("action", status::action_name(action))];
        Some((labels, status::until(view.now, at)))
    });
    writer.gauges("secret_next", "Until the next action about it", SECONDS, next)
}
