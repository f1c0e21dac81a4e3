//! What a template or a file requests of the server, and when two requests are the same.

use std::collections::BTreeMap;
use std::fmt;

use crate::secret::Secret;

/// The operation on a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Verb {
    /// GET: `secret "path"`.
    Read,
    /// PUT with a body: `secret "path" "key=value"`.
    Write,
    /// LIST: `secrets "path"`.
    List,
}

/// A request to the server. Two equal requests are one secret: it is read once and leased once.
///
/// A read is identified by its path and its query (`?version=3`), a write by its path and its
/// data. The values of arguments are kept as secrets, because they may come out of another secret.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Request {
    /// The operation.
    pub verb: Verb,
    /// The path as the template wrote it, without a leading `v1/`, without slashes at either end, and without the
    /// query. The `data/` of a KV v2 mount may be there or not; the client finds out.
    pub path: String,
    /// The query of a read, or the body of a write.
    pub args: BTreeMap<String, Secret>,
}

/// Why a path is refused before any request is made. A server or a
/// proxy on the way might normalise it into another path than the one that a policy was reviewed for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BadPath {
    /// Nothing is left after the slashes at the ends are removed.
    Empty,
    /// It has a segment `.` or `..`, plain or percent-encoded.
    Dots,
    /// It has an empty segment: two slashes, plain or percent-encoded.
    Gap,
    /// It has a control character, such as NUL or a newline.
    Control,
}

impl fmt::Display for BadPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Empty => "the path is empty",
            Self::Dots => "the path has a segment `.` or `..`",
            Self::Gap => "the path has an empty segment: two slashes, one after the other",
            Self::Control => "the path has a control character",
        })
    }
}

impl std::error::Error for BadPath {}

/// No KV engine can be mounted below these prefixes, so the mount of such a path is not looked up.
const NEVER_KV: [&str; 4] = ["auth/", "sys/", "identity/", "cubbyhole/"];

impl Request {
    /// Returns whether no KV engine can answer this path.
    #[must_use]
    pub fn is_never_kv(path: &str) -> bool {
        NEVER_KV.iter().any(|prefix| path.starts_with(prefix))
    }

    /// Returns whether this is a read whose path has the form that KV version 2 uses: `secret/data/web`. The answer then shows
    /// what the mount is, so the mount need not be looked up first.
    #[must_use]
    pub fn is_written_as_kept(&self) -> bool {
        self.verb == Verb::Read && !Self::is_never_kv(&self.path) && inner_data(&self.path).next().is_some()
    }

    /// Returns the mount of a KV version 2 secret with this path; `None` if it is not certain, as when two segments are called
    /// `data`.
    #[must_use]
    pub fn mount_as_kept(&self) -> Option<&str> {
        let mut places = inner_data(&self.path);
        let place = places.next().filter(|_| self.is_written_as_kept())?;
        places.next().is_none().then(|| &self.path[..place])
    }

    /// Makes a read of `path`. Its query (`?version=3`) becomes the arguments.
    ///
    /// # Errors
    /// [`BadPath`] if the path must not be sent.
    pub fn read(path: &str) -> Result<Self, BadPath> {
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let args = url::form_urlencoded::parse(query.as_bytes())
            .map(|(key, value)| (key.into_owned(), Secret::from(value.into_owned())))
            .collect();
        Ok(Self { verb: Verb::Read, path: clean(path)?, args })
    }

    /// Makes a write of `args` to `path`.
    ///
    /// # Errors
    /// [`BadPath`] if the path must not be sent.
    pub fn write(path: &str, args: BTreeMap<String, Secret>) -> Result<Self, BadPath> {
        Ok(Self { verb: Verb::Write, path: clean(path)?, args })
    }

    /// Makes a list of the names below `path`.
    ///
    /// # Errors
    /// [`BadPath`] if the path must not be sent.
    pub fn list(path: &str) -> Result<Self, BadPath> {
        Ok(Self { verb: Verb::List, path: clean(path)?, args: BTreeMap::new() })
    }
}

/// Shows the path and the names of arguments, which are configuration. It never shows a value.
impl fmt::Debug for Request {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} {}", self.verb, self.path)?;
        for key in self.args.keys() {
            write!(f, " {key}=…")?;
        }
        Ok(())
    }
}

/// Returns the offsets of the segments called `data` that are neither the first nor the last.
fn inner_data(path: &str) -> impl Iterator<Item = usize> {
    // Two of them may share a slash, as in `a/data/data/b`.
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
    if lower.contains("//") {
        return Err(BadPath::Gap);
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
            ("secret//a", BadPath::Gap),
            ("secret/data/%2Fa", BadPath::Gap),
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
