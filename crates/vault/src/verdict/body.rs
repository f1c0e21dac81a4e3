//! Decides whose answer a body is: the API's own, or that of something in between.

use super::Asked;
use leasehold_base::tree::Tree;

/// What a TLS listener says to plain HTTP: Go's own, and nginx in front of it.
const NOT_TLS: [&[u8]; 2] =
    [b"Client sent an HTTP request to an HTTPS server", b"plain HTTP request was sent to HTTPS port"];

/// The text with which OpenBao and Vault answer 500 on a standby while there is no leader.
const NO_LEADER: &str = "local node not active but active cluster node not found";

/// The text of all paths but `sys/health` on a sealed server.
const SEALED: &str = "Vault is sealed";

/// The kind of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    /// Not the API's: there is no body.
    Empty,
    /// Not the API's: markup.
    Page,
    /// Not the API's: another program's JSON.
    Json,
    /// Not the API's: anything else.
    Text,
    /// Not the API's: the words of a listener for TLS.
    Tls,
    /// The API's, which says that there is no leader.
    NoLeader,
    /// The API's, which says that the server is sealed.
    Sealed,
    /// The API's: the metadata of a KV v2 version that is deleted.
    Deleted,
    /// The API's: the metadata of a KV v2 version that is destroyed.
    Destroyed,
    /// The API's, without a word.
    Silent,
    /// The API's, with whatever it says.
    Own,
}

impl Body {
    /// Returns the kind of `bytes` in an answer that is no success; `tree` is the same if they are JSON.
    pub(super) fn of(bytes: &[u8], tree: Option<&Tree>, asked: Asked) -> Self {
        let Some(tree) = tree else { return Self::foreign(bytes) };
        if !is_own(tree, asked) {
            return Self::Json;
        }
        if let Some(metadata) = metadata(tree) {
            let destroyed = metadata.get("destroyed").and_then(Tree::as_bool) == Some(true);
            return if destroyed { Self::Destroyed } else { Self::Deleted };
        }
        let sealed = tree.get("sealed").and_then(Tree::as_bool) == Some(true);
        let errors: Vec<&str> = words(tree, "errors").collect();
        if sealed || errors.iter().any(|error| error.contains(SEALED)) {
            Self::Sealed
        } else if errors.iter().any(|error| error.contains(NO_LEADER)) {
            Self::NoLeader
        } else if errors.is_empty() && words(tree, "warnings").next().is_none() {
            Self::Silent
        } else {
            Self::Own
        }
    }

    /// Returns the kind of bytes that are not JSON.
    pub(super) fn foreign(bytes: &[u8]) -> Self {
        let says = |words: &&[u8]| bytes.windows(words.len()).any(|part| part == *words);
        match bytes.trim_ascii_start().first() {
            _ if NOT_TLS.iter().any(says) => Self::Tls,
            None => Self::Empty,
            Some(b'<') => Self::Page,
            Some(_) => Self::Text,
        }
    }

    /// Returns whether the body is the API's.
    pub(super) fn is_own(self) -> bool {
        !matches!(self, Self::Empty | Self::Page | Self::Json | Self::Text | Self::Tls)
    }

    /// Returns the words for a foreign body, to follow "404 with".
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Empty => "no body",
            Self::Page => "an HTML page",
            Self::Json => "JSON that is not the API's",
            _ => "a text",
        }
    }
}

/// Returns whether the JSON is the server's. Servers answer a failure with `errors`, a list of texts that may be
/// empty; with the usual envelope, which has a `request_id`; or with the metadata of a deleted version. A proxy's
/// JSON has a `message`, an `error`, or `errors` that are objects.
fn is_own(tree: &Tree, asked: Asked) -> bool {
    let errors = tree.get("errors").and_then(Tree::as_list);
    let texts = |list: &[Tree]| list.iter().all(|item| item.as_str().is_some());
    errors.is_some_and(texts)
        || has_envelope(tree)
        || metadata(tree).is_some()
        || (asked == Asked::Health && is_health(tree))
}

/// Returns whether it has the id that the server gives to every exchange.
pub(super) fn has_envelope(tree: &Tree) -> bool {
    tree.get("request_id").and_then(Tree::as_str).is_some_and(|id| !id.is_empty())
}

/// Returns whether it is an answer of `sys/health`, well or not.
pub(super) fn is_health(tree: &Tree) -> bool {
    ["initialized", "sealed"].iter().all(|name| tree.get(name).and_then(Tree::as_bool).is_some())
}

/// Returns the metadata of a KV v2 version that is deleted or destroyed, which remains.
fn metadata(tree: &Tree) -> Option<&Tree> {
    let data = tree.get("data")?;
    let gone = data.get("data").is_none_or(|fields| *fields == Tree::Null);
    data.get("metadata").filter(|metadata| gone && metadata.as_map().is_some())
}

fn words<'t>(tree: &'t Tree, name: &str) -> impl Iterator<Item = &'t str> {
    let list = tree.get(name).and_then(Tree::as_list).unwrap_or_default();
    list.iter().filter_map(Tree::as_str).filter(|text| !text.is_empty())
}
