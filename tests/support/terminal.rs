//! A terminal of the test's own, with a command in its foreground: what a person would see there, and a keyboard.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::stage::SOON;
use super::wait::wait_until;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// Runs the command, then shows its exit code between two marks, and waits for the terminal to be gone. When the leader
/// of a session ends, the kernel throws away what the terminal has not passed on yet, so the leader must outlive the
/// command.
const LEADER: &str = r#"trap : INT; "$@"; printf '\036%d\036' $? >/dev/tty; read -r _ </dev/tty"#;

/// Stands before and after the exit code.
const MARK: char = '\x1e';

/// A command at a terminal; killed when it is dropped.
pub struct Terminal {
    leader: Child,
    keyboard: File,
    seen: Arc<Mutex<Vec<u8>>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts `words` in a session at a new terminal. `setup` adds folder and environment, which is empty, and may send
    /// an output elsewhere.
    pub fn start(words: &[&str], setup: impl FnOnce(&mut Command)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("a plain name");
        let slave =
            || Stdio::from(File::options().read(true).write(true).open(&name).expect("the other end"));
        // setsid makes the terminal the controlling one, so that Ctrl-C is a signal.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait", "sh", "-c", LEADER, "sh"]).args(words).env_clear();
        command.stdin(slave()).stdout(slave()).stderr(slave());
        setup(&mut command);
        let leader = command.spawn().expect("setsid is part of util-linux");
        drop(command);
        let screen = File::from(master);
        let keyboard = screen.try_clone().expect("one more descriptor");
        let seen = Arc::new(Mutex::new(Vec::new()));
        let shown = Arc::clone(&seen);
        let reader = std::thread::spawn(move || read(screen, &shown));
        Self { leader, keyboard, seen, reader: Some(reader) }
    }

    /// What was shown so far, with the lines' ends of a file.
    pub fn seen(&self) -> String {
        String::from_utf8_lossy(&self.seen.lock().expect("not poisoned")).replace("\r\n", "\n")
    }

    /// Waits for a text that stands last on the screen, and types keys.
    #[track_caller]
    pub fn answer(&mut self, question: &str, keys: &str) {
        wait_until(&format!("{question} in {}", self.seen()), SOON, || self.seen().ends_with(question));
        self.press(keys);
    }

    /// Types keys.
    pub fn press(&mut self, keys: &str) {
        self.keyboard.write_all(keys.as_bytes()).expect("the terminal is there");
    }

    /// The exit code, as a shell gives it, and all that was shown.
    pub fn end(mut self) -> (i32, String) {
        self.reader.take().expect("there is one").join().expect("read");
        let seen = self.seen();
        let (text, code) = seen.trim_end_matches(MARK).rsplit_once(MARK).expect("the leader shows the code");
        (code.parse().expect("a number"), text.to_owned())
    }
}

/// Reads until the leader has shown the exit code, or the terminal is gone.
fn read(mut screen: File, shown: &Mutex<Vec<u8>>) {
    let mut bytes = [0; 4096];
    while let Ok(count) = screen.read(&mut bytes) {
        let mut shown = shown.lock().expect("not poisoned");
        shown.extend_from_slice(&bytes[..count]);
        if shown.iter().filter(|byte| **byte == MARK as u8).count() == 2 {
            return;
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended_already = self.leader.kill();
        let _reaped_already = self.leader.wait();
    }
}
