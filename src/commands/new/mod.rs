//! `leasehold new`: a configuration, its policy, and the unit or the pod around it, from a few answers.

mod ask;
mod files;

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::path::Path;
use std::process::ExitCode;

use super::output::write_out;
use super::policy;
use crate::commands::args::NewArgs;
use crate::config::problem::io_words;
use crate::config::{Rejected, Sources};
use crate::exit::{Cause, Ending};

/// The place where Leasehold is to run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Platform {
    /// A machine with systemd: a unit for the application NAME.service.
    Machine,
    /// A pod with a native sidecar.
    Pod,
}

/// The login method.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Method {
    /// A role id and a secret id.
    Approle,
    /// The service account of a pod.
    Kubernetes,
    /// A JWT from a file.
    Jwt,
    /// A client certificate.
    Cert,
    /// A token that another program keeps in a file.
    TokenFile,
}

/// Asks for what the flags leave out, writes the files, and says what comes next.
///
/// # Errors
/// 64 if something is left out and there is no terminal to ask at; 78 if an answer makes no good configuration; 73
/// if a file is there already or cannot be written.
pub fn run(args: &NewArgs) -> Result<ExitCode, Ending> {
    let answers = ask::all(args)?;
    let configuration = files::configuration(&answers);
    let name = format!("{}.yaml", answers.name);
    let plan = Sources::of_text(&name, configuration.clone().into_bytes()).elsewhere();
    let (plan, _warnings) = plan.map_err(|rejected: Rejected| {
        rejected.show(&mut io::stderr().lock(), &crate::config::Problem::to_string)
    })?;
    let policy = policy::text(&plan);
    let mut made = vec![(name, configuration.clone()), (format!("{}.policy.hcl", answers.name), policy)];
    let program = std::env::current_exe().unwrap_or_default();
    made.extend(files::around(&answers, &configuration, &program));
    write(&args.output, &made)?;
    let list: String =
        made.iter().map(|(name, _)| format!("  {}\n", args.output.join(name).display())).collect();
    let text = format!("Wrote\n{list}\nNext\n{}", files::next(&answers, &args.output));
    write_out(&mut io::stdout().lock(), text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Writes all of them, or none if one is there already.
fn write(folder: &Path, made: &[(String, String)]) -> Result<(), Ending> {
    if let Some((name, _)) = made.iter().find(|(name, _)| folder.join(name).symlink_metadata().is_ok()) {
        let what = format!("{} is there already", folder.join(name).display());
        return Err(Ending::new(Cause::Destination, what, "remove it, or name another folder with -o"));
    }
    for (name, text) in made {
        let path = folder.join(name);
        let written = path.parent().map_or(Ok(()), fs::create_dir_all).and_then(|()| {
            OpenOptions::new().write(true).create_new(true).open(&path)?.write_all(text.as_bytes())
        });
        written.map_err(|why| {
            let what = format!("cannot write {}: {}", path.display(), io_words(&why));
            Ending::new(Cause::Destination, what, "name a folder that you may write with -o")
        })?;
    }
    Ok(())
}
