//! Under a service manager: what it is told, and when.

use std::os::unix::net::UnixDatagram;

use crate::exec::scene::{FILE, Scene, executable};
use crate::support::{Leasehold, SOON, wait_until};

/// The manager's end of `NOTIFY_SOCKET`.
struct Manager {
    socket: UnixDatagram,
    program: Leasehold,
}

impl Manager {
    /// One that starts us with a configuration.
    fn of(scene: &Scene, rest: &str) -> Self {
        let path = scene.space.join("notify");
        let socket = UnixDatagram::bind(&path).expect("a fresh folder");
        socket.set_nonblocking(true).expect("a socket");
        let program = scene.program(rest).env("NOTIFY_SOCKET", &path.display().to_string());
        Self { socket, program }
    }

    /// What was said since the last time.
    fn heard(&self) -> Vec<String> {
        let mut buffer = [0; 512];
        let next = || self.socket.recv(&mut buffer).ok().map(|length| buffer[..length].to_vec());
        std::iter::from_fn(next).map(|bytes| String::from_utf8_lossy(&bytes).into_owned()).collect()
    }
}

#[test]
fn a_process_that_cannot_be_started_was_never_ready() {
    let scene = Scene::new();
    let manager = Manager::of(&scene, FILE);
    // It is found and may be executed; what is wrong shows only at its start, when all is published.
    let program = executable(&scene.space, "#!/no/such/interpreter\n");
    manager.program.run(&["exec", "--", &program]).expect_code(127);
    assert_eq!(scene.space.read("secrets/password").as_deref(), Some("one"));
    let heard = manager.heard();
    assert!(!heard.iter().any(|line| line.contains("READY=1")), "{heard:?}");
    assert!(heard.iter().any(|line| line == "STOPPING=1"), "{heard:?}");
}

#[test]
fn we_are_ready_when_the_process_runs_also_where_there_is_nothing_to_publish() {
    for rest in [FILE, "exec: {resolve_env: true}"] {
        let scene = Scene::new();
        let manager = Manager::of(&scene, rest);
        let script = "trap 'exit 3' TERM; echo $NOTIFY_SOCKET >up; while :; do sleep 0.01; done";
        let running = manager.program.spawn(&["exec", "--", "sh", "-c", script]);
        let mut heard = Vec::new();
        wait_until("READY=1", SOON, || {
            heard.extend(manager.heard());
            heard.iter().any(|line| line == "READY=1")
        });
        scene.wait_for_text("up", "\n");
        assert_eq!(running.stop().code, Some(3));
        heard.extend(manager.heard());
        assert_eq!(heard.iter().filter(|line| *line == "READY=1").count(), 1, "{heard:?}");
        assert_eq!(heard.last().map(String::as_str), Some("STOPPING=1"));
    }
}
