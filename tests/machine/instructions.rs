//! What a start with a hundred files and an idle minute cost, in instructions: a guard against getting slower
//! by accident. BLESS=1 records them anew; whoever does says in the commit why they have changed.
//!
//! Counted is what we ourselves compute, from the configuration's text to the rendered bytes, with a server
//! that answers at once: a debug build, whose counts differ from a release's but move with it. The program as
//! a whole cannot be counted: valgrind hides the vDSO, which our way to ask for the time relies on.

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;
use std::time::Duration;

use crate::support::{Workspace, have, need, repository};
use http::{HeaderMap, StatusCode};
use leasehold::config::plan::{FileSource, Plan};
use leasehold::config::read::{Inputs, Text, read};
use leasehold::core::Engine;
use leasehold::core::action::{Action, Question};
use leasehold::core::event::{Event, Published, RenderOutcome, TokenFacts};
use leasehold::core::ids::FileId;
use leasehold::core::policy::{FirstReady, Mode, Policy};
use leasehold::functions;
use leasehold::render::{self, Environment, Outcome, Rendering, Secrets};
use leasehold::secret::Secret;
use leasehold::template::host;
use leasehold::vault::facts;
use leasehold::vault::mounts::{Mount, canonical};
use leasehold::vault::verdict::{Answer, Asked, Unspoken, judge};
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_base::time::{Moment, Now};
use serde_json::{Value, json};
use zeroize::Zeroizing;

const FILES: usize = 100;

/// The part of a count by which it may differ from the recorded one.
const BAND: f64 = 0.1;

/// Tells the counted process which workload is its own.
const WORKLOAD: &str = "LEASEHOLD_TEST_WORKLOAD";

/// What the server keeps under every path.
const BODY: &[u8] = br#"{"request_id":"4a1b6f0e-0000-0000-0000-000000000000","lease_id":"","renewable":false,
"lease_duration":0,"data":{"data":{"user":"web","password":"3f6a1c2b9d8e7f60","port":5432},"metadata":
{"created_time":"2026-01-02T03:04:05.678901234Z","custom_metadata":null,"deletion_time":"","destroyed":false,
"version":3}},"wrap_info":null,"warnings":null,"auth":null}"#;

/// What it answers where it mints.
const LEASED: &str = r#"{"request_id":"4a1b6f0e","lease_id":"database/creds/web/NUMBER","renewable":true,
"lease_duration":3600,"data":{"username":"v-web-NUMBER","password":"3f6a1c2b9d8e7f60"},"wrap_info":null,"warnings":null,
"auth":null}"#;

/// The configuration as somebody types it: half of the files are templates, half single values.
fn text() -> Vec<u8> {
    let mut text = "vault: {address: 'https://vault.example.com'}\nauth: {method: kubernetes, role: web}\n\
                    secrets_dir: /leasehold/secrets\ndefaults: {refresh: 10s}\nfiles:\n"
        .to_owned();
    for number in 0..FILES {
        text.push_str(&match number % 2 {
            0 => format!("- {{path: f{number}, secret: 'secret/app/{number}#password'}}\n"),
            _ => format!(
                "- path: f{number}\n  template: |\n    {{{{ with secret \"secret/app/{number}\" -}}}}\n    \
                 DSN=postgres://{{{{ .Data.data.user }}}}:{{{{ .Data.data.password }}}}@db:{{{{ .Data.data.port }}}}\n    \
                 {{{{- end }}}}\n"
            ),
        });
    }
    text.into_bytes()
}

pub(super) fn plan(text: Vec<u8>) -> Plan {
    let texts = [Text { name: "leasehold.yaml".to_owned(), bytes: text }];
    let inputs = Inputs {
        texts: &texts,
        flags: &[],
        env: &|_: &str| None,
        read_file: &|_: &Path| Err(std::io::ErrorKind::NotFound.into()),
        functions: functions::all(),
        look: None,
        elsewhere: false,
        folder: Path::new("/"),
    };
    read(&inputs).expect("a good configuration").0
}

/// What the server answered.
#[derive(Default)]
struct Store {
    resolved: HashMap<Request, Request>,
    answers: HashMap<Request, Arc<Response>>,
}

impl Secrets for Store {
    fn get(&self, request: &Request) -> Option<Arc<Response>> {
        self.answers.get(self.resolved.get(request).unwrap_or(request)).cloned()
    }
}

/// An engine between a server and a disk that answer at once.
pub(super) struct World {
    plan: Plan,
    pub(super) engine: Engine,
    store: Store,
    renderings: Vec<Option<Rendering>>,
    environment: Environment,
    mount: Mount,
    now: Duration,
    reads: usize,
    pub(super) ended: bool,
    /// The secrets that were written to the handoff, each time that one was.
    pub(super) written: usize,
}

impl World {
    fn new(mode: Mode) -> Self {
        Self::of(plan(text()), mode)
    }

    pub(super) fn of(plan: Plan, mode: Mode) -> Self {
        Self::waited_for(plan, mode, FirstReady::default())
    }

    /// The same, where a service manager may wait for the first readiness.
    pub(super) fn waited_for(plan: Plan, mode: Mode, first_ready: FirstReady) -> Self {
        Self {
            engine: Engine::new(Policy { first_ready, ..plan.policy(mode, 7) }),
            store: Store::default(),
            renderings: vec![None; plan.files.len()],
            environment: Environment {
                variables: Arc::default(),
                read_file: Arc::new(|_: &Path| Err(host::HostError("there is none".to_owned()))),
                now: || host::WallTime { seconds: 1_700_000_000, nanoseconds: 0 },
                zone: |_| None,
                network: || Err(host::HostError("there is none".to_owned())),
                random: |bytes| bytes.fill(7),
            },
            mount: Mount { path: "secret/".to_owned(), kind: "kv".to_owned(), kv2: true },
            plan,
            now: Duration::from_secs(1000),
            reads: 0,
            ended: false,
            written: 0,
        }
    }

    fn clock(&self) -> Now {
        Now { moment: Moment::new(self.now), wall: 1_700_000_000 }
    }

    /// Gives an event, and everything that follows from it at once.
    pub(super) fn give(&mut self, event: Event) {
        let mut events = VecDeque::from([event]);
        while let Some(event) = events.pop_front() {
            for action in self.engine.handle(event, self.clock()) {
                events.extend(self.perform(action));
            }
        }
    }

    fn perform(&mut self, action: Action) -> Option<Event> {
        let sent = self.clock().moment;
        match action {
            Action::Ask(Question::LogIn(token)) => {
                let ttl = Some(Duration::from_secs(3600));
                let accessor = "accessor".to_owned();
                let facts = TokenFacts { accessor, ttl, renewable: true, batch: false, uses: None };
                Some(Event::LoggedIn { token, sent, result: Ok(facts) })
            }
            Action::Ask(Question::Resolve { secret, request, .. }) => {
                let resolved = canonical(&request, &self.mount);
                self.store.resolved.insert((*request).clone(), resolved.clone());
                Some(Event::Resolved { secret, result: Ok(resolved) })
            }
            Action::Ask(Question::Read { secret, token, request }) => {
                self.reads += 1;
                let body = match request.path.starts_with("database/") {
                    true => LEASED.replace("NUMBER", &self.reads.to_string()).into_bytes(),
                    false => BODY.to_vec(),
                };
                let body = Zeroizing::new(body);
                let answer = Answer { status: StatusCode::OK, headers: HeaderMap::new(), body };
                let response = judge(&answer, Asked::Read, &Unspoken(Vec::new())).expect("a good answer");
                let facts = facts::read(&response, self.store.get(&request).as_deref());
                self.store.answers.insert((*request).clone(), Arc::new(response));
                Some(Event::Read { secret, token, sent, result: Ok(facts) })
            }
            Action::Render(file) => Some(self.render(file)),
            Action::Publish { unit, files } => {
                let published = Published { generation: 1, changed: files };
                Some(Event::Published { unit, result: Ok(published) })
            }
            Action::Inspect { unit, .. } => Some(Event::Inspected { unit, result: Ok(BTreeMap::new()) }),
            Action::Ask(Question::RevokeToken(token)) => Some(Event::TokenRevoked { token, result: Ok(()) }),
            Action::Exit(result) => {
                result.expect("nothing can fail here");
                self.ended = true;
                None
            }
            Action::SaveHandoff => {
                self.written += self.engine.changes().secrets.len();
                Some(Event::HandoffSaved(Ok(())))
            }
            Action::Say(_) | Action::DropToken(_) => None,
            other => unreachable!("{other:?}"),
        }
    }

    fn render(&mut self, file: FileId) -> Event {
        let plan = &self.plan.files[file.0];
        let FileSource::Made(source) = &plan.source else { unreachable!("there is no sink") };
        let made = render::render(&plan.name, source, &self.store, &self.environment, &self.plan.writes);
        let outcome = match made {
            Outcome::Done { made, used } => {
                let changed = self.renderings[file.0].as_ref() != Some(&made);
                self.renderings[file.0] = Some(made);
                RenderOutcome::Rendered { changed, used }
            }
            Outcome::Needs { missing, used } => RenderOutcome::Needs { missing, used },
            Outcome::Failed { why, used } => RenderOutcome::Failed { why, used },
        };
        Event::Rendered { file, outcome }
    }

    /// Lives for so long: each deadline of the engine is one wake-up.
    fn live(&mut self, time: Duration) {
        let end = self.now + time;
        while let Some(at) = self.engine.deadline().map(Moment::since_boot).filter(|at| *at <= end) {
            self.now = at.max(self.now);
            self.give(Event::Wake);
        }
        self.now = end;
    }

    fn has_everything(&self) -> bool {
        let password = Secret::from("3f6a1c2b9d8e7f60");
        self.renderings.iter().all(Option::is_some)
            && self.renderings[0].as_ref().is_some_and(|made| made.bytes == password)
    }
}

// Told to valgrind by name: only what happens in these two is counted.

#[inline(never)]
fn counted_start() -> World {
    let mut world = World::new(Mode::Init { timeout: Duration::from_secs(120) });
    world.give(Event::Start { kept: None, rebooted: false });
    world
}

#[inline(never)]
fn counted_minute(world: &mut World) {
    world.live(Duration::from_secs(60));
}

/// A start of init from the text of the configuration to the last rendering.
fn start() {
    let world = counted_start();
    assert!(world.ended && world.has_everything());
    assert_eq!(world.reads, FILES);
}

/// A minute of a sidecar that looks at each of its secrets every ten seconds and finds nothing new.
fn minute() {
    let mut world = World::new(Mode::Daemon);
    world.give(Event::Start { kept: None, rebooted: false });
    assert!(world.has_everything());
    let (before, publishes) = (world.reads, world.engine.view(world.clock()).counters.publishes);
    counted_minute(&mut world);
    let reads = world.reads - before;
    assert!((5 * FILES..=7 * FILES).contains(&reads), "{reads} reads");
    assert_eq!(world.engine.view(world.clock()).counters.publishes, publishes, "nothing was new");
}

fn recorded() -> PathBuf {
    repository().join("benches/instructions.json")
}

/// How many instructions this test's process takes for one of the two.
fn count(workload: &str, function: &str) -> u64 {
    count_in("instructions::a_start_and_an_idle_minute_cost_what_they_did", workload, function)
}

/// The workload of this process, where it is counted.
pub(super) fn workload() -> Option<String> {
    std::env::var(WORKLOAD).ok()
}

/// How many instructions `function` takes in `test`, which runs by itself for this workload.
pub(super) fn count_in(test: &str, workload: &str, function: &str) -> u64 {
    let space = Workspace::new();
    let output = Command::new("valgrind")
        .arg("--tool=callgrind")
        .arg(format!("--callgrind-out-file={}", space.join("callgrind").display()))
        .arg(format!("--toggle-collect=*{function}*"))
        .arg(std::env::current_exe().expect("a path"))
        .args(["--exact", test, "--test-threads=1"])
        .env(WORKLOAD, workload)
        .output()
        .expect("it is there");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}{}", String::from_utf8_lossy(&output.stdout));
    let line = said.lines().find_map(|line| line.split_once("Collected : ")).expect("callgrind tells");
    line.1.trim().parse().expect("a number")
}

/// What the counts depend on besides the code.
fn compiler() -> String {
    let output = Command::new("rustc").arg("--version").output().expect("we were compiled");
    format!("{} {}", String::from_utf8_lossy(&output.stdout).trim(), std::env::consts::ARCH)
}

#[test]
fn a_start_and_an_idle_minute_cost_what_they_did() {
    match std::env::var(WORKLOAD).as_deref() {
        Ok("start") => return start(),
        Ok(_) => return minute(),
        // Both are right in any case.
        Err(_) => (start(), minute()),
    };
    if !need("valgrind", "apt-get install valgrind", have("valgrind")) {
        return;
    }
    let now = json!({
        "compiler": compiler(),
        "start_of_100_files": count("start", "counted_start"),
        "idle_minute_of_100_files": count("minute", "counted_minute"),
    });
    if std::env::var_os("BLESS").is_some() {
        let text = serde_json::to_string_pretty(&now).expect("it is JSON");
        fs::write(recorded(), text + "\n").expect("the repository can be written");
        return;
    }
    let before: Value =
        serde_json::from_str(&fs::read_to_string(recorded()).expect("it is recorded")).expect("JSON");
    let same = before["compiler"] == now["compiler"];
    let how = "record them anew: BLESS=1 cargo test --test machine instructions::";
    if !need(&format!("counts of {}, not of {}", now["compiler"], before["compiler"]), how, same) {
        return;
    }
    for name in ["start_of_100_files", "idle_minute_of_100_files"] {
        let number = |of: &Value| of[name].as_f64().expect("a number");
        let ratio = number(&now) / number(&before);
        assert!(
            (ratio - 1.0).abs() <= BAND,
            "{name}: {} instructions were {}; {how}",
            now[name],
            before[name]
        );
    }
}
