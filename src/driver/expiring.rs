//! Our own certificates, which have to be replaced before they end: that of the connection to the server, and that of
//! the listener. A certificate that has ended fails every connection, and the cause is far from where that shows.

use std::path::{Path, PathBuf};
use std::time::{Duration, UNIX_EPOCH};

use super::Driver;
use crate::config::plan::Plan;
use crate::observe::certificate::CertificateView;
use crate::observe::clock;
use crate::vault::validity::Validity;
use crate::vault::{PEM_MAX, certificates, read_file};

/// A warning comes in the last tenth of a certificate's life, but no earlier than this many seconds before its end.
const EARLIEST: i64 = 14 * 86_400;

/// The certificates that a plan names.
#[derive(Debug, Default)]
pub(super) struct Expiring(Vec<Own>);

/// One of these certificates.
#[derive(Debug)]
struct Own {
    key: &'static str,
    path: PathBuf,
    /// What fails when it has ended.
    then: &'static str,
    validity: Option<Validity>,
    /// The stage that was logged last.
    logged: Stage,
}

/// How near the end of a certificate is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Stage {
    Far,
    Near,
    Over,
}

impl Expiring {
    /// Returns the certificates of `plan`, as their files are now.
    pub(super) fn of(plan: &Plan) -> Self {
        let encrypted = plan.vault.address.scheme() == "https";
        let client = plan.vault.client_cert.as_ref().filter(|_| encrypted);
        let client = client.map(|own| {
            let then = "the server refuses connections and logins with it";
            Own::new("vault.client_cert_file", &own.cert_file, then)
        });
        let listener = plan.listen_tls.as_ref().map(|own| {
            let then = "peers of the listener refuse it";
            Own::new("listen_tls.cert_file", &own.cert_file, then)
        });
        let mut all = Self(client.into_iter().chain(listener).collect());
        all.read();
        all
    }

    /// Reads the files again, since they have changed.
    pub(super) fn read(&mut self) {
        for own in &mut self.0 {
            own.validity = validity(&own.path);
        }
    }

    /// Logs once each which certificates are near their end at `wall`, in seconds since 1970, or past it.
    pub(super) fn look(&mut self, wall: i64) {
        for own in &mut self.0 {
            let stage = own.stage(wall);
            if std::mem::replace(&mut own.logged, stage) == stage {
                continue;
            }
            match own.words(wall) {
                Some(words) if stage == Stage::Over => tracing::error!("{words}"),
                Some(words) => tracing::warn!("{words}"),
                None => tracing::info!("{} is good until {}", own.name(), own.end()),
            }
        }
    }

    /// Returns their state at `wall`.
    pub(super) fn view(&self, wall: i64) -> Vec<CertificateView> {
        let view = |own: &Own| {
            let validity = own.validity?;
            Some(CertificateView {
                key: own.key,
                file: own.path.display().to_string(),
                left: validity.end.saturating_sub(wall),
                error: own.words(wall),
            })
        };
        self.0.iter().filter_map(view).collect()
    }
}

impl Own {
    fn new(key: &'static str, path: &Path, then: &'static str) -> Self {
        Self { key, path: path.to_owned(), then, validity: None, logged: Stage::Far }
    }

    fn stage(&self, wall: i64) -> Stage {
        let Some(Validity { start, end }) = self.validity else { return Stage::Far };
        let left = end.saturating_sub(wall);
        let tenth = end.saturating_sub(start) / 10;
        match left {
            ..=0 => Stage::Over,
            _ if left <= tenth.min(EARLIEST) => Stage::Near,
            _ => Stage::Far,
        }
    }

    /// Returns the message about it; nothing while its end is far.
    fn words(&self, wall: i64) -> Option<String> {
        let (name, end, then) = (self.name(), self.end(), self.then);
        let does = "put a new certificate and its key there, which are taken without a restart";
        match self.stage(wall) {
            Stage::Far => None,
            Stage::Near => Some(format!("{name} ends at {end}, and from then on {then}: {does}")),
            Stage::Over => Some(format!("{name} has ended at {end}, and {then}: {does}")),
        }
    }

    fn name(&self) -> String {
        format!("the certificate {} (`{}`)", self.path.display(), self.key)
    }

    fn end(&self) -> String {
        let end = self.validity.map_or(0, |validity| validity.end);
        // Years beyond 9999 have no such spelling.
        let seconds = u64::try_from(end).unwrap_or(0).min(253_402_300_799);
        humantime::format_rfc3339_seconds(UNIX_EPOCH + Duration::from_secs(seconds)).to_string()
    }
}

/// Returns the validity of the first certificate in a file, which is the one that is shown. If the file cannot be
/// read, the connections that need it report that.
fn validity(path: &Path) -> Option<Validity> {
    let pem = read_file("certificate", path, PEM_MAX).ok()?;
    Validity::of(certificates("certificate", path, &pem).ok()?.first()?)
}

impl Driver {
    /// Checks our own certificates, whose files have `changed` or not.
    pub(super) fn look_at_own_certificates(&mut self, changed: bool) {
        if changed {
            self.expiring.read();
        }
        self.expiring.look(clock::now().wall);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn own(start: i64, end: i64) -> Own {
        let own = Own::new("listen_tls.cert_file", Path::new("/tls/own.pem"), "peers refuse it");
        Own { validity: Some(Validity { start, end }), ..own }
    }

    #[test]
    fn the_last_tenth_of_a_life_is_near_and_of_a_long_one_two_weeks() {
        let stages = |own: Own, walls: [i64; 4]| walls.map(|wall| own.stage(wall));
        let all = [Stage::Far, Stage::Near, Stage::Near, Stage::Over];
        assert_eq!(stages(own(0, 1_000), [899, 900, 999, 1_000]), all);
        let year = 365 * 86_400;
        let day = year - EARLIEST;
        assert_eq!(stages(own(0, year), [day - 1, day, year - 1, year]), all);
        let none = Own { validity: None, ..own(0, 0) };
        assert_eq!(none.stage(5), Stage::Far);
        assert_eq!(own(i64::MIN, i64::MAX).stage(i64::MAX), Stage::Over);
    }

    #[test]
    fn what_is_said_names_the_file_the_key_the_end_and_what_to_do() {
        let own = own(0, 1_700_000_000);
        assert_eq!(own.words(1_000), None);
        let near = own.words(1_699_999_999).expect("near");
        let over = own.words(1_700_000_000).expect("over");
        for (words, says) in [(near, "ends at"), (over, "has ended at")] {
            let head = format!(
                "the certificate /tls/own.pem (`listen_tls.cert_file`) {says} 2023-11-14T22:13:20Z, and "
            );
            assert!(words.starts_with(&head) && words.contains("put a new certificate"), "{words}");
        }
    }
}
