//! Finds keys that a template looks for one level too high. The answer of KV version 2 holds its keys in
//! `.Data.data`. On `.Data` the rendering fails, and `index` leaves `<no value>` in the file.

use crate::desk::Desk;
use crate::keypath::KeyPath;
use crate::plan::{FilePlan, TemplateSource, VariablePlan};

use leasehold_template::fields::FieldOf;

use super::source::warn_in;

/// The keys of `.Data` in an answer of KV version 2.
const OF_VERSION_2: [&str; 2] = ["data", "metadata"];

/// Warns of each such key. `files` are those of a configuration without a mistake, so that each has its place in it.
pub(super) fn check(files: &[FilePlan], variables: &[VariablePlan], desk: &mut Desk<'_>) {
    for (index, file) in files.iter().enumerate() {
        fields(file.source.template(), &KeyPath::of(&["files"]).index(index), desk);
    }
    for variable in variables {
        fields(variable.source.template(), &KeyPath::of(&["exec", "env", &variable.name]), desk);
    }
}

fn fields(source: Option<&TemplateSource>, at: &KeyPath, desk: &mut Desk<'_>) {
    let Some(source) = source else { return };
    for field in source.template.fields_of("secret") {
        let Some((path, key)) = too_high(&field) else { continue };
        let spell = |data: &str| match field.indexed {
            true => format!("index {data} {key:?}"),
            false => format!("{data}.{key}"),
        };
        let (written, right) = (spell(".Data"), spell(".Data.data"));
        let message =
            format!("template: `{written}` of {path}: the keys of a KV version 2 secret are in .Data.data");
        let hint = format!("write `{right}`, unless the mount is of KV version 1");
        warn_in(source, field.place, at, desk, message, hint);
    }
}

/// Returns the path, and the key that is looked for in `.Data`, if the path is one of KV version 2.
fn too_high<'t>(field: &FieldOf<'t>) -> Option<(&'t str, &'t str)> {
    let path = field.path.expose_str()?;
    let [data, key, ..] = field.names.as_slice() else { return None };
    let key = key.expose_str().filter(|key| !OF_VERSION_2.contains(key))?;
    (data.expose() == b"Data" && is_of_version_2(path)).then_some((path, key))
}

/// Returns whether the path is written for KV version 2: `data` stands between the mount and the secret's name.
fn is_of_version_2(path: &str) -> bool {
    let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
    parts.len() > 2 && parts[1..parts.len() - 1].contains(&"data")
}
