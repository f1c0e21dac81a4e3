//! What the engine has to know about mounts: which path is read at once, and whose mount is asked about first.
//!
//! A KV version 2 keeps `secret/web` under `secret/data/web`, and only its mount tells the versions apart. A path
//! that is already written with `data/` is read as written, so that a start costs no question: the answer shows that
//! the path is right. If the answer leaves a doubt (a refusal, or an answer that is not from a KV version 2), the
//! mount is asked about.
//!
//! A mount may also change under a running sidecar: it is upgraded to version 2, or another engine is mounted in its
//! place. Then nothing is found under the path that was right until then, and the mount is asked about anew.

use std::time::Duration;

use crate::engine::Engine;
use crate::interface::action::Action;
use crate::interface::event::ReadFacts;
use crate::interface::ids::SecretId;
use crate::secrets::graph::{Node, Op, Resolved, Step};
use crate::tools::work::Job;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Request;

/// How long the answer about a mount counts as right. The client keeps it as long, for all secrets of the mount.
const SURE: Duration = Duration::from_secs(10);

/// What is known about the path of a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Path {
    /// Nothing is known yet.
    #[default]
    Unknown,
    /// The path is read as written, and the answer has to confirm it.
    Assumed,
    /// The path has an answer, or its mount was asked about.
    Known,
    /// Nothing is there any more, and the mount has to be asked about anew.
    Doubted,
}

impl Engine {
    /// Reads a secret at once, without a question about its mount, if its path is written as a KV version 2 keeps it.
    /// Returns whether it does. With a token whose uses are counted it asks first: a failed read costs a use, a
    /// question about a mount none.
    pub(crate) fn assume_path(&mut self, id: SecretId) -> bool {
        let counted = self.upstream.session.login().is_some_and(|login| login.uses.is_some());
        let Some(node) = self.graph.get_mut(id).filter(|node| node.path == Path::Unknown && !counted) else {
            return false;
        };
        let Some(request) = node.written.first().filter(|way| way.is_written_as_kept()) else { return false };
        let request = request.as_ref().clone();
        node.path = Path::Assumed;
        self.work.remove(&Job::Resolve(id));
        match self.graph.resolve(id, request) {
            Resolved::Itself => self.set_step(id, Step::Busy(Op::Read)),
            Resolved::Same(other) => self.merged(id, other),
        }
        true
    }

    /// Returns whether an answer leaves open that the path is wrong. An answer from a KV version 2 shows that it is
    /// right. So does a lease, since an engine with leases is not a KV.
    pub(crate) fn is_doubtful_answer(&self, id: SecretId, facts: &ReadFacts) -> bool {
        self.graph.get(id).is_some_and(Node::is_assumed) && facts.version.is_none() && facts.lease.is_none()
    }

    /// Returns whether a refusal may concern the path alone, which is not known to be right.
    pub(crate) fn is_doubtful_refusal(&self, id: SecretId, failure: &Failure) -> bool {
        let refused =
            matches!(failure.kind, FailureKind::Denied | FailureKind::Missing | FailureKind::Rejected);
        refused && self.graph.get(id).is_some_and(Node::is_assumed)
    }

    /// Returns whether nothing is there because the mount may keep it elsewhere now. A secret with a lease is not in
    /// a KV.
    pub(crate) fn may_have_moved(&self, id: SecretId, failure: &Failure) -> bool {
        let Some(node) = self.graph.get(id).filter(|_| failure.kind == FailureKind::Missing) else {
            return false;
        };
        node.lease().is_none() && !node.is_assumed() && !Request::is_never_kv(node.path())
    }

    /// Returns whether the mount was asked about so lately that its answer still counts.
    pub(crate) fn is_mount_certain(&self, id: SecretId) -> bool {
        let asked = self.graph.get(id).and_then(|node| node.mount_asked);
        asked.is_some_and(|at| at.until(self.now.moment) < SURE)
    }

    /// Asks about the mount again, whatever is known of it.
    pub(crate) fn ask_about_mount_again(&mut self, id: SecretId) {
        if let Some(node) = self.graph.get_mut(id) {
            node.path = Path::Doubted;
        }
        self.set_step(id, Step::Busy(Op::Resolve));
    }

    /// Lets the next retry of a secret begin with its mount.
    pub(crate) fn retry_by_mount(&mut self, id: SecretId) {
        let Some(node) = self.graph.get_mut(id) else { return };
        if let Step::Waiting { what, at, .. } = node.step {
            node.path = Path::Doubted;
            self.set_step(id, Step::Waiting { what, at, op: Op::Resolve });
        }
    }

    /// Drops an answer that does not count, and asks about the mount of its path.
    pub(crate) fn put_aside(&mut self, id: SecretId) {
        if let Some(request) = self.graph.get(id).and_then(|node| node.request.clone()) {
            self.out.push(Action::Forget(request));
        }
        self.ask_about_mount(id);
    }

    /// Asks about the mount of a path that was assumed.
    pub(crate) fn ask_about_mount(&mut self, id: SecretId) {
        let Some(node) = self.graph.get_mut(id) else { return };
        node.path = Path::Known;
        self.set_step(id, Step::Busy(Op::Resolve));
    }
}
