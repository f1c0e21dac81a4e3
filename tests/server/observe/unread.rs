//! A log that is not read: a pipe of one page at standard error, whose reader has stopped.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::PathBuf;

use nix::libc;
use nix::sys::signal::Signal;
use nix::sys::stat::Mode;
use serde_json::Value;

use crate::support::{CANARY, Leasehold, SOON, Stage, wait_until};
use leasehold_testkit::evidence;

/// A named pipe that blocks its writers after one page.
struct Pipe {
    path: PathBuf,
    end: File,
}

impl Pipe {
    fn new(stage: &Stage) -> Self {
        let path = stage.space.path().join("stderr");
        nix::unistd::mkfifo(&path, Mode::S_IRUSR | Mode::S_IWUSR).expect("the test's own folder");
        let mut open = OpenOptions::new();
        let end = open.read(true).write(true).custom_flags(libc::O_NONBLOCK).open(&path).expect("a pipe");
        rustix::pipe::fcntl_setpipe_size(&end, 4096).expect("one page");
        Self { path, end }
    }

    /// As somebody else's lines fill it.
    fn fill(&self) {
        while (&self.end).write(&[b'\n'; 4096]).is_ok() {}
    }

    /// What is in it.
    fn read(&self) -> String {
        let mut bytes = Vec::new();
        match (&self.end).read_to_end(&mut bytes) {
            Err(why) if why.kind() == io::ErrorKind::WouldBlock => {}
            ended => panic!("this end is a writer, too: {ended:?}"),
        }
        String::from_utf8(bytes).expect("UTF-8")
    }
}

/// Enough of them to make a status of some thousand bytes.
fn files() -> String {
    let file = |n| format!("{{path: password{n}, secret: 'secret/web#password', refresh: 1s}}");
    format!("files: [{}]\n", (0..40).map(file).collect::<Vec<_>>().join(", "))
}

#[test]
fn a_log_that_is_not_read_stops_no_renewal_and_no_probe_and_names_its_gap_once_it_is_read() {
    let fault = evidence!(49, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.space.file("leasehold.yaml", stage.config(&files())).display().to_string();
    let pipe = Pipe::new(&stage);
    let leasehold = Leasehold::new(&stage.space).with_stderr(&pipe.path);
    let mut sidecar = leasehold.spawn(&["sidecar", "--config", &config]);
    wait_until("the sidecar to be ready", SOON, || stage.ready());
    // Each is a line of its whole status: together much more than may wait.
    for _ in 0..100 {
        sidecar.signal(Signal::SIGUSR1);
        stage.get("/livez").expect("it answers").ok();
    }
    stage.put_password("two");
    let two = format!("{CANARY}-two");
    wait_until("the change", SOON, || stage.read("password7").as_deref() == Some(&two));
    stage.get("/livez").expect("it answers").ok();

    let mut text = String::new();
    wait_until("the gap to be named", SOON, || {
        text += &pipe.read();
        text.contains("lines were dropped: the log was not read")
    });
    sidecar.signal(Signal::SIGTERM);
    wait_until("the end", SOON, || {
        text += &pipe.read();
        !sidecar.runs()
    });
    sidecar.wait(SOON).expect_code(0);
    text += &pipe.read();
    let lines: Vec<Value> =
        text.lines().map(|line| serde_json::from_str(line).expect("whole lines of JSON")).collect();
    let times: Vec<&str> = lines.iter().map(|line| line["timestamp"].as_str().expect("a time")).collect();
    assert!(times.is_sorted(), "in the order of events");
    let gaps: Vec<u64> = lines.iter().filter_map(|line| line["dropped"].as_u64()).collect();
    assert!(gaps.iter().all(|gap| *gap > 0) && !gaps.is_empty(), "{gaps:?}");
    assert!(!text.contains(CANARY));
    stage.assert_nothing_left();
    fault.holds("renewals, probes and files go on; the log names how many lines it lost");
}

#[test]
fn init_and_the_process_of_exec_are_not_held_up_by_a_log_that_is_not_read() {
    let fault = evidence!(49, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let config = stage.space.file("leasehold.yaml", stage.config(&files())).display().to_string();
    let pipe = Pipe::new(&stage);
    pipe.fill();
    let leasehold = Leasehold::new(&stage.space).with_stderr(&pipe.path);
    leasehold.run(&["init", "--config", &config]).expect_code(0);
    assert_eq!(stage.read("password7"), Some(format!("{CANARY}-one")));
    leasehold.run(&["exec", "--config", &config, "--", "sh", "-c", "exit 7"]).expect_code(7);
    // What cannot be run is named in the last line, which nobody sees either.
    leasehold.run(&["sidecar", "--config", "/nowhere"]).expect_code(78);
    pipe.read();
    let finished = leasehold.run(&["sidecar", "--config", "/nowhere"]).expect_code(78);
    let said = pipe.read();
    assert!(said.contains("/nowhere") && finished.stderr.is_empty(), "{said}");
    fault.holds("init ends with 0 and exec with the process's code");
}
