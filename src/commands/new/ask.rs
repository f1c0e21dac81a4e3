//! Collects what `leasehold new` has to know: from flags, and from a person for the rest.

use std::io::{self, BufRead as _, IsTerminal as _, Write as _};
use std::path::Path;

use clap::ValueEnum;

use super::{Method, Platform};
use crate::commands::args::NewArgs;
use crate::exit::{Cause, Ending};

/// All that the files are made from.
pub(super) struct Answers {
    pub(super) name: String,
    pub(super) place: Platform,
    pub(super) address: String,
    pub(super) ca_file: Option<String>,
    pub(super) method: Method,
    pub(super) role: String,
    pub(super) files: Vec<File>,
}

/// A file, and the secret that is in it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct File {
    pub(super) path: String,
    pub(super) secret: String,
}

/// Returns the flags, completed by answers.
///
/// # Errors
/// 64 if something is missing and there is no terminal to ask at, or if the name is not plain.
pub(super) fn all(args: &NewArgs) -> Result<Answers, Ending> {
    if let Some(name) = &args.name {
        plain(name)
            .map_err(|hint| Ending::new(Cause::Usage, "the name of the application is not plain", hint))?;
    }
    let usual = std::env::var("BAO_ADDR").or_else(|_| std::env::var("VAULT_ADDR")).ok();
    if !io::stdin().is_terminal() {
        nothing_to_ask(args, usual.is_some())?;
    }
    let name = match &args.name {
        Some(name) => name.clone(),
        None => asked("The application's name", "NAME", Some("web"), plain)?,
    };
    let place = chosen(args.place, "Where it runs", "--for", Platform::Machine)?;
    let address = match &args.address {
        Some(address) => address.clone(),
        None => asked("The server's address", "--address", usual.as_deref(), is_url)?,
    };
    let method = match place {
        Platform::Machine => Method::Approle,
        Platform::Pod => Method::Kubernetes,
    };
    let method = chosen(args.method, "How to log in", "--method", method)?;
    let role = args.role.clone().unwrap_or_else(|| name.clone());
    let mut secrets = args.secrets.clone();
    if secrets.is_empty() {
        let example = "Secrets, with a space between: PATH#KEY, or FILE=PATH#KEY";
        let line = asked(example, "--secret", Some(&format!("secret/{name}#password")), |_| Ok(()))?;
        secrets = line.split_whitespace().map(str::to_owned).collect();
    }
    let ca_file = args.ca_file.as_ref().map(|file| file.display().to_string());
    let files = secrets.iter().map(|secret| file(secret)).collect();
    Ok(Answers { name, place, address, ca_file, method, role, files })
}

/// Names everything that is missing at once, because there is no person to ask.
fn nothing_to_ask(args: &NewArgs, has_address: bool) -> Result<(), Ending> {
    let missing = [
        ("NAME", args.name.is_none()),
        ("--for", args.place.is_none()),
        ("--address", args.address.is_none() && !has_address),
        ("--secret", args.secrets.is_empty()),
    ];
    let missing: Vec<&str> = missing.iter().filter(|(_, missing)| *missing).map(|(flag, _)| *flag).collect();
    match missing.is_empty() {
        true => Ok(()),
        false => Err(Ending::new(
            Cause::Usage,
            format!("no terminal to ask at, and not given: {}", missing.join(", ")),
            "an example: leasehold new web --for machine --address https://vault:8200 --secret secret/web#password",
        )),
    }
}

const PLAIN: &str = "use small letters, digits and hyphens: it becomes part of a unit or of a pod";

fn plain(name: &str) -> Result<(), String> {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-';
    match !name.is_empty() && name.bytes().all(plain) {
        true => Ok(()),
        false => Err(PLAIN.to_owned()),
    }
}

fn is_url(address: &str) -> Result<(), String> {
    match address.starts_with("https://") || address.starts_with("http://") {
        true => Ok(()),
        false => Err(format!("write it with its scheme, such as https://{address}")),
    }
}

/// Reads `FILE=PATH#KEY`. Without `FILE`, the file is called by the key, or by the end of the path.
pub(super) fn file(text: &str) -> File {
    if let Some((path, secret)) = text.split_once('=') {
        return File { path: path.to_owned(), secret: secret.to_owned() };
    }
    let path = match text.split_once('#') {
        Some((_, key)) => key.to_owned(),
        None => format!("{}.json", Path::new(text).file_name().unwrap_or_default().to_string_lossy()),
    };
    File { path, secret: text.to_owned() }
}

fn chosen<T: ValueEnum>(given: Option<T>, what: &str, flag: &str, usual: T) -> Result<T, Ending> {
    if let Some(given) = given {
        return Ok(given);
    }
    let name = |one: &T| one.to_possible_value().map(|value| value.get_name().to_owned()).unwrap_or_default();
    let all = T::value_variants().iter().map(name).collect::<Vec<_>>().join(", ");
    let fits = |answer: &str| T::from_str(answer, true).map(drop).map_err(|_| format!("it is one of {all}"));
    let answer = asked(&format!("{what}: {all}"), flag, Some(&name(&usual)), fits)?;
    Ok(T::from_str(&answer, true).unwrap_or(usual))
}

/// Asks a person until the answer fits; an empty line takes the default, and so does the lack of a terminal.
fn asked(
    what: &str,
    flag: &str,
    usual: Option<&str>,
    fits: impl Fn(&str) -> Result<(), String>,
) -> Result<String, Ending> {
    let missing = || Ending::new(Cause::Usage, format!("{flag} is missing"), "see leasehold new --help");
    if !io::stdin().is_terminal() {
        let usual = usual.ok_or_else(missing)?;
        return fits(usual).map(|()| usual.to_owned()).map_err(|hint| {
            Ending::new(
                Cause::Usage,
                format!("{flag} is not given, and {usual} cannot be taken for it"),
                hint,
            )
        });
    }
    let say = |text: &str| {
        let mut error = io::stderr().lock();
        let _closed = write!(error, "{text}").and_then(|()| error.flush());
    };
    let shown = usual.map(|usual| format!(" [{usual}]")).unwrap_or_default();
    loop {
        say(&format!("{what}{shown}: "));
        let mut line = String::new();
        if io::stdin().lock().read_line(&mut line).unwrap_or(0) == 0 {
            // Ctrl-D leaves the cursor behind the question.
            say("\n");
            return Err(missing());
        }
        let answer = match line.trim() {
            "" => usual.unwrap_or_default(),
            answer => answer,
        };
        match fits(answer) {
            _ if answer.is_empty() => {}
            Ok(()) => return Ok(answer.to_owned()),
            Err(hint) => say(&format!("  {hint}\n")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_called_by_its_key_or_by_the_end_of_the_path() {
        let of = |text: &str| {
            let File { path, secret } = file(text);
            (path, secret)
        };
        let pair = |path: &str, secret: &str| (path.to_owned(), secret.to_owned());
        assert_eq!(of("secret/web#password"), pair("password", "secret/web#password"));
        assert_eq!(of("database/creds/web"), pair("web.json", "database/creds/web"));
        assert_eq!(of("db/user=database/creds/web#username"), pair("db/user", "database/creds/web#username"));
    }
}
