//! What a template or a file asks of the server, and when two of them ask the same.

use std::collections::BTreeMap;
use std::fmt;

use crate::secret::Secret;

/// How a path is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// GET: `secret "path"`.
    Read,
    /// PUT with a body: `secret "path" "key=value"`.
    Write,
    /// LIST: `secrets "path"`.
    List,
}

/// One thing asked of the server. Two equal requests are one secret: read once, leased once.
///
/// The identity of a read is its path and its query (`?version=3`); of a write its path and its
/// data. Values of arguments may come out of another secret, so they are kept as one.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// How it is asked.
    pub verb: Verb,
    /// The path as written, without a leading `v1/` or slashes at either end, and without the
    /// query. `data/` of a KV v2 mount may be there or not: the client finds out.
    pub path: String,
    /// The query of a read, the body of a write.
    pub args: BTreeMap<String, Secret>,
}

/// Why a path is not asked for at all. Refused before a request is made, since a server or a
/// proxy on the way may normalise it into another path than the policy was read for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// Nothing left after trimming slashes.
    Empty,
    /// A segment `.` or `..`, plain or percent-encoded.
    Dots,
    /// NUL, a control byte, or a newline.
    Control,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the path is empty",
            Self::Dots => "the path has a segment `.` or `..`",
            Self::Control => "the path has a control character",
        })
    }
}

impl std::error::Error for BadPath {}

/// Below these is no KV engine: their mounts need not be looked up.
const NEVER_KV: [&str; 4] = ["auth/", "sys/", "identity/", "cubbyhole/"];

impl Request {
    /// Whether no KV engine can stand behind this path.
    #[must_use]
    pub fn is_never_kv(path: &str) -> bool {
        NEVER_KV.iter().any(|prefix| path.starts_with(prefix))
    }

    /// Whether it is a read that is written as KV version 2 keeps a secret: `secret/data/web`. Then the answer tells
    /// about the mount, which need not be asked about first.
    #[must_use]
    pub fn is_written_as_kept(&self) -> bool {
        self.verb == Verb::Read && !Self::is_never_kv(&self.path) && inner_data(&self.path).next().is_some()
    }

    /// The mount that a KV version 2 secret of this path is on; none where that is not certain, as where two segments
    /// are called `data`.
    #[must_use]
    pub fn mount_as_kept(&self) -> Option<&str> {
        let mut places = inner_data(&self.path);
        let place = places.next().filter(|_| self.is_written_as_kept())?;
        places.next().is_none().then(|| &self.path[..place])
    }

    /// A read of `path`, whose query (`?version=3`) becomes the arguments.
    ///
    /// # Errors
    /// [`BadPath`] where the path must not be sent.
    pub fn read(path: &str) -> Result<Self, BadPath> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let args = url::form_urlencoded::parse(query.as_bytes())
            .map(|(key, value)| (key.into_owned(), Secret::from(value.into_owned())))
            .collect();
        Ok(Self { verb: Verb::Read, path: clean(path)?, args })
    }

    /// A write of `args` to `path`.
    ///
    /// # Errors
    /// [`BadPath`] where the path must not be sent.
    pub fn write(path: &str, args: BTreeMap<String, Secret>) -> Result<Self, BadPath> {
        Ok(Self { verb: Verb::Write, path: clean(path)?, args })
    }

    /// The names below `path`.
    ///
    /// # Errors
    /// [`BadPath`] where the path must not be sent.
    pub fn list(path: &str) -> Result<Self, BadPath> {
        Ok(Self { verb: Verb::List, path: clean(path)?, args: BTreeMap::new() })
    }
}

/// Paths and the names of arguments are configuration and may be shown; values never are.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.verb, self.path)?;
        for key in self.args.keys() {
            write!(f, " {key}=…")?;
        }
        Ok(())
    }
}

/// Where segments called `data` begin that have something before and behind them.
fn inner_data(path: &str) -> impl Iterator<Item = usize> {
    // Their slashes may be shared, as in `a/data/data/b`.
    path.match_indices('/')
        .map(|(slash, _)| slash + 1)
        .filter(move |place| path[*place..].starts_with("data/"))
}

fn clean(path: &str) -> Result<String, BadPath> {
    let path = path.trim().trim_matches('/');
    let path = path.strip_prefix("v1/").unwrap_or(path);
    if path.is_empty() {
        return Err(BadPath::Empty);
    }
    if path.chars().any(char::is_control) {
        return Err(BadPath::Control);
    }
    let lower = path.to_ascii_lowercase().replace("%2e", ".").replace("%2f", "/");
    if lower.split(['/', '\\']).any(|segment| segment == "." || segment == "..") {
        return Err(BadPath::Dots);
    }
    Ok(path.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_read_is_its_path_and_its_query() {
        let request = Request::read("/secret/web?version=3").expect("a good path");
        assert_eq!(request.path, "secret/web");
        assert_eq!(request.args["version"].expose(), b"3");
        assert_eq!(request, Request::read("secret/web/?version=3").expect("a good path"));
        assert_ne!(request, Request::read("secret/web").expect("a good path"));
    }

    #[test]
    fn paths_that_could_mean_another_are_refused() {
        for (path, why) in [
            ("", BadPath::Empty),
            ("//", BadPath::Empty),
            ("secret/../sys/seal", BadPath::Dots),
            ("secret/%2e%2E/x", BadPath::Dots),
            ("secret/%2E%2e%2fx", BadPath::Dots),
            ("secret/a\nb", BadPath::Control),
            ("secret/a\0b", BadPath::Control),
        ] {
            assert_eq!(Request::read(path), Err(why), "{path:?}");
        }
    }

    #[test]
    fn debug_names_arguments_without_their_values() {
        let args = BTreeMap::from([("password".to_owned(), Secret::from("hunter2"))]);
        let request = Request::write("auth/x", args).expect("a good path");
        assert_eq!(format!("{request:?}"), "Write auth/x password=…");
    }
}
