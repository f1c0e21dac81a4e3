//! The log: one line for each decision, on standard error.

use tracing::Level;

/// Starts the log of this process.
pub(crate) fn start(json: bool, level: &str) {
    let level = match level.trim().to_lowercase().as_str() {
        "trace" => Level::TRACE,
        "debug" => Level::DEBUG,
        "warn" | "warning" => Level::WARN,
        "err" | "error" => Level::ERROR,
        _ => Level::INFO,
    };
    let builder =
        tracing_subscriber::fmt().with_max_level(level).with_target(false).with_writer(std::io::stderr);
    // A second start in one process, as in tests, keeps the first log.
    let _started = if json {
        builder.json().flatten_event(true).with_current_span(false).with_span_list(false).try_init()
    } else {
        builder.with_ansi(false).try_init()
    };
}
