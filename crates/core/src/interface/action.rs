//! What the core asks of the driver. Every action that can fail is answered by one event.

use std::sync::Arc;
use std::time::Duration;

use crate::interface::ids::{FileId, LeaseId, NotifierId, SecretId, StoreId, TokenId, UnitId};
use leasehold_base::exit::Ending;
use leasehold_base::request::Request;

/// Something to do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Action {
    /// Put a question to the server.
    Ask(Question),
    /// Drop the token from memory: it is dead or revoked. No answer.
    DropToken(TokenId),
    /// Drop an answer from the store: nothing uses it any more. No answer.
    Forget(Arc<Request>),
    /// Render a file from the store. Answer: `Rendered`.
    Render(FileId),
    /// Render a sink: this login's token, or its last wrapping if the sink holds a wrapping. Answer: `Rendered`.
    RenderSink {
        /// The file.
        file: FileId,
        /// The login whose token it is.
        token: TokenId,
    },
    /// Publish a unit. Answer: `Published`.
    Publish {
        /// The unit.
        unit: UnitId,
        /// Its files that have a rendering; members without one keep what is on disk.
        files: Vec<FileId>,
    },
    /// Check whether what a unit has published is still there, as published. Answer: `Inspected`.
    Inspect {
        /// The unit.
        unit: UnitId,
        /// Its published files.
        files: Vec<FileId>,
        /// The files among them whose last rendering is newer than what is published: any bytes will do.
        newer: Vec<FileId>,
        /// Whether to compare every byte.
        thorough: bool,
    },
    /// Notify a notifier after `delay`. Answer: `Notified`.
    Notify {
        /// The notifier.
        notifier: NotifierId,
        /// The splay drawn for this pod.
        delay: Duration,
    },
    /// Start the process of `exec` with the environment that was published last. Answers: `Spawned`, and `ChildEnded`
    /// when it has ended.
    Spawn,
    /// Send this signal to the process itself. No answer.
    Signal(i32),
    /// Send this signal to the process and its whole group. No answer except, in time, `ChildEnded`.
    StopChild(i32),
    /// Kill the process and its whole group. Answer: `ChildEnded`.
    KillChild,
    /// Write [`Engine::snapshot`](crate::Engine::snapshot) with tokens and responses to the handoff.
    /// Answer: `HandoffSaved`.
    SaveHandoff,
    /// Delete the handoff: what it held is revoked. No answer.
    DropHandoff,
    /// Log something that a person should read once. No answer.
    Say(Say),
    /// End the run with this result. Nothing follows.
    Exit(Result<(), Ending>),
}

/// A question to the server. Each is answered by one event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Question {
    /// Log in and keep the token under this number. Answer: `LoggedIn`.
    LogIn(TokenId),
    /// Look the token up by itself. Answer: `LookedUp`.
    LookUp(TokenId),
    /// Renew the token by its own increment. Answer: `TokenRenewed`.
    RenewToken(TokenId),
    /// Ask whether the server is there, without a token. Answer: `Probed`.
    Probe,
    /// Find the one form of this request. Answer: `Resolved`.
    Resolve {
        /// The secret as written.
        secret: SecretId,
        /// The login whose token is used.
        token: TokenId,
        /// The request as written.
        request: Arc<Request>,
        /// True if the mount may have changed since the client learned of it. The client then asks the server again.
        again: bool,
    },
    /// Ask the server and put the answer into the store. Answer: `Read`.
    Read {
        /// The secret to read.
        secret: SecretId,
        /// The login whose token is used.
        token: TokenId,
        /// The resolved request.
        request: Arc<Request>,
    },
    /// Ask a store that is no Vault, and put the answer into the driver's store. Answer: `Fetched`.
    Fetch {
        /// The store to ask.
        store: StoreId,
        /// The secret to read.
        secret: SecretId,
        /// The request, whose path begins with the store's name.
        request: Arc<Request>,
    },
    /// Renew a lease. Answer: `Renewed`.
    Renew {
        /// The secret that holds the lease.
        secret: SecretId,
        /// The login whose token is used.
        token: TokenId,
        /// The lease.
        lease: LeaseId,
        /// The time asked for, from now; the server may grant less.
        increment: Duration,
    },
    /// Revoke a lease. Answer: `LeaseRevoked`.
    RevokeLease {
        /// The login whose token is used.
        token: TokenId,
        /// The lease.
        lease: LeaseId,
    },
    /// Revoke a token and with it every lease it made. Answer: `TokenRevoked`.
    RevokeToken(TokenId),
    /// Have the login's token wrapped for a sink, and keep the wrapping. Answer: `Wrapped`.
    Wrap {
        /// The sink.
        file: FileId,
        /// The login whose token it is.
        token: TokenId,
        /// How long the wrapping may be opened.
        ttl: Duration,
    },
}

/// A line for the log. Text is lowercase, names files and paths, never a value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Say {
    /// How important it is.
    pub level: Level,
    /// What happened.
    pub text: String,
    /// The secret that it happened to, if it happened to one.
    pub about: Option<About>,
}

/// The names by which the log follows a secret through its life.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    /// [`SecretView::id`](crate::interface::view::SecretView::id).
    pub secret: String,
    /// The secret's lease, if it has one, as the server's own audit log calls it.
    pub lease: Option<LeaseId>,
}

/// How important a line is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Level {
    /// A person has to act.
    Error,
    /// A person may have to act.
    Warn,
    /// The life of a secret: read, renewed, replaced, published.
    Info,
    /// Details, to follow one request.
    Debug,
}
