//! One file of the plan, from what is in the store: pure, bounded, without a copy of the secrets.
//!
//! A rendering asks for whatever it needs. While something is missing its output is thrown away
//! and the missing requests are the answer, since a path may come out of another secret.

mod advice;
mod value;
mod world;
mod writes;

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use crate::config::plan::{Source, TemplateSource, WriteRules};
use crate::core::event::RenderOutcome;
use crate::exit::{Cause, Ending};
use crate::secret::Secret;
use crate::template::host::{Network, WallTime};
use crate::template::value::Value;
use crate::template::{Limits, ParseError};
pub use advice::{Answer, failed};
use leasehold_base::request::Request;
use leasehold_base::response::Response;
pub use world::World;
pub use writes::Write;
pub(crate) use writes::joined;

/// What is in the store.
pub trait Secrets {
    /// The answer to a request, however it is written.
    fn get(&self, request: &Request) -> Option<Arc<Response>>;
}

/// Reads a file for a template, or says why not.
pub type ReadFile = Arc<dyn Fn(&Path) -> Result<Secret, String> + Send + Sync>;

/// What templates see of the world besides secrets. Whoever renders captures it at start.
#[derive(Clone)]
pub struct Environment {
    /// The process's variables.
    pub variables: Arc<BTreeMap<String, Secret>>,
    /// Reads a file; bounded in size by whoever gives it.
    pub read_file: ReadFile,
    /// The time, asked once a rendering.
    pub now: fn() -> WallTime,
    /// The table of a time zone by its name, `Local` for the machine's own; bounded in size.
    pub zone: fn(&str) -> Option<Vec<u8>>,
    /// The machine's interfaces, asked once a rendering that wants them.
    pub network: fn() -> Result<Network, String>,
    /// Fills a buffer with random bytes.
    pub random: fn(&mut [u8]),
}

/// What a rendering made. Nothing of it is on any disk yet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendering {
    /// The file's content.
    pub bytes: Secret,
    /// What its template wrote beside it, each path once.
    pub writes: Vec<Write>,
}

/// Renders the file or variable `name` out of `source` from `secrets`; its template may write where
/// `rules` allow. What it used is in the order of first use, as written.
pub fn render(
    name: &str,
    source: &Source,
    secrets: &dyn Secrets,
    environment: &Environment,
    rules: &WriteRules,
) -> (RenderOutcome, Option<Rendering>) {
    let mut world = World::new(secrets, environment).writing(rules);
    let result = match source {
        Source::Template(source) => template(name, source, &mut world),
        Source::Field { request, key, base64 } => value::field(request, key, *base64, &mut world),
        Source::Json { request } => value::json(request, &mut world),
        Source::Parts(parts) => value::parts(parts, &mut world),
        Source::Token { .. } => unreachable!("a sink is made of no secret: the driver has what it holds"),
    };
    let writes = world.written();
    let (used, missing) = world.asked();
    match result {
        // Whatever went wrong may be for want of what is missing.
        _ if !missing.is_empty() => (RenderOutcome::Needs { missing, used }, None),
        Ok(bytes) => (RenderOutcome::Rendered { changed: true, used }, Some(Rendering { bytes, writes })),
        Err(why) => (RenderOutcome::Failed { why, used }, None),
    }
}

fn template(file: &str, source: &TemplateSource, world: &mut World<'_>) -> Result<Secret, Ending> {
    let result = source.template.execute(Value::Nil, source.missing_key.into(), Limits::default(), world);
    result.map_err(|error| {
        let why = failed(|position| source.place(position), &error, &world.answers());
        Ending { what: format!("{file}: {}", why.what), ..why }
    })
}

/// The end that a text which is no template leads to: 78, with `file:line:column`.
#[must_use]
pub fn unparsable(error: &ParseError) -> Ending {
    let ParseError { name, position, message, .. } = error;
    // Go counts columns from 0, editors from 1.
    let what = format!("{name}:{}:{}: {message}", position.line, position.column + 1);
    Ending::new(Cause::Config, what, error.advice())
}

#[cfg(test)]
mod tests;
