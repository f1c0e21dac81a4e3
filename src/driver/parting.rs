//! Logs the end of a run: that it begins and why, and what was revoked.

use std::time::Duration;

use crate::config::plan::Plan;
use crate::core::Engine;
use crate::core::event::Event;
use leasehold_base::time::Moment;

/// What is revoked, from the moment when that begins.
#[derive(Debug, Default)]
pub(super) struct Parting {
    began: Option<(Moment, usize)>,
    logins: usize,
}

impl Parting {
    /// Records an event that is about to be handled.
    pub(super) fn hear(&mut self, event: &Event) {
        if self.began.is_some() && matches!(event, Event::TokenRevoked { result: Ok(()), .. }) {
            self.logins += 1;
        }
    }

    /// Records after each event whether the end has begun: the leases of that moment are those to be revoked.
    pub(super) fn watch(&mut self, engine: &Engine, now: Moment) {
        if self.began.is_none() && engine.is_leaving() {
            self.began = Some((now, engine.leases()));
        }
    }

    /// Returns the last line in the life of a run.
    pub(super) fn line(&self, engine: &Engine, plan: &Plan, now: Moment) -> String {
        let (since, had) = self.began.unwrap_or((now, 0));
        let (left, took) = (engine.leases(), since.until(now));
        let gone = had.saturating_sub(left);
        let took =
            humantime::format_duration(Duration::from_millis(took.as_millis().try_into().unwrap_or(0)));
        let revoked = match (self.logins, gone) {
            (0, 0) => "nothing was revoked".to_owned(),
            (0, gone) => format!("revoked {}", leases(gone)),
            (1, 0) => "revoked the login".to_owned(),
            (1, gone) => format!("revoked the login and {}", leases(gone)),
            (logins, gone) => format!("revoked {logins} logins and {}", leases(gone)),
        };
        let rest = match (left, self.logins) {
            _ if !plan.shutdown.revoke => {
                format!("; `shutdown.revoke` is false: {} are left for the next run", with_login(left))
            }
            (0, 0) if plan.auth.owns_token() && engine.has_login() => {
                "; the login could not be revoked and ends by itself".to_owned()
            }
            (0, _) => String::new(),
            (left, 0) if plan.auth.owns_token() => {
                format!("; {} could not be revoked and end by themselves", with_login(left))
            }
            (left, _) => format!("; {} could not be revoked and end by themselves", leases(left)),
        };
        format!("stopped after {took}: {revoked}{rest}")
    }
}

fn with_login(leases: usize) -> String {
    format!("the login and {}", self::leases(leases))
}

fn leases(count: usize) -> String {
    if count == 1 { "1 lease".to_owned() } else { format!("{count} leases") }
}
