//! The TLS files, which are replaced while the process runs: a certificate, and the authority of the Vault, end one day.

use leasehold::config::plan::{AuthPlan, VaultPlan};
use leasehold::vault::client::Client;

use super::super::desk::Message;
use super::Hub;

/// What tells whether the files have changed. No request is made with it.
pub(super) struct Files {
    probe: Client,
    said: String,
}

impl Files {
    /// Returns none if no files are named, or if they cannot be used: then no engine can be made either.
    pub(super) fn of(vault: &VaultPlan) -> Option<Self> {
        let probe = Client::new(vault, &AuthPlan::none()).ok().filter(|probe| !probe.watched().is_empty())?;
        Some(Self { probe, said: String::new() })
    }

    /// Logs that the files have changed, or why they cannot be used, once.
    fn look(&mut self) {
        let why = match self.probe.reload() {
            Ok(false) => String::new(),
            Ok(true) => {
                tracing::info!("TLS files changed: new connections to the Vault use them");
                String::new()
            }
            Err(failure) => failure.to_string(),
        };
        if !why.is_empty() && why != self.said {
            tracing::warn!("TLS files changed but cannot be used, the old ones stay: {why}");
        }
        self.said = why;
    }
}

impl Hub {
    /// Has the TLS files read again. An engine that reads them in the middle of a change finds them whole a minute later.
    pub(super) fn reload(&mut self) {
        let Some(files) = &mut self.files else { return };
        files.look();
        for engine in self.engines.values() {
            let _sent = engine.inbox.send(Message::Reload);
        }
        if let Some(handoffs) = &self.handoffs {
            handoffs.reload();
        }
    }
}
