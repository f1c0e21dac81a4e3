//! Stores beside the Vault. They keep values with versions, and each of them fails on its own.

use std::collections::BTreeMap;
use std::time::Duration;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_core::event::{Event, Life, ReadFacts};
use leasehold_core::ids::{SecretId, StoreId};
use leasehold_core::policy::StorePolicy;

use super::dice::Dice;
use super::driver::Load;
use super::faults::{Fault, Planned};
use super::server::Value;
use super::setup::{FileSetup, Setup};
use super::world::{Next, World};
use super::{HOUR, secs};

/// A client gives up on a store after this time.
const TIMEOUT: Duration = secs(15);

/// The health of a store as a whole.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreHealth {
    /// Connections are refused.
    Down,
    /// Connections are accepted, and no answer comes.
    Hanging,
    /// It asks for a later retry, with or without a time.
    Throttled(Option<Duration>),
}

/// A store, as a world begins with it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoreSetup {
    /// The first segment of its paths.
    pub name: String,
    pub paths: Vec<String>,
}

impl StoreSetup {
    pub fn policy(&self) -> StorePolicy {
        StorePolicy { name: self.name.clone(), max_in_flight: 4 }
    }
}

/// A value of a store, and since when the store has it.
#[derive(Debug, Clone)]
pub struct Stored {
    pub version: u64,
    pub changed: Duration,
    pub refused: Option<FailureKind>,
    /// When the store last began to refuse it, or to return it again.
    pub turned: Duration,
}

/// A store.
#[derive(Debug)]
pub struct StoreServer {
    pub name: String,
    pub values: BTreeMap<String, Stored>,
    /// What is wrong with it, if anything.
    pub health: Option<StoreHealth>,
    /// Since when the store has this health.
    pub since: Duration,
    /// When it was asked.
    pub asked: Vec<Duration>,
}

impl StoreServer {
    pub fn new(setup: &StoreSetup) -> Self {
        let value = Stored { version: 1, changed: Duration::ZERO, refused: None, turned: Duration::ZERO };
        let values = setup.paths.iter().map(|path| (path.clone(), value.clone())).collect();
        Self { name: setup.name.clone(), values, health: None, since: Duration::ZERO, asked: Vec::new() }
    }

    /// Returns what the store answers, and after how long.
    fn answer(&self, path: &str) -> (Duration, Result<Value, Failure>) {
        let fail = |wait, kind, why: &str| (wait, Err(Failure::new(kind, why)));
        match self.health {
            Some(StoreHealth::Down) => fail(Duration::ZERO, FailureKind::Unreachable, "connection refused"),
            Some(StoreHealth::Hanging) => fail(TIMEOUT, FailureKind::Unheard, "timed out"),
            Some(StoreHealth::Throttled(after)) => {
                fail(Duration::ZERO, FailureKind::Overloaded(after), "too many requests")
            }
            None => match self.values.get(path) {
                Some(Stored { refused: Some(kind), .. }) => fail(Duration::ZERO, *kind, "it is refused"),
                Some(stored) => {
                    (Duration::ZERO, Ok(Value { version: stored.version, lease: None, bad: false }))
                }
                None => fail(Duration::ZERO, FailureKind::Missing, "it does not have it"),
            },
        }
    }
}

impl World {
    /// Asks a store. What it answers now arrives in a moment.
    pub(super) fn fetch(
        &mut self,
        run: u64,
        store: StoreId,
        secret: SecretId,
        path: &str,
    ) -> Result<(), String> {
        self.totals.requests += 1;
        let (now, sent) = (self.now, self.boot.moment(self.now));
        let server = self.stores.get_mut(store.0);
        let server = server.filter(|server| path.split('/').next() == Some(&server.name));
        let Some(server) = server else { return Err(format!("{path} is asked of {store:?}")) };
        server.asked.push(now);
        let (wait, answer) = server.answer(path);
        let mut load = Load::Nothing;
        let result = answer.map(|value| {
            let version = Some(value.version);
            load = Load::Value { path: path.to_owned(), value };
            ReadFacts {
                lease: None,
                life: Life::Unknown,
                version,
                version_id: None,
                changed: false,
                rotated: false,
            }
        });
        let way = wait + self.dice.millis(1, 8);
        self.push(way, Next::Tell { run, event: Event::Fetched { store, secret, sent, result }, load });
        Ok(())
    }

    pub(super) fn change_in_store(&mut self, path: &str) {
        let now = self.now;
        let mut values = self.stores.iter_mut().filter_map(|store| store.values.get_mut(path));
        if let Some(value) = values.next() {
            value.version += 1;
            value.changed = now;
        }
    }

    /// Returns the store that keeps this path.
    pub fn store_of(&self, path: &str) -> Option<&StoreServer> {
        self.stores.iter().find(|store| store.values.contains_key(path))
    }
}

/// Applies the faults that are on to the stores.
pub(super) fn apply(faults: &[Fault], stores: &mut [StoreServer], now: Duration) {
    for (index, store) in stores.iter_mut().enumerate() {
        let health = faults.iter().find_map(|fault| match fault {
            Fault::Store(number, health) if *number == index => Some(*health),
            _ => None,
        });
        if std::mem::replace(&mut store.health, health) != health {
            store.since = now;
        }
        for (name, value) in &mut store.values {
            let refused = faults.iter().find_map(|fault| match fault {
                Fault::StoreRefuses(path, kind) if path == name => Some(*kind),
                _ => None,
            });
            if std::mem::replace(&mut value.refused, refused) != refused {
                value.turned = now;
            }
        }
    }
}

/// Puts one to three stores beside the Vault of some worlds. Each store has a file of its own, and a part in one of the
/// other files. The function has dice of its own, so that the other worlds stay as they were.
pub fn random(seed: u64, files: &mut Vec<FileSetup>, members: &mut usize) -> Vec<StoreSetup> {
    let mut own = Dice::new(seed ^ 0x570e);
    if !own.chance(30) {
        return Vec::new();
    }
    let count = 1 + own.below(3);
    let mut stores = Vec::new();
    for number in 0..count {
        let name = format!("cloud-{number}");
        let paths: Vec<String> = (0..=own.below(2)).map(|path| format!("{name}/s-{path}")).collect();
        let refresh = secs(own.pick(&[30, 60, 120]));
        // Before the last file, which may be variables.
        let file = FileSetup { paths: paths.clone(), choice: None, refresh, wait: None, sink: None };
        files.insert(0, file);
        *members += 1;
        let others: Vec<usize> = (0..files.len()).filter(|index| files[*index].sink.is_none()).collect();
        let mixed = others[usize::try_from(own.below(others.len() as u64)).expect("small")];
        let path = &paths[usize::try_from(own.below(paths.len() as u64)).expect("small")];
        if !files[mixed].paths.contains(path) {
            files[mixed].paths.push(path.clone());
        }
        stores.push(StoreSetup { name, paths });
    }
    stores
}

/// The failures with which a store refuses a path that is there.
const REFUSED: [FailureKind; 4] =
    [FailureKind::Denied, FailureKind::Missing, FailureKind::Refused, FailureKind::Nonsense];

/// Plans failures of the stores, each on its own, and changes of their values.
pub(super) fn plan(setup: &Setup, all: &mut Vec<Planned>) {
    let mut own = Dice::new(setup.seed ^ 0x570f);
    let span = setup.trouble.as_secs();
    for (number, store) in setup.stores.iter().enumerate() {
        for _ in 0..own.below(3) {
            let health = match own.below(4) {
                0 => StoreHealth::Hanging,
                1 => StoreHealth::Throttled(own.chance(50).then(|| secs(own.pick(&[2, 20, 600])))),
                _ => StoreHealth::Down,
            };
            let lasts = own.pick(&[secs(5), secs(60), secs(900), HOUR]);
            let at = own.millis(0, span * 700);
            all.push(Planned { at, lasts, fault: Fault::Store(number, health) });
        }
        for path in &store.paths {
            if own.chance(20) {
                let fault = Fault::StoreRefuses(path.clone(), own.pick(&REFUSED));
                all.push(Planned { at: own.millis(0, span * 700), lasts: own.seconds(1, 600), fault });
            }
            for _ in 0..2 + own.below(3) {
                let at = own.millis(0, setup.end.as_secs().saturating_sub(400) * 1000);
                let fault = Fault::StoreChange(path.clone());
                all.push(Planned { at, lasts: Duration::ZERO, fault });
            }
        }
    }
}
