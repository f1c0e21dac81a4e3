//! The faults of a file of Google's credentials. Each message says what to correct.

use std::fmt;

use crate::http::said;

/// What is wrong with a file of Google's credentials.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum KeyFault {
    /// A field that Google's own tools write is missing.
    Lacks(String),
    /// The token comes from a kind of source that we do not follow.
    Source,
    /// More than one place has the token, and the file does not say which one counts.
    Several,
    /// A file with the token stands beside what only AWS' own keys need.
    OfAws,
    /// The token is in a format that nobody reads.
    Format,
    /// The file is for a cloud of Google's software that is not Google's public one.
    Universe(String),
    /// An address in this field cannot be read. The address may hold a credential, so it is not shown.
    NoUrl(&'static str),
    /// A header that the source of the token is to be sent cannot be one.
    NoHeader(String),
    /// An address is neither Google's nor on this machine.
    Elsewhere(String),
}

impl fmt::Display for KeyFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Lacks(name) => write!(f, "has no {name}"),
            Self::Source => {
                f.write_str("has another credential_source than a file or a url, which is not followed")
            }
            Self::Several => f.write_str(
                "names several places in its credential_source; leave one of them, a file or a url",
            ),
            Self::OfAws => f.write_str(
                "has an environment_id beside the file in its credential_source; leave environment_id out",
            ),
            Self::Format => {
                f.write_str("has a credential_source.format.type that is not followed; write text or json")
            }
            Self::Universe(domain) => write!(
                f,
                "has the universe_domain {}, which is not read; only files of googleapis.com are",
                said(domain)
            ),
            Self::NoUrl(name) => {
                write!(f, "has a {name} that is no URL; write one that begins with https:// or http://")
            }
            Self::NoHeader(name) => write!(f, "has a header {}, which cannot be sent", said(name)),
            Self::Elsewhere(host) => {
                write!(f, "names {}, which is not Google's; no credential was sent", said(host))
            }
        }
    }
}
