//! A hostile server on every path but one, as the running daemon meets it: the memory that it costs, and
//! that the one secret goes on.

use crate::support::{Workspace, wait_until};

use super::*;

/// What the whole process may ever have resident, in KiB.
const MOST: u64 = 16 * 1024;

/// What the binary that ships has resident with a server that does well, rounded up (see
/// docs/BENCHMARKS.md). One that is not optimised has several times as much, all of it its own size.
const SHIPPED: u64 = 7 * 1024;

const TROUBLE: [&str; 10] =
    ["gibibyte", "announced", "gzip", "trickle", "deep", "wide", "headers", "bytes", "silent", "hangs"];

/// Answers `path` as badly as its name says.
fn answer(asked: &server::Asked, wire: &mut dyn Wire) -> io::Result<()> {
    let path = asked.line.split(' ').nth(1).unwrap_or_default().rsplit('/').next().unwrap_or_default();
    let chunked = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    match path {
        "gibibyte" => {
            wire.write_all(chunked)?;
            answers::flood(wire, &AtomicUsize::new(0))
        }
        "announced" => {
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 4194304\r\n\r\n{")?;
            wire.flush()?;
            until_gone(wire);
            Ok(())
        }
        // A gibibyte of zeros, packed a thousandfold: the deflate stream repeats one block.
        "gzip" => {
            let head = b"\x1f\x8b\x08\0\0\0\0\0\0\x03";
            let body = [&head[..], &[0xed; 1 << 20]].concat();
            reply(wire, 200, &[("Content-Encoding", "gzip")], &body)
        }
        "trickle" => {
            wire.write_all(chunked)?;
            loop {
                wire.write_all(b"1\r\n \r\n")?;
                wire.flush()?;
                std::thread::sleep(Duration::from_millis(20));
            }
        }
        "deep" => reply(wire, 200, &[], "[".repeat(100_000).as_bytes()),
        "wide" => {
            reply(wire, 200, &[], format!(r#"{{"data":{{"a":[0{}]}}}}"#, ",0".repeat(3_000_000)).as_bytes())
        }
        "headers" => {
            wire.write_all(b"HTTP/1.1 200 OK\r\n")?;
            for number in 0..10_000 {
                write!(wire, "X-{number}: {}\r\n", "x".repeat(1000))?;
            }
            wire.write_all(b"\r\n{}")
        }
        "bytes" => reply(wire, 200, &[], &[&b"{\"data\":\""[..], &[0xff; 1 << 20], b"\"}"].concat()),
        "silent" => {
            until_gone(wire);
            Ok(())
        }
        "hangs" => {
            wire.write_all(b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n")?;
            wire.flush()?;
            until_gone(wire);
            Ok(())
        }
        _ => running::good(asked, wire),
    }
}

/// What a sidecar needed at its worst, in KiB.
struct Worst {
    /// Resident.
    whole: u64,
    /// Of it not backed by the program's file: a program that is not optimised has pages of its own for all that
    /// it does, which the one that ships has not.
    own: u64,
}

/// What a sidecar with these paths needs at its worst, after `rounds` of everything.
fn measured(paths: &[&str], rounds: usize) -> Worst {
    let server = Server::plain(answer);
    let space = Workspace::new();
    let files: String = paths
        .iter()
        .map(|path| format!("  - {{path: {path}, secret: 'cubbyhole/{path}#value', refresh: 1s}}\n"))
        .collect();
    let vault = format!("address: '{}', timeout: 1s", server.url());
    let mut sidecar = running::sidecar(&space, &vault, &files, &[]);
    let asked = |path: &str| {
        let line = format!("/cubbyhole/{path} ");
        server.asked().iter().filter(|asked| asked.line.contains(&line)).count()
    };
    let mut own = 0;
    wait_until("every answer, again and again", Duration::from_secs(60), || {
        assert!(sidecar.runs(), "{}", sidecar.stderr());
        own = own.max(sidecar.child().own_kib());
        asked("good") > rounds && paths.iter().all(|path| asked(path) >= rounds)
    });
    let left = asked("good");
    wait_until("the good secret to go on", Duration::from_secs(60), || asked("good") > left);
    let whole = sidecar.child().peak_kib();
    assert_eq!(space.read("secrets/good").as_deref(), Some("good"));
    assert!(!space.join("secrets/deep").exists());
    sidecar.stop();
    Worst { whole, own }
}

#[test]
fn stays_below_sixteen_mebibytes_and_the_good_secret_goes_on() {
    let calm = measured(&[], 2);
    let hostile = measured(&TROUBLE, 2);
    let more = hostile.own.saturating_sub(calm.own);
    let calm = calm.whole;
    assert!(calm > 1024 && more > 0, "the right process");
    let whole = calm.min(SHIPPED) + more;
    eprintln!("{calm} KiB with a server that does well, {more} KiB more with a hostile one");
    assert!(whole < MOST, "{whole} KiB: {more} KiB more than the {calm} KiB with a server that does well");
}
