//! A proxy between a controller and the API server: it sees every request, and on a bad day answers for the server, loses
//! an answer, cuts watches, or kills the controller.

use std::io::{self, BufRead as _, BufReader, Read as _, Write as _};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, TcpListener, TcpStream};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};

/// A request as it came in.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    pub(crate) method: String,
    /// With its query.
    pub(crate) path: String,
}

/// What becomes of a request.
#[derive(Debug, Clone)]
pub(crate) enum Fate {
    Pass,
    /// The gate answers with this status, and the server sees nothing of it.
    Answer(u16),
    /// The gate begins a watch, and says in it that the history is gone: as an API server does, which makes the client list
    /// anew. (An answer with the status 410 does not.)
    Gone,
    /// The server sees it, and its answer is lost.
    Lose,
    /// The server sees it, and its answer waits for this.
    Hold(Arc<AtomicBool>),
    /// The connection breaks before the server sees anything.
    Break,
}

type Rule = Box<dyn FnMut(&Asked) -> Fate + Send>;

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    away: AtomicBool,
    rule: Mutex<Option<Rule>>,
    asked: Mutex<Vec<Asked>>,
    /// Both ends of what is open.
    open: Mutex<Vec<TcpStream>>,
}

/// The gate; it stops when it is dropped.
pub(crate) struct Gate {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Asked {
    /// Returns whether a request changes something that lasts. An event, a Lease and a token do not last, and a dry run
    /// changes nothing.
    pub(crate) fn writes(&self) -> bool {
        let passing = ["/events", "/leases", "/token"];
        let path = self.path.split('?').next().unwrap_or_default();
        self.method != "GET"
            && !passing.iter().any(|part| path.ends_with(part) || path.contains("/leases/"))
            && !self.path.contains("dryRun")
    }
}

impl Gate {
    /// Starts a gate in front of the server at this address. The server speaks TLS with a certificate of the authority
    /// in `ca_file`.
    pub(crate) fn to(server: &str, ca_file: &Path) -> Self {
        let port =
            server.rsplit(':').next().and_then(|port| port.parse().ok()).expect("an address with a port");
        let mut roots = RootCertStore::empty();
        roots.add(CertificateDer::from_pem_file(ca_file).expect("a certificate")).expect("an authority");
        let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("ring has them")
            .with_root_certificates(roots)
            .with_no_client_auth();
        let config = Arc::new(config);
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if inside.stopping.load(Ordering::SeqCst) {
                    break;
                }
                let (inside, config) = (Arc::clone(&inside), Arc::clone(&config));
                // A client that breaks off is the client's affair.
                thread::spawn(move || inside.serve(near, port, config));
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// Lets this rule decide about each request from now on.
    pub(crate) fn rule(&self, rule: impl FnMut(&Asked) -> Fate + Send + 'static) {
        *locked(&self.shared.rule) = Some(Box::new(rule));
    }

    /// Passes every request on from now on.
    pub(crate) fn pass(&self) {
        *locked(&self.shared.rule) = None;
    }

    /// Breaks every connection that is open, watches among them.
    pub(crate) fn cut(&self) {
        for stream in locked(&self.shared.open).drain(..) {
            let _gone = stream.shutdown(Shutdown::Both);
        }
    }

    /// Takes the server away, or brings it back.
    pub(crate) fn away(&self, away: bool) {
        self.shared.away.store(away, Ordering::SeqCst);
        if away {
            self.cut();
        }
    }

    /// Returns the requests that have come so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        locked(&self.shared.asked).clone()
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        self.cut();
        // The acceptor is blocked in accept until a connection comes.
        let _woken = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ended = acceptor.join();
        }
    }
}

impl Shared {
    fn serve(&self, near: TcpStream, port: u16, config: Arc<ClientConfig>) -> io::Result<()> {
        if self.away.load(Ordering::SeqCst) {
            return near.shutdown(Shutdown::Both);
        }
        locked(&self.open).push(near.try_clone()?);
        let (asked, request) = read_request(&near)?;
        let fate = match &mut *locked(&self.rule) {
            Some(rule) => rule(&asked),
            None => Fate::Pass,
        };
        locked(&self.asked).push(asked);
        match fate {
            Fate::Break => return near.shutdown(Shutdown::Both),
            Fate::Answer(status) => return answer(&near, status),
            Fate::Gone => return gone(&near),
            Fate::Pass | Fate::Lose | Fate::Hold(_) => {}
        }
        let far = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        locked(&self.open).push(far.try_clone()?);
        let name = ServerName::try_from("127.0.0.1").map_err(io::Error::other)?;
        let tls = ClientConnection::new(config, name).map_err(io::Error::other)?;
        let mut far = StreamOwned::new(tls, far);
        far.write_all(&request)?;
        far.flush()?;
        let mut buffer = [0; 16 * 1024];
        loop {
            // The server closes without a farewell.
            let count = far.read(&mut buffer).unwrap_or(0);
            if count == 0 || matches!(fate, Fate::Lose) {
                return near.shutdown(Shutdown::Both);
            }
            if let Fate::Hold(free) = &fate {
                while !free.load(Ordering::SeqCst) && !self.stopping.load(Ordering::SeqCst) {
                    thread::sleep(Duration::from_millis(2));
                }
            }
            (&near).write_all(&buffer[..count])?;
        }
    }
}

/// Answers with what an API server says with this status.
fn answer(near: &TcpStream, status: u16) -> io::Result<()> {
    let body = format!(
        "{{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"status\":\"Failure\",\"message\":\"canary from the gate\",\"code\":{status}}}"
    );
    let head = format!(
        "HTTP/1.1 {status} Gate\r\nContent-Type: application/json\r\nRetry-After: 1\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    let mut near = near;
    near.write_all(head.as_bytes())?;
    near.write_all(body.as_bytes())?;
    near.shutdown(Shutdown::Both)
}

fn gone(near: &TcpStream) -> io::Result<()> {
    let event = "{\"type\":\"ERROR\",\"object\":{\"kind\":\"Status\",\"apiVersion\":\"v1\",\"metadata\":{},\"status\":\"Failure\",\
                 \"message\":\"too old resource version\",\"reason\":\"Expired\",\"code\":410}}\n";
    let mut near = near;
    near.write_all(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nConnection: close\r\n\r\n")?;
    near.write_all(event.as_bytes())?;
    near.shutdown(Shutdown::Both)
}

/// Reads a request, and changes it so that its connection ends with the answer.
fn read_request(near: &TcpStream) -> io::Result<(Asked, Vec<u8>)> {
    let mut reader = BufReader::new(near);
    let (mut bytes, mut length, mut first) = (Vec::new(), 0, String::new());
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if first.is_empty() {
            first.clone_from(&line);
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        if line == "\r\n" {
            bytes.extend_from_slice(b"Connection: close\r\n\r\n");
            break;
        }
        if !lower.starts_with("connection:") {
            bytes.extend_from_slice(line.as_bytes());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    bytes.extend(body);
    let mut words = first.split(' ');
    let mut word = || words.next().unwrap_or_default().to_owned();
    Ok((Asked { method: word(), path: word() }, bytes))
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
