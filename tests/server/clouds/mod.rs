//! The secret managers of the clouds, each against a server on this machine.

mod aws;
mod aws_order;
mod aws_sources;
mod azure;
mod bad_input;
mod canary;
mod canary_logins;
mod fake;
mod federated;
mod google;
mod logins;
mod sandbox;
mod vault;

use crate::support::{Leasehold, Workspace};

/// A machine without a Vault, whose one backend is a cloud's.
pub(crate) struct Machine {
    pub(crate) space: Workspace,
    backend: String,
}

impl Machine {
    /// `backend` is what stands behind the name `cloud`.
    pub(crate) fn new(backend: &str) -> Self {
        let space = Workspace::new();
        space.dir("secrets");
        space.dir("handoff");
        space.dir("home");
        Self { space, backend: backend.to_owned() }
    }

    pub(crate) fn config(&self, files: &str) -> String {
        let at = self.space.path().display();
        let text = format!(
            "backends: {{cloud: {}}}\nsecrets_dir: '{at}/secrets'\nhandoff: {{file: '{at}/handoff/state'}}\n\
             listen: 'unix:{at}/status.sock'\n{files}\n",
            self.backend
        );
        self.space.file("leasehold.yaml", text).display().to_string()
    }

    /// Its home holds nothing, whoever runs the tests.
    pub(crate) fn leasehold(&self) -> Leasehold {
        Leasehold::new(&self.space).env("HOME", &self.space.join("home").display().to_string())
    }

    pub(crate) fn read(&self, file: &str) -> Option<String> {
        self.space.read(&format!("secrets/{file}"))
    }
}
