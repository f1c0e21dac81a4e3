//! Every function that a template can call, beside what the real `bao agent` was recorded to render.
//!
//! The cases are in `tests/corpus/functions`, a JSON object a line; `tests/oracle/record-functions`
//! records the answers anew. They run here as `leasehold render` runs a template: offline, with the
//! secrets of `tests/corpus/functions-secrets.json`.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use leasehold::functions;
use leasehold::render::{Environment, Secrets, World};
use leasehold::secret::Secret;
use leasehold::template::host::{HostError, Interface, Network, WallTime};
use leasehold::template::value::Value;
use leasehold::template::{ExecError, ExecErrorKind, Limits, MissingKey, Template};
use leasehold::tree::Tree;
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use serde::Deserialize;

/// A case with its recorded answer: one of `want`, `base64` and `fails`.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    template: String,
    want: Option<String>,
    base64: Option<String>,
    #[serde(default)]
    fails: bool,
    /// Why ours fails where the agent renders what is recorded.
    ours_fails: Option<String>,
    /// What ours renders instead, and why.
    ours: Option<Different>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Different {
    want: String,
    why: String,
}

impl Case {
    /// What ours must render; `None` where it must fail.
    fn wanted(&self) -> Option<Vec<u8>> {
        if self.ours_fails.is_some() {
            return None;
        }
        if let Some(ours) = &self.ours {
            return Some(ours.want.clone().into_bytes());
        }
        let decoded =
            || self.base64.as_ref().map(|text| STANDARD.decode(text).expect("the recorder's base64"));
        self.want.clone().map(String::into_bytes).or_else(decoded)
    }

    /// Whether there is one answer, and differences are real and say why.
    fn is_sound(&self) -> bool {
        let answers = [self.want.is_some(), self.base64.is_some(), self.fails];
        let differs = self.ours_fails.is_none() || !self.fails;
        let explained = self
            .ours
            .as_ref()
            .is_none_or(|ours| !ours.why.is_empty() && Some(&ours.want) != self.want.as_ref());
        answers.into_iter().filter(|answer| *answer).count() == 1 && differs && explained
    }
}

struct Store(HashMap<Request, Arc<Response>>);

/// The lease of a KV version 1 secret, seconds.
const LEASE: u64 = 2_764_800;

impl Store {
    fn read(path: &Path) -> Self {
        let tree = Tree::from_json(&fs::read(path).expect("the secrets")).expect("JSON");
        let answers = tree.as_map().expect("a map").iter().map(|(key, data)| {
            let lease_duration = if key.starts_with("kv/") { LEASE } else { 0 };
            (request(key), Arc::new(Response { data: data.clone(), lease_duration, ..Response::default() }))
        });
        Self(answers.collect())
    }
}

/// `path`, `path/` for a list, or `path key=value…` for a write.
fn request(key: &str) -> Request {
    let mut words = key.split(' ');
    let path = words.next().expect("a path");
    let args: BTreeMap<String, Secret> = words
        .filter_map(|word| word.split_once('='))
        .map(|(key, value)| (key.to_owned(), Secret::from(value)))
        .collect();
    let request = match (path.ends_with('/'), args.is_empty()) {
        (true, _) => Request::list(path),
        (false, true) => Request::read(path),
        (false, false) => Request::write(path, args),
    };
    request.expect("a good path")
}

impl Secrets for Store {
    fn get(&self, request: &Request) -> Option<Arc<Response>> {
        self.0.get(request).cloned()
    }
}

/// Chance without dice: the numbers of a small generator (splitmix64).
fn random(bytes: &mut [u8]) {
    static STATE: AtomicU64 = AtomicU64::new(1);
    for chunk in bytes.chunks_mut(8) {
        let mut number = STATE.fetch_add(0x9e37_79b9_7f4a_7c15, Ordering::Relaxed);
        number = (number ^ number >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        number = (number ^ number >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        let number = (number ^ number >> 31).to_ne_bytes();
        chunk.copy_from_slice(&number[..chunk.len()]);
    }
}

/// The interfaces of the machine that the cases of `sockaddr` were recorded on.
fn network() -> Result<Network, HostError> {
    let interface = |index, mtu, name: &str, hardware: &[u8], flags, addresses: &[(&str, u32)]| Interface {
        index,
        mtu,
        name: name.to_owned(),
        hardware: hardware.to_owned(),
        flags,
        addresses: addresses.iter().map(|(ip, prefix)| (ip.parse().expect("an address"), *prefix)).collect(),
    };
    let lo = interface(1, 65536, "lo", &[], 1 | 4 | 32, &[("127.0.0.1", 8), ("::1", 128)]);
    let addresses = [("192.0.2.2", 24), ("fd00::2", 64), ("fe80::fc:ff:fe00:1", 64)];
    let eth0 = interface(4, 1400, "eth0", &[2, 0xfc, 0, 0, 0, 1], 1 | 2 | 16 | 32, &addresses);
    Ok(Network { interfaces: vec![lo, eth0], default: Some("eth0".to_owned()) })
}

/// The tables of the machine; the cases were recorded where clocks show UTC.
fn zone(name: &str) -> Option<Vec<u8>> {
    let below = !name.starts_with('/') && !name.contains("..");
    below.then(|| fs::read(Path::new("/usr/share/zoneinfo").join(name)).ok())?
}

/// The environment that the recorder gives the agent.
fn environment() -> Environment {
    let variables = [("GREETING", "hello"), ("EMPTY", "")];
    let variables = variables.map(|(name, value)| (name.to_owned(), Secret::from(value)));
    Environment {
        variables: Arc::new(BTreeMap::from(variables)),
        read_file: Arc::new(|path| {
            fs::read(path).map(Secret::new).map_err(|error| HostError(error.to_string()))
        }),
        now: || WallTime { seconds: 1_790_000_000, nanoseconds: 0 },
        zone,
        network,
        random,
    }
}

fn rendered(template: &str, secrets: &Store, environment: &Environment) -> Result<Secret, String> {
    let parsed = Template::parse("case", template.as_bytes(), None, functions::all());
    let parsed = parsed.map_err(|error| error.to_string())?;
    let mut world = World::new(secrets, environment);
    let result = parsed.execute(Value::Nil, MissingKey::Error, Limits::default(), &mut world);
    match world.asked() {
        (_, missing) if !missing.is_empty() => Err(format!("{missing:?} is missing")),
        _ => result.map_err(|error| error.to_string()),
    }
}

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpus")
}

fn cases() -> Vec<(PathBuf, usize, Case)> {
    let mut cases = Vec::new();
    let files = fs::read_dir(corpus().join("functions")).expect("the corpus");
    let files = files.map(|entry| entry.expect("an entry").path());
    // Beside the others: its answers are of one machine's interfaces, which `network` has.
    for path in files.chain([corpus().join("sockaddr.jsonl")]) {
        let text = fs::read_to_string(&path).expect("a corpus file");
        for (index, line) in text.lines().enumerate() {
            let case: Case = serde_json::from_str(line)
                .unwrap_or_else(|error| panic!("{}:{}: {error}", path.display(), index + 1));
            cases.push((path.clone(), index + 1, case));
        }
    }
    cases
}

#[test]
fn every_function_renders_as_the_agent_was_recorded_to() {
    let secrets = Store::read(&corpus().join("functions-secrets.json"));
    let environment = environment();
    let mut report = String::new();
    let cases = cases();
    for (path, line, case) in &cases {
        let place = format!("\n{}:{line}: {}", path.display(), case.template);
        if !case.is_sound() {
            report.push_str(&format!("{place}\n  needs one answer: record it"));
            continue;
        }
        let ours = rendered(&case.template, &secrets, &environment);
        match (&ours, case.wanted()) {
            (Ok(ours), Some(wanted)) if ours.expose() == wanted => {}
            (Err(_), None) => {}
            (ours, wanted) => {
                let wanted = wanted.map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
                let ours = ours.as_ref().map(|text| String::from_utf8_lossy(text.expose()).into_owned());
                report.push_str(&format!("{place}\n  agent {wanted:?}\n  ours  {ours:?}"));
            }
        }
    }
    assert!(cases.len() > 1000, "the corpus is there: {}", cases.len());
    assert!(report.is_empty(), "{report}");
}

#[test]
fn the_corpus_calls_every_function_there_is() {
    let templates: Vec<String> = cases().into_iter().map(|(_, _, case)| case.template).collect();
    let words: std::collections::HashSet<&str> = templates
        .iter()
        .flat_map(|template| template.split(|sign: char| !sign.is_alphanumeric() && sign != '_'))
        .collect();
    let elsewhere = ["pkiCert", "writeToFile"];
    let missing: Vec<&str> =
        functions::all().names().filter(|name| !words.contains(name) && !elsewhere.contains(name)).collect();
    assert!(missing.is_empty(), "no case calls {missing:?}");
}

/// Names of the agents' functions for Consul and Nomad, and of those that Leasehold leaves out.
const CONSUL: &str = "byKey byMeta byPort byTag caLeaf caRoots connect datacenters explode exportedServices key \
    keyExists keyExistsGet keyOrDefault ls node nodes partitions peerings safeLs safeTree service services tree";
const NOMAD: &str = "nomadService nomadServices nomadVar nomadVarExists nomadVarList nomadVarListSafe";

#[test]
fn a_function_of_consul_or_nomad_is_refused_by_name_with_the_reason() {
    for (product, names) in [("Consul", CONSUL), ("Nomad", NOMAD)] {
        for name in names.split_whitespace() {
            for template in
                [format!("{{{{ {name} \"a\" }}}}"), format!("{{{{ range {name} }}}}{{{{ end }}}}")]
            {
                let error = Template::parse("app.tpl", template.as_bytes(), None, functions::all());
                let error = error.expect_err(name).to_string();
                assert!(error.starts_with("template: app.tpl:1: "), "{error}");
                assert!(error.contains(&format!("\"{name}\"")), "the name: {error}");
                assert!(error.contains(&format!("it reads {product}")), "the reason: {error}");
                assert!(error.contains("Vault and OpenBao only"), "what there is instead: {error}");
            }
        }
    }
}

#[test]
fn what_runs_programs_or_asks_the_network_is_refused_with_the_reason() {
    for (name, why) in [
        ("plugin", "runs a program"),
        ("sprig_getHostByName", "asks a name server"),
        ("sprig_genCA", "key material"),
        ("sprig_decryptAES", "transit engine"),
        ("sprig_derivePassword", "keep the password in Vault"),
    ] {
        let template = format!("{{{{ {name} \"a\" }}}}");
        let error = Template::parse("t", template.as_bytes(), None, functions::all()).expect_err(name);
        assert!(error.to_string().contains(why), "{error}");
    }
}

/// Little enough to be reached soon.
const SMALL: Limits =
    Limits { depth: 500, range: 1_000_000, output: 1 << 16, steps: 100_000, held: 64 << 20 };

/// What a template without secrets fails with.
fn fails(template: &str, limits: Limits) -> Box<ExecError> {
    let parsed = Template::parse("case", template.as_bytes(), None, functions::all()).expect(template);
    let (nothing, environment) = (Store(HashMap::new()), environment());
    let mut world = World::new(&nothing, &environment);
    let result = parsed.execute(Value::Nil, MissingKey::Error, limits, &mut world);
    result.err().unwrap_or_else(|| panic!("{template} renders"))
}

#[test]
fn a_value_in_many_places_is_not_walked_for_ever() {
    // Ten to the eighteenth parts, of sixty maps.
    let many = "{{ $m := sprig_dict `a` 1 }}{{ $n := sprig_dict `a` 1 }}{{ range loop 60 }}\
        {{ $m = sprig_dict `a` $m `b` $m }}{{ $n = sprig_dict `a` $n `b` $n }}{{ end }}";
    for walk in [
        "{{ $m }}",
        "{{ toJSON $m }}",
        "{{ toTOML $m }}",
        "{{ toYAML $m }}",
        "{{ sprig_toJson $m }}",
        "{{ sprig_deepCopy $m }}",
        "{{ sprig_deepEqual $m $n }}",
        "{{ sprig_merge $m $n }}",
        "{{ mergeMapWithOverride $m $n }}",
    ] {
        let error = fails(&format!("{many}{walk}"), SMALL);
        assert!(error.kind == ExecErrorKind::Limit, "{walk}: {error}");
    }
}

#[test]
fn a_copy_of_shared_parts_takes_no_more_than_a_text_may() {
    let most = |field: &str| -> u64 {
        let status = std::fs::read_to_string("/proc/self/status").expect("it can be read");
        let line = status.lines().find_map(|line| line.strip_prefix(field)).expect("the kernel counts it");
        line.trim().trim_end_matches(" kB").parse().expect("a number")
    };
    let before = most("VmHWM:");
    for list in ["sprig_list $x $x", "sprig_dict `a` $x `b` $x"] {
        let bomb = format!(
            "{{{{ $x := sprig_list 1 1 }}}}{{{{ range loop 60 }}}}{{{{ $x = {list} }}}}{{{{ end }}}}{{{{ sprig_deepCopy $x | len }}}}"
        );
        let error = fails(&bomb, Limits::default());
        assert!(error.kind == ExecErrorKind::Limit && error.message.contains("values at once"), "{error}");
    }
    // Twice the limit of a text, for what an allocator adds, and for what the other tests here use meanwhile.
    let grown = most("VmHWM:") - before;
    assert!(grown < 256 << 10, "{grown} KiB");
}

#[test]
fn a_list_that_is_deeper_than_the_stack_is_an_error() {
    let deep = "{{ $l := sprig_list 1 }}{{ range loop 100000 }}{{ $l = sprig_list $l }}{{ end }}";
    for (walk, why) in [
        ("{{ $l }}", "too much output"),
        ("{{ toTOML (sprig_dict `a` $l) }}", "nested too deeply"),
        ("{{ toJSON $l }}", "nested too deeply"),
        ("{{ toYAML $l }}", "nested too deeply"),
        ("{{ sprig_toJson $l }}", "nested too deeply"),
        ("{{ sprig_deepCopy $l }}", "nested too deeply"),
        ("{{ sprig_deepEqual $l $l }}", "nested too deeply"),
    ] {
        let error = fails(&format!("{deep}{walk}"), Limits::default());
        assert!(error.message.contains(why) && error.kind == ExecErrorKind::Limit, "{walk}: {error}");
    }
}

#[test]
fn what_is_beyond_our_limits_is_an_error_also_where_sprig_answers_nothing() {
    for (template, limits, why) in [
        (
            "{{ sprig_fromJson (printf `[%s1]` (sprig_repeat 70000 `1,`)) }}",
            Limits::default(),
            "too many values",
        ),
        ("{{ sprig_fromJson (printf `%s1` (sprig_repeat 200 `[`)) }}", SMALL, "nested too deeply"),
        ("{{ sprig_toJson (sprig_repeat 20000 `<`) }}", SMALL, "too much text"),
        (r"{{ sprig_regexMatch `^\pL{1000}\pL{1000}$` `a` }}", SMALL, "too large"),
    ] {
        let error = fails(template, limits);
        assert!(error.message.contains(why) && error.kind == ExecErrorKind::Limit, "{template}: {error}");
    }
}

#[test]
fn a_text_of_megabytes_can_be_split_by_lines() {
    let lines = r#"{{ split "\n" (sprig_repeat 30000 (printf "%0100d\n" 1)) | len }}"#;
    let text = rendered(lines, &Store(HashMap::new()), &environment()).expect("lines");
    assert_eq!(text.expose(), b"30000");
    let letters = fails("{{ sprig_splitList `` (sprig_repeat 60000 `a`) }}", SMALL);
    assert!(letters.message.contains("too much text for one rendering"), "{letters}");
}

#[test]
fn a_list_is_asked_for_as_a_list() {
    assert_eq!(request("kv/dir/").verb, Verb::List);
}
