//! A child process that never outlives its test.

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::process::{self, Command, ExitStatus, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use nix::sys::signal::{self, Signal};
use nix::unistd::Pid;

/// A running program whose output goes to files, so that no pipe can fill up and stop it.
/// It is killed when this is dropped, and by the kernel when the thread that started it dies.
#[derive(Debug)]
pub struct Child {
    process: process::Child,
    stdout: PathBuf,
    stderr: PathBuf,
}

impl Child {
    /// Starts `program` with its output in `dir/NAME.out` and `dir/NAME.err`. `setup` adds arguments and
    /// environment.
    pub fn start(program: &Path, name: &str, dir: &Path, setup: impl FnOnce(&mut Command)) -> Self {
        let stdout = dir.join(format!("{name}.out"));
        let stderr = dir.join(format!("{name}.err"));
        // setpriv (util-linux, on every Debian) sets the parent-death signal and then becomes the program:
        // a test runner that is killed runs no destructor and would leave its servers behind. Before it env (coreutils)
        // does the same to have no signal ignored: a shell without job control, which most of CI is, makes all that it
        // starts with `&` ignore SIGINT and SIGQUIT.
        let mut command = Command::new("env");
        command.args(["--default-signal=INT,QUIT", "setpriv", "--pdeathsig", "KILL", "--"]).arg(program);
        setup(&mut command);
        let process = command
            .stdin(Stdio::null())
            .stdout(File::create(&stdout).expect("the test's own folder takes files"))
            .stderr(File::create(&stderr).expect("the test's own folder takes files"))
            .spawn()
            .expect("env is part of coreutils");
        Self { process, stdout, stderr }
    }

    /// The process id, which is the program's own: env and setpriv become it.
    pub fn pid(&self) -> Pid {
        Pid::from_raw(i32::try_from(self.process.id()).expect("process ids fit"))
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        signal::kill(self.pid(), signal).expect("an unreaped child can be signalled");
    }

    /// How it ended, if it has.
    pub fn ended(&mut self) -> Option<ExitStatus> {
        self.process.try_wait().expect("a child can be waited for")
    }

    /// Waits until it ends; panics with its output when `deadline` passes first.
    pub fn wait(&mut self, deadline: Duration) -> ExitStatus {
        let start = Instant::now();
        loop {
            if let Some(status) = self.ended() {
                return status;
            }
            let said = || format!("{}{}", self.stdout(), self.stderr());
            assert!(start.elapsed() < deadline, "it still runs after {deadline:?} and said\n{}", said());
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// What it has written to standard output so far.
    pub fn stdout(&self) -> String {
        read(&self.stdout)
    }

    /// What it has written to standard error so far.
    pub fn stderr(&self) -> String {
        read(&self.stderr)
    }

    /// Kills it and waits until it is gone.
    pub fn kill(&mut self) {
        // Both fail only where it has ended already, which is what is wanted.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// The processor time that it has had, in the clock's ticks (100 a second), from /proc.
    pub fn cpu_ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid())).expect("it runs");
        // The name, in parentheses, may hold anything; user and system time are the 12th and 13th after it.
        let (_, fields) = stat.rsplit_once(") ").expect("it has a name");
        let ticks = fields.split(' ').skip(11).take(2);
        ticks.map(|field| field.parse::<u64>().expect("a number of ticks")).sum()
    }

    /// Its resident memory in KiB, from /proc.
    pub fn resident_kib(&self) -> u64 {
        self.memory_kib("VmRSS:")
    }

    /// Whether a signal has stopped all its threads.
    pub fn is_stopped(&self) -> bool {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid())).expect("it runs");
        tasks.flatten().all(|task| {
            // A thread that ends while we look is none that runs.
            let Ok(stat) = fs::read_to_string(task.path().join("stat")) else { return true };
            stat.rsplit(") ").next().is_some_and(|rest| rest.starts_with('T'))
        })
    }

    /// The most that was ever resident, in KiB, from /proc.
    pub fn peak_kib(&self) -> u64 {
        self.memory_kib("VmHWM:")
    }

    /// What is resident now and not backed by a file, in KiB.
    pub fn own_kib(&self) -> u64 {
        self.memory_kib("RssAnon:")
    }

    fn memory_kib(&self, what: &str) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("it runs");
        let line = status.lines().find_map(|line| line.strip_prefix(what)).expect("it has memory");
        line.trim().trim_end_matches(" kB").parse().expect("a number of KiB")
    }
}

impl Drop for Child {
    fn drop(&mut self) {
        self.kill();
    }
}

fn read(path: &Path) -> String {
    String::from_utf8_lossy(&fs::read(path).unwrap_or_default()).into_owned()
}
