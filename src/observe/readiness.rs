//! `/readyz` in words: what a probe's event shows to a person.

use std::time::Duration;

use crate::core::view::Readiness;
use leasehold_base::time::Moment;

/// The body of `/readyz`, one line. Whether it is 200 or 503 is [`Readiness::is_ready`].
#[must_use]
pub fn line(readiness: &Readiness, now: Moment) -> String {
    match readiness {
        Readiness::Ready => "ready".to_owned(),
        Readiness::ReadyWithoutServer { until: None } => "server down, secrets still valid".to_owned(),
        Readiness::ReadyWithoutServer { until: Some(until) } => {
            let left = Duration::from_secs(now.until(*until).as_secs());
            format!("server down, secrets still valid for {}", humantime::format_duration(left))
        }
        Readiness::ReadyWithoutLogin { since, why } => {
            let time = Duration::from_secs(since.until(now).as_secs());
            format!("ready, but cannot log in since {}: {why}", humantime::format_duration(time))
        }
        Readiness::NotRendered { file, why } => format!("not yet rendered: {}", because(file, why)),
        Readiness::Lost { file, why } => format!("lost: {}", because(file, why)),
        Readiness::Expired { file, why } => format!("expired: {}", because(file, why)),
    }
}

fn because(file: &str, why: &str) -> String {
    if why.is_empty() { file.to_owned() } else { format!("{file}: {why}") }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::observe::sample;

    #[test]
    fn the_words_tell_an_outage_from_an_expiry() {
        let now = sample::view().now;
        let line_of = |readiness| line(&readiness, now);
        assert_eq!(line_of(Readiness::Ready), "ready");
        let until = Some(now.after(Duration::from_millis(90_500)));
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
            line_of(Readiness::ReadyWithoutLogin {
                since: now.before(Duration::from_secs(320)),
                why: why.clone()
            }),
            "ready, but cannot log in since 5m 20s: permission denied"
        );
        assert_eq!(
            line_of(Readiness::NotRendered { file: "api-key".into(), why: why.clone() }),
            "not yet rendered: api-key: permission denied"
        );
        assert_eq!(
            line_of(Readiness::Expired { file: "db.env".into(), why: String::new() }),
            "expired: db.env"
        );
    }
}
