//! Peers that connect and say nothing, and a socket whose file is removed: probes are answered all the same.

use std::fs;
use std::io::Read as _;
use std::net::{IpAddr, SocketAddr, TcpStream, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair};

use crate::support::{Leasehold, SOON, Stage, free_address, free_port, need, wait_until};
use leasehold_testkit::evidence;

/// What the kubelet grants a probe by default.
const PROBE: Duration = Duration::from_secs(1);

/// Connections that are kept open in silence, and opened anew where they are closed.
struct Silence {
    ends: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Silence {
    /// So many of them, all open by now.
    fn of(count: usize, to: SocketAddr) -> Self {
        let open = move || {
            let stream = TcpStream::connect(to).expect("it listens");
            stream.set_nonblocking(true).expect("a socket");
            stream
        };
        let mut streams: Vec<TcpStream> = (0..count).map(|_| open()).collect();
        let ends = Arc::new(AtomicBool::new(false));
        let seen = Arc::clone(&ends);
        let thread = thread::spawn(move || {
            while !seen.load(Ordering::Relaxed) {
                for stream in &mut streams {
                    let closed = match stream.read(&mut [0; 64]) {
                        Ok(0) => true,
                        Ok(_) => false,
                        Err(why) => why.kind() != std::io::ErrorKind::WouldBlock,
                    };
                    if closed {
                        *stream = open();
                    }
                }
                // It is silent, not busy: the processor is for the probes.
                thread::sleep(Duration::from_millis(1));
            }
        });
        Self { ends, thread: Some(thread) }
    }
}

impl Drop for Silence {
    fn drop(&mut self) {
        self.ends.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            let _failed_already = thread.join();
        }
    }
}

/// Runs the probe a few times. It always succeeds, and the quickest was in time: the others may have waited for the
/// processor.
fn probes_are_in_time(stage: &Stage, config: &str) {
    let probe = || {
        let finished = Leasehold::new(&stage.space).run(&["status", "--live", "--config", config]);
        finished.expect_code(0).took
    };
    let quickest = (0..5).map(|_| probe()).min().expect("there are five");
    assert!(quickest < PROBE, "{quickest:?}");
}

fn configured(stage: &Stage, listen: &str, rest: &str) -> String {
    let socket = format!("unix:{}/status.sock", stage.space.path().display());
    let files = "files: [{path: password, secret: 'secret/web#password'}]\n";
    let config = stage.config(&format!("{files}{rest}")).replace(&socket, listen);
    stage.space.file("leasehold.yaml", config).display().to_string()
}

#[test]
fn a_hundred_silent_connections_from_within_the_pod_do_not_delay_a_probe() {
    let fault = evidence!(50, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let address = free_address();
    let config = configured(&stage, &address.to_string(), "");
    let sidecar = Leasehold::new(&stage.space).spawn(&["sidecar", "--config", &config]);
    wait_until("the sidecar to listen", SOON, || TcpStream::connect(address).is_ok());
    let silence = Silence::of(100, address);
    probes_are_in_time(&stage, &config);
    drop(silence);
    sidecar.stop().expect_code(0);
    fault.holds("`leasehold status --live` succeeds within the second that a probe has by default");
}

#[test]
fn silent_peers_from_elsewhere_take_no_place_of_the_probes_within_the_pod() {
    // An address of this machine that is not loopback's: who connects to it comes from it. Nothing is sent.
    let elsewhere = UdpSocket::bind("0.0.0.0:0").and_then(|socket| {
        socket.connect("203.0.113.1:9")?;
        socket.local_addr()
    });
    let elsewhere: Option<IpAddr> = elsewhere.ok().map(|address| address.ip());
    if !need("a network address", "an interface that is up", elsewhere.is_some()) {
        return;
    }
    let fault = evidence!(50, Machine);
    let stage = Stage::new();
    stage.put_password("one");
    let folder = stage.space.dir("tls");
    let key = KeyPair::generate().expect("ring makes keys");
    let mut params = CertificateParams::new(vec!["127.0.0.1".to_owned()]).expect("a name");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let certificate = params.self_signed(&key).expect("a valid certificate");
    fs::write(folder.join("tls.crt"), certificate.pem()).expect("the test's own folder");
    fs::write(folder.join("tls.key"), key.serialize_pem()).expect("the test's own folder");
    let at = folder.display();
    let tls = format!(
        "listen_tls: {{cert_file: '{at}/tls.crt', key_file: '{at}/tls.key', client_ca_file: '{at}/tls.crt'}}\n"
    );
    let port = free_port();
    let config = configured(&stage, &format!("0.0.0.0:{port}"), &tls);
    let sidecar = Leasehold::new(&stage.space).spawn(&["sidecar", "--config", &config]);
    let outside = SocketAddr::new(elsewhere.expect("checked above"), port);
    wait_until("the sidecar to listen", SOON, || TcpStream::connect(outside).is_ok());
    let silence = Silence::of(100, outside);
    probes_are_in_time(&stage, &config);
    drop(silence);
    sidecar.stop().expect_code(0);
    fault.holds("loopback has places of its own, also behind TLS with client certificates");
}

#[test]
fn a_unix_socket_whose_file_is_removed_is_there_again_soon() {
    let stage = Stage::new();
    stage.put_password("one");
    let sidecar = stage.sidecar(&stage.config("files: [{path: password, secret: 'secret/web#password'}]\n"));
    let socket = stage.space.path().join("status.sock");
    for times in 1..=2 {
        fs::remove_file(&socket).expect("it is there");
        wait_until("the socket", SOON, || stage.get("/livez").is_some_and(|reply| reply.status == 200));
        wait_until("the line", SOON, || sidecar.stderr().matches("it is there again").count() == times);
    }
    sidecar.stop().expect_code(0);
    assert!(!socket.exists(), "the new one goes with the process as well");
}
