//! A running sidecar whose server answers some of its paths with nonsense: an error for each of those, and
//! everything else goes on.

use super::answers::flood;
use super::*;
use crate::support::{Leasehold, SOON, Workspace, request_unix, wait_until};
use leasehold_testkit::evidence;

/// A body that is right, but for what `answer` is about.
const FINE: &[u8] = br#"{"initialized":true,"sealed":false,"data":{"k":"fine"}}"#;

/// How a path is answered.
type Answer = fn(&mut dyn Wire) -> io::Result<()>;

fn body(wire: &mut dyn Wire, text: &[u8]) -> io::Result<()> {
    reply(wire, 200, &[], text)
}

/// Each is a file of its own, of the fault with this number; 0 where it is in no list.
const NONSENSE: [(&str, u8, Answer); 16] = [
    ("hangs", 17, |wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{")?;
        wire.flush()?;
        until_gone(wire);
        Ok(())
    }),
    ("breaks-off", 18, |wire| wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{\"data\":")),
    ("truncated", 18, |wire| body(wire, br#"{"data":{"k":"fi"#)),
    ("gibibyte", 19, |wire| {
        wire.write_all(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")?;
        flood(wire, &AtomicUsize::new(0))
    }),
    ("gzip", 19, |wire| reply(wire, 200, &[("Content-Encoding", "gzip")], b"\x1f\x8b\x08\0\0\0\0\0\0\x03")),
    ("deep", 20, |wire| body(wire, "[".repeat(100_000).as_bytes())),
    ("nul", 20, |wire| body(wire, b"\0\0\0\0")),
    ("not-utf-8", 20, |wire| body(wire, b"{\"data\":{\"k\":\"\xff\"}}")),
    ("loop", 21, |wire| reply(wire, 307, &[("Location", "/v1/cubbyhole/loop")], b"")),
    ("elsewhere", 21, |wire| reply(wire, 307, &[("Location", "http://localhost:9/v1/x")], b"")),
    ("data-is-text", 0, |wire| body(wire, br#"{"data":"text"}"#)),
    ("lease-is-a-number", 0, |wire| body(wire, br#"{"data":{"k":"v"},"lease_id":5}"#)),
    ("ttl-is-text", 0, |wire| body(wire, br#"{"data":{"k":"v"},"lease_id":"x","lease_duration":"soon"}"#)),
    ("ttl-below-0", 0, |wire| body(wire, br#"{"data":{"k":"v"},"lease_id":"x","lease_duration":-1}"#)),
    ("ttl-above-all", 0, |wire| {
        body(wire, br#"{"data":{"k":"v"},"lease_id":"x","lease_duration":99999999999999999999}"#)
    }),
    ("nothing", 0, |_| Ok(())),
];

const TOKEN_FACTS: &[u8] = br#"{"data":{"accessor":"a","ttl":3600,"renewable":false,"type":"service"}}"#;

fn server(version: Arc<AtomicUsize>) -> Server {
    Server::plain(move |asked, wire| {
        let path = asked.line.split(' ').nth(1).unwrap_or_default();
        let nonsense = NONSENSE.iter().find(|(name, ..)| path.strip_prefix("/v1/cubbyhole/") == Some(name));
        match (path, nonsense) {
            (_, Some((.., answer))) => answer(wire),
            ("/v1/auth/token/lookup-self", _) => body(wire, TOKEN_FACTS),
            ("/v1/cubbyhole/good", _) => {
                let version = version.load(Ordering::SeqCst);
                body(wire, format!(r#"{{"data":{{"k":"v{version}"}}}}"#).as_bytes())
            }
            // A lease that says it lives for no time is no lease for ever, and no reason to ask in a loop.
            ("/v1/cubbyhole/ttl-is-0", _) => {
                body(wire, br#"{"data":{"k":"zero"},"lease_id":"x","lease_duration":0,"renewable":true}"#)
            }
            ("/v1/cubbyhole/ttl-above-u32", _) => {
                body(wire, br#"{"data":{"k":"long"},"lease_id":"y","lease_duration":4294967296}"#)
            }
            _ => body(wire, FINE),
        }
    })
}

fn config(space: &Workspace, url: &str) -> String {
    let dir = space.path().display();
    let names = NONSENSE.iter().map(|(name, ..)| *name).chain(["good", "ttl-is-0", "ttl-above-u32"]);
    let files: String = names
        .map(|name| format!("- {{path: {name}, secret: 'cubbyhole/{name}#k', refresh: 1s}}\n"))
        .collect();
    format!(
        "vault: {{address: '{url}', timeout: 1s}}\n\
         auth: {{method: token_file, token_file: '{dir}/token'}}\n\
         secrets_dir: '{dir}/secrets'\n\
         listen: 'unix:{dir}/socket'\n\
         files:\n{files}- {{path: dots, template: '{{{{ with secret (printf \"cubbyhole/%s\" \"../sys\") }}}}x{{{{ end }}}}'}}\n"
    )
}

#[test]
fn nonsense_is_an_error_for_its_own_secret_and_everything_else_goes_on() {
    let mut faults = [
        (17, evidence!(17, Wire)),
        (18, evidence!(18, Wire)),
        (19, evidence!(19, Wire)),
        (20, evidence!(20, Wire)),
        (21, evidence!(21, Wire)),
    ];
    let (space, version) = (Workspace::new(), Arc::new(AtomicUsize::new(1)));
    let server = server(Arc::clone(&version));
    space.dir("secrets");
    space.file("token", TOKEN);
    let config = space.file("leasehold.yaml", config(&space, &server.url()));
    let mut sidecar = Leasehold::new(&space).spawn(&["sidecar", "--config", &config.to_string_lossy()]);
    let read = |name: &str| space.read(&format!("secrets/{name}"));
    let get = |path: &str| request_unix(&space.join("socket"), "GET", path).ok();
    wait_until("the good one", SOON, || read("good").as_deref() == Some("v1"));
    let error = |name: &str| format!("leasehold_file_error{{file=\"{name}\"}} 1");
    let bad = || NONSENSE.iter().map(|(name, ..)| *name).chain(["dots"]);
    wait_until("every error to be told", SOON, || {
        let metrics = get("/metrics").expect("it listens").text;
        bad().all(|name| metrics.lines().any(|line| line == error(name)))
    });
    version.store(2, Ordering::SeqCst);
    wait_until("the good one to follow", SOON, || read("good").as_deref() == Some("v2"));
    assert_eq!((read("ttl-is-0").as_deref(), read("ttl-above-u32").as_deref()), (Some("zero"), Some("long")));
    assert!(bad().all(|name| read(name).is_none()), "nothing comes of nonsense");
    assert!(sidecar.runs(), "{}", sidecar.stderr());
    assert_eq!(get("/livez").map(|reply| reply.status), Some(200));
    assert_eq!(get("/readyz").map(|reply| reply.status), Some(503));
    assert!(!server.asked().iter().any(|asked| asked.line.contains("..")), "refused before it is asked");
    let resident = sidecar.child().resident_kib();
    assert!(resident < 64 << 10, "{resident} KiB resident");
    let metrics = get("/metrics").expect("it listens").text;
    for (name, number, _) in NONSENSE {
        if let Some((_, fault)) = faults.iter_mut().find(|(of, _)| *of == number) {
            fault.metric(&metrics, &error(name));
        }
    }
    for (_, fault) in faults {
        fault.holds("an error for that secret alone; the others are read, rendered and followed");
    }
    let finished = sidecar.stop();
    finished.assert_silent_about(TOKEN);
    // It was never ready, and ends with the code of the first file's cause.
    assert_eq!(finished.code, Some(65), "{}", finished.stderr);
}
