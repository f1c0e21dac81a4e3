//! The injection without a cluster: for GitOps, for a review, and for tests.

pub(crate) mod convert;
mod definitions;
mod documents;

use std::io::{self, Read as _, Write as _};
use std::path::Path;

use crate::inject::{Outcome, Request, inject};
use crate::refusal::Refusal;
use crate::settings::Settings;

/// Why a command ends without its result.
#[derive(Debug)]
pub(crate) enum Failure {
    /// 64: the command line.
    Usage(String),
    /// 65: a pod is refused, or the input is not what it should be.
    Refused(String),
    /// 66: the file cannot be read.
    Unreadable(String),
    /// 69: the webhook cannot be served, or nothing can be synced.
    Unavailable(String),
    /// 73: the result cannot be written.
    Unwritable(String),
    /// 78: the settings are wrong.
    Settings(String),
}

impl Failure {
    /// Returns the exit code.
    pub(crate) fn code(&self) -> u8 {
        match self {
            Self::Usage(_) => 64,
            Self::Refused(_) => 65,
            Self::Unreadable(_) => 66,
            Self::Unavailable(_) => 69,
            Self::Unwritable(_) => 73,
            Self::Settings(_) => 78,
        }
    }

    /// Returns what is wrong.
    pub(crate) fn words(&self) -> &str {
        match self {
            Self::Usage(words)
            | Self::Refused(words)
            | Self::Unavailable(words)
            | Self::Unreadable(words)
            | Self::Unwritable(words)
            | Self::Settings(words) => words,
        }
    }
}

/// The documents after the injection, and warnings, each with the object that it is about.
#[derive(Debug)]
pub(crate) struct Injected {
    pub(crate) text: String,
    pub(crate) warnings: Vec<String>,
    /// How many pods were injected, and how many there were.
    pub(crate) pods: (usize, usize),
}

/// Injects into every pod of a text.
///
/// # Errors
/// [`Failure::Refused`] with all refusals, one a line.
pub(crate) fn apply(bytes: &[u8], settings: &Settings) -> Result<Injected, Failure> {
    let mut documents = documents::read(bytes).map_err(Failure::Refused)?;
    let (mut warnings, mut refusals, mut pods) = (Vec::new(), Vec::new(), (0, 0));
    for document in &mut documents {
        let all = documents::each_pod::<std::convert::Infallible>(document, &mut |pod, name, namespace| {
            pods.1 += 1;
            match inject(pod, Request { namespace }, settings) {
                Ok(Outcome::Untouched(_)) => {}
                Ok(Outcome::Injected { pod: changed, warnings: more }) => {
                    *pod = *changed;
                    pods.0 += 1;
                    warnings.extend(more.into_iter().map(|warning| format!("{name}: {warning}")));
                }
                Err(refusal) => refusals.push(refused(name, &refusal)),
            }
            Ok(())
        });
        let Ok(()) = all;
    }
    if !refusals.is_empty() {
        return Err(Failure::Refused(refusals.join("\n")));
    }
    let text = documents::write(&documents).map_err(Failure::Refused)?;
    Ok(Injected { text, warnings, pods })
}

fn refused(name: &str, refusal: &Refusal) -> String {
    format!("{name}: {refusal}")
}

/// Runs `leasehold-kubernetes inject` or `check`. The result or a summary goes to standard output, and the warnings go
/// to standard error.
pub(crate) fn run(file: &Path, settings: Option<&Path>, only_check: bool) -> Result<(), Failure> {
    let settings = self::settings(settings)?;
    let injected = apply(&read(file)?, &settings)?;
    let mut errors = io::stderr().lock();
    for warning in &injected.warnings {
        let _closed = writeln!(errors, "warning: {warning}");
    }
    let (done, all) = injected.pods;
    let summary = format!("good: {done} of {all} pods injected, {} warnings\n", injected.warnings.len());
    let result = if only_check { &summary } else { &injected.text };
    let mut output = io::stdout().lock();
    let written = output.write_all(result.as_bytes()).and_then(|()| output.flush());
    written.map_err(|error| Failure::Unwritable(format!("standard output cannot be written: {error}")))
}

/// Reads the settings of the environment and of a file. The notes go to standard error.
pub(crate) fn settings(file: Option<&Path>) -> Result<Settings, Failure> {
    settings_of(file, &|name| std::env::var(name).ok())
}

/// Reads the operator's settings from these variables and from a file.
pub(crate) fn settings_of(
    file: Option<&Path>,
    variable: &dyn Fn(&str) -> Option<String>,
) -> Result<Settings, Failure> {
    let bytes = file.map(read).transpose()?;
    let name = file.map(|file| file.display().to_string());
    let named = name.as_deref().zip(bytes.as_deref());
    let (settings, notes) =
        Settings::read(variable, named).map_err(|unusable| Failure::Settings(unusable.to_string()))?;
    for note in notes {
        let _closed = writeln!(io::stderr(), "note: {note}");
    }
    Ok(settings)
}

/// Reads a file, or standard input for `-`.
fn read(file: &Path) -> Result<Vec<u8>, Failure> {
    let mut bytes = Vec::new();
    let result = if file == Path::new("-") {
        io::stdin().lock().read_to_end(&mut bytes).map(|_| bytes)
    } else {
        std::fs::read(file)
    };
    result.map_err(|error| Failure::Unreadable(format!("{}: {error}", file.display())))
}

#[cfg(test)]
mod tests;
