//! Chromium's debugging protocol over a pair of pipes: JSON messages, each with a zero byte behind it.

use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;

/// Chromium reads from descriptor 3 and writes to 4. `timeout` ends a browser that hangs, so that no test waits for
/// ever.
const START: &str = "exec timeout --kill-after=5 170 chromium --headless --no-sandbox --disable-gpu \
    --disable-dev-shm-usage --no-first-run --disable-background-networking --disable-component-update \
    --remote-debugging-pipe --user-data-dir=\"$0\" about:blank 3<&0 4>&1 </dev/null >\"$0/log\" 2>&1";

/// A browser with one tab.
pub(crate) struct Chromium {
    child: Child,
    to: Option<ChildStdin>,
    from: BufReader<ChildStdout>,
    sent: u64,
    session: Option<String>,
    /// What Chromium reported between the answers, in order.
    events: Vec<Value>,
    _profile: TempDir,
}

impl Chromium {
    pub(crate) fn start() -> Self {
        let profile = tempfile::tempdir().expect("a folder");
        let mut child = Command::new("sh")
            .args(["-c", START])
            .arg(profile.path())
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("a shell");
        let to = child.stdin.take();
        let from = BufReader::new(child.stdout.take().expect("piped"));
        let mut browser =
            Self { child, to, from, sent: 0, session: None, events: Vec::new(), _profile: profile };
        let target = browser.call("Target.createTarget", json!({"url": "about:blank"}));
        let attach = json!({"targetId": target["targetId"], "flatten": true});
        let attached = browser.call("Target.attachToTarget", attach);
        browser.session = attached["sessionId"].as_str().map(str::to_owned);
        browser.call("Network.enable", json!({}));
        browser
    }

    /// Calls a method and returns its result.
    pub(crate) fn call(&mut self, method: &str, params: Value) -> Value {
        let answer = self.try_call(method, &params);
        assert!(answer.get("error").is_none(), "{method}: {}", answer["error"]);
        answer["result"].clone()
    }

    /// Calls a method and returns the whole answer, which may be an error.
    fn try_call(&mut self, method: &str, params: &Value) -> Value {
        self.sent += 1;
        let mut message = json!({"id": self.sent, "method": method, "params": params});
        if let Some(session) = &self.session {
            message["sessionId"] = json!(session);
        }
        let to = self.to.as_mut().expect("open until the end");
        to.write_all(format!("{message}\0").as_bytes()).expect("Chromium reads");
        loop {
            let mut bytes = Vec::new();
            self.from.read_until(0, &mut bytes).expect("Chromium writes");
            assert_eq!(bytes.pop(), Some(0), "Chromium ended during {method}");
            let answer: Value = serde_json::from_slice(&bytes).expect("JSON");
            if answer["id"] == json!(self.sent) {
                return answer;
            }
            self.events.push(answer);
        }
    }

    /// Opens a page and waits until it has rendered its first example.
    pub(crate) fn open(&mut self, address: &str) {
        self.call("Page.navigate", json!({"url": address}));
        self.wait_for(&format!("location.href === {address:?} && document.body?.dataset.ready"));
    }

    /// Evaluates an expression in the page, waits for it if it is a promise, and returns its value.
    pub(crate) fn evaluate(&mut self, expression: &str) -> Value {
        let params = json!({"expression": expression, "awaitPromise": true, "returnByValue": true});
        let answer = self.call("Runtime.evaluate", params);
        assert!(answer.get("exceptionDetails").is_none(), "{expression}: {}", answer["exceptionDetails"]);
        answer["result"]["value"].clone()
    }

    /// Waits until an expression holds in the page. A navigation on the way starts the question anew.
    pub(crate) fn wait_for(&mut self, condition: &str) {
        let look = format!(
            "new Promise((done) => {{ let left = 500; const look = () => ({condition}) || left-- === 0 \
             ? done(left >= 0) : setTimeout(look, 20); look(); }})"
        );
        let params = json!({"expression": look, "awaitPromise": true, "returnByValue": true});
        for _ in 0..3 {
            // The page that was asked may go away.
            let answer = self.try_call("Runtime.evaluate", &params);
            if answer["result"]["result"]["value"] == json!(true) {
                return;
            }
        }
        let shown = self.evaluate("document.body.innerText");
        panic!("{condition} never held; the page shows {shown}");
    }

    /// Presses a key, such as `Tab`.
    pub(crate) fn press(&mut self, key: &str, code: u32) {
        for kind in ["keyDown", "keyUp"] {
            let text = if key == "Enter" && kind == "keyDown" { "\r" } else { "" };
            let params =
                json!({"type": kind, "key": key, "code": key, "windowsVirtualKeyCode": code, "text": text});
            self.call("Input.dispatchKeyEvent", params);
        }
    }

    /// Returns the addresses of all requests since the start.
    pub(crate) fn requested(&self) -> Vec<String> {
        let requests = self.events.iter().filter(|event| event["method"] == "Network.requestWillBeSent");
        requests.filter_map(|event| event["params"]["request"]["url"].as_str()).map(str::to_owned).collect()
    }
}

impl Drop for Chromium {
    /// Ends Chromium by closing its pipe, and waits for that.
    fn drop(&mut self) {
        self.to = None;
        let _ = self.child.wait();
    }
}
