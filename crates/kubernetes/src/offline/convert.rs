//! `leasehold-kubernetes convert`: the annotations of many manifests as configurations of Leasehold, other operators'
//! definitions as SyncedSecrets, and one report.

use std::collections::BTreeMap;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::Value;

use super::definitions::{self, Login};
use super::{Failure, documents, read};
use crate::inject::{Outcome, Request, inject};
use crate::settings::Settings;

/// The variable in which the agent finds its configuration.
const VARIABLE: &str = "LEASEHOLD_CONFIG_YAML";

/// The endings of manifests in a folder.
const TAKEN: [&str; 3] = ["yaml", "yml", "json"];

/// `leasehold-kubernetes convert`
#[derive(Debug, Clone, Args)]
pub(crate) struct ConvertArgs {
    /// Manifests, or folders: of a folder every .yaml, .yml and .json file in it and below it.
    #[arg(short, long = "filename", value_name = "F", required = true, num_args = 1..)]
    pub(crate) files: Vec<PathBuf>,
    /// The folder that the configurations of annotated pods are written to, one for each. Nothing that is there is replaced.
    #[arg(short, long, value_name = "DIR")]
    pub(crate) output: Option<PathBuf>,
    /// The service account of SyncedSecrets whose origin names none, such as that of a SecretDefinition.
    #[arg(long, value_name = "NAME")]
    pub(crate) service_account: Option<String>,
    /// The role of Vault for these.
    #[arg(long, value_name = "NAME")]
    pub(crate) role: Option<String>,
    /// The operator's settings, YAML; laid upon AGENT_INJECT_ variables.
    #[arg(long, value_name = "F")]
    pub(crate) settings: Option<PathBuf>,
}

/// What became of one pod or definition.
struct Line {
    object: String,
    result: Result<Vec<String>, String>,
    warnings: Vec<String>,
}

impl Line {
    fn of(object: String, result: Result<Vec<String>, String>, warnings: Vec<String>) -> Self {
        Self { object, result, warnings }
    }
}

/// Converts every annotated pod and every definition of a Secret in these files, and of folders in every manifest in them and
/// below them. SyncedSecrets go to standard output, and the report then to standard error.
///
/// # Errors
/// 65 where something is refused, 66 where a file cannot be read, 73 where nothing can be written.
pub(crate) fn run(args: &ConvertArgs) -> Result<(), Failure> {
    let settings = super::settings(args.settings.as_deref())?;
    let login = Login { account: args.service_account.clone(), role: args.role.clone() };
    let (mut lines, mut documents) = (Vec::new(), Vec::new());
    for file in manifests(&args.files)? {
        let shown = file.display().to_string();
        match documents::read(&read(&file)?) {
            Err(why) => lines.push(Line::of(shown, Err(why), Vec::new())),
            Ok(read) => documents.extend(read.into_iter().map(|document| (shown.clone(), document))),
        }
    }
    let made = synced(&documents, &login, &mut lines);
    let definitions = documents.iter().any(|(_, one)| each(one).any(definitions::is_one));
    for (shown, mut document) in documents {
        let all = documents::each_pod::<Failure>(&mut document, &mut |pod, name, namespace| {
            lines.extend(one(
                pod,
                &format!("{shown}: {name}"),
                namespace,
                &settings,
                args.output.as_deref(),
            )?);
            Ok(())
        });
        all?;
    }
    let text = report(&lines);
    let written = match definitions {
        false => io::stdout().lock().write_all(text.as_bytes()),
        true => {
            let yaml = documents::write(&made).map_err(Failure::Refused)?;
            io::stdout()
                .lock()
                .write_all(yaml.as_bytes())
                .and_then(|()| io::stderr().lock().write_all(text.as_bytes()))
        }
    };
    written.map_err(|why| Failure::Unwritable(format!("standard output cannot be written: {why}")))?;
    match lines.iter().filter(|line| line.result.is_err()).count() {
        0 => Ok(()),
        some => {
            Err(Failure::Refused(format!("{some} of {} objects are refused; see the report", lines.len())))
        }
    }
}

/// Makes the SyncedSecrets of all definitions. Each definition becomes a line of the report.
fn synced(documents: &[(String, Value)], login: &Login, lines: &mut Vec<Line>) -> Vec<Value> {
    let objects: Vec<(&str, &Value)> = documents
        .iter()
        .flat_map(|(shown, one)| each(one).map(move |object| (shown.as_str(), object)))
        .collect();
    let all: Vec<&Value> = objects.iter().map(|(_, object)| *object).collect();
    let mut made = Vec::new();
    for (shown, object) in &objects {
        let Some(converted) = definitions::convert(object, &all, login) else { continue };
        let result = converted.result.map(|object| {
            made.push(object);
            vec!["SyncedSecret".to_owned()]
        });
        lines.push(Line::of(format!("{shown}: {}", converted.name), result, converted.notes));
    }
    made
}

/// Returns the objects of a document, which may be a list of objects.
fn each(document: &Value) -> Box<dyn Iterator<Item = &Value> + '_> {
    match document["items"].as_array() {
        Some(items) => Box::new(items.iter()),
        None => Box::new(std::iter::once(document)),
    }
}

/// Returns the files that these names mean. The files of a folder are in the order of their names.
fn manifests(names: &[PathBuf]) -> Result<Vec<PathBuf>, Failure> {
    let mut found = Vec::new();
    for name in names {
        if name.is_dir() {
            below(name, &mut found)
                .map_err(|why| Failure::Unreadable(format!("{}: {why}", name.display())))?;
        } else {
            found.push(name.clone());
        }
    }
    Ok(found)
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) -> io::Result<()> {
    let mut entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    entries.sort_by_key(fs::DirEntry::file_name);
    for entry in entries {
        let path = entry.path();
        // A link to a folder may lead round for ever.
        if entry.file_type()?.is_dir() {
            below(&path, found)?;
        } else if path.extension().is_some_and(|ending| TAKEN.iter().any(|taken| ending == *taken)) {
            found.push(path);
        }
    }
    Ok(())
}

/// Writes the configurations of one pod; nothing where it asks for none.
fn one(
    pod: &Value,
    name: &str,
    namespace: &str,
    settings: &Settings,
    to: Option<&Path>,
) -> Result<Option<Line>, Failure> {
    let line = |result, warnings| Some(Line::of(name.to_owned(), result, warnings));
    let (pod, warnings) = match inject(pod, Request { namespace }, settings) {
        Ok(Outcome::Untouched(_)) => return Ok(None),
        Err(refusal) => return Ok(line(Err(refusal.to_string()), Vec::new())),
        Ok(Outcome::Injected { pod, warnings }) => (pod, warnings),
    };
    let Some(to) = to else {
        return Ok(line(Err("name the folder of its configurations with --output".to_owned()), warnings));
    };
    let base = name.rsplit_once(": ").map_or(name, |(_, name)| name).to_lowercase().replace([' ', '/'], "-");
    let texts = configurations(&pod);
    let several = texts.len() > 1;
    let mut written = Vec::new();
    for (container, text) in texts {
        let own = if several { format!("-{container}") } else { String::new() };
        let path = to.join(format!("{namespace}-{base}{own}.yaml"));
        write(&path, &text)?;
        written.push(path.display().to_string());
    }
    Ok(line(Ok(written), warnings))
}

/// Returns the configurations in the containers of an injected pod, each once.
fn configurations(pod: &Value) -> BTreeMap<String, String> {
    let mut texts = BTreeMap::new();
    for list in ["initContainers", "containers"] {
        for container in pod["spec"][list].as_array().into_iter().flatten() {
            let variables = container["env"].as_array().into_iter().flatten();
            let mut values =
                variables.filter(|one| one["name"] == VARIABLE).filter_map(|one| one["value"].as_str());
            let Some(text) = values.next() else { continue };
            let text = text.replace("$$", "$");
            if !texts.values().any(|known| *known == text) {
                texts.insert(container["name"].as_str().unwrap_or_default().to_owned(), text);
            }
        }
    }
    texts
}

/// Writes a new file. A file that is there already is not replaced, because it may have been edited since.
fn write(path: &Path, text: &str) -> Result<(), Failure> {
    let folder = path.parent().map_or(Ok(()), fs::create_dir_all);
    let file = folder.and_then(|()| OpenOptions::new().write(true).create_new(true).open(path));
    let written = file.and_then(|mut file| file.write_all(text.as_bytes()));
    written.map_err(|why| Failure::Unwritable(format!("{}: {why}", path.display())))
}

/// Makes the report: one line for each pod or definition, and then the warnings that they have in common, the most
/// frequent first.
fn report(lines: &[Line]) -> String {
    let mut text = String::new();
    let mut common: BTreeMap<String, usize> = BTreeMap::new();
    for line in lines {
        let result = match &line.result {
            Err(why) => format!("REFUSED: {why}"),
            Ok(files) if line.warnings.is_empty() => files.join(", "),
            Ok(files) => format!("{}, {} warnings", files.join(", "), line.warnings.len()),
        };
        text.push_str(&format!("{}: {result}\n", line.object));
        line.warnings.iter().for_each(|warning| *common.entry(warning.clone()).or_default() += 1);
    }
    let mut common: Vec<(String, usize)> = common.into_iter().collect();
    common.sort_by_key(|(_, times)| std::cmp::Reverse(*times));
    for (warning, times) in common {
        text.push_str(&format!("{times} x warning: {warning}\n"));
    }
    let good = lines.iter().filter(|line| line.result.is_ok()).count();
    text + &format!("{good} of {} objects converted\n", lines.len())
}
