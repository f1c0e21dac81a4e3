//! Renders one file or variable from what is in the store. Pure and bounded, and without a copy of the secrets.
//!
//! A rendering asks for what it needs. While something is missing, the output is dropped and the outcome names the missing
//! requests, because a path may come out of another secret.

mod advice;
mod value;
mod world;
mod writes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::plan::{Part, Source, TemplateSource, WriteRules};
use crate::exit::{Cause, Ending};
use crate::secret::Secret;
use crate::template::host::{HostError, Network, WallTime};
use crate::template::value::Value;
use crate::template::{Limits, ParseError};
pub use advice::failed;
use leasehold_base::given::Given;
use leasehold_base::request::Request;
use leasehold_base::response::Response;
pub use world::World;
pub use writes::Write;
pub(crate) use writes::joined;

/// The secrets in the store.
pub trait Secrets {
    /// Returns the answer to a request, however it is written.
    fn get(&self, request: &Request) -> Option<Arc<Response>>;
}

impl Secrets for Given {
    fn get(&self, request: &Request) -> Option<Arc<Response>> {
        self.get(request)
    }
}

/// Reads a file for a template, or says why not.
pub type ReadFile = Arc<dyn Fn(&Path) -> Result<Secret, HostError> + Send + Sync>;

/// The world that templates see besides secrets. The code that renders captures it at the start.
#[derive(Clone)]
pub struct Environment {
    /// The process's variables.
    pub variables: Arc<BTreeMap<String, Secret>>,
    /// Reads a file. The code that supplies it bounds the size.
    pub read_file: ReadFile,
    /// The time, asked once a rendering.
    pub now: fn() -> WallTime,
    /// The table of a time zone by its name, `Local` for the machine's own; bounded in size.
    pub zone: fn(&str) -> Option<Vec<u8>>,
    /// The machine's interfaces, asked once a rendering that wants them.
    pub network: fn() -> Result<Network, HostError>,
    /// Fills a buffer with random bytes.
    pub random: fn(&mut [u8]),
}

/// The result of a rendering. Nothing of it is on any disk yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendering {
    /// The file's content.
    pub bytes: Secret,
    /// The files that its template wrote beside it, each path once.
    pub writes: Vec<Write>,
}

/// The outcome of a rendering.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Outcome {
    /// It is complete.
    Done {
        /// The rendering.
        made: Rendering,
        /// The requests that it used, as written, in the order of first use.
        used: Vec<Request>,
    },
    /// The store has no answer to some of its requests.
    Needs {
        /// These requests.
        missing: Vec<Request>,
        /// The requests that it used.
        used: Vec<Request>,
    },
    /// It failed on what the store has.
    Failed {
        /// The reason.
        why: Ending,
        /// The requests that it used.
        used: Vec<Request>,
    },
}

/// Renders the file or variable `name` out of `source` from `secrets`. Its template may write where `rules` allow.
pub fn render(
    name: &str,
    source: &Source,
    secrets: &dyn Secrets,
    environment: &Environment,
    rules: &WriteRules,
) -> Outcome {
    let mut world = World::new(secrets, environment).writing(rules);
    let result = match source {
        Source::Template(source) => template(name, source, &mut world),
        Source::Field { request, key, base64 } => value::field(request, key, *base64, &mut world),
        Source::Value { request, base64 } => value::whole(request, *base64, &mut world),
        Source::Json { request } => value::json(request, &mut world),
    };
    outcome(result, world)
}

/// Puts texts and single values in a row, as a value of the inherited environment asks for.
pub fn join(parts: &[Part], secrets: &dyn Secrets, environment: &Environment) -> Outcome {
    let mut world = World::new(secrets, environment);
    outcome(value::parts(parts, &mut world), world)
}

fn outcome(result: Result<Secret, Ending>, mut world: World<'_>) -> Outcome {
    let writes = world.written();
    let (used, missing) = world.asked();
    match result {
        // A missing answer may be the reason for any failure.
        _ if !missing.is_empty() => Outcome::Needs { missing, used },
        Ok(bytes) => Outcome::Done { made: Rendering { bytes, writes }, used },
        Err(why) => Outcome::Failed { why, used },
    }
}

fn template(file: &str, source: &TemplateSource, world: &mut World<'_>) -> Result<Secret, Ending> {
    let result = source.template.execute(Value::Nil, source.missing_key.into(), Limits::default(), world);
    result.map_err(|error| {
        let why = failed(|position| source.place(position), &error, &world.answers());
        Ending { what: format!("{file}: {}", why.what), ..why }
    })
}

/// Returns the ending of a text that is no template: 78, with `file:line:column`.
#[must_use]
pub fn unparsable(error: &ParseError) -> Ending {
    let ParseError { name, position, message, .. } = error;
    // Go counts columns from 0, editors from 1.
    let what = format!("{name}:{}:{}: {message}", position.line, position.column + 1);
    Ending::new(Cause::Config, what, error.advice())
}

#[cfg(test)]
mod tests;
