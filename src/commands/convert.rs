//! `leasehold convert`: another program's configuration as our own, on standard output.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;

use super::output::write_out;
use crate::config::foreign::{Converted, convert};
use crate::config::{Rejected, Severity, Sources, folder};
use crate::exit::{Cause, Ending};

/// Converts what `configs` name, taken together; `-` is standard input.
///
/// # Errors
/// 78 where one of them is not such a configuration, or asks for what Leasehold refuses to do: the
/// text is printed all the same, with a comment there. 73 where standard output cannot be written.
pub fn run(configs: &[PathBuf]) -> Result<ExitCode, Ending> {
    let texts =
        Sources::new(configs).and_then(|sources| sources.texts()).map_err(|rejected| told(&rejected))?;
    let converted = convert(&texts, &folder()).map_err(|rejected| told(&rejected))?;
    write(&converted, &mut io::stdout().lock(), &mut io::stderr().lock())
}

fn told(rejected: &Rejected) -> Ending {
    rejected.show(&mut io::stderr().lock())
}

fn write(converted: &Converted, out: &mut dyn Write, err: &mut dyn Write) -> Result<ExitCode, Ending> {
    write_out(out, converted.yaml.as_bytes())?;
    for problem in &converted.problems {
        // A closed standard error takes nothing from the result.
        let _closed = writeln!(err, "{problem}\n");
    }
    let refused = converted.problems.iter().filter(|problem| problem.severity == Severity::Error).count();
    if refused == 0 {
        return Ok(ExitCode::SUCCESS);
    }
    let what = format!("{refused} of the keys cannot be taken over");
    Err(Ending::new(Cause::Config, what, "see the comments that say REFUSED"))
}
