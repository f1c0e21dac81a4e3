//! The metrics of each file.

use std::fmt::Error;
use std::time::Duration;

use super::writer::{BYTES, Labels, SECONDS, Writer};
use crate::core::view::{FileView, Health, NextAction, View};
use crate::observe::status;
use leasehold_base::time::Moment;

/// The number of files that have series of their own: the first ones, and of the others as many that are in
/// trouble. Each file has seven series or more, and a scrape of ten thousand files would be 3.5 MB.
pub(super) const MOST: usize = 1000;

pub(super) fn write(writer: &mut Writer<'_>, view: &View, bytes: &[Option<usize>]) -> Result<(), Error> {
    writer.gauge("files", "How many files there are", None, Some(view.files.len()))?;
    let failing = view.files.iter().filter(|file| is_troubled(file)).count();
    writer.gauge("files_failing", "Of these, how many are not as they should be", None, Some(failing))?;
    let files = told(view);
    let help =
        "Of these, how many have no series of their own: they are too many, and nothing is wrong with them";
    writer.gauge("files_untold", help, None, Some(view.files.len() - files.len()))?;
    let by_file = |value: fn(&View, &FileView) -> Option<i64>| {
        files.iter().filter_map(move |(_, file)| Some((of_file(file), value(view, file)?)))
    };
    let published = by_file(|_, file| Some(i64::from(file.generation.is_some())));
    writer.gauges("file_published", "Whether the file is on disk", None, published)?;
    let generation = by_file(|_, file| i64::try_from(file.generation?).ok());
    writer.gauges("file_generation", "The generation on disk", None, generation)?;
    let expiry = by_file(|view, file| Some(status::until(view.now, file.expires?)));
    let help = "Until the first of its secrets ends, negative where that is past; absent where none does";
    writer.gauges("file_expiry", help, SECONDS, expiry)?;
    let life = by_file(|view, file| i64::try_from(life_of(view, file)?.as_secs()).ok());
    let help = "The whole life of the secret that ends first, as last granted; absent where none does";
    writer.gauges("file_life", help, SECONDS, life)?;
    let state = files.iter();
    let state = state.map(|(_, file)| ([("file", file.name.as_str()), ("state", file.health.name())], 1_u32));
    let help = "1 for how the file is: ok, stale, failing, expired or missing; the other states are absent";
    writer.gauges("file_state", help, None, state)?;
    let age = by_file(|view, file| Some(-status::until(view.now, file.changed?)));
    writer.gauges("file_age", "Since the file last changed in this run", SECONDS, age)?;
    let next = files.iter().filter_map(|(_, file)| {
        let (action, at) = next_of(view, file)?;
        let labels = [("file", file.name.as_str()), ("action", status::action_name(action))];
        Some((labels, status::until(view.now, at)))
    });
    writer.gauges("file_next", "Until the next action about one of its secrets", SECONDS, next)?;
    let error = by_file(|_, file| Some(i64::from(status::fault(file.error.as_ref(), file.health).is_some())));
    writer.gauges("file_error", "Whether something keeps the file from being true", None, error)?;
    let own = files.iter().filter_map(|(_, file)| Some((*file, file.error.as_ref()?.class)));
    let over = files.iter().filter(|(_, file)| matches!(file.health, Health::Expired(_)));
    let class = own.chain(over.map(|(_, file)| (*file, "expired")));
    let class = class.map(|(file, class)| ([("file", file.name.as_str()), ("class", class)], 1_u32));
    writer.gauges(
        "file_error_class",
        "1 for the class of what keeps the file from being true",
        None,
        class,
    )?;
    let size = |place: usize| bytes.get(place).copied().flatten();
    let sizes = files.iter().filter_map(|(place, file)| Some((of_file(file), size(*place)?)));
    let sizes = sizes.map(|(labels, size)| (labels, u64::try_from(size).unwrap_or(u64::MAX)));
    writer.gauges("file_size", "The bytes of its last rendering", BYTES, sizes)?;
    let renders = files.iter().map(|(_, file)| (of_file(file), file.renders));
    writer.counters("file_renders", "How often the file was rendered", renders)
}

fn of_file(file: &FileView) -> Labels<'_, 1> {
    [("file", file.name.as_str())]
}

/// Returns the first thing that happens to one of its secrets.
fn next_of(view: &View, file: &FileView) -> Option<(NextAction, Moment)> {
    let nexts = file.secrets.iter().filter_map(|&index| view.secrets.get(index)?.next);
    nexts.min_by_key(|(_, at)| *at)
}

/// Returns the life of the secret that ends first: from when it was last read or renewed to its end.
fn life_of(view: &View, file: &FileView) -> Option<Duration> {
    let secrets = file.secrets.iter().filter_map(|&index| view.secrets.get(index));
    let lives = secrets.filter_map(|secret| Some((secret.expires?, secret.fresh?.until(secret.expires?))));
    lives.min_by_key(|(end, _)| *end).map(|(_, life)| life)
}

/// Returns the files that have series of their own, with their places.
fn told(view: &View) -> Vec<(usize, &FileView)> {
    let mut first: Vec<(usize, &FileView)> = view.files.iter().enumerate().collect();
    let rest = first.split_off(first.len().min(MOST));
    first.extend(rest.into_iter().filter(|(_, file)| is_troubled(file)).take(MOST));
    first
}

fn is_troubled(file: &FileView) -> bool {
    file.health != Health::Good || file.error.is_some()
}
