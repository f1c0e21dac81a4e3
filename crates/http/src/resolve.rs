//! The system's resolver, whose failure can be recognised.

use std::error::Error;
use std::fmt;
use std::net::SocketAddr;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

/// The name does not resolve. It is an error of our own resolver, so that it can be told from the others.
#[derive(Debug)]
pub struct NoSuchHost;

impl fmt::Display for NoSuchHost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the name does not resolve")
    }
}

impl Error for NoSuchHost {}

/// The resolver, which may know one name that stands for another.
#[derive(Debug, Default)]
pub struct Resolver {
    /// The name asked for, and the host really meant.
    pub alias: Option<(String, String)>,
}

impl Resolve for Resolver {
    fn resolve(&self, name: Name) -> Resolving {
        let host = match &self.alias {
            Some((asked, real)) if asked == name.as_str() => real.trim_matches(['[', ']']).to_owned(),
            _ => name.as_str().to_owned(),
        };
        Box::pin(async move {
            // The port is set by the connector from the URL.
            let found = tokio::net::lookup_host((host, 0)).await;
            let found: Vec<SocketAddr> = found.map_err(|_| no_such_host())?.collect();
            if found.is_empty() { Err(no_such_host()) } else { Ok(Box::new(found.into_iter()) as Addrs) }
        })
    }
}

fn no_such_host() -> Box<dyn Error + Send + Sync> {
    Box::new(NoSuchHost)
}
