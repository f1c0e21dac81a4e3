//! An application's reload endpoint, which remembers what it was asked.

use std::sync::{Arc, Mutex, PoisonError};

use super::http::Listener;

/// A loopback HTTP server that answers everything with 200.
#[derive(Debug)]
pub struct Posted {
    listener: Listener,
    paths: Arc<Mutex<Vec<String>>>,
}

impl Posted {
    /// On a free port.
    pub fn start() -> Self {
        let paths = Arc::new(Mutex::new(Vec::new()));
        let seen = Arc::clone(&paths);
        let listener = Listener::start(move |asked| {
            let line = format!("{} {}", asked.method, asked.path);
            seen.lock().unwrap_or_else(PoisonError::into_inner).push(line);
            (200, String::new())
        });
        Self { listener, paths }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn address(&self) -> String {
        format!("http://{}", self.listener.address())
    }

    /// `METHOD PATH` of every request so far.
    pub fn paths(&self) -> Vec<String> {
        self.paths.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}
