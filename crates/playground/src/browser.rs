//! The world of a template in a browser: the answers and variables that a person gave, and little else.

use std::collections::BTreeMap;
use std::sync::Arc;

use leasehold_base::given::Given;
use leasehold_template::host::{Host, HostError, Network, Request, Response, WallTime, WrittenFile};
use leasehold_template::{Secret, advice};
use sha2::{Digest, Sha256};

use crate::answer::Answer;
use crate::question::Template;

pub(crate) struct Browser<'q> {
    given: &'q Given,
    variables: Option<BTreeMap<&'q [u8], &'q [u8]>>,
    now: WallTime,
    seed: &'q Secret,
    /// The number of blocks that were made from the seed.
    drawn: u64,
    used: Vec<Request>,
    /// The first thing that the template asked for and that the person did not give.
    missing: Option<Missing>,
}

enum Missing {
    Answer(Request),
    Variable(String),
}

impl<'q> Browser<'q> {
    pub(crate) fn new(given: &'q Given, question: &'q Template) -> Self {
        let variables = question.variables.as_ref().map(|lines| variables(lines.expose()));
        let (now, seed) = (question.now, &question.seed);
        Self { given, variables, now, seed, drawn: 0, used: Vec::new(), missing: None }
    }

    /// Returns the answer for what the person did not give.
    pub(crate) fn missing(&self) -> Option<Answer> {
        self.missing.as_ref().map(|missing| match missing {
            Missing::Answer(request) => Answer::without_secret(request),
            Missing::Variable(name) => Answer::without_variable(name),
        })
    }

    /// Returns what the template asked for and got.
    pub(crate) fn answers(&self) -> Vec<advice::Answer<'_>> {
        self.used.iter().filter_map(|request| Some((request, self.given.get(request)?))).collect()
    }
}

/// Reads one `NAME=value` from each line. If two names are equal, the last one counts.
fn variables(lines: &[u8]) -> BTreeMap<&[u8], &[u8]> {
    let pair = |line: &'_ [u8]| line.iter().position(|byte| *byte == b'=');
    lines
        .split(|byte| *byte == b'\n')
        .filter_map(|line| {
            pair(line).map(|at| (&line[..at], line[at + 1..].strip_suffix(b"\r").unwrap_or(&line[at + 1..])))
        })
        .collect()
}

impl Host for Browser<'_> {
    fn ask(&mut self, request: &Request) -> Result<Option<Response>, HostError> {
        let answer: Option<Arc<Response>> = self.given.get(request);
        if answer.is_none() {
            self.missing.get_or_insert_with(|| Missing::Answer(request.clone()));
        } else if !self.used.contains(request) {
            self.used.push(request.clone());
        }
        Ok(answer.map(|answer| (*answer).clone()))
    }

    fn env(&mut self, name: &str) -> Option<Secret> {
        let Some(variables) = &self.variables else {
            self.missing.get_or_insert_with(|| Missing::Variable(name.to_owned()));
            return None;
        };
        variables.get(name.as_bytes()).map(|value| Secret::new(value.to_vec()))
    }

    fn file(&mut self, _: &str) -> Result<Option<Secret>, HostError> {
        Err(HostError("the playground reads no files; put what is in the file into the template".to_owned()))
    }

    fn now(&mut self) -> WallTime {
        self.now
    }

    fn network(&mut self) -> Result<Network, HostError> {
        Err(HostError("a browser does not show the network interfaces to the playground".to_owned()))
    }

    fn random(&mut self, bytes: &mut [u8]) {
        for chunk in bytes.chunks_mut(32) {
            let block = Sha256::new().chain_update(self.seed.expose()).chain_update(self.drawn.to_be_bytes());
            chunk.copy_from_slice(&block.finalize()[..chunk.len()]);
            self.drawn += 1;
        }
    }

    fn write(&mut self, _: WrittenFile) -> Result<(), HostError> {
        Err(HostError("writeToFile: the playground writes no files".to_owned()))
    }
}
