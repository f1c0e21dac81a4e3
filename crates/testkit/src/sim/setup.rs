//! What a world begins with: paths on the server, the login's role, files, and how long it lives.

use std::time::Duration;

use leasehold_core::ids::{FileId, NotifierId, UnitId};
use leasehold_core::policy::{FilePolicy, Mode, NotifierPolicy, Policy, SinkPolicy, UnitPolicy};
use leasehold_core::policy::{OnChange, ShutdownPlan, Wait};

use super::application::{ApplicationSetup, NOTIFIER};
use super::cluster::ClusterSetup;
use super::dice::Dice;
use super::faults;
use super::server::{ELSEWHERE, ORPHAN};
use super::stores::{self, StoreSetup};

const fn secs(n: u64) -> Duration {
    Duration::from_secs(n)
}

/// The kind of secret that a path holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    Kv,
    Dynamic { ttl: Duration, max: Duration, renewable: bool },
    Static { period: Duration },
    Certificate { life: Duration },
}

/// What a login is granted.
#[derive(Debug, Clone, Copy)]
pub struct Role {
    pub ttl: Option<Duration>,
    pub max: Option<Duration>,
    pub renewable: bool,
    pub batch: bool,
    /// Without the default policy a token may not look itself up, renew or revoke itself.
    pub default_policy: bool,
    pub uses: Option<u64>,
}

/// A file: the paths that it uses, as they are written in it, and how often they are polled.
#[derive(Debug, Clone)]
pub struct FileSetup {
    pub paths: Vec<String>,
    /// A path whose version chooses a further path, by being odd or even. A template does the same if it takes a path
    /// from another secret.
    pub choice: Option<(String, [String; 2])>,
    pub refresh: Duration,
    pub wait: Option<Wait>,
    /// Set if the file is a sink, which holds the login's token.
    pub sink: Option<SinkPolicy>,
}

#[derive(Debug, Clone)]
pub struct Setup {
    pub paths: Vec<(String, Kind)>,
    /// The stores beside the Vault.
    pub stores: Vec<StoreSetup>,
    pub role: Role,
    pub files: Vec<FileSetup>,
    /// How many of the first files are the set. The others stand alone.
    pub members: usize,
    pub handoff: bool,
    /// Set if the units are Secrets of Kubernetes instead of files.
    pub cluster: Option<ClusterSetup>,
    /// An init container runs first.
    pub init: bool,
    /// How the process of `exec` behaves, if there is one.
    pub application: Option<ApplicationSetup>,
    pub owns_token: bool,
    /// The server locks the account after five refused logins.
    pub locks_out: bool,
    /// Faults are drawn up to this time. After it, the world is calm until `end`.
    pub trouble: Duration,
    pub end: Duration,
    pub faults: u64,
    /// Only what the test plans changes or fails.
    pub quiet: bool,
    /// A proxy answers for the server now and then.
    pub proxied: bool,
    pub delay: Duration,
    pub standby_lag: Duration,
    /// How long after the time of its rotation the password of a static role changes.
    pub late: Duration,
    pub seed: u64,
}

impl Setup {
    /// Draws the setup of a world from `seed`.
    pub fn random(seed: u64) -> Self {
        let mut dice = Dice::new(seed);
        let paths = elsewhere(seed, random_paths(&mut dice));
        let mut files = random_files(&mut dice, &paths);
        let mut members = usize::try_from(dice.below(files.len() as u64 + 1)).expect("small");
        // Of its own, so that the rest of each world stays as it was before there were sinks.
        let mut own = Dice::new(seed ^ 0x51_4b);
        if own.chance(30) {
            let wrapped = SinkPolicy::Wrapped(secs(300));
            let sink = Some(if own.chance(50) { SinkPolicy::Plain } else { wrapped });
            let place = usize::try_from(own.below(members as u64 + 1)).expect("small");
            files.insert(
                place,
                FileSetup { paths: Vec::new(), choice: None, refresh: secs(300), wait: None, sink },
            );
            members += 1;
        }
        let stores = stores::random(seed, &mut files, &mut members);
        let trouble = secs(dice.pick(&[600, 1200, 2400]));
        let role = random_role(&mut dice);
        let (handoff, init) = (dice.chance(50), dice.chance(30));
        let application = ApplicationSetup::random(seed);
        let alone = !init && application.is_none() && files.iter().all(|file| file.sink.is_none());
        Self {
            handoff,
            cluster: ClusterSetup::random(seed).filter(|_| alone),
            init,
            application,
            owns_token: dice.chance(90),
            // Of its own, too.
            locks_out: Dice::new(seed ^ 0x10c4).chance(50),
            // Some are stopped in the middle of it all.
            end: if dice.chance(15) { dice.seconds(1, trouble.as_secs()) } else { trouble + secs(2700) },
            faults: dice.below(7),
            quiet: false,
            proxied: faults::is_proxied(seed),
            delay: if dice.chance(20) { secs(5) } else { Duration::ZERO },
            standby_lag: if dice.chance(20) { dice.seconds(1, 4) } else { Duration::ZERO },
            // Of its own, too.
            late: secs(Dice::new(seed ^ 0x1a7e).pick(&[0, 0, 0, 1, 3])),
            trouble,
            paths,
            stores,
            role,
            files,
            members,
            seed,
        }
    }

    /// Returns the setup of a quiet world for named scenarios: one path, in one file of the set.
    pub fn plain(path: &str, kind: Kind) -> Self {
        Self {
            paths: vec![(path.to_owned(), kind)],
            stores: Vec::new(),
            role: Role {
                ttl: Some(secs(3600)),
                max: None,
                renewable: true,
                batch: false,
                default_policy: true,
                uses: None,
            },
            files: vec![FileSetup {
                paths: vec![path.to_owned()],
                choice: None,
                refresh: secs(10),
                wait: None,
                sink: None,
            }],
            members: 1,
            handoff: false,
            cluster: None,
            init: false,
            application: None,
            owns_token: true,
            locks_out: false,
            trouble: Duration::ZERO,
            end: secs(7200),
            faults: 0,
            quiet: true,
            proxied: false,
            delay: Duration::ZERO,
            standby_lag: Duration::ZERO,
            late: Duration::ZERO,
            seed: 1,
        }
    }

    /// Returns the mode in which the process runs after an `init`: `exec` if there is an application, or else daemon.
    pub fn mode(&self) -> Mode {
        match self.application {
            Some(_) => Mode::Exec { timeout: secs(120) },
            None => Mode::Daemon,
        }
    }

    /// Returns the unit with which a file is published.
    pub fn unit_of(&self, file: FileId) -> UnitId {
        let first = usize::from(self.members > 0);
        UnitId(if file.0 < self.members { 0 } else { first + file.0 - self.members })
    }

    /// Returns the files of a unit.
    pub fn files_of(&self, unit: UnitId) -> impl Iterator<Item = FileId> {
        (0..self.files.len()).map(FileId).filter(move |file| self.unit_of(*file) == unit)
    }

    /// Returns which notifier is notified of a file's changes, besides the process of `exec`. A variable of that
    /// process has none.
    pub fn notifier_of(&self, file: FileId) -> Option<NotifierId> {
        (!self.is_variable(file)).then_some(NotifierId(file.0 % 2))
    }

    fn notifiers_of(&self, file: FileId, mode: Mode) -> Vec<NotifierId> {
        let process = self.application.filter(|_| matches!(mode, Mode::Exec { .. }));
        let told = process.filter(|process| process.on_change != OnChange::Ignore).map(|_| NOTIFIER);
        self.notifier_of(file).into_iter().chain(told).collect()
    }

    pub fn policy(&self, mode: Mode) -> Policy {
        let set: Vec<FileId> = (0..self.members).map(FileId).collect();
        let mut units = Vec::new();
        if !set.is_empty() {
            units.push(UnitPolicy { files: set });
        }
        units.extend((self.members..self.files.len()).map(|file| UnitPolicy { files: vec![FileId(file)] }));
        let file = |(index, file): (usize, &FileSetup)| FilePolicy {
            name: format!("file-{index}"),
            unit: self.unit_of(FileId(index)),
            refresh: file.refresh,
            wait: file.wait,
            notify: self.notifiers_of(FileId(index), mode),
            sink: file.sink,
        };
        // The first values of a Secret have no readers that had others.
        let on_first = self.cluster.is_none();
        let notifier = |name: &str| NotifierPolicy { name: name.into(), splay: secs(1), on_first };
        let mut notifiers = vec![notifier("app"), notifier("nginx")];
        let process = self.application.filter(|_| matches!(mode, Mode::Exec { .. }));
        notifiers.extend(process.map(|setup| NotifierPolicy {
            name: "exec".into(),
            splay: setup.splay,
            on_first: true,
        }));
        let variable = self.is_variable(FileId(self.files.len() - 1));
        let environment = variable.then(|| UnitId(units.len() - 1));
        Policy {
            mode,
            files: self.files.iter().enumerate().map(file).collect(),
            units,
            notifiers,
            stores: self.stores.iter().map(StoreSetup::policy).collect(),
            logs_in: true,
            on_init: Default::default(),
            child: process.map(|setup| setup.policy(environment)),
            // A controller with a handoff hands over.
            shutdown: ShutdownPlan { revoke: self.cluster.is_none() || !self.handoff, delay: self.delay },
            rehearsal: false,
            handoff: self.handoff,
            owns_token: self.owns_token,
            sees_token: true,
            locks_out: self.locks_out,
            login_advice: String::new(),
            first_ready: Default::default(),
            binds_certificate: false,
            max_in_flight: 8,
            seed: self.seed,
        }
    }
}

fn random_paths(dice: &mut Dice) -> Vec<(String, Kind)> {
    let count = 1 + dice.below(5);
    (0..count)
        .map(|index| match dice.below(8) {
            0..=2 => (format!("secret/data/kv-{index}"), Kind::Kv),
            3..=5 => {
                let ttl = secs(dice.pick(&[60, 120, 300, 600, 1800]));
                let max = ttl * u32::try_from(1 + dice.below(6)).expect("small");
                (format!("database/creds/db-{index}"), Kind::Dynamic { ttl, max, renewable: dice.chance(80) })
            }
            6 => {
                let period = secs(dice.pick(&[60, 300, 900]));
                (format!("database/static-creds/st-{index}"), Kind::Static { period })
            }
            _ => {
                let life = secs(dice.pick(&[300, 900, 3600]));
                (format!("pki/issue/pk-{index}"), Kind::Certificate { life })
            }
        })
        .collect()
}

/// Moves dynamic credentials to another namespace in some worlds, and makes orphan tokens of them in others. The
/// function has dice of its own, as sinks have.
fn elsewhere(seed: u64, mut paths: Vec<(String, Kind)>) -> Vec<(String, Kind)> {
    let mut own = Dice::new(seed ^ 0x7ea3);
    if own.chance(20) {
        for (path, _) in paths.iter_mut().filter(|(_, kind)| matches!(kind, Kind::Dynamic { .. })) {
            *path = format!("{ELSEWHERE}{path}");
        }
    } else if own.chance(15) {
        for (path, _) in paths.iter_mut().filter(|(_, kind)| matches!(kind, Kind::Dynamic { .. })) {
            *path = format!("{ORPHAN}{path}");
        }
    }
    paths
}

fn random_role(dice: &mut Dice) -> Role {
    let ttl = secs(dice.pick(&[120, 300, 900, 3600]));
    let max = dice.chance(60).then(|| ttl * u32::try_from(2 + dice.below(4)).expect("small"));
    let batch = dice.chance(10);
    Role {
        ttl: (!dice.chance(5)).then_some(ttl),
        max,
        renewable: !batch && dice.chance(85),
        batch,
        default_policy: dice.chance(85),
        uses: dice.chance(5).then(|| 20 + dice.below(100)),
    }
}

fn random_files(dice: &mut Dice, paths: &[(String, Kind)]) -> Vec<FileSetup> {
    let count = 1 + dice.below(4);
    let mut files: Vec<FileSetup> = (0..count)
        .map(|_| FileSetup {
            paths: Vec::new(),
            choice: None,
            refresh: secs(dice.pick(&[30, 60, 120, 300])),
            wait: dice.chance(15).then(|| Wait { min: secs(1), max: secs(5) }),
            sink: None,
        })
        .collect();
    // Every path is used by someone, some by several, and not always written alike.
    for (path, kind) in paths {
        for _ in 0..=dice.below(2) {
            let file = usize::try_from(dice.below(count)).expect("small");
            let plain = *kind == Kind::Kv && dice.chance(50);
            let path = if plain { path.replacen("/data/", "/", 1) } else { path.clone() };
            files[file].paths.push(path);
        }
    }
    let chooser = paths.iter().find(|(_, kind)| *kind == Kind::Kv);
    if let (Some((chooser, _)), true) = (chooser, dice.chance(30)) {
        let mut any = || paths[usize::try_from(dice.below(paths.len() as u64)).expect("small")].0.clone();
        files[0].choice = Some((chooser.clone(), [any(), any()]));
    }
    for file in &mut files {
        file.paths.sort();
        file.paths.dedup();
    }
    files
}
