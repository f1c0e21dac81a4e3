//! The log: one line an event, on standard error: text on a terminal, lines with a priority for systemd's
//! journal, JSON elsewhere.
//!
//! Only our own events are shown, at every level. What a library says was not written with our
//! rule in mind that no value reaches the log: rustify's spans, for one, print whole URIs and
//! parse errors that quote bodies.

use std::env;
use std::fmt::Debug;
use std::io::{self, IsTerminal as _, Write as _};

use serde_json::json;
use tracing::Level;
use tracing::field::Field;
use tracing::level_filters::LevelFilter;
use tracing_subscriber::field::MakeExt as _;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::MakeWriter;
use tracing_subscriber::fmt::format::{self, Writer};
use tracing_subscriber::layer::SubscriberExt as _;
use tracing_subscriber::util::{SubscriberInitExt as _, TryInitError};
use tracing_subscriber::{Layer, Registry, fmt, reload};

use super::paint::Palette;
use super::status::Status;
use super::{journal, stderr, table};
use crate::config::plan::{LogFormat, LogPlan};
use crate::exit::Ending;

/// The name under which our own events come.
const OURS: &str = env!("CARGO_CRATE_NAME");

/// The log that was started: changes its level while we run, and ends it.
#[derive(Debug, Clone)]
pub struct LogHandle {
    filter: reload::Handle<Targets, Registry>,
    shape: Shape,
}

impl LogHandle {
    /// Shows events of this level and above from now on.
    pub fn set_level(&self, level: Level) {
        // It fails only if the subscriber is gone, and then there is no log to change.
        let _no_log = self.filter.reload(filter(level));
    }

    /// Returns whether the lines are text, for people.
    #[must_use]
    pub fn is_text(&self) -> bool {
        self.shape == Shape::Text
    }

    /// Makes what is logged of how everything stands: an object in a log of JSON, and elsewhere the table.
    #[must_use]
    pub fn report(&self, status: &Status) -> Report {
        Report(match self.shape {
            Shape::Json => serde_json::to_string(status).expect("a status is texts and numbers"),
            Shape::Text | Shape::Journal => table::text(status, Palette::PLAIN),
        })
    }

    /// Logs how everything stands, a table line by line.
    pub fn tell(&self, Report(text): &Report) {
        if self.shape != Shape::Json {
            text.lines().filter(|line| !line.is_empty()).for_each(|line| tracing::info!("{line}"));
        } else if tracing::enabled!(Level::INFO) {
            let time = json!(stderr::timestamp());
            let line = format!(r#"{{"timestamp":{time},"level":"INFO","message":"status","status":{text}}}"#);
            // The library writes fields as texts, and an object in a text is escaped beyond reading.
            let _as_the_library_does = stderr::Lines.write_all(format!("{line}\n").as_bytes());
        }
    }

    /// Logs why the process ends, with its exit code, and says whether it did. A log of JSON does, whose readers
    /// would make nothing of a last line in words; to every other one the last line belongs as it is, and would
    /// be a second one that says the same.
    #[must_use]
    pub fn takes_the_end(&self, ending: &Ending) -> bool {
        if self.shape == Shape::Json {
            tracing::error!(exit_code = ending.cause.code(), "{}", ending.words());
        }
        self.shape == Shape::Json
    }
}

/// How everything stands, as the log has it.
#[derive(Debug)]
pub struct Report(String);

/// The shape of a line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Shape {
    Text,
    Journal,
    Json,
}

impl Shape {
    fn of(format: LogFormat, reader: Reader) -> Self {
        match (format, reader) {
            (LogFormat::Json, _) | (LogFormat::Auto, Reader::Other) => Self::Json,
            (_, Reader::Journal) => Self::Journal,
            (_, Reader::Terminal | Reader::Other) => Self::Text,
        }
    }

    /// Returns the line that stands in place of so many dropped ones.
    fn notice(self) -> stderr::Notice {
        match self {
            Self::Text => |dropped| format!("{}  WARN {}\n", stderr::timestamp(), unread(dropped)),
            Self::Journal => |dropped| format!("{}{}\n", journal::WARN, unread(dropped)),
            Self::Json => |dropped| {
                let (time, message) = (stderr::timestamp(), unread(dropped));
                let line =
                    json!({ "timestamp": time, "level": "WARN", "message": message, "dropped": dropped });
                format!("{line}\n")
            },
        }
    }
}

fn unread(dropped: u64) -> String {
    let lines = if dropped == 1 { "line was" } else { "lines were" };
    format!("{dropped} {lines} dropped: the log was not read")
}

/// The reader of standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reader {
    Terminal,
    Journal,
    Other,
}

impl Reader {
    fn of_stderr() -> Self {
        if io::stderr().is_terminal() {
            Self::Terminal
        } else if is_journal() {
            Self::Journal
        } else {
            Self::Other
        }
    }
}

/// Returns whether systemd's journal reads standard error.
#[must_use]
pub fn is_journal() -> bool {
    journal::reads(io::stderr(), env::var_os("JOURNAL_STREAM").as_deref())
}

/// Returns whether a person reads the log as it comes, and asked for no more and no less than the life of the
/// secrets.
#[must_use]
pub fn is_for_a_person(plan: LogPlan) -> bool {
    let usual = plan.format == LogFormat::Auto && plan.level == Level::INFO;
    usual && Reader::of_stderr() == Reader::Terminal
}

/// Starts the log, once in the life of the process.
///
/// # Errors
/// If a log was started before.
pub fn start(plan: LogPlan) -> Result<LogHandle, TryInitError> {
    let (layer, handle) = layer(plan, Reader::of_stderr(), || stderr::Lines);
    tracing_subscriber::registry().with(layer).try_init()?;
    stderr::open(handle.shape.notice());
    Ok(handle)
}

/// Returns the layer that writes, and the handle on its level.
fn layer<W>(plan: LogPlan, reader: Reader, writer: W) -> (Box<dyn Layer<Registry> + Send + Sync>, LogHandle)
where
    W: for<'a> MakeWriter<'a> + Send + Sync + 'static,
{
    let (filter, handle) = reload::Layer::new(filter(plan.level));
    let shape = Shape::of(plan.format, reader);
    let layer = fmt::layer().with_writer(writer).with_target(false);
    // `NO_COLOR` is honoured by the layer itself as long as nothing is said about colours.
    let layer = if reader == Reader::Terminal { layer } else { layer.with_ansi(false) };
    let fields = format::debug_fn(field).delimited(" ");
    let boxed = match shape {
        Shape::Json => layer.json().flatten_event(true).with_span_list(false).with_filter(filter).boxed(),
        Shape::Journal => layer.fmt_fields(fields).event_format(journal::Lines).with_filter(filter).boxed(),
        Shape::Text => layer.fmt_fields(fields).with_filter(filter).boxed(),
    };
    (boxed, LogHandle { filter: handle, shape })
}

/// Writes a field of a line of text. What a server or a file name holds must neither begin a line
/// of its own nor steer the terminal; the library sees to that for messages only.
fn field(writer: &mut Writer<'_>, field: &Field, value: &dyn Debug) -> std::fmt::Result {
    if field.name() != "message" {
        write!(writer, "{}=", field.name())?;
    }
    format!("{value:?}").chars().try_for_each(|char| match char {
        char if char.is_control() => write!(writer, "{}", char.escape_default()),
        char => writer.write_char(char),
    })
}

fn filter(level: Level) -> Targets {
    Targets::new().with_default(LevelFilter::OFF).with_target(OURS, level)
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;

    #[derive(Clone, Default)]
    struct Sink(Arc<Mutex<Vec<u8>>>);

    impl Sink {
        fn take(&self) -> String {
            String::from_utf8(std::mem::take(&mut self.0.lock().expect("not poisoned"))).expect("UTF-8")
        }
    }

    impl io::Write for Sink {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            self.0.lock().expect("not poisoned").extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    /// Runs `events` under a log of this shape and returns what it wrote.
    fn logged(format: LogFormat, reader: Reader, events: impl FnOnce(&LogHandle, &Sink)) -> String {
        let sink = Sink::default();
        let writer = sink.clone();
        let (layer, handle) = layer(LogPlan { level: Level::INFO, format }, reader, move || writer.clone());
        let subscriber = tracing_subscriber::registry().with(layer);
        tracing::subscriber::with_default(subscriber, || events(&handle, &sink));
        sink.take()
    }

    #[test]
    fn off_a_terminal_a_line_is_one_json_object() {
        let text = logged(LogFormat::Auto, Reader::Other, |_, _| {
            tracing::info!(target: "leasehold::driver", file = "db.env", "published");
        });
        let line: serde_json::Value = serde_json::from_str(text.trim_end()).expect("one JSON object");
        assert_eq!(
            (&line["level"], &line["message"], &line["file"]),
            (&"INFO".into(), &"published".into(), &"db.env".into())
        );
        assert!(line["timestamp"].is_string());
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn for_the_journal_a_line_begins_with_its_priority_and_has_no_time() {
        let text = logged(LogFormat::Auto, Reader::Journal, |handle, _| {
            handle.set_level(Level::TRACE);
            tracing::error!(target: "leasehold", "lost\nnot a line");
            tracing::warn!(target: "leasehold", file = "db.env", "late");
            tracing::info!(target: "leasehold", "here");
            tracing::debug!(target: "leasehold", "little");
            tracing::trace!(target: "leasehold", "least");
        });
        assert_eq!(text, "<3>lost\\nnot a line\n<4>late file=\"db.env\"\n<6>here\n<7>little\n<7>least\n");
        let json =
            logged(LogFormat::Json, Reader::Journal, |_, _| tracing::info!(target: "leasehold", "here"));
        assert!(json.starts_with('{'), "asked for, so given: {json}");
    }

    #[test]
    fn colour_is_for_terminals_only() {
        let say = |_: &LogHandle, _: &Sink| tracing::info!(target: "leasehold", "here");
        let plain = logged(LogFormat::Text, Reader::Other, say);
        assert!(plain.contains("INFO here") && !plain.contains('\u{1b}'), "{plain:?}");
        let json = logged(LogFormat::Json, Reader::Terminal, say);
        assert!(json.starts_with('{') && !json.contains('\u{1b}'));
    }

    #[test]
    fn a_newline_or_an_escape_in_a_message_does_not_make_a_line_of_its_own() {
        for format in [LogFormat::Json, LogFormat::Text] {
            let text = logged(format, Reader::Other, |_, _| {
                let forged = "a\u{1b}[31mb\n2026 INFO forged\r";
                tracing::info!(target: "leasehold", display = %forged, debug = ?forged, forged, "x {forged}");
            });
            assert_eq!(text.lines().count(), 1, "{text}");
            assert!(!text.trim_end().chars().any(char::is_control), "{text:?}");
        }
    }

    #[test]
    fn libraries_are_not_heard_whatever_the_level() {
        let text = logged(LogFormat::Json, Reader::Other, |handle, _| {
            handle.set_level(Level::TRACE);
            let span = tracing::error_span!(target: "rustify", "wrap", uri = "https://canary");
            let _inside = span.enter();
            tracing::error!(target: "rustify::client", "canary");
            tracing::error!(target: "vaultrs", "canary");
            tracing::error!(target: "hyper::proto", "canary");
            tracing::trace!(target: "leasehold::driver", "ours");
        });
        assert!(text.contains("ours") && !text.contains("canary"), "{text}");
        assert_eq!(text.lines().count(), 1);
    }

    #[test]
    fn a_log_of_json_says_why_the_process_ends_and_any_other_leaves_it_to_the_last_line() {
        let ending = Ending::new(crate::exit::Cause::Denied, "kv/web is denied", "grant it");
        let say = |takes: bool| {
            let ending = ending.clone();
            move |handle: &LogHandle, _: &Sink| assert_eq!(handle.takes_the_end(&ending), takes)
        };
        let json = logged(LogFormat::Auto, Reader::Other, say(true));
        let line: serde_json::Value = serde_json::from_str(json.trim_end()).expect("one JSON object");
        assert_eq!(
            (&line["level"], &line["message"], &line["exit_code"]),
            (&"ERROR".into(), &"kv/web is denied; grant it".into(), &77.into())
        );
        for (format, reader) in [
            (LogFormat::Auto, Reader::Terminal),
            (LogFormat::Auto, Reader::Journal),
            (LogFormat::Text, Reader::Other),
        ] {
            assert_eq!(logged(format, reader, say(false)), "");
        }
    }

    #[test]
    fn the_level_can_be_changed_while_we_run() {
        let text = logged(LogFormat::Text, Reader::Other, |handle, sink| {
            tracing::debug!(target: "leasehold", "before");
            handle.set_level(Level::DEBUG);
            tracing::debug!(target: "leasehold", "between");
            assert!(sink.take().contains("between"));
            handle.set_level(Level::ERROR);
            tracing::warn!(target: "leasehold", "after");
        });
        assert_eq!(text, "");
    }
}
