//! What the driver tells the core.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, StoreId, TokenId, UnitId};
use crate::interface::snapshot::Snapshot;
use leasehold_base::exit::Ending;
use leasehold_base::failure::Failure;
use leasehold_base::request::Request;
use leasehold_base::time::Moment;

/// Something happened. Results carry the moment their request was *sent*: a lease counts from
/// there, however long the answer took.
#[derive(Debug, Clone)]
pub enum Event {
    /// The driver is up. `kept` is what an earlier run left that is bound to this configuration
    /// and pod; its responses are in the driver's store already, its tokens under their numbers.
    Start {
        /// The state to go on from.
        kept: Option<Snapshot>,
        /// The machine was restarted since: the times of `kept` are on another clock, and only the
        /// server knows what is left.
        rebooted: bool,
    },
    /// The deadline that the core named is here (or passed while the machine slept).
    Wake,
    /// A login ended.
    LoggedIn {
        /// The login.
        token: TokenId,
        /// When it was sent.
        sent: Moment,
        /// The token's facts; the token itself stays with the driver.
        result: Result<TokenFacts, Failure>,
    },
    /// A look-up of the token by itself ended.
    LookedUp {
        /// The login.
        token: TokenId,
        /// When it was sent.
        sent: Moment,
        /// What is left of it.
        result: Result<TokenFacts, Failure>,
    },
    /// A renewal of the token ended.
    TokenRenewed {
        /// The login.
        token: TokenId,
        /// When it was sent.
        sent: Moment,
        /// What the server granted.
        result: Result<Granted, Failure>,
    },
    /// The health probe ended.
    Probed(Result<(), Failure>),
    /// It is known under which path the server keeps this secret.
    Resolved {
        /// The secret as written.
        secret: SecretId,
        /// The request in the one form that all ways of writing it share (KV v2: with `data/`).
        result: Result<Request, Failure>,
    },
    /// A read (or write, or list) ended.
    Read {
        /// What was asked.
        secret: SecretId,
        /// With which login.
        token: TokenId,
        /// When it was sent.
        sent: Moment,
        /// What the core needs of the answer; the answer is in the driver's store.
        result: Result<ReadFacts, Failure>,
    },
    /// A read of a store that is no Vault ended.
    Fetched {
        /// Whom was asked.
        store: StoreId,
        /// What was asked.
        secret: SecretId,
        /// When it was sent.
        sent: Moment,
        /// What the core needs of the answer, which has no lease; the answer is in the driver's store.
        result: Result<ReadFacts, Failure>,
    },
    /// A lease's renewal ended.
    Renewed {
        /// Whose lease.
        secret: SecretId,
        /// Which.
        lease: LeaseId,
        /// When it was sent.
        sent: Moment,
        /// What the server granted.
        result: Result<Granted, Failure>,
    },
    /// A lease's revocation ended.
    LeaseRevoked {
        /// Which.
        lease: LeaseId,
        /// How.
        result: Result<(), Failure>,
    },
    /// A token's revocation ended.
    TokenRevoked {
        /// Which.
        token: TokenId,
        /// How.
        result: Result<(), Failure>,
    },
    /// The wrapping of a login's token for a sink ended; the driver keeps what it brought.
    Wrapped {
        /// For which sink.
        file: FileId,
        /// Whose token.
        token: TokenId,
        /// How.
        result: Result<(), Failure>,
    },
    /// A rendering ended.
    Rendered {
        /// Of which file.
        file: FileId,
        /// How.
        outcome: RenderOutcome,
    },
    /// A publish ended.
    Published {
        /// Of which unit.
        unit: UnitId,
        /// Nothing of it is visible where it failed.
        result: Result<Published, Ending>,
    },
    /// A look at what a unit has published has ended.
    Inspected {
        /// Which.
        unit: UnitId,
        /// The files that are not there as they were published, with those that they write.
        result: Result<BTreeMap<FileId, Loss>, Ending>,
    },
    /// A notifier was told, or not.
    Notified {
        /// Which.
        notifier: NotifierId,
        /// Lowercase, with a hint, where it failed.
        result: Result<(), String>,
    },
    /// The process of `exec` runs, or cannot be run.
    Spawned(Result<(), Ending>),
    /// The process of `exec` has ended; how is the driver's to remember.
    ChildEnded,
    /// In `exec` mode: this signal came to us.
    Signalled(i32),
    /// The handoff was written, or not.
    HandoffSaved(Result<(), String>),
    /// Look at everything now (`POST /refresh`, HUP): a login that was refused is tried once more, too.
    Refresh,
    /// The same for these alone (`POST /refresh?file=NAME`).
    RefreshSome(Wanted),
    /// A minute is over, or the process is awake for another reason: published files may be looked at.
    Look,
    /// Another process may have changed what this unit has published. Every byte is to be compared.
    LookAt(UnitId),
    /// A sink left the configuration: what has read the current token there is not to use it any longer.
    Exposed,
    /// Another engine is to go on from this one's snapshot: come to rest, asking and publishing nothing
    /// more. [`Engine::has_yielded`](crate::Engine::has_yielded) tells when.
    Yield,
    /// Nothing came of that: go on.
    Resume,
    /// While the end is delayed ([`Engine::is_draining`](crate::Engine::is_draining)): nothing is left that could use
    /// the files.
    Deserted,
    /// The credentials of the login changed on disk.
    CredentialsChanged,
    /// The client certificate of the connection is another one.
    CertificateChanged,
    /// Whether the credentials at hand were used up by an earlier run, so that nothing can log in with them: a
    /// wrapping token that it opened.
    UsedUp(bool),
    /// Mint these anew, with overlap (`POST /renew`).
    Renew(Wanted),
    /// End (SIGTERM, `POST /quit`).
    Stop {
        /// Whether to skip `shutdown.delay`: quit does.
        at_once: bool,
    },
}

/// What is to be minted anew.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wanted {
    /// Everything that the file of this name is made of.
    File(String),
    /// What is read under this path, however it is written.
    Path(String),
}

/// A token, without the token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Names it in logs; empty for a batch token.
    pub accessor: String,
    /// What is left of it; none for a token that does not expire.
    pub ttl: Option<Duration>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// A batch token can be neither renewed nor revoked.
    pub batch: bool,
    /// How many uses are left; none where unlimited.
    pub uses: Option<u64>,
}

/// What the server granted on a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// From the moment the request was sent.
    pub ttl: Duration,
    /// Whether it can be renewed again.
    pub renewable: bool,
}

/// What the core needs of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFacts {
    /// The lease, where there is one.
    pub lease: Option<LeaseFacts>,
    /// When the data itself says it ends or changes.
    pub life: Life,
    /// The version, where the engine counts them (KV v2).
    pub version: Option<u64>,
    /// The name of the version, of a store that is no Vault.
    pub version_id: Option<String>,
    /// Whether the data differs from what the store held before, but for a time that is counted down.
    pub changed: bool,
    /// Whether what the server rotates is another; of everything else the same as `changed`.
    pub rotated: bool,
}

/// A lease as minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseFacts {
    /// It outlives the login that made it: it is revoked by itself.
    pub orphan: bool,
    /// Its name.
    pub id: LeaseId,
    /// From the moment the request was sent.
    pub ttl: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
}

/// What an answer without a lease says of its own life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Nothing: look again after the refresh interval.
    Unknown,
    /// A certificate's end in seconds since 1970 (`expiration` of PKI).
    Until(i64),
    /// It ends after this (`ttl` of an identity token), and every read makes another.
    EndsIn(Duration),
    /// The server itself changes it after this (`ttl` of a static role).
    RotatesIn(Duration),
}

/// How a rendering ended. The bytes stay with the driver under the file's number.
#[derive(Debug, Clone)]
pub enum RenderOutcome {
    /// Done.
    Rendered {
        /// Whether the bytes differ from the last rendering of this run.
        changed: bool,
        /// Every request it used, as written.
        used: Vec<Request>,
    },
    /// It cannot be finished without these.
    Needs {
        /// What is not in the store, as written.
        missing: Vec<Request>,
        /// What it used so far, as written, besides the missing.
        used: Vec<Request>,
    },
    /// The template failed on its data: 65, or 66 for a key that is not there.
    Failed {
        /// Why, with file and place.
        why: Ending,
        /// What it used, as written: a change of these may mend it.
        used: Vec<Request>,
    },
}

/// What became of a published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// A reader does not find it.
    Gone,
    /// It has other bytes, another mode or another owner.
    Changed,
}

/// A publish that is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// Counts up within a unit; the old one where nothing differed.
    pub generation: u64,
    /// The files whose bytes, mode or owner differ from before.
    pub changed: Vec<FileId>,
}
