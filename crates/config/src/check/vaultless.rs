//! A configuration without a Vault: everything is read in its backends.

use crate::desk::Desk;
use crate::file::File;
use crate::keypath::KeyPath;
use crate::plan::{FilePlan, FileSource, Part, Source, VariablePlan, VariableSource};
use leasehold_base::secret::Secret;

/// Returns whether there is no Vault to log in to: no key says how, there is a backend, and no file holds a token.
/// The address does not count, because many environments have one.
pub(super) fn is(file: &File) -> bool {
    file.auth.is_none() && !file.backends.is_empty() && file.sinks.is_empty()
}

/// Reports the first path that only a Vault could answer.
pub(super) fn check(files: &[FilePlan], variables: &[VariablePlan], desk: &mut Desk<'_>) {
    let mut paths = Vec::new();
    for file in files {
        if let FileSource::Made(source) = &file.source {
            paths_of(source, &mut paths);
        }
    }
    for variable in variables {
        match &variable.source {
            VariableSource::Made(source) => paths_of(source, &mut paths),
            VariableSource::Parts(parts) => paths.extend(parts.iter().filter_map(|part| match part {
                Part::Text(_) => None,
                Part::Field { request, .. } => Some(request.path.clone()),
            })),
        }
    }
    if let Some(path) = paths.iter().find(|path| !desk.is_stored(path)) {
        let message =
            format!("`auth` is missing: {path} begins with no backend's name, so it is read from a Vault");
        desk.missing(&KeyPath::default(), message, "add `vault` and `auth`, or correct the path");
    }
}

/// Collects the paths that a source names itself. Only its rendering knows which others it asks for.
fn paths_of(source: &Source, paths: &mut Vec<String>) {
    match source {
        Source::Template(template) => {
            for call in template.template.calls() {
                let path = call.args.first().and_then(|path| path.and_then(Secret::expose_str));
                let asks = matches!(call.function, "secret" | "secrets" | "pkiCert");
                let path = path.filter(|path| asks && !path.is_empty());
                paths.extend(path.map(|path| path.trim_start_matches('/').to_owned()));
            }
        }
        Source::Field { request, .. } | Source::Value { request, .. } | Source::Json { request } => {
            paths.push(request.path.clone());
        }
    }
}
