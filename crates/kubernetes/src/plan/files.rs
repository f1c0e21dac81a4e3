//! The files that vault.hashicorp.com annotations ask for, in the order of their names.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::{File, Notify, Source, commands};
use crate::annotations::{Annotations, grammar};
use crate::refusal::{Refusal, shown};
use crate::settings::Settings;

const SECRET: &str = "agent-inject-secret";
const TEMPLATE: &str = "agent-inject-template";
const TEMPLATE_FILE: &str = "agent-inject-template-file";
const FILE: &str = "agent-inject-file";
const COMMAND: &str = "agent-inject-command";
const FOLDER: &str = "secret-volume-path";

/// The files, and the folders of those that are outside `folder`.
pub(super) struct Files {
    pub(super) files: Vec<File>,
    pub(super) own_folders: Vec<String>,
    pub(super) warnings: Vec<String>,
}

/// Reads the files.
pub(super) fn files(
    pod: &Value,
    annotations: &Annotations<'_>,
    folder: &str,
    settings: &Settings,
) -> Result<Files, Refusal> {
    let reader = Reader { pod, annotations, folder, settings };
    let mut found = Files { files: Vec::new(), own_folders: Vec::new(), warnings: Vec::new() };
    let mut places: BTreeMap<String, &str> = BTreeMap::new();
    for name in reader.names() {
        let (own, file) = reader.file(name, &mut found.warnings)?;
        if let Some(other) = places.insert(file.path.clone(), name) {
            let what = format!("it makes the same file as the secret {}: {}", shown(other), file.path);
            let advice = format!("give one of them another {FILE}-NAME");
            return Err(annotations.refusal(&format!("{}-{name}", reader.declared_by(name)), what, advice));
        }
        found.own_folders.extend(own.filter(|own| !found.own_folders.contains(own)));
        found.files.push(file);
    }
    found.warnings.extend(reader.leftovers());
    Ok(found)
}

struct Reader<'a, 'p> {
    pod: &'p Value,
    annotations: &'a Annotations<'p>,
    folder: &'a str,
    settings: &'a Settings,
}

impl<'p> Reader<'_, 'p> {
    /// Returns the names of all secrets that make a file, sorted.
    fn names(&self) -> BTreeSet<&'p str> {
        let all = [SECRET, TEMPLATE, TEMPLATE_FILE].into_iter().flat_map(|kind| self.annotations.each(kind));
        all.filter(|(_, value)| !value.trim().is_empty()).map(|(name, _)| name).collect()
    }

    /// Returns the kind of the annotation that makes this secret a file.
    fn declared_by(&self, name: &str) -> &'static str {
        let has = |kind: &&str| self.of(kind, name).is_some();
        [SECRET, TEMPLATE, TEMPLATE_FILE].into_iter().find(has).unwrap_or(SECRET)
    }

    /// Returns the value of an annotation of one secret, if the value is not blank.
    fn of(&self, kind: &str, name: &str) -> Option<&'p str> {
        self.annotations.text(&format!("{kind}-{name}"))
    }

    fn flag(&self, kind: &str, name: &str) -> Option<bool> {
        self.annotations.flag(&format!("{kind}-{name}"))
    }

    fn file(&self, name: &str, warnings: &mut Vec<String>) -> Result<(Option<String>, File), Refusal> {
        let (source, delimiters) = self.source(name);
        let below = self.below(name)?;
        let own = self.own_folder(name);
        let path = own.as_ref().map_or_else(|| below.clone(), |own| format!("{own}/{below}"));
        let notify = self.command(name, warnings)?;
        let mode = self.of("agent-inject-perms", name).map(str::to_owned);
        let holes = self.flag("error-on-missing-key", name) == Some(false);
        Ok((own, File { path, source, delimiters, mode, holes, notify }))
    }

    fn source(&self, name: &str) -> (Source, Option<(String, String)>) {
        let delimiter = |side, otherwise: &str| {
            self.of(&format!("agent-template-{side}-delim"), name).unwrap_or(otherwise).to_owned()
        };
        let pair = (delimiter("left", "{{"), delimiter("right", "}}"));
        let delimiters = (pair != ("{{".to_owned(), "}}".to_owned())).then_some(pair);
        if let Some(template) = self.of(TEMPLATE, name) {
            return (Source::Template(template.to_owned()), delimiters);
        }
        if let Some(file) = self.of(TEMPLATE_FILE, name) {
            return (Source::TemplateFile(file.to_owned()), delimiters);
        }
        // The delimiters are those of a template of the pod's own: vault-k8s gives them to its default template, too,
        // which then renders as its own text.
        (Source::Template(self.default_template(self.of(SECRET, name).unwrap_or_default())), None)
    }

    fn default_template(&self, path: &str) -> String {
        let path = quoted(path.trim());
        let kind = self.annotations.get("agent-inject-default-template");
        if kind.unwrap_or(&self.settings.default_template) == "json" {
            return format!("{{{{ with secret {path} }}}}{{{{ .Data | toJSON }}}}\n{{{{ end }}}}");
        }
        let each = "{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}";
        format!("{{{{ with secret {path} }}}}{each}{{{{ end }}}}")
    }

    /// Returns the file's place below its folder.
    fn below(&self, name: &str) -> Result<String, Refusal> {
        let keeps =
            self.flag("preserve-secret-case", name).or_else(|| self.annotations.flag("preserve-secret-case"));
        let own = if keeps == Some(true) { name.to_owned() } else { name.to_lowercase() };
        let asked = self.of(FILE, name);
        let path = asked.map_or(own, |file| file.trim().trim_start_matches('/').to_owned());
        let whole = !path.is_empty() && path.split('/').all(|segment| !segment.is_empty());
        if whole && grammar::has_no_dots(&path) && !path.contains('\0') {
            return Ok(path);
        }
        let kind = if asked.is_some() { FILE } else { self.declared_by(name) };
        let what = format!("{} is no name of a file within the volume", shown(asked.unwrap_or(name)));
        Err(self.annotations.refusal(
            &format!("{kind}-{name}"),
            what,
            "leave out `.`, `..` and empty segments",
        ))
    }

    /// Returns the folder of this secret, if it is not the folder of all secrets.
    fn own_folder(&self, name: &str) -> Option<String> {
        let own = self.of(FOLDER, name)?.trim_end_matches('/');
        (own != self.folder).then(|| own.to_owned())
    }

    fn command(&self, name: &str, warnings: &mut Vec<String>) -> Result<Option<Notify>, Refusal> {
        let Some(command) = self.of(COMMAND, name) else { return Ok(None) };
        let place = format!("{COMMAND}-{name}");
        if let Some(signal) = commands::signal(command) {
            if !self.shares_processes() {
                let what = "our container does not see the application's processes";
                let advice = "add vault.hashicorp.com/agent-share-process-namespace: \"true\"";
                warnings.push(self.annotations.refusal(&place, what, advice).to_string());
            }
            return Ok(Some(signal));
        }
        if self.settings.image_has_shell {
            return Ok(Some(Notify::Command(command.to_owned())));
        }
        let what = format!("{} needs a shell, which the image of Leasehold does not have", shown(command));
        let advice = "send a signal, such as \"pkill -HUP nginx\", or ask the operator for an image with a shell \
                      (image_has_shell)";
        Err(self.annotations.refusal(&place, what, advice))
    }

    fn shares_processes(&self) -> bool {
        let asked = self.annotations.flag("agent-share-process-namespace");
        asked.or(self.pod["spec"]["shareProcessNamespace"].as_bool()) == Some(true)
    }

    /// Annotations of secrets that make no file.
    fn leftovers(&self) -> Vec<String> {
        let names = self.names();
        let kinds = [FILE, COMMAND, "agent-inject-perms", "error-on-missing-key", FOLDER, SECRET];
        let all =
            kinds.into_iter().flat_map(|kind| self.annotations.each(kind).map(move |(name, _)| (kind, name)));
        all.filter(|(_, name)| !names.contains(name))
            .map(|(kind, name)| {
                let full = self.annotations.full(&format!("{kind}-{name}"));
                format!("{full}: has no effect; no annotation makes a file of the secret {}", shown(name))
            })
            .collect()
    }
}

/// Writes a text as a literal of Go.
fn quoted(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        match c {
            '"' | '\\' => quoted.extend(['\\', c]),
            c if c.is_control() => quoted.push_str(&format!("\\u{:04x}", u32::from(c))),
            c => quoted.push(c),
        }
    }
    quoted.push('"');
    quoted
}
