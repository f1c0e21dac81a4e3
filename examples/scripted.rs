//! A server that answers at once, for figures of the client alone: `scripts/bench growth` uses it where a real server's
//! own time would hide ours.
//!
//! ```text
//! scripted
//! ```
//!
//! Listens on a free port of the loopback interface, and prints it. It grants every login, has a KV v2 value at every
//! path below `secret/`, and mints a lease for every read below `database/`. `POST /change` gives all values below
//! `secret/` a new version, and `POST /change/PATH` gives one to that path.
#![allow(clippy::print_stdout, reason = "a benchmark prints")]

use std::collections::HashMap;
use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;

/// What the server has handed out and what has changed.
#[derive(Default)]
struct Server {
    /// The version of all values that have none of their own.
    version: AtomicU64,
    /// The paths that were changed alone, with their versions.
    changed: Mutex<HashMap<String, u64>>,
    /// How many leases and tokens were minted.
    minted: AtomicU64,
}

fn main() -> io::Result<()> {
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    println!("{}", listener.local_addr()?.port());
    let server = Arc::new(Server::default());
    for stream in listener.incoming() {
        let (stream, server) = (stream?, Arc::clone(&server));
        // A client that went away ends its own thread only.
        thread::spawn(move || server.serve(stream).unwrap_or_default());
    }
    Ok(())
}

impl Server {
    /// Answers the requests of one connection, one after the other.
    fn serve(&self, stream: TcpStream) -> io::Result<()> {
        stream.set_nodelay(true)?;
        let mut reader = BufReader::new(stream.try_clone()?);
        let mut writer = stream;
        let (mut line, mut answer) = (String::new(), String::new());
        loop {
            line.clear();
            if reader.read_line(&mut line)? == 0 {
                return Ok(());
            }
            let path = line.split(' ').nth(1).unwrap_or_default().to_owned();
            let mut length = 0;
            while line.trim_end() != "" {
                line.clear();
                reader.read_line(&mut line)?;
                if let Some((_, value)) = line.to_ascii_lowercase().split_once("content-length:") {
                    length = value.trim().parse().map_err(io::Error::other)?;
                }
            }
            io::copy(&mut reader.by_ref().take(length), &mut io::sink())?;
            let (status, body) = self.answer(path.trim_start_matches("/v1"));
            answer.clear();
            answer.push_str(&format!("HTTP/1.1 {status}\r\ncontent-type: application/json\r\n"));
            if status.starts_with("204") {
                answer.push_str("\r\n");
            } else {
                answer.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
            }
            writer.write_all(answer.as_bytes())?;
        }
    }

    /// The status and the body for a path.
    fn answer(&self, path: &str) -> (&'static str, String) {
        let ok = |body: String| ("200 OK", body);
        if let Some(one) = path.strip_prefix("/change") {
            self.change(one.trim_start_matches('/'));
            return ok("{}".into());
        }
        if let Some(secret) = path.strip_prefix("/secret/data/") {
            return ok(self.value(secret));
        }
        if path.starts_with("/database/") {
            return ok(self.lease(path));
        }
        if path.ends_with("/login") {
            return ok(self.login());
        }
        match path.strip_prefix("/sys/internal/ui/mounts/") {
            Some(mount) if mount.starts_with("secret") => {
                ok(r#"{"data":{"path":"secret/","type":"kv","options":{"version":"2"}}}"#.into())
            }
            Some(_) => ok(r#"{"data":{"path":"database/","type":"database","options":null}}"#.into()),
            None => ("204 No Content", String::new()),
        }
    }

    /// Gives one path, or all, a new version.
    fn change(&self, path: &str) {
        let version = self.version.load(Ordering::SeqCst);
        let mut changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        if path.is_empty() {
            changed.clear();
            self.version.store(version + 1, Ordering::SeqCst);
        } else {
            *changed.entry(path.into()).or_insert(version) += 1;
        }
    }

    fn value(&self, path: &str) -> String {
        let changed = self.changed.lock().unwrap_or_else(PoisonError::into_inner);
        let version = changed.get(path).copied().unwrap_or_else(|| self.version.load(Ordering::SeqCst)) + 1;
        format!(
            r#"{{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":{{"data":{{"value":"version {version} of {path}"}},"metadata":{{"created_time":"2026-01-01T00:00:00Z","custom_metadata":null,"deletion_time":"","destroyed":false,"version":{version}}}}},"wrap_info":null,"warnings":null,"auth":null}}"#
        )
    }

    fn lease(&self, path: &str) -> String {
        let number = self.minted.fetch_add(1, Ordering::SeqCst);
        format!(
            r#"{{"request_id":"r","lease_id":"{}/{number:024}","renewable":true,"lease_duration":86400,"data":{{"username":"user-{number}","password":"password-{number:024}"}},"wrap_info":null,"warnings":null,"auth":null}}"#,
            path.trim_start_matches('/')
        )
    }

    fn login(&self) -> String {
        let number = self.minted.fetch_add(1, Ordering::SeqCst);
        format!(
            r#"{{"request_id":"r","lease_id":"","renewable":false,"lease_duration":0,"data":null,"wrap_info":null,"warnings":null,"auth":{{"client_token":"s.{number:024}","accessor":"a.{number:024}","policies":["default"],"token_policies":["default"],"metadata":null,"lease_duration":86400,"renewable":true,"entity_id":"e","token_type":"service","orphan":true}}}}"#
        )
    }
}
