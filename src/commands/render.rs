//! `leasehold render`: one template, offline, so that authors can test it without a server.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;

use zeroize::Zeroizing;

use super::environment;
use super::output::write_out;
use crate::commands::args::RenderArgs;
use crate::config::problem::io_words;
use crate::exit::{Cause, Ending};
use crate::functions;
use crate::render::{self, World};
use crate::secret::Secret;
use crate::template::value::Value;
use crate::template::{Limits, MissingKey, Position, Template};
use crate::tree::Tree;
use leasehold_base::given::{Given, spelled};

/// The largest input that is read, bytes.
const LARGEST_INPUT: u64 = 8 << 20;

/// The rendering of a missing map key (Go's `missingkey`).
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Missing {
    /// The rendering fails. This is our own default, because a `<no value>` in a password is worse.
    Error,
    /// `<no value>`, Go's default.
    Default,
    /// The zero value of the map's type.
    Zero,
}

impl From<Missing> for MissingKey {
    fn from(from: Missing) -> Self {
        match from {
            Missing::Error => Self::Error,
            Missing::Default => Self::Default,
            Missing::Zero => Self::Zero,
        }
    }
}

/// Renders the template of `args` to standard output: all of it, or nothing.
///
/// # Errors
/// 64 for two inputs from standard input, 65 if the template or an input fails, 66 if an input or a secret is not
/// there, 73 if standard output cannot be written, 78 for the template's syntax.
pub fn run(args: &RenderArgs) -> Result<ExitCode, Ending> {
    let inputs = [Some(&args.template), args.data.as_ref(), args.secrets.as_ref()];
    if inputs.into_iter().flatten().filter(|path| is_stdin(path)).count() > 1 {
        let what = "two inputs cannot both be standard input";
        return Err(Ending::new(Cause::Usage, what, "give one of them as a file"));
    }
    let name = if is_stdin(&args.template) { "stdin".into() } else { args.template.to_string_lossy() };
    let text = input(&args.template)?;
    let delimiters = Some((args.left_delimiter.as_str(), args.right_delimiter.as_str()));
    let template = Template::parse(&name, &text, delimiters, functions::all())
        .map_err(|error| render::unparsable(&error))?;
    let data = args.data.as_deref().map_or(Ok(Value::Nil), data)?;
    let secrets = args.secrets.as_deref().map_or_else(|| Ok(Given::default()), given)?;
    let bytes = rendered(&template, data, &secrets, args)?;
    write_out(&mut io::stdout().lock(), bytes.expose())?;
    Ok(ExitCode::SUCCESS)
}

fn rendered(template: &Template, data: Value, secrets: &Given, args: &RenderArgs) -> Result<Secret, Ending> {
    let environment = environment::of_this_process();
    let mut world = World::new(secrets, &environment);
    let result = template.execute(data, args.missing_key.into(), Limits::default(), &mut world);
    let place = |position: Position| {
        let (line, column) = position.in_characters(template.text());
        format!("{}:{line}:{column}", template.name())
    };
    let result = result.map_err(|error| render::failed(place, &error, &world.answers()));
    let (_used, missing) = world.asked();
    if let Some(request) = missing.first() {
        let what = format!("{}: {} is not among the secrets given", template.name(), spelled(request));
        return Err(Ending::new(Cause::Missing, what, "add it to the file of --secrets"));
    }
    result
}

fn is_stdin(path: &Path) -> bool {
    path.as_os_str() == "-"
}

fn input(path: &Path) -> Result<Zeroizing<Vec<u8>>, Ending> {
    let read = |from: &mut dyn Read| {
        let mut bytes = Zeroizing::new(Vec::new());
        from.take(LARGEST_INPUT + 1).read_to_end(&mut bytes).map(|_| bytes)
    };
    let bytes = if is_stdin(path) {
        read(&mut io::stdin().lock())
    } else {
        File::open(path).and_then(|mut file| read(&mut file))
    };
    let bytes = bytes.map_err(|error| {
        let what = format!("cannot read {}: {}", path.display(), io_words(&error));
        Ending::new(Cause::Missing, what, "name a file that is there and readable")
    })?;
    if bytes.len() as u64 > LARGEST_INPUT {
        return Err(bad_input(path, "it is larger than 8 MiB"));
    }
    Ok(bytes)
}

fn bad_input(path: &Path, why: impl std::fmt::Display) -> Ending {
    Ending::new(Cause::Template, format!("{}: {why}", path.display()), "correct the file")
}

/// Reads the value of `.`.
fn data(path: &Path) -> Result<Value, Ending> {
    let tree = Tree::from_json(&input(path)?).map_err(|error| bad_input(path, error))?;
    Ok(Value::from_data(&tree))
}

/// Returns the answers that --secrets gives.
fn given(path: &Path) -> Result<Given, Ending> {
    Given::from_yaml(&input(path)?).map_err(|error| bad_input(path, error))
}
