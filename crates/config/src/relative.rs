//! Resolves the relative paths of a configuration of our own. They are relative to the file that they stand in, so
//! that the file means the same wherever Leasehold is started. Texts without a file, and configurations of other
//! programs, go by the folder where the process runs.

use std::path::{Path, PathBuf};

use super::value::Value;

/// The keys that name a file or a folder by a path that may be relative; `*` stands for every name or index.
pub(super) const KEYS: &[&[&str]] = &[
    &["vault", "ca_file"],
    &["vault", "ca_dir"],
    &["vault", "client_cert_file"],
    &["vault", "client_key_file"],
    &["auth", "jwt_file"],
    &["auth", "role_id_file"],
    &["auth", "secret_id_file"],
    &["auth", "token_file"],
    &["auth", "password_file"],
    &["auth", "fields", "*", "file"],
    &["backends", "*", "azure_key_vault", "client_secret_file"],
    &["listen_tls", "cert_file"],
    &["listen_tls", "key_file"],
    &["listen_tls", "client_ca_file"],
    &["files", "*", "template_file"],
    &["exec", "env", "*", "template_file"],
    &["notify", "*", "pid_file"],
];

/// Makes the relative paths in `value`, which was read from the text `name`, relative to where the process runs. A
/// path that leads to something only from there, as all paths did once, stays as it is. `is_there` says whether
/// something is at a path.
pub(super) fn resolve(value: &mut Value, name: &str, is_there: &dyn Fn(&Path) -> bool) {
    // "standard input" and the name of a variable have no folder either.
    let Some(folder) = Path::new(name).parent().filter(|folder| !folder.as_os_str().is_empty()) else {
        return;
    };
    for key in KEYS {
        each(value, key, &mut |text| {
            let resolved = joined(folder, text)?;
            (is_there(&resolved) || !is_there(Path::new(text)))
                .then(|| resolved.to_string_lossy().into_owned())
        });
    }
}

/// Returns a relative path below `folder`; `None` if it is absolute, or no path.
fn joined(folder: &Path, text: &str) -> Option<PathBuf> {
    let path = Path::new(text);
    (!text.is_empty() && !path.has_root() && !text.contains(char::is_control)).then(|| folder.join(path))
}

/// Replaces each text at `key` by what `change` makes of it.
fn each(value: &mut Value, key: &[&str], change: &mut dyn FnMut(&str) -> Option<String>) {
    let Some((step, rest)) = key.split_first() else {
        if let Some(changed) = value.as_str().and_then(change) {
            *value = Value::String(changed);
        }
        return;
    };
    match value {
        Value::Mapping(map) if *step == "*" => map.values_mut().for_each(|value| each(value, rest, change)),
        Value::Sequence(list) if *step == "*" => list.iter_mut().for_each(|value| each(value, rest, change)),
        Value::Mapping(map) => {
            if let Some(value) = map.get_mut(step) {
                each(value, rest, change);
            }
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{self, Key, Kind};
    use crate::yaml;

    fn resolved(text: &str, name: &str, there: &[&str]) -> Value {
        let mut value = yaml::read(text).expect("YAML").1;
        resolve(&mut value, name, &|path| there.iter().any(|one| path == Path::new(one)));
        value
    }

    #[test]
    fn paths_are_relative_to_the_file_that_they_stand_in() {
        let text = "{vault: {ca_file: ca.pem}, files: [{template_file: ../t/a.tmpl}, {template_file: /b}]}";
        let expected = "{vault: {ca_file: /etc/app/ca.pem}, files: [{template_file: /etc/app/../t/a.tmpl}, {template_file: /b}]}";
        assert_eq!(resolved(text, "/etc/app/web.yaml", &[]), resolved(expected, "x", &[]));
        for name in ["web.yaml", "standard input", "LEASEHOLD_CONFIG_YAML"] {
            assert_eq!(resolved(text, name, &[]), resolved(text, "x", &[]), "{name}");
        }
    }

    #[test]
    fn what_is_only_where_the_process_runs_is_found_there_as_before() {
        let text = "{vault: {ca_file: ca.pem}}";
        let ca = |there: &[&str]| {
            let value = resolved(text, "etc/web.yaml", there);
            let ca = value.get("vault").and_then(|vault| vault.get("ca_file")).and_then(Value::as_str);
            ca.map(str::to_owned)
        };
        assert_eq!(ca(&["ca.pem"]).as_deref(), Some("ca.pem"));
        assert_eq!(ca(&["ca.pem", "etc/ca.pem"]).as_deref(), Some("etc/ca.pem"));
        assert_eq!(ca(&[]).as_deref(), Some("etc/ca.pem"), "it may come later");
    }

    #[test]
    fn what_is_no_path_stays_for_the_check() {
        for text in ["{vault: [], files: {template_file: 3}}", "{files: [{template_file: ''}], notify: x}"] {
            assert_eq!(resolved(text, "/etc/web.yaml", &[]), resolved(text, "x", &[]));
        }
    }

    fn files_of(keys: &'static [Key], above: &[&'static str], found: &mut Vec<Vec<&'static str>>) {
        for key in keys {
            let at = [above, &[key.name]].concat();
            match &key.kind {
                Kind::Map(below) => files_of(below, &at, found),
                Kind::List(Kind::Map(below)) | Kind::Named(Kind::Map(below) | Kind::TextOr(below)) => {
                    files_of(below, &[&at[..], &["*"]].concat(), found);
                }
                Kind::Text if key.name.ends_with("file") || key.name == "ca_dir" => found.push(at),
                _ => {}
            }
        }
    }

    #[test]
    fn every_key_that_names_a_file_is_among_these() {
        let mut found = Vec::new();
        files_of(keys::TOP, &[], &mut found);
        // Their paths are absolute.
        found.retain(|key| key[..] != ["handoff", "file"]);
        for key in &found {
            assert!(KEYS.contains(&&key[..]), "{key:?}");
        }
        assert_eq!(found.len(), KEYS.len(), "{found:?}");
    }
}
