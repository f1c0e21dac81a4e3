//! `leasehold convert`: another program's configuration as our own, on standard output.

use std::io::{self, Write};
use std::process::ExitCode;

use super::output::write_out;
use super::{convert_each, environment, run};
use crate::access::survey::keys_of;
use crate::commands::args::ConvertArgs;
use crate::config::foreign::{Converted, Keys, convert};
use crate::config::{self, Problem, Rejected, Severity, Sources, folder};
use crate::exit::{Cause, Ending};
use crate::sandbox;

/// Converts what `args` name, taken together; `-` is standard input. With a folder for the output, converts each by
/// itself.
///
/// # Errors
/// 78 if one of them is not such a configuration, or asks for what Leasehold refuses to do: the text is printed all
/// the same, with a comment there. 73 if standard output cannot be written. With `from_server` 77, 69 and 66
/// besides, as for `plan`.
pub fn run(args: &ConvertArgs) -> Result<ExitCode, Ending> {
    let (configs, from_server) = (&args.config, args.from_server);
    if let Some(to) = &args.output {
        return convert_each::run(configs, to);
    }
    let sources = Sources::new(configs).map_err(|rejected| told(&rejected))?;
    let texts = sources.texts().map_err(|rejected| told(&rejected))?;
    let keys = if from_server { Some(asked(&sources)?) } else { None };
    let converted =
        convert(&texts, &folder(), &config::read_file, keys.as_ref()).map_err(|rejected| told(&rejected))?;
    write(&converted, &mut io::stdout().lock(), &mut io::stderr().lock())
}

/// Asks the server for the keys of the secrets that become variables as a whole.
fn asked(sources: &Sources) -> Result<Keys, Ending> {
    let (plan, _notices) = sources.load(&[]).map_err(|rejected| told(&rejected))?;
    run::has_credentials(&plan)?;
    sandbox::close_memory();
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_all().build().map_err(run::no_runtime)?;
    let environment = environment::of_this_process();
    let result = tokio::task::LocalSet::new().block_on(&runtime, keys_of(&plan, &environment.variables));
    runtime.shutdown_background();
    result
}

fn told(rejected: &Rejected) -> Ending {
    rejected.show(&mut io::stderr().lock(), &Problem::to_string)
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
