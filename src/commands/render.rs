//! `leasehold render`: one template, offline, so that authors can test it without a server.

use std::collections::HashMap;
use std::fs::File;
use std::io::{self, Read};
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::environment;
use super::output::write_out;
use crate::commands::args::RenderArgs;
use crate::config::problem::io_words;
use crate::exit::{Cause, Ending};
use crate::functions;
use crate::render::{self, Secrets, World};
use crate::secret::Secret;
use crate::template::value::Value;
use crate::template::{Limits, Position, Template};
use crate::tree::Tree;
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::{Response, WrongType};

/// The largest input that is read, bytes.
const LARGEST_INPUT: u64 = 8 << 20;

/// Renders the template of `args` to standard output: all of it, or nothing.
///
/// # Errors
/// 64 for two inputs from standard input, 65 where the template or an input fails, 66 where an
/// input or a secret is not there, 73 where standard output cannot be written, 78 for the
/// template's syntax.
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
    let secrets = args.secrets.as_deref().map_or_else(|| Ok(Given::default()), Given::read)?;
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

/// A request as --secrets would name it, values left out.
fn spelled(request: &Request) -> String {
    let args = request.args.keys().map(|key| format!(" {key}=…"));
    std::iter::once(request.path.clone()).chain(args).collect()
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

/// What `.` is.
fn data(path: &Path) -> Result<Value, Ending> {
    let tree = Tree::from_json(&input(path)?).map_err(|error| bad_input(path, error))?;
    Ok(Value::from_data(&tree))
}

/// The answers that --secrets gives.
#[derive(Debug, Default)]
struct Given(HashMap<Request, Arc<Response>>);

impl Given {
    fn read(path: &Path) -> Result<Self, Ending> {
        let tree = Tree::from_yaml(&input(path)?).map_err(|error| bad_input(path, error))?;
        let map = match &tree {
            Tree::Null => return Ok(Self::default()),
            Tree::Map(map) => map,
            _ => return Err(bad_input(path, "it is not a map from paths to secrets")),
        };
        let mut given = HashMap::new();
        for (key, answer) in map.iter() {
            let request = request(path, key)?;
            let answer = response(answer)
                .map_err(|error| bad_input(path, format!("{}: {error}", spelled(&request))))?;
            given.insert(request, Arc::new(answer));
        }
        Ok(Self(given))
    }
}

impl Secrets for Given {
    /// A list is given under the path alone, as a read is: what is asked of it tells them apart.
    fn get(&self, request: &Request) -> Option<Arc<Response>> {
        match request.verb {
            Verb::List => self.0.get(&Request { verb: Verb::Read, ..request.clone() }),
            Verb::Read | Verb::Write => self.0.get(request),
        }
        .cloned()
    }
}

/// `path`, or `path key=value key=value`. A piece without `=` belongs to the value before it, which
/// has a space in it.
fn request(file: &Path, key: &str) -> Result<Request, Ending> {
    let (path, rest) = key.split_once(' ').unwrap_or((key, ""));
    let mut args: Vec<(String, String)> = Vec::new();
    for piece in rest.split(' ').filter(|_| !rest.is_empty()) {
        match (piece.split_once('='), args.last_mut()) {
            (Some((name, value)), _) => args.push((name.to_owned(), value.to_owned())),
            (None, Some((_, value))) => *value = format!("{value} {piece}"),
            (None, None) => {
                return Err(bad_input(file, format!("{path}: an argument is not of the form key=value")));
            }
        }
    }
    let bad = |error| bad_input(file, format!("{path}: {error}"));
    if args.is_empty() {
        return Request::read(path).map_err(bad);
    }
    let args = args.into_iter().map(|(name, value)| (name, Secret::from(value)));
    Request::write(path, args.collect()).map_err(bad)
}

/// A whole response, where it has `data` beside what only a response has; else the `data` of one.
fn response(answer: &Tree) -> Result<Response, WrongType> {
    let whole = answer.get("data").is_some()
        && ["lease_id", "request_id"].iter().any(|key| answer.get(key).is_some());
    if whole {
        return Response::from_tree(answer);
    }
    Ok(Response { data: answer.clone(), ..Response::default() })
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use super::*;

    fn given(yaml: &str) -> Given {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secrets.yaml");
        File::create(&path).and_then(|mut file| file.write_all(yaml.as_bytes())).expect("a file");
        Given::read(&path).expect("good secrets")
    }

    fn json(given: &Given, request: &Request) -> Option<String> {
        let answer = given.get(request)?;
        Some(String::from_utf8(answer.data.to_json().to_vec()).expect("UTF-8"))
    }

    #[test]
    fn a_path_leads_to_data_and_numbers_keep_their_spelling() {
        let given = given("secret/web: {port: 1.50, big: 1e3, name: x}");
        let read = Request::read("secret/web").expect("a path");
        assert_eq!(json(&given, &read).as_deref(), Some(r#"{"big":1e3,"name":"x","port":1.50}"#));
        assert_eq!(json(&given, &Request::read("secret/other").expect("a path")), None);
    }

    #[test]
    fn arguments_are_told_apart_in_any_order_and_may_hold_spaces() {
        let given = given("pki/issue/web common_name=a b ttl=1h: {certificate: C}");
        let args = [("ttl", "1h"), ("common_name", "a b")];
        let args = args.map(|(key, value)| (key.to_owned(), Secret::from(value)));
        let write = Request::write("pki/issue/web", args.into()).expect("a path");
        assert_eq!(json(&given, &write).as_deref(), Some(r#"{"certificate":"C"}"#));
        assert!(given.get(&Request::read("pki/issue/web").expect("a path")).is_none());
    }

    #[test]
    fn a_whole_response_and_a_list_are_taken_as_such() {
        let given = given("db: {lease_id: l/1, lease_duration: 60, data: {u: x}}\nls/: {keys: [a, b]}");
        let answer = given.get(&Request::read("db").expect("a path")).expect("an answer");
        assert_eq!((answer.lease_id.as_str(), answer.lease_duration), ("l/1", 60));
        let list = Request::list("ls").expect("a path");
        assert_eq!(json(&given, &list).as_deref(), Some(r#"{"keys":["a","b"]}"#));
    }
}
