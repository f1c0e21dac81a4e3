//! `/readyz` in words: what a probe's event shows to a person.

use std::time::Duration;

use crate::core::ids::FileId;
use crate::core::view::{Readiness, View};

/// The body of `/readyz`, one line. Whether it is 200 or 503 is [`Readiness::is_ready`].
#[must_use]
pub fn line(view: &View) -> String {
    match &view.readiness {
        Readiness::Ready => "ready".to_owned(),
        Readiness::ReadyWithoutServer { until: None } => "server down, secrets still valid".to_owned(),
        Readiness::ReadyWithoutServer { until: Some(until) } => {
            let left = Duration::from_secs(view.now.until(*until).as_secs());
            format!("server down, secrets still valid for {}", humantime::format_duration(left))
        }
        Readiness::NotRendered { file, why } => format!("not yet rendered: {}", because(view, *file, why)),
        Readiness::Expired { file, why } => format!("expired: {}", because(view, *file, why)),
    }
}

fn because(view: &View, file: FileId, why: &str) -> String {
    let name = view.files.get(file.0).map_or("?", |file| file.name.as_str());
    if why.is_empty() { name.to_owned() } else { format!("{name}: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::sample;

    #[test]
    fn the_words_tell_an_outage_from_an_expiry() {
        let mut view = sample::view();
        let mut line_of = |readiness| {
            view.readiness = readiness;
            line(&view)
        };
        assert_eq!(line_of(Readiness::Ready), "ready");
        let until = Some(sample::view().now.after(Duration::from_millis(90_500)));
        assert_eq!(
            line_of(Readiness::ReadyWithoutServer { until }),
            "server down, secrets still valid for 1m 30s"
        );
        assert_eq!(
            line_of(Readiness::ReadyWithoutServer { until: None }),
            "server down, secrets still valid"
        );
        let why = "permission denied".to_owned();
        assert_eq!(
            line_of(Readiness::NotRendered { file: FileId(1), why: why.clone() }),
            "not yet rendered: api-key: permission denied"
        );
        assert_eq!(line_of(Readiness::Expired { file: FileId(0), why: String::new() }), "expired: db.env");
    }
}
