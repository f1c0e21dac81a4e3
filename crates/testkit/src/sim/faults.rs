//! What goes wrong, when, and for how long. The seed decides it before the world begins.

use std::time::Duration;

use leasehold_base::failure::FailureKind;
use leasehold_core::event::Loss;

use super::cluster::Api;
use super::dice::Dice;
use super::proxy::Interference;
use super::server::Health;
use super::setup::{Kind, Setup};
use super::stores::StoreHealth;

/// One thing that happens. A fault with a duration is mended after that.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// The server as a whole has this health.
    Health(Health),
    /// Requests and answers are lost, late or reset in this many of a hundred cases.
    Network(u64),
    /// A proxy in front of the server answers for it.
    Proxy(Interference),
    /// The server does what it is asked, and no answer arrives.
    AnswersLost,
    /// The policy denies a path.
    Denied(String),
    /// A path is deleted.
    Missing(String),
    /// The secrets engine behind a path fails in this way.
    Broken(String, FailureKind),
    /// A KV value is not what templates expect.
    BadData(String),
    /// The KV engine is mounted anew, as version 1. What was below `data/` is then found without that segment.
    Downgraded,
    /// Renewals of leases are answered "lease not found".
    LeasesForgotten,
    /// Logins are refused.
    LoginsRefused,
    /// Logins are refused until the credentials on disk are changed: the file was late.
    CredentialsStale,
    /// Everything is denied, logins too. The denials come from something in front of the server, in the words of the
    /// server.
    AllDenied,
    /// Token renewals fail, and nothing else does.
    TokensStuck,
    /// Logins are granted in a wrapping, and another client has unwrapped the token.
    WrappingStolen,
    /// All tokens are revoked.
    TokensRevoked,
    /// All leases are revoked, by an operator.
    LeasesRevoked,
    /// Logins get tokens that live only this long.
    ShortTokens(Duration),
    /// Publishing fails.
    DiskFull,
    /// The handoff cannot be written.
    HandoffFull,
    /// Notifiers fail.
    NotifiersFail,
    /// Another process removes or changes a published file, or removes the link to all files of its unit.
    Lost { file: u64, link: bool, how: Loss },
    /// The answers to logins take this much longer.
    SlowLogins(Duration),
    /// All answers take this much longer.
    Slow(Duration),
    /// The wall clock jumps by this many seconds.
    WallJump(i64),
    /// The machine sleeps.
    Suspend(Duration),
    /// The process is killed and started again.
    Kill,
    /// The process is killed and started again, and its handoff is lost.
    KillAndForget,
    /// The process is killed at a write of the handoff, and started again. `after` writes come before that one, and
    /// `written` is true if it is on disk by then.
    KillAtWrite { after: u64, written: bool },
    /// The process is told to stop, and started again. It is killed if it takes longer than this.
    Restart(Duration),
    /// The machine is restarted, which takes this long. What is on disk stays.
    Reboot(Duration),
    /// The configuration is read again (HUP).
    Reload,
    /// A refresh is requested.
    Refresh,
    /// The store of this number has this health, as a whole.
    Store(usize, StoreHealth),
    /// A store refuses one path in this way.
    StoreRefuses(String, FailureKind),
    /// A value of a store changes.
    StoreChange(String),
    /// The API server, to which Secrets are published, fails in this way.
    Api(Api),
    /// A KV value changes. This is not a fault, but what everything is about.
    Change(String),
}

impl Fault {
    /// Returns whether the fault harms nothing by itself, or is a proxy that can be told from the server.
    pub fn is_tame(&self) -> bool {
        match self {
            Self::Proxy(proxy) => !proxy.is_genuine(),
            Self::Reload | Self::Refresh | Self::Change(_) | Self::StoreChange(_) | Self::Lost { .. } => true,
            _ => false,
        }
    }

    /// Returns whether the fault is a store's. Such a fault harms only what is read from that store.
    pub fn is_of_stores(&self) -> bool {
        matches!(self, Self::Store(..) | Self::StoreRefuses(..))
    }

    /// Returns whether the fault makes a good token or lease look dead.
    pub fn misleads(&self) -> bool {
        match self {
            Self::Proxy(proxy) => proxy.is_genuine(),
            // What was granted unheard looks over before it is.
            Self::AllDenied
            | Self::TokensStuck
            | Self::LeasesForgotten
            | Self::AnswersLost
            | Self::Network(_)
            | Self::Health(Health::Hanging) => true,
            _ => false,
        }
    }
}

/// A fault with its time.
#[derive(Debug, Clone)]
pub struct Planned {
    pub at: Duration,
    pub lasts: Duration,
    pub fault: Fault,
}

/// Plans the faults of a world with this setup.
pub fn plan(setup: &Setup, dice: &mut Dice) -> Vec<Planned> {
    let mut all = Vec::new();
    let span = setup.trouble.as_secs();
    for _ in 0..setup.faults {
        let fault = random(setup, dice);
        let most = (span / 3).max(2);
        all.push(Planned { at: dice.millis(0, span * 700), lasts: dice.seconds(1, most), fault });
    }
    // Dice of their own: the other worlds stay what they were.
    let mut own = Dice::new(setup.seed ^ 0xb007);
    if setup.faults > 0 && own.chance(15) {
        let fault = Fault::Reboot(own.seconds(20, 600));
        all.push(Planned { at: own.millis(0, span * 700), lasts: Duration::ZERO, fault });
    }
    if setup.faults > 0 && own.chance(25) {
        for _ in 0..3 {
            all.push(Planned { at: own.millis(0, span * 700), lasts: Duration::ZERO, fault: Fault::Reload });
        }
    }
    let mut own = Dice::new(setup.seed ^ 0xca1f);
    if setup.faults > 0 && own.chance(25) {
        let fault = if own.chance(60) { Fault::AllDenied } else { Fault::TokensStuck };
        all.push(Planned { at: own.millis(0, span * 700), lasts: own.seconds(1, 60), fault });
    }
    if !setup.quiet {
        downgrade(setup, &mut all);
        interfere(setup, &mut all);
        meddle(setup, &mut all);
        slow_down(setup, &mut all);
        super::stores::plan(setup, &mut all);
        super::cluster::plan(setup, &mut all);
    }
    let mut own = Dice::new(setup.seed ^ 0xdead);
    if setup.faults > 0 && own.chance(40) {
        for _ in 0..2 {
            let fault = if own.chance(50) {
                Fault::KillAtWrite { after: own.below(4), written: own.chance(50) }
            } else {
                Fault::Restart(own.millis(0, 60))
            };
            all.push(Planned { at: own.millis(0, span * 700), lasts: Duration::ZERO, fault });
        }
    }
    // Dice of their own, too.
    let mut own = Dice::new(setup.seed ^ 0x57a7);
    for (path, kind) in setup.paths.iter().filter(|_| !setup.quiet) {
        if matches!(kind, Kind::Static { .. }) && own.chance(60) {
            let at = own.millis(0, setup.end.as_secs().saturating_sub(400) * 1000);
            all.push(Planned { at, lasts: Duration::ZERO, fault: Fault::Change(path.clone()) });
        }
        if *kind == Kind::Kv {
            for _ in 0..2 + dice.below(3) {
                let at = dice.millis(0, setup.end.as_secs().saturating_sub(400) * 1000);
                all.push(Planned { at, lasts: Duration::ZERO, fault: Fault::Change(path.clone()) });
            }
        }
    }
    all
}

/// In this many worlds of a hundred, a proxy stands in front of the server.
const PROXIED: u64 = 30;

/// Returns whether a proxy stands in front of the server of this world.
pub fn is_proxied(seed: u64) -> bool {
    Dice::new(seed ^ 0x9a6e).chance(PROXIED)
}

/// Plans that a proxy answers for the server now and then. In some worlds this comes beside the other faults, and in
/// some it is all that happens.
fn interfere(setup: &Setup, all: &mut Vec<Planned>) {
    if !setup.proxied {
        return;
    }
    let mut own = Dice::new(setup.seed ^ 0x9a6f);
    if own.chance(60) {
        all.retain(|planned| matches!(planned.fault, Fault::Reload | Fault::Refresh));
    }
    for _ in 0..=own.below(3) {
        let genuine = own.chance(15);
        let (proxy, lasts) = if genuine {
            (Interference::mesh(), own.seconds(1, 30))
        } else {
            let most = own.pick(&[10, 60, 600]);
            (Interference::random(setup, &mut own), own.seconds(1, most))
        };
        let at = own.millis(0, setup.trouble.as_secs() * 700);
        all.push(Planned { at, lasts, fault: Fault::Proxy(proxy) });
    }
}

/// Plans, in some worlds, that another version of the KV engine is mounted for a while.
fn downgrade(setup: &Setup, all: &mut Vec<Planned>) {
    let mut own = Dice::new(setup.seed ^ 0x7e15);
    if setup.faults == 0 || !own.chance(15) {
        return;
    }
    for _ in 0..=own.below(2) {
        let at = own.millis(0, setup.trouble.as_secs() * 700);
        all.push(Planned { at, lasts: own.seconds(1, 600), fault: Fault::Downgraded });
    }
}

/// Returns whether files of this world are removed or changed by hand.
pub fn is_meddled_with(seed: u64) -> bool {
    Dice::new(seed ^ 0x105e).chance(20)
}

/// Plans that files and links are removed or changed by hand now and then.
fn meddle(setup: &Setup, all: &mut Vec<Planned>) {
    if !is_meddled_with(setup.seed) {
        return;
    }
    let mut own = Dice::new(setup.seed ^ 0x105f);
    for _ in 0..1 + own.below(4) {
        let how = own.pick(&[Loss::Gone, Loss::Changed]);
        let fault = Fault::Lost { file: own.roll(), link: own.chance(40), how };
        all.push(Planned { at: own.millis(0, setup.trouble.as_secs() * 1000), lasts: Duration::ZERO, fault });
    }
}

/// Plans, in some worlds, a server under load: its answers take long, to logins or to everything.
fn slow_down(setup: &Setup, all: &mut Vec<Planned>) {
    let mut own = Dice::new(setup.seed ^ 0x510e);
    if setup.faults == 0 || !own.chance(20) {
        return;
    }
    for _ in 0..2 {
        let fault = match own.chance(70) {
            true => Fault::SlowLogins(own.millis(1000, 12_000)),
            false => Fault::Slow(own.millis(500, 9000)),
        };
        let at = own.millis(0, setup.trouble.as_secs() * 700);
        all.push(Planned { at, lasts: own.seconds(60, 600), fault });
    }
}

/// The failures that one path alone can have.
const ODD: [FailureKind; 6] = [
    FailureKind::Fault,
    FailureKind::NotYet,
    FailureKind::Nonsense,
    FailureKind::Redirected,
    FailureKind::Unavailable,
    FailureKind::Local,
];

fn random(setup: &Setup, dice: &mut Dice) -> Fault {
    let index = usize::try_from(dice.below(setup.paths.len() as u64)).expect("small");
    let path = setup.paths[index].0.clone();
    match dice.below(26) {
        0 => Fault::Health(Health::Sealed),
        1..=2 => Fault::Health(Health::Down),
        3 => Fault::Health(Health::Hanging),
        4 => Fault::Health(Health::Busy(None)),
        5 => Fault::Health(Health::Busy(Some(Duration::from_secs(10)))),
        6..=7 => Fault::Network(dice.pick(&[5, 20, 50])),
        8 => Fault::Denied(path),
        9 => Fault::Missing(path),
        10 => Fault::Broken(path, dice.pick(&ODD)),
        22 if setup.paths[index].1 == Kind::Kv => Fault::BadData(path),
        11 => Fault::LeasesForgotten,
        12 => Fault::LoginsRefused,
        13 => Fault::TokensRevoked,
        14 => Fault::LeasesRevoked,
        15 => Fault::ShortTokens(dice.seconds(20, 90)),
        16 => Fault::DiskFull,
        17 => Fault::NotifiersFail,
        18 => Fault::WallJump(dice.pick(&[86_400, -86_400, 30, -30])),
        19 => Fault::Suspend(dice.seconds(60, 1200)),
        20 => dice.pick_fault(),
        23 => Fault::CredentialsStale,
        24 => Fault::WrappingStolen,
        25 => Fault::AnswersLost,
        _ => Fault::HandoffFull,
    }
}

impl Dice {
    fn pick_fault(&mut self) -> Fault {
        match self.below(4) {
            0 => Fault::KillAndForget,
            1 => Fault::Refresh,
            _ => Fault::Kill,
        }
    }
}
