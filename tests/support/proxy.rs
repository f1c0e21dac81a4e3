//! A proxy in front of a real server, as an ingress or a mesh is one: it passes requests on, and on a bad day
//! answers with pages of its own, before the server has seen the request or in place of the server's answer.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// A peer that says nothing for so long has hung.
const PATIENCE: Duration = Duration::from_secs(30);

/// A status and a body.
pub type Page = (u16, &'static str);

const HTML: &str = "<html><title>CANARY</title>default backend</html>";

/// What ingresses, meshes and load balancers say, with statuses of every kind.
pub const PAGES: [Page; 8] = [
    (404, HTML),
    (403, "RBAC: access denied CANARY"),
    (502, HTML),
    (200, HTML),
    (400, HTML),
    (503, "no healthy upstream CANARY"),
    (200, ""),
    (504, "{\"message\":\"CANARY\"}"),
];

/// What the proxy does with requests whose path begins so.
#[derive(Debug)]
struct Rule {
    prefix: String,
    /// How many requests it holds for.
    left: usize,
    /// The server sees the request first, and its answer is lost.
    passes: bool,
    page: Option<Page>,
}

#[derive(Debug, Default)]
struct Shared {
    stopping: AtomicBool,
    rules: Mutex<Vec<Rule>>,
    /// The paths that were answered with a page.
    paged: Mutex<Vec<String>>,
}

/// The proxy; it stops when it is dropped.
#[derive(Debug)]
pub struct Proxy {
    address: SocketAddr,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

impl Proxy {
    /// In front of the server that speaks plain HTTP on this port of loopback.
    pub fn to(port: u16) -> Self {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let acceptor = thread::spawn(move || {
            for near in listener.incoming().flatten() {
                if inside.stopping.load(Ordering::SeqCst) {
                    break;
                }
                let inside = Arc::clone(&inside);
                // A client that breaks off is the client's affair.
                thread::spawn(move || inside.serve(near, port));
            }
        });
        Self { address, shared, acceptor: Some(acceptor) }
    }

    /// `http://127.0.0.1:PORT`.
    pub fn url(&self) -> String {
        format!("http://{}", self.address)
    }

    /// From now on answers requests for paths below `prefix` with pages, each time another. The server sees none
    /// of these requests.
    pub fn answers(&self, prefix: &str) {
        self.add(prefix, usize::MAX, false, None);
    }

    /// Answers the next `count` requests for paths below `prefix` with `page`. The server sees none of them.
    pub fn answers_next(&self, prefix: &str, count: usize, page: Page) {
        self.add(prefix, count, false, Some(page));
    }

    /// Passes the next request for a path below `prefix` on, and answers with `page` in place of the server.
    pub fn takes_the_next_answer(&self, prefix: &str, page: Page) {
        self.add(prefix, 1, true, Some(page));
    }

    /// From now on passes everything on.
    pub fn ends(&self) {
        locked(&self.shared.rules).clear();
    }

    /// How many requests for paths below `prefix` were answered with a page.
    pub fn paged(&self, prefix: &str) -> usize {
        locked(&self.shared.paged).iter().filter(|path| path.starts_with(prefix)).count()
    }

    fn add(&self, prefix: &str, left: usize, passes: bool, page: Option<Page>) {
        locked(&self.shared.rules).push(Rule { prefix: prefix.to_owned(), left, passes, page });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The acceptor is blocked in accept until a connection comes.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

impl Shared {
    /// The page for a path, and whether the server sees the request first.
    fn page(&self, path: &str) -> Option<(Page, bool)> {
        let mut rules = locked(&self.rules);
        let rule = rules.iter_mut().find(|rule| rule.left > 0 && path.starts_with(&rule.prefix))?;
        rule.left -= 1;
        let mut paged = locked(&self.paged);
        let page = rule.page.unwrap_or(PAGES[paged.len() % PAGES.len()]);
        paged.push(path.to_owned());
        Some((page, rule.passes))
    }

    fn serve(&self, near: TcpStream, port: u16) -> io::Result<()> {
        near.set_read_timeout(Some(PATIENCE))?;
        let request = read_request(&mut BufReader::new(&near))?;
        let line = request.split(|byte| *byte == b'\n').next().unwrap_or_default();
        let line = String::from_utf8_lossy(line);
        let path = line.split([' ', '?']).nth(1).and_then(|path| path.strip_prefix("/v1/"));
        let page = self.page(path.unwrap_or_default());
        let mut answer = Vec::new();
        if page.is_none_or(|(_, passes)| passes) {
            let mut far = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
            far.set_read_timeout(Some(PATIENCE))?;
            far.write_all(&request)?;
            far.read_to_end(&mut answer)?;
        }
        if let Some(((status, body), _)) = page {
            answer = format!(
                "HTTP/1.1 {status} Page\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}",
                body.len()
            )
            .into_bytes();
        }
        (&near).write_all(&answer)
    }
}

/// A request as it came in, but for its connection, which ends with the answer.
fn read_request(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    let mut request = Vec::new();
    let mut length = 0;
    loop {
        let mut line = String::new();
        if reader.read_line(&mut line)? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let lower = line.to_ascii_lowercase();
        if let Some(value) = lower.strip_prefix("content-length:") {
            length = value.trim().parse().map_err(|_| io::ErrorKind::InvalidData)?;
        }
        if line == "\r\n" {
            request.extend_from_slice(b"Connection: close\r\n\r\n");
            break;
        }
        if !lower.starts_with("connection:") {
            request.extend_from_slice(line.as_bytes());
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body)?;
    request.extend(body);
    Ok(request)
}

fn locked<T>(of: &Mutex<T>) -> MutexGuard<'_, T> {
    of.lock().unwrap_or_else(PoisonError::into_inner)
}
