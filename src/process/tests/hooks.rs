use std::io::Read as _;
use std::os::unix::fs::OpenOptionsExt as _;

use rustix::fs::{CWD, FileType, Mode, OFlags, mknodat};

use super::*;
use crate::process::find::is_theirs;
use crate::process::table;

fn command(words: &[&str], timeout: Duration) -> Notifier {
    let command = words.iter().map(|&word| word.to_owned()).collect();
    Notifier::Command { command, timeout, splay: Duration::ZERO }
}

/// A pipe with a name: whoever wrote to it and everyone below holds it open while they live.
struct Pipe {
    path: PathBuf,
    reader: File,
}

impl Pipe {
    fn new(programs: &Programs) -> Self {
        let path = programs.folder.path().join("pipe");
        mknodat(CWD, &path, FileType::Fifo, Mode::RUSR | Mode::WUSR, 0).expect("made");
        // Without blocking, or it would wait for the first writer here.
        let flags = i32::try_from(OFlags::NONBLOCK.bits()).expect("a flag");
        let reader = File::options().read(true).custom_flags(flags).open(&path).expect("opened");
        Self { path, reader }
    }

    fn path(&self) -> &str {
        self.path.to_str().expect("UTF-8")
    }

    /// Waits until nobody holds it any more; what they wrote.
    fn read_out(&mut self) -> String {
        rustix::fs::fcntl_setfl(&self.reader, OFlags::empty()).expect("blocks from now on");
        let mut text = String::new();
        self.reader.read_to_string(&mut text).expect("read");
        text
    }

    /// Waits for the first line, without keeping the runtime from its work.
    async fn line(&self) -> String {
        let path = self.path.clone();
        let first = move || {
            let mut line = String::new();
            BufReader::new(File::open(path)?).read_line(&mut line).map(|_| line)
        };
        tokio::task::spawn_blocking(first).await.expect("not cancelled").expect("read")
    }
}

#[tokio::test]
async fn a_hook_has_succeeded_when_it_ends_with_0() {
    assert_eq!(tell(&command(&["true"], LONG)).await.expect("told"), Told::Ran);
    let error = tell(&command(&["sh", "-c", "exit 3"], LONG)).await.expect_err("failed");
    assert!(matches!(error, NotifyError::Failed { status, .. } if status.code() == Some(3)), "{error}");
    let error = tell(&command(&["sh", "-c", "kill -9 $$"], LONG)).await.expect_err("failed");
    assert!(matches!(error, NotifyError::Failed { status, .. } if status.signal() == Some(9)), "{error}");
}

#[tokio::test]
async fn a_hook_that_cannot_be_started_says_why() {
    let programs = Programs::new();
    let not_executable = programs.pid_file("");
    let folder = programs.folder.path();
    for program in [Path::new("/no/such/program"), &not_executable, folder, Path::new("no-such-program")] {
        let program = program.to_str().expect("UTF-8");
        let error = tell(&command(&[program], LONG)).await.expect_err("cannot start");
        assert!(matches!(error, NotifyError::Start { .. }) && error.to_string().contains(program), "{error}");
    }
    let error = tell(&command(&[], LONG)).await.expect_err("nothing to start");
    assert!(matches!(error, NotifyError::Start { .. }));
}

#[tokio::test]
async fn a_hook_sees_nothing_of_our_environment_and_no_input() {
    let programs = Programs::new();
    let path = programs.folder.path().join("seen");
    let script = "env > \"$0\"; cat >> \"$0\"; echo end >> \"$0\"";
    let how = command(&["sh", "-c", script, path.to_str().expect("UTF-8")], LONG);
    assert_eq!(tell(&how).await.expect("told"), Told::Ran);
    let seen = std::fs::read_to_string(&path).expect("written");
    assert!(std::env::vars().any(|(name, _)| name.starts_with("CARGO")), "we have a canary ourselves");
    let names: Vec<&str> =
        seen.lines().filter_map(|line| line.split_once('=')).map(|(name, _)| name).collect();
    let neutral = ["PATH", "HOME", "USER", "LOGNAME", "LANG", "LC_ALL", "TZ", "TMPDIR"];
    // These a shell sets by itself.
    let of_the_shell = ["PWD", "OLDPWD", "SHLVL", "_"];
    assert!(names.iter().all(|name| neutral.contains(name) || of_the_shell.contains(name)), "{names:?}");
    assert!(names.contains(&"PATH") && seen.ends_with("end\n"), "{seen}");
}

#[tokio::test]
async fn a_hook_that_floods_its_output_is_not_held_up() {
    let how = command(&["head", "-c", "50000000", "/dev/zero"], LONG);
    assert_eq!(tell(&how).await.expect("told"), Told::Ran);
}

#[tokio::test]
async fn a_hook_that_hangs_is_killed_with_everything_that_it_started() {
    let programs = Programs::new();
    let mut pipe = Pipe::new(&programs);
    let script = "exec >\"$0\"; trap '' TERM; (echo child; while :; do sleep 600; done) & echo parent; wait";
    let timeout = Duration::from_secs(1);
    let error = tell(&command(&["sh", "-c", script, pipe.path()], timeout)).await.expect_err("killed");
    assert!(matches!(error, NotifyError::Killed { .. }) && error.to_string().contains("after 1s"), "{error}");
    let written = pipe.read_out();
    assert!(written.contains("child\n") && written.contains("parent\n"), "{written:?}");
}

#[tokio::test]
async fn a_hook_dies_with_the_one_who_waits_for_it() {
    let programs = Programs::new();
    let mut pipe = Pipe::new(&programs);
    let script = "exec >\"$0\"; sleep 600 & echo up; wait";
    let how = command(&["sh", "-c", script, pipe.path()], LONG);
    tokio::select! {
        told = tell(&how) => panic!("it cannot have ended: {told:?}"),
        line = pipe.line() => assert_eq!(line, "up\n"),
    }
    assert_eq!(pipe.read_out(), "");
}

#[tokio::test]
async fn a_running_hook_is_never_taken_for_the_application() {
    let programs = Programs::new();
    let pipe = Pipe::new(&programs);
    let shell = programs.shell("app");
    let shell = shell.to_str().expect("UTF-8");
    let script = "\"$0\" -c 'echo up; sleep 600' >\"$1\" & wait";
    let how = command(&[shell, "-c", script, shell, pipe.path()], LONG);
    let teller = Teller::default();
    let meanwhile = async {
        assert_eq!(pipe.line().await, "up\n");
        let running = table::all().expect("/proc is there");
        let name = programs.name("app");
        let all_of_it = running.iter().filter(|process| process.argv0_name() == name.as_bytes());
        // A third for a moment: the child forks before it becomes `sleep`.
        assert!(all_of_it.clone().count() >= 2, "the hook and its child");
        assert!(all_of_it.clone().all(|process| !is_theirs(process, &teller.hooks)));
        teller.tell(&named(&name), Duration::ZERO).await
    };
    let told = tokio::select! {
        ended = teller.tell(&how, Duration::ZERO) => panic!("it cannot have ended: {ended:?}"),
        told = meanwhile => told,
    };
    assert!(matches!(told, Err(NotifyError::NoProcess { .. })), "{told:?}");
    assert!(!teller.hooks.any(), "it was forgotten when it was let go of");
}

#[tokio::test]
async fn an_ended_hook_is_forgotten() {
    let teller = Teller::default();
    for words in [["true"].as_slice(), &["false"], &["/no/such/program"]] {
        let _either_way = teller.tell(&command(words, LONG), Duration::ZERO).await;
        assert!(!teller.hooks.any(), "{words:?}");
    }
}
