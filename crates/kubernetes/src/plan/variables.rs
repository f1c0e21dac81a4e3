//! Variables by files: one file for each, as the kubelet reads it (`fileKeyRef`, Kubernetes 1.35 and later).

use super::{File, Source};

/// Where init writes them; no other container mounts it.
pub(crate) const FOLDER: &str = "/leasehold/variables";

/// Makes the file of a variable, `NAME='value'`. The kubelet knows no way to write a quote in a value, so a value with
/// a quote makes init fail. The message of init names the file, which is called like the variable.
pub(super) fn file(name: &str, path: &str, key: &str) -> File {
    let [path, key] = [path, key].map(|text| serde_json::Value::from(text).to_string());
    let template = [
        format!("{name}='{{{{ with secret {path} }}}}"),
        // A KV version 2 has its fields one level down, beside what it says of them.
        "{{ $fields := .Data }}{{ if and (index .Data \"data\") (index .Data \"metadata\") }}{{ $fields = .Data.data }}{{ end }}".to_owned(),
        format!("{{{{ if not (sprig_hasKey $fields {key}) }}}}{{{{ sprig_fail \"no such key\" }}}}{{{{ end }}}}"),
        format!("{{{{ $value := index $fields {key} }}}}"),
        "{{ if or (sprig_kindIs \"map\" $value) (sprig_kindIs \"slice\" $value) }}{{ $value = toJSON $value }}{{ end }}".to_owned(),
        "{{ $value = printf \"%v\" $value }}{{ if sprig_contains \"'\" $value }}{{ sprig_fail \"a quote\" }}{{ end }}".to_owned(),
        "{{ $value }}{{ end }}'\n".to_owned(),
    ];
    File {
        path: format!("{FOLDER}/{name}"),
        source: Source::Template(template.concat()),
        delimiters: None,
        mode: Some("0400".to_owned()),
        holes: false,
        notify: None,
    }
}
