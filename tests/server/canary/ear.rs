//! What listens for secrets.

use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD_NO_PAD, URL_SAFE_NO_PAD};
use nix::sys::signal::Signal;

use crate::support::{Finished, Leasehold, Running, SOON, Workspace, request_unix, wait_until};

/// What must not be heard, and everything that was.
#[derive(Default)]
pub(crate) struct Ear {
    pub(crate) secrets: Vec<(&'static str, String)>,
    heard: Vec<(String, Vec<u8>)>,
}

impl Ear {
    pub(crate) fn must_not_hear(&mut self, what: &'static str, secret: impl Into<String>) {
        let secret = secret.into();
        assert!(secret.len() >= 8, "{what} is too short to be told from chance");
        self.secrets.push((what, secret));
    }

    pub(crate) fn hear(&mut self, place: impl Into<String>, bytes: impl Into<Vec<u8>>) {
        self.heard.push((place.into(), bytes.into()));
    }

    pub(crate) fn finished(&mut self, command: &str, finished: Finished) -> Option<i32> {
        self.hear(format!("standard output of {command}"), finished.stdout);
        self.hear(format!("standard error of {command}"), finished.stderr);
        finished.code
    }

    /// What of the secrets is in `bytes`: as it is, or in base64.
    pub(crate) fn found_in<'e>(&'e self, bytes: &'e [u8]) -> impl Iterator<Item = &'static str> + 'e {
        let holds = |text: &str| bytes.windows(text.len()).any(|part| part == text.as_bytes());
        let any = move |secret: &String| {
            holds(secret) || holds(&STANDARD_NO_PAD.encode(secret)) || holds(&URL_SAFE_NO_PAD.encode(secret))
        };
        self.secrets.iter().filter(move |(_, secret)| any(secret)).map(|(what, _)| *what)
    }

    #[track_caller]
    pub(crate) fn assert_heard_nothing(&self) {
        for (place, bytes) in &self.heard {
            let found: Vec<_> = self.found_in(bytes).collect();
            assert!(found.is_empty(), "{place} shows {found:?}");
        }
    }

    /// The log at trace must have been there to be silent.
    #[track_caller]
    pub(crate) fn assert_heard(&self, place: &str, something: &str) {
        let all = self.heard.iter().filter(|(at, _)| at.contains(place));
        let all: Vec<u8> = all.flat_map(|(_, bytes)| bytes.clone()).collect();
        let all = String::from_utf8_lossy(&all);
        assert!(all.contains(something), "{place} does not hold {something}: {all}");
    }

    /// Everything that can be asked of a sidecar whose configuration is `leasehold.yaml`, and done to it.
    pub(crate) fn question(&mut self, space: &Workspace, leasehold: &Leasehold, sidecar: &Running) {
        let socket = space.join("status.sock");
        for path in ["/livez", "/readyz", "/metrics", "/status", "/nothing"] {
            self.hear(path, request_unix(&socket, "GET", path).expect("it listens").text);
        }
        self.hear("/refresh", request_unix(&socket, "POST", "/refresh").expect("it listens").text);
        for (signal, line) in [(Signal::SIGUSR1, "\"message\":\"status\""), (Signal::SIGHUP, "read again")] {
            sidecar.signal(signal);
            wait_until(line, SOON, || sidecar.stderr().contains(line));
        }
        let config = space.join("leasehold.yaml").display().to_string();
        for command in [&["status"][..], &["status", "--json"], &["status", "--ready"], &["check"]] {
            let finished = leasehold.run(&[command, &["--config", &config]].concat());
            self.finished(&command.join(" "), finished);
        }
    }
}
