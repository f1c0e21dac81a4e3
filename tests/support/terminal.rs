//! A terminal of the test's own, with a command in its foreground: what a person would see there, and a keyboard.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;

use super::stage::SOON;
use super::wait::wait_until;
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

/// A command at a terminal; killed when it is dropped.
pub struct Terminal {
    child: Child,
    keyboard: File,
    seen: Arc<Mutex<String>>,
    reader: Option<JoinHandle<()>>,
}

impl Terminal {
    /// Starts `words` as the one program of a session at a new terminal. `setup` adds folder and environment, which is
    /// empty, and may send an output elsewhere.
    pub fn start(words: &[&str], setup: impl FnOnce(&mut Command)) -> Self {
        let master = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).expect("a terminal");
        grantpt(&master).and_then(|()| unlockpt(&master)).expect("a terminal");
        let name = ptsname(&master, Vec::new()).expect("it has a name").into_string().expect("a plain name");
        let slave =
            || Stdio::from(File::options().read(true).write(true).open(&name).expect("the other end"));
        // setsid makes the terminal the controlling one, so that Ctrl-C is a signal.
        let mut command = Command::new("setsid");
        command.args(["--ctty", "--wait"]).args(words).env_clear();
        command.stdin(slave()).stdout(slave()).stderr(slave());
        setup(&mut command);
        let child = command.spawn().expect("setsid is part of util-linux");
        // The command holds the other end alone now: reading ends with it.
        drop(command);
        let screen = File::from(master);
        let keyboard = screen.try_clone().expect("one more descriptor");
        let seen = Arc::new(Mutex::new(String::new()));
        let shown = Arc::clone(&seen);
        let reader = std::thread::spawn(move || read(screen, &shown));
        Self { child, keyboard, seen, reader: Some(reader) }
    }

    /// What was shown so far, with the lines' ends of a file.
    pub fn seen(&self) -> String {
        self.seen.lock().expect("not poisoned").replace("\r\n", "\n")
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

    /// The exit code and all that was shown.
    pub fn end(mut self) -> (Option<i32>, String) {
        let code = self.child.wait().expect("it ends").code();
        self.reader.take().expect("there is one").join().expect("read");
        (code, self.seen())
    }
}

fn read(mut screen: File, shown: &Mutex<String>) {
    let mut bytes = [0; 4096];
    while let Ok(count) = screen.read(&mut bytes) {
        shown.lock().expect("not poisoned").push_str(&String::from_utf8_lossy(&bytes[..count]));
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ended_already = self.child.kill();
        let _reaped_already = self.child.wait();
    }
}
