//! One file of the plan, from what is in the store.
use std::sync::Arc;

use crate::config::plan::{FilePlan, Source};
use crate::core::event::RenderOutcome;
use crate::exit::{Cause, Ending};
use crate::secret::Secret;
use crate::vault::request::Request;
use crate::vault::response::Response;

/// What is in the store.
pub trait Secrets {
    /// The answer to a request, however it is written.
    fn get(&self, request: &Request) -> Option<Arc<Response>>;
}

/// What templates see of the world.
#[derive(Clone)]
pub struct Environment;

impl Environment {
    /// This process's.
    pub fn of_this_process() -> Self {
        Self
    }
}

/// Renders `file`.
pub fn render(file: &FilePlan, secrets: &dyn Secrets, _: &Environment) -> (RenderOutcome, Option<Secret>) {
    let (request, key) = match &file.source {
        Source::Field { request, key, .. } => (request, Some(key)),
        Source::Json { request } => (request, None),
        Source::Template(_) => {
            let why = Ending::new(Cause::Template, "templates are not rendered yet", "");
            return (RenderOutcome::Failed { why, used: Vec::new() }, None);
        }
    };
    let used = vec![request.clone()];
    let Some(answer) = secrets.get(request) else {
        return (RenderOutcome::Needs { missing: used.clone(), used }, None);
    };
    let fields = answer.data.get("data").unwrap_or(&answer.data);
    match key.map_or(Some(fields), |key| fields.get(key)) {
        Some(value) => {
            let bytes = value.as_text().cloned().unwrap_or_else(|| Secret::new(value.to_json().to_vec()));
            (RenderOutcome::Rendered { changed: true, used }, Some(bytes))
        }
        None => {
            let why = Ending::new(Cause::Missing, format!("{}: no such key", file.name), "");
            (RenderOutcome::Failed { why, used }, None)
        }
    }
}
