//! The host of a rendering: answers from the store, and a note of everything asked.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::writes::{Write, Writes};
use super::{Environment, Secrets};
use crate::config::plan::WriteRules;
use crate::secret::Secret;
use crate::template::host::{Host, HostError, Network, WallTime, WrittenFile};
use leasehold_base::request::Request;
use leasehold_base::response::Response;

/// The world of one rendering.
pub struct World<'w> {
    secrets: &'w dyn Secrets,
    environment: &'w Environment,
    now: Option<WallTime>,
    network: Option<Network>,
    seen: BTreeSet<Request>,
    used: Vec<Request>,
    missing: Vec<Request>,
    rules: Option<&'w WriteRules>,
    writes: Writes,
}

impl<'w> World<'w> {
    /// Makes a world of what is in the store, in which nothing may be written.
    #[must_use]
    pub fn new(secrets: &'w dyn Secrets, environment: &'w Environment) -> Self {
        Self {
            secrets,
            environment,
            now: None,
            network: None,
            seen: BTreeSet::new(),
            used: Vec::new(),
            missing: Vec::new(),
            rules: None,
            writes: Writes::default(),
        }
    }

    /// Makes it one in which templates may write where `rules` allow.
    #[must_use]
    pub fn writing(self, rules: &'w WriteRules) -> Self {
        Self { rules: Some(rules), ..self }
    }

    /// Takes out what was written.
    pub(super) fn written(&mut self) -> Vec<Write> {
        std::mem::take(&mut self.writes).take()
    }

    /// Returns the requests that had an answer, and those that had none, each once, in the order of the first
    /// asking.
    #[must_use]
    pub fn asked(self) -> (Vec<Request>, Vec<Request>) {
        (self.used, self.missing)
    }

    /// Returns the requests that had an answer, with their answers, in the order of the first asking.
    #[must_use]
    pub fn answers(&self) -> Vec<(&Request, Arc<Response>)> {
        let answer = |request| Some((request, self.secrets.get(request)?));
        self.used.iter().filter_map(answer).collect()
    }

    /// Returns the answer to `request`, and notes the request.
    pub(super) fn get(&mut self, request: &Request) -> Option<Arc<Response>> {
        let answer = self.secrets.get(request);
        if self.seen.insert(request.clone()) {
            let noted = if answer.is_some() { &mut self.used } else { &mut self.missing };
            noted.push(request.clone());
        }
        answer
    }
}

impl Host for World<'_> {
    fn ask(&mut self, request: &Request) -> Result<Option<Response>, HostError> {
        // The tree in it is shared, so this copies a few short texts.
        Ok(self.get(request).map(|response| (*response).clone()))
    }

    fn env(&mut self, name: &str) -> Option<Secret> {
        self.environment.variables.get(name).cloned()
    }

    fn file(&mut self, path: &str) -> Result<Option<Secret>, HostError> {
        (self.environment.read_file)(Path::new(path)).map(Some)
    }

    fn now(&mut self) -> WallTime {
        *self.now.get_or_insert_with(self.environment.now)
    }

    fn zone(&mut self, name: &str) -> Option<Vec<u8>> {
        (self.environment.zone)(name)
    }

    fn network(&mut self) -> Result<Network, HostError> {
        if let Some(network) = &self.network {
            return Ok(network.clone());
        }
        let network = (self.environment.network)()?;
        self.network = Some(network.clone());
        Ok(network)
    }

    fn random(&mut self, bytes: &mut [u8]) {
        (self.environment.random)(bytes);
    }

    fn write(&mut self, file: WrittenFile) -> Result<(), HostError> {
        let Some(rules) = self.rules else {
            return Err(HostError("writeToFile: nothing is written without a configuration".to_owned()));
        };
        let added = self.writes.add(&file, rules, &self.environment.read_file);
        added.map_err(|why| HostError(format!("writeToFile: {}", why.0)))
    }
}
