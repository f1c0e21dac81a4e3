//! A server that does wrong what a script tells it to, on a free loopback port, with TLS or without.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use rustls::{ServerConfig, ServerConnection, StreamOwned};

/// A client that says nothing for so long is gone; far beyond any deadline under test.
const PATIENCE: Duration = Duration::from_secs(30);

/// What a script writes to, and reads on.
pub(crate) trait Wire: Read + Write + Send {}
impl<T: Read + Write + Send> Wire for T {}

/// A request as it came in.
#[derive(Debug, Clone, Default)]
pub(crate) struct Asked {
    /// `PUT /v1/auth/x/login HTTP/1.1`
    pub(crate) line: String,
    /// Names in lower case.
    pub(crate) headers: Vec<(String, String)>,
    /// The body.
    pub(crate) body: Vec<u8>,
    /// The name that TLS was asked for.
    pub(crate) sni: Option<String>,
}

impl Asked {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// The server; it stops when it is dropped.
pub(crate) struct Server {
    address: SocketAddr,
    scheme: &'static str,
    shared: Arc<Shared>,
    acceptor: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    stopping: AtomicBool,
    connections: AtomicUsize,
    asked: Mutex<Vec<Asked>>,
}

impl Server {
    /// Answers each connection's one request by `script`.
    pub(crate) fn plain(
        script: impl Fn(&Asked, &mut dyn Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::start(free(), "http", script, |stream| Ok((Box::new(stream), None)))
    }

    /// The same behind TLS.
    pub(crate) fn tls(
        config: ServerConfig,
        script: impl Fn(&Asked, &mut dyn Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        Self::with_tls(free(), config, script)
    }

    fn with_tls(
        listener: TcpListener,
        config: ServerConfig,
        script: impl Fn(&Asked, &mut dyn Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let config = Arc::new(config);
        Self::start(listener, "https", script, move |stream| {
            let connection = ServerConnection::new(Arc::clone(&config)).map_err(io::Error::other)?;
            let mut stream = StreamOwned::new(connection, stream);
            while stream.conn.is_handshaking() {
                if let Err(error) = stream.conn.complete_io(&mut stream.sock) {
                    // Closed with something unread it would be reset, and the alert may be lost with that.
                    stream.sock.shutdown(Shutdown::Write)?;
                    io::copy(&mut stream.sock, &mut io::sink())?;
                    return Err(error);
                }
            }
            let sni = stream.conn.server_name().map(str::to_owned);
            Ok((Box::new(stream), sni))
        })
    }

    /// The same behind TLS on another address of loopback, at the port of this server.
    pub(crate) fn beside(
        &self,
        host: &str,
        config: ServerConfig,
        script: impl Fn(&Asked, &mut dyn Wire) -> io::Result<()> + Send + Sync + 'static,
    ) -> Self {
        let listener = TcpListener::bind((host, self.address.port())).expect("only this server has the port");
        Self::with_tls(listener, config, script)
    }

    fn start(
        listener: TcpListener,
        scheme: &'static str,
        script: impl Fn(&Asked, &mut dyn Wire) -> io::Result<()> + Send + Sync + 'static,
        wrap: impl Fn(TcpStream) -> io::Result<(Box<dyn Wire>, Option<String>)> + Send + Sync + 'static,
    ) -> Self {
        let address = listener.local_addr().expect("it is bound");
        let shared = Arc::new(Shared::default());
        let inside = Arc::clone(&shared);
        let both = Arc::new((script, wrap));
        let acceptor = thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                if inside.stopping.load(Ordering::SeqCst) {
                    break;
                }
                inside.connections.fetch_add(1, Ordering::SeqCst);
                let (inside, both) = (Arc::clone(&inside), Arc::clone(&both));
                // A client that breaks off is what many scripts wait for.
                thread::spawn(move || serve(stream, &both.0, &both.1, &inside));
            }
        });
        Self { address, scheme, shared, acceptor: Some(acceptor) }
    }

    /// `http://127.0.0.1:PORT`, or with `https`.
    pub(crate) fn url(&self) -> String {
        format!("{}://{}", self.scheme, self.address)
    }

    /// The same under another host.
    pub(crate) fn url_as(&self, host: &str) -> String {
        format!("{}://{host}:{}", self.scheme, self.address.port())
    }

    /// How many connections came in.
    pub(crate) fn connections(&self) -> usize {
        self.shared.connections.load(Ordering::SeqCst)
    }

    /// The requests so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.shared.asked.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn free() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").expect("loopback has a free port")
}

impl Drop for Server {
    fn drop(&mut self) {
        self.shared.stopping.store(true, Ordering::SeqCst);
        // The acceptor is blocked in accept until somebody comes.
        let _ = TcpStream::connect(self.address);
        if let Some(acceptor) = self.acceptor.take() {
            let _ = acceptor.join();
        }
    }
}

fn serve(
    stream: TcpStream,
    script: &impl Fn(&Asked, &mut dyn Wire) -> io::Result<()>,
    wrap: &impl Fn(TcpStream) -> io::Result<(Box<dyn Wire>, Option<String>)>,
    shared: &Shared,
) -> io::Result<()> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    let (mut wire, sni) = wrap(stream)?;
    let asked = Asked { sni, ..read_request(&mut BufReader::new(&mut wire))? };
    shared.asked.lock().unwrap_or_else(PoisonError::into_inner).push(asked.clone());
    script(&asked, &mut wire)?;
    wire.flush()
}

fn read_request(reader: &mut impl BufRead) -> io::Result<Asked> {
    let mut asked = Asked::default();
    reader.read_line(&mut asked.line)?;
    asked.line.truncate(asked.line.trim_end().len());
    loop {
        let mut line = String::new();
        reader.read_line(&mut line)?;
        let Some((name, value)) = line.trim_end().split_once(": ") else { break };
        asked.headers.push((name.to_ascii_lowercase(), value.to_owned()));
    }
    let length = asked.header("content-length").and_then(|length| length.parse().ok()).unwrap_or(0);
    asked.body = vec![0; length];
    reader.read_exact(&mut asked.body)?;
    Ok(asked)
}

/// A whole answer; the connection ends with it.
pub(crate) fn reply(
    wire: &mut dyn Wire,
    status: u16,
    headers: &[(&str, &str)],
    body: &[u8],
) -> io::Result<()> {
    let mut head =
        format!("HTTP/1.1 {status} Answer\r\nConnection: close\r\nContent-Length: {}\r\n", body.len());
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    wire.write_all(head.as_bytes())?;
    wire.write_all(b"\r\n")?;
    wire.write_all(body)
}

/// Waits until the client breaks off.
pub(crate) fn until_gone(wire: &mut dyn Wire) {
    let mut byte = [0];
    while matches!(wire.read(&mut byte), Ok(1..)) {}
}
