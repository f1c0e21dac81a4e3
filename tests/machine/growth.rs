//! Cost grows with what there is, and not with its square: each of these is counted for so many, for twice and for four
//! times as many. On a straight line, the second step costs twice as much as the first, whatever the fixed part is; on a
//! parabola, four times.
//!
//! Counted are instructions of a debug build, as in [`instructions`](crate::instructions): neither a busy machine nor
//! another one changes them by more than a few in a hundred.

use std::time::Duration;

use leasehold::core::event::Event;
use leasehold::core::policy::{FirstReady, Mode};
use leasehold::core::view::{Counters, Health, Outlook, Readiness, TroubledFile, Unheard};
use leasehold::functions;
use leasehold::observe::life::Life;
use leasehold::template::Template;
use leasehold_base::time::Moment;

use crate::instructions::{World, count_in, plan, workload};
use crate::support::{have, need};

const TEST: &str = "growth::no_curve_bends";

/// The smaller number of each.
const FEW: usize = 40;

/// How much more the second step may cost than the first: a search tree is a little deeper, and tables grow by steps.
const MOST: f64 = 2.15;

/// What is counted: its name, and a configuration with so many of it.
type Case = (&'static str, fn(usize) -> String);

/// All that is counted with an engine.
const CASES: [Case; 5] = [
    ("files of a set", |number| files(number, "f", "secret/app/")),
    ("absolute files", |number| files(number, "/leasehold/alone/f", "secret/app/")),
    (WAITED_FOR, |number| files(number, "f", "secret/app/")),
    ("leases with a handoff", |number| {
        format!("handoff: {{file: /leasehold/handoff/state}}\n{}", files(number, "f", "database/creds/"))
    }),
    ("secrets of one file", |number| {
        let call = |index| {
            format!(
                "    {{{{ with secret \"secret/app/{index}\" }}}}{{{{ .Data.data.user }}}}{{{{ end }}}}\n"
            )
        };
        let calls: String = (0..number).map(call).collect();
        format!("files:\n- path: all\n  template: |\n{calls}")
    }),
];

/// The case in which a service manager waits for a daemon.
const WAITED_FOR: &str = "files that a service manager waits for";

/// The case whose text is a template of so many calls, and not a configuration.
const CALLS: &str = "calls of a template";

/// The case that is a look at so many files that have expired, and at as many notifiers that cannot be reached.
const LOOKS: &str = "looks at files that have expired";

fn files(number: usize, path: &str, secret: &str) -> String {
    let file = |index| format!("- {{path: '{path}{index}', secret: '{secret}{index}#username'}}\n");
    let file = |index| {
        if secret.starts_with("secret") { file(index).replace("#username", "#user") } else { file(index) }
    };
    format!("files:\n{}", (0..number).map(file).collect::<String>())
}

fn configuration(files: &str) -> Vec<u8> {
    let head = "vault: {address: 'https://vault.example.com'}\nauth: {method: kubernetes, role: web}\n\
                secrets_dir: /leasehold/secrets\n";
    format!("{head}{files}").into_bytes()
}

// The names of these are given to valgrind: only what happens in them is counted.

#[inline(never)]
fn counted_init(text: Vec<u8>) -> World {
    let mut world = World::of(plan(text), Mode::Init { timeout: Duration::from_secs(120) });
    world.give(Event::Start { kept: None, rebooted: false });
    world
}

#[inline(never)]
fn counted_start(text: Vec<u8>) -> World {
    let mut world = World::waited_for(plan(text), Mode::Daemon, FirstReady::Awaited);
    world.give(Event::Start { kept: None, rebooted: false });
    world
}

#[inline(never)]
fn counted_calls(text: &str) -> usize {
    let template = Template::parse("t", text.as_bytes(), None, functions::all()).expect("a template");
    template.calls().len() + template.fields_of("secret").len()
}

#[inline(never)]
fn counted_looks(outlook: &Outlook) -> usize {
    let mut life = Life::default();
    life.look(outlook).len() + life.look(outlook).len()
}

fn expired(number: usize) -> Outlook {
    let now = Moment::new(Duration::from_secs(1000));
    let file = |index| TroubledFile {
        name: format!("application-{index:05}.env"),
        health: Health::Expired(now),
        error: None,
        failures: 0,
    };
    let notifier = |index| Unheard { name: format!("application-{index:05}"), why: "no".into(), failures: 1 };
    Outlook {
        now,
        readiness: Readiness::Expired { file: String::new(), why: String::new() },
        until: None,
        logged_out: None,
        login: None,
        outage: None,
        silence: None,
        away: Vec::new(),
        files: number,
        troubled: (0..number).map(file).collect(),
        notifiers: number,
        unheard: (0..number).map(notifier).collect(),
        counters: Counters::default(),
    }
}

/// Does what is counted: `WORKLOAD` is the name of a case and a number.
fn run(workload: &str) {
    let (name, number) = workload.rsplit_once(' ').expect("a name and a number");
    let number: usize = number.parse().expect("a number");
    if name == CALLS {
        // Lines between the calls make a count from the start of the text expensive.
        let call = |index| {
            format!("line\nline {{{{ with secret \"a/{index}\" }}}}{{{{ .Data.key }}}}{{{{ end }}}}\n")
        };
        let text: String = (0..number).map(call).collect();
        assert!(counted_calls(&text) >= 2 * number);
        return;
    }
    if name == LOOKS {
        assert!(counted_looks(&expired(number)) >= number, "each expiry is logged");
        return;
    }
    let (_, text) = CASES.into_iter().find(|(case, _)| *case == name).expect("a case");
    if name == WAITED_FOR {
        assert!(counted_start(configuration(&text(number))).engine.was_ready());
        return;
    }
    let world = counted_init(configuration(&text(number)));
    assert!(world.ended);
    if name.contains("lease") {
        assert_eq!(world.written, number, "each lease is written down once");
    }
}

#[test]
fn no_curve_bends() {
    if let Some(workload) = workload() {
        return run(&workload);
    }
    let function = |name| if name == WAITED_FOR { "counted_start" } else { "counted_init" };
    let counted = CASES.map(|(name, _)| (name, function(name), FEW)).into_iter();
    // These cost so little for each that more of them show how they grow.
    let cheap = [(CALLS, "counted_calls", 10 * FEW), (LOOKS, "counted_looks", 10 * FEW)];
    let cases: Vec<_> = counted.chain(cheap).collect();
    cases.iter().for_each(|(name, _, few)| run(&format!("{name} {few}")));
    if !need("valgrind", "apt-get install valgrind", have("valgrind")) {
        return;
    }
    let ratio = |(name, function, few): &(&str, &str, usize)| {
        let count = |number: usize| count_in(TEST, &format!("{name} {number}"), function) as f64;
        let [one, two, four] = [*few, 2 * few, 4 * few].map(count);
        (name.to_string(), (four - two) / (two - one))
    };
    let ratios: Vec<(String, f64)> = cases.iter().map(ratio).collect();
    let bent: Vec<_> = ratios.iter().filter(|(_, ratio)| *ratio > MOST).collect();
    assert!(
        bent.is_empty(),
        "the second step costs more than {MOST} times the first: {bent:?} of {ratios:?}"
    );
}
