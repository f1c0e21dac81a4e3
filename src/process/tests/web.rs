use std::io::Read as _;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread::JoinHandle;

use leasehold_base::clock;
use url::Url;

use super::*;

/// Answers one connection with `answer` and returns what it was sent.
fn answerer(answer: &'static str) -> (SocketAddr, JoinHandle<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let thread = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let request = header(&mut stream);
        stream.write_all(answer.as_bytes()).expect("written");
        request
    });
    (address, thread)
}

fn header(stream: &mut TcpStream) -> String {
    let mut header = Vec::new();
    let mut byte = [0];
    while !header.ends_with(b"\r\n\r\n") && stream.read(&mut byte).expect("read") == 1 {
        header.extend(byte);
    }
    String::from_utf8(header).expect("UTF-8")
}

fn post(url: &str, timeout: Duration) -> Notifier {
    Notifier::Http { url: Url::parse(url).expect("a URL"), timeout, splay: Duration::ZERO }
}

#[tokio::test]
async fn any_2xx_is_success_and_the_request_is_an_empty_post() {
    for (answer, status) in [
        ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", 200),
        ("HTTP/1.1 204 No Content\r\n\r\n", 204),
        // Its body never comes, and nobody waits for it.
        ("HTTP/1.1 202 Accepted\r\nContent-Length: 1000000\r\n\r\n", 202),
    ] {
        let (address, answerer) = answerer(answer);
        let how = post(&format!("http://{address}/-/reload?now=1"), LONG);
        assert_eq!(tell(&how).await.expect("told"), Told::Answered(status));
        let request = answerer.join().expect("answered").to_lowercase();
        assert!(request.starts_with("post /-/reload?now=1 http/1.1\r\n"), "{request}");
        assert!(request.contains("\r\ncontent-length: 0\r\n"), "{request}");
    }
}

#[tokio::test]
async fn other_answers_are_failures_and_redirects_are_not_followed() {
    for (answer, status) in [
        ("HTTP/1.1 500 Oops\r\nContent-Length: 6\r\n\r\ncanary", 500),
        ("HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n", 404),
        ("HTTP/1.1 307 Elsewhere\r\nLocation: /again\r\nContent-Length: 0\r\n\r\n", 307),
    ] {
        let (address, answerer) = answerer(answer);
        let error = tell(&post(&format!("http://{address}/"), LONG)).await.expect_err("failed");
        assert!(matches!(error, NotifyError::Status { status: got, .. } if got == status), "{error}");
        assert!(!error.to_string().contains("canary"), "{error}");
        answerer.join().expect("one request only");
    }
}

#[tokio::test]
async fn nobody_there_nobody_answering_and_rubbish_are_told_apart() {
    let silent = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = silent.local_addr().expect("bound");
    let how = post(&format!("http://user:canary@{address}/?token=canary"), Duration::from_millis(200));
    let text = tell(&how).await.expect_err("no answer").to_string();
    assert!(text.contains(&address.to_string()) && text.contains("nothing within 200ms"), "{text}");
    assert!(!text.contains("canary"), "{text}");

    drop(silent);
    // A child that another test forks has the listener, too, until it becomes its program: connections are reset so long.
    let mut text = tell(&how).await.expect_err("refused").to_string();
    let began = clock::moment();
    while text.contains("reset") && began.until(clock::moment()) < LONG {
        text = tell(&how).await.expect_err("refused").to_string();
    }
    assert!(text.contains("refused") && !text.contains("canary"), "{text}");

    let (address, answerer) = answerer("canary canary\r\n\r\n");
    let text = tell(&post(&format!("http://{address}/"), LONG)).await.expect_err("rubbish").to_string();
    assert!(text.contains("no answer from") && !text.contains("canary"), "{text}");
    answerer.join().expect("answered");
}

#[tokio::test]
async fn https_speaks_tls_and_does_not_fall_back() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("bound");
    let first_byte = std::thread::spawn(move || {
        let mut byte = [0];
        listener.accept().expect("a connection").0.read_exact(&mut byte).expect("a byte");
        byte[0]
    });
    let error = tell(&post(&format!("https://{address}/"), LONG)).await.expect_err("no TLS there");
    assert!(matches!(error, NotifyError::NoAnswer { .. }), "{error}");
    assert_eq!(first_byte.join().expect("read"), 0x16, "a handshake record");
}
