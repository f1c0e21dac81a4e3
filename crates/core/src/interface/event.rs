//! The events that the driver passes to the core.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, StoreId, TokenId, UnitId};
use crate::interface::snapshot::Snapshot;
use leasehold_base::exit::Ending;
use leasehold_base::failure::Failure;
use leasehold_base::request::Request;
use leasehold_base::time::Moment;

/// Something that happened. Results carry the moment when their request was *sent*: a lease counts from then, however
/// long the answer took.
#[derive(Debug, Clone)]
pub enum Event {
    /// The driver is up. `kept` is the state that an earlier run left, if it is bound to this configuration and pod.
    /// Its responses are in the driver's store already, and its tokens under their numbers.
    Start {
        /// The state to go on from.
        kept: Option<Snapshot>,
        /// The machine was restarted since then. The times of `kept` are on another clock, and only the server knows
        /// how much time is left.
        rebooted: bool,
    },
    /// The deadline that the core named is here (or passed while the machine slept).
    Wake,
    /// A login ended.
    LoggedIn {
        /// The login.
        token: TokenId,
        /// When the request was sent.
        sent: Moment,
        /// The token's facts; the token itself stays with the driver.
        result: Result<TokenFacts, Failure>,
    },
    /// A look-up of the token by itself ended.
    LookedUp {
        /// The login.
        token: TokenId,
        /// When the request was sent.
        sent: Moment,
        /// The token's facts, with what is left of its life.
        result: Result<TokenFacts, Failure>,
    },
    /// A renewal of the token ended.
    TokenRenewed {
        /// The login.
        token: TokenId,
        /// When the request was sent.
        sent: Moment,
        /// What the server granted.
        result: Result<Granted, Failure>,
    },
    /// The health probe ended.
    Probed(Result<(), Failure>),
    /// The server has said under which path it keeps this secret, or the question failed.
    Resolved {
        /// The secret as written.
        secret: SecretId,
        /// The request in the one form that all ways of writing it share (KV v2: with `data/`).
        result: Result<Request, Failure>,
    },
    /// A read (or write, or list) ended.
    Read {
        /// The secret.
        secret: SecretId,
        /// The login whose token is used.
        token: TokenId,
        /// When the request was sent.
        sent: Moment,
        /// What the core needs to know of the answer; the answer itself is in the driver's store.
        result: Result<ReadFacts, Failure>,
    },
    /// A read of a store that is no Vault ended.
    Fetched {
        /// The store that was asked.
        store: StoreId,
        /// The secret.
        secret: SecretId,
        /// When the request was sent.
        sent: Moment,
        /// What the core needs to know of the answer, which has no lease; the answer itself is in the driver's store.
        result: Result<ReadFacts, Failure>,
    },
    /// A lease's renewal ended.
    Renewed {
        /// The secret that holds the lease.
        secret: SecretId,
        /// The lease.
        lease: LeaseId,
        /// When the request was sent.
        sent: Moment,
        /// What the server granted.
        result: Result<Granted, Failure>,
    },
    /// A lease's revocation ended.
    LeaseRevoked {
        /// The lease.
        lease: LeaseId,
        /// The outcome.
        result: Result<(), Failure>,
    },
    /// A token's revocation ended.
    TokenRevoked {
        /// The login whose token it is.
        token: TokenId,
        /// The outcome.
        result: Result<(), Failure>,
    },
    /// The driver did not send the revocation, because a reader that the core does not know may still use the lease.
    LeaseKept(LeaseId),
    /// The same for a token and the leases that it made.
    TokenKept(TokenId),
    /// The wrapping of a login's token for a sink ended; the driver keeps the wrapping.
    Wrapped {
        /// The sink.
        file: FileId,
        /// The login whose token it is.
        token: TokenId,
        /// The outcome.
        result: Result<(), Failure>,
    },
    /// A rendering ended.
    Rendered {
        /// The file.
        file: FileId,
        /// The outcome.
        outcome: RenderOutcome,
    },
    /// A publish ended.
    Published {
        /// The unit.
        unit: UnitId,
        /// The outcome.
        result: Result<Published, Unpublished>,
    },
    /// A check of what a unit has published ended.
    Inspected {
        /// The unit.
        unit: UnitId,
        /// The files that are not there as published, and what became of them.
        result: Result<BTreeMap<FileId, Loss>, Ending>,
    },
    /// A notification ended.
    Notified {
        /// The notifier.
        notifier: NotifierId,
        /// The outcome; a failure is in lowercase, with a hint.
        result: Result<(), String>,
    },
    /// The process of `exec` runs, or cannot be run.
    Spawned(Result<(), Ending>),
    /// The process of `exec` has ended; the driver remembers how.
    ChildEnded,
    /// In `exec` mode: this signal came to us.
    Signalled(i32),
    /// The handoff was written, or that failed.
    HandoffSaved(Result<(), String>),
    /// Poll everything now (`POST /refresh`, HUP). A refused login is tried once more, too.
    Refresh,
    /// Poll these alone (`POST /refresh?file=NAME`).
    RefreshSome(Wanted),
    /// A minute is over, or the process is awake for another reason: published files may be checked.
    Look,
    /// A name in the shared folder has changed, or the folder itself: by our own publish, or by another process.
    FolderChanged,
    /// Another process may have changed what this unit has published. Every byte has to be compared.
    LookAt(UnitId),
    /// A sink left the configuration. An application that has read the current token there must not use it any
    /// longer.
    Exposed,
    /// Another engine is to go on from this one's snapshot: come to rest, and ask and publish nothing more.
    /// [`Engine::has_yielded`](crate::Engine::has_yielded) returns true when that is done.
    Yield,
    /// The other engine does not take over: go on.
    Resume,
    /// While the end is delayed ([`Engine::is_draining`](crate::Engine::is_draining)): no process is left that could
    /// use the files.
    Deserted,
    /// The credentials of the login changed on disk.
    CredentialsChanged,
    /// The client certificate of the connection is another one.
    CertificateChanged,
    /// Whether an earlier run used up the credentials at hand, so that no login is possible with them: it opened
    /// their wrapping token.
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

/// What is known of a token, without the token itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenFacts {
    /// Its name in logs; empty for a batch token.
    pub accessor: String,
    /// How long it still lives; `None` for a token that does not expire.
    pub ttl: Option<Duration>,
    /// Whether it can be renewed.
    pub renewable: bool,
    /// A batch token can be neither renewed nor revoked.
    pub batch: bool,
    /// How many uses are left; `None` if they are unlimited.
    pub uses: Option<u64>,
}

/// What the server granted on a renewal.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Granted {
    /// How long it lives, from the moment when the request was sent.
    pub ttl: Duration,
    /// Whether it can be renewed again.
    pub renewable: bool,
}

/// What the core needs to know of an answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadFacts {
    /// The lease, if there is one.
    pub lease: Option<LeaseFacts>,
    /// When the data itself says it ends or changes.
    pub life: Life,
    /// The version, if the engine counts versions (KV v2).
    pub version: Option<u64>,
    /// The name of the version, in a store that is no Vault.
    pub version_id: Option<String>,
    /// Whether the data differs from what the store held before, apart from a time that is counted down.
    pub changed: bool,
    /// Whether the value that the server rotates is a new one; for everything else the same as `changed`.
    pub rotated: bool,
}

/// A lease as minted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseFacts {
    /// It outlives the login that made it, and is revoked by itself.
    pub orphan: bool,
    /// Its name.
    pub id: LeaseId,
    /// How long it lives, from the moment when the request was sent.
    pub ttl: Duration,
    /// Whether it can be renewed.
    pub renewable: bool,
}

/// What an answer without a lease says about its own life.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Life {
    /// Nothing: it is polled at the refresh interval.
    Unknown,
    /// A certificate's end in seconds since 1970 (`expiration` of PKI).
    Until(i64),
    /// It ends after this time (`ttl` of an identity token), and every read makes another.
    EndsIn(Duration),
    /// The server itself changes it after this time (`ttl` of a static role).
    RotatesIn(Duration),
}

/// How a rendering ended. The bytes stay with the driver under the file's number.
#[derive(Debug, Clone)]
pub enum RenderOutcome {
    /// The file was rendered.
    Rendered {
        /// Whether the bytes differ from the last rendering of this run.
        changed: bool,
        /// Every request it used, as written.
        used: Vec<Request>,
    },
    /// The rendering cannot be finished without these requests.
    Needs {
        /// The requests that are not in the store, as written.
        missing: Vec<Request>,
        /// The requests that it used so far besides the missing ones, as written.
        used: Vec<Request>,
    },
    /// The template failed on its data: 65, or 66 for a key that is not there.
    Failed {
        /// Why, with file and place.
        why: Ending,
        /// The requests that it used, as written: a change of these may fix it.
        used: Vec<Request>,
    },
}

/// What became of a published file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Loss {
    /// It cannot be read.
    Gone,
    /// It has other bytes, another mode or another owner.
    Changed,
}

/// A publish that failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unpublished {
    /// The reason, in words for a person.
    pub why: Ending,
    /// Whether readers may see the new files although the publish failed: the answer to a request was lost, for
    /// example. If not, they see the files of before.
    pub may_be_visible: bool,
}

impl From<Ending> for Unpublished {
    fn from(why: Ending) -> Self {
        Self { why, may_be_visible: false }
    }
}

/// A publish that is visible.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Published {
    /// The number of the generation, which counts up within a unit; the old one if nothing differed.
    pub generation: u64,
    /// The files whose bytes, mode or owner differ from before.
    pub changed: Vec<FileId>,
}
