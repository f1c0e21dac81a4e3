//! Writes a large state as a whole on another thread: for ten thousand secrets that takes a tenth of a second, in
//! which leases have to be renewed and probes to be answered.
//!
//! One write is under way at a time. What is asked for meanwhile follows it as one write, and whatever relies on a
//! write waits for it: a revocation for its event, a publish and the opening of a wrapping token for the end of the
//! writes.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{oneshot, watch};

use super::apart::Apart;
use crate::core::ids::{LeaseId, TokenId};
use crate::core::snapshot::{Changes, Snapshot};
use crate::driver::store::Store;
use crate::handoff::{Beside, Binding, Handoff, HandoffError, Line, Whole};
use crate::publish::Listed;
use crate::render::Secrets as _;
use crate::secret::Secret;
use crate::vault::mounts::Mount;
use leasehold_base::request::Request;
use leasehold_base::response::Response;

/// What a write takes from others, as it was when the write was asked for.
pub(super) struct Content {
    pub(super) binding: Binding,
    pub(super) tokens: BTreeMap<TokenId, Secret>,
    pub(super) mounts: Vec<Mount>,
    pub(super) refused_with: Option<String>,
    pub(super) opened: Option<String>,
    /// What has changed since the last write, for a line.
    pub(super) changes: Changes,
    /// Its answers.
    pub(super) answers: Vec<Option<Arc<Response>>>,
    /// The tokens of templates that have changed.
    pub(super) children: BTreeMap<LeaseId, Option<Secret>>,
    /// The absolute files that have changed.
    pub(super) published: BTreeMap<PathBuf, Option<Listed>>,
}

/// All that there is, for a whole state.
pub(super) struct All {
    pub(super) snapshot: Snapshot,
    /// By the place of the secret in the snapshot.
    pub(super) answers: Vec<Option<Arc<Response>>>,
    pub(super) children: BTreeMap<LeaseId, Secret>,
    pub(super) published: Vec<Listed>,
    /// It is the last state of this run.
    pub(super) last: bool,
}

/// One write: of all, or of a line.
pub(super) struct Job {
    pub(super) content: Content,
    pub(super) all: Option<All>,
}

/// How a state was written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Way {
    Whole,
    Line,
}

impl Job {
    /// Returns how many entries the write has, about.
    pub(super) fn size(&self) -> usize {
        let all = self.all.as_ref().map_or(0, |all| all.snapshot.secrets.len() + all.published.len());
        all + self.content.changes.secrets.len()
    }

    /// Writes, and returns in which way. A volume without room for another state may have room for a line.
    pub(super) fn run(&self, handoff: &mut Handoff) -> Result<Way, HandoffError> {
        let Some(all) = &self.all else { return self.append(handoff) };
        match self.replace(all, handoff) {
            Err(_) if handoff.can_append() => self.append(handoff),
            Err(why) => {
                // These changes are in no line, so none can go on from what is there, should that be in its place
                // again.
                handoff.begin_anew();
                Err(why)
            }
            Ok(()) => Ok(Way::Whole),
        }
    }

    fn replace(&self, all: &All, handoff: &mut Handoff) -> Result<(), HandoffError> {
        let responses = paired(all.snapshot.secrets.iter().map(|secret| &secret.request), &all.answers);
        let All { snapshot, children, published, last, .. } = all;
        let whole = Whole { snapshot, beside: self.beside(), children, responses, published };
        handoff.replace(&self.content.binding, &whole, *last)
    }

    fn append(&self, handoff: &mut Handoff) -> Result<Way, HandoffError> {
        let Content { changes, children, published, answers, .. } = &self.content;
        let responses = paired(changes.secrets.iter().map(|secret| &secret.request), answers);
        handoff.append(&Line { changes, beside: self.beside(), children, responses, published })?;
        Ok(Way::Line)
    }

    fn beside(&self) -> Beside<'_> {
        let Content { tokens, mounts, refused_with, opened, .. } = &self.content;
        Beside { tokens, mounts, refused_with: refused_with.as_deref(), opened: opened.as_deref() }
    }
}

/// Returns the answers to these requests, each in its place.
pub(super) fn answers<'r>(
    store: &Store,
    requests: impl Iterator<Item = &'r Request>,
) -> Vec<Option<Arc<Response>>> {
    requests.map(|request| store.get(request)).collect()
}

fn paired<'a>(
    requests: impl Iterator<Item = &'a Request>,
    answers: &'a [Option<Arc<Response>>],
) -> Vec<(&'a Request, &'a Response)> {
    requests.zip(answers).filter_map(|(request, answer)| Some((request, answer.as_deref()?))).collect()
}

/// What waits for a write.
#[derive(Default)]
pub(super) struct Asked {
    /// How many actions of the engine, each of which is an event.
    pub(super) events: usize,
    /// Wrapping tokens that are about to be opened.
    pub(super) openings: Vec<oneshot::Sender<()>>,
}

impl Asked {
    pub(super) fn add(&mut self, more: Self) {
        self.events += more.events;
        self.openings.extend(more.openings);
    }
}

/// The handoff, and the write that is to be done to it.
struct Desk {
    handoff: Handoff,
    job: Option<Job>,
    result: Option<Result<Way, HandoffError>>,
}

impl Desk {
    /// Does what is to be done.
    fn work(&mut self) {
        if let Some(job) = self.job.take() {
            self.result = Some(job.run(&mut self.handoff));
        }
    }
}

/// The handoff, which a thread may be writing.
pub(super) struct Writer {
    desk: Arc<Mutex<Desk>>,
    under_way: Option<Apart<()>>,
    busy: watch::Sender<bool>,
}

impl Writer {
    pub(super) fn new(handoff: Handoff) -> Self {
        let desk = Arc::new(Mutex::new(Desk { handoff, job: None, result: None }));
        Self { desk, under_way: None, busy: watch::Sender::new(false) }
    }

    /// Returns whether a write is under way.
    pub(super) fn is_busy(&self) -> bool {
        *self.busy.borrow()
    }

    /// Returns a future that ends when no write is under way.
    pub(super) fn at_rest(&self) -> impl Future<Output = ()> + use<> {
        let mut busy = self.busy.subscribe();
        async move { drop(busy.wait_for(|busy| !*busy).await) }
    }

    /// Does `act` with the handoff, after the write that is under way.
    pub(super) fn with<T>(&mut self, act: impl FnOnce(&mut Handoff) -> T) -> T {
        let mut desk = self.desk();
        // This waits for the thread if it has begun, and is quicker than the thread if it has not.
        desk.work();
        act(&mut desk.handoff)
    }

    /// Begins a write on another thread. None may be under way.
    pub(super) fn begin(&mut self, job: Job) {
        self.busy.send_replace(true);
        self.desk().job = Some(job);
        let desk = Arc::clone(&self.desk);
        let work = move || desk.lock().unwrap_or_else(PoisonError::into_inner).work();
        self.under_way = Some(Apart::begin(work));
    }

    /// Ends when a write is over; waits for ever if none is under way. The future can be dropped without losing
    /// anything.
    pub(super) async fn ends(&mut self) {
        let Some(writing) = &mut self.under_way else { return std::future::pending().await };
        // Without the thread the write is done by `end`.
        let _done = writing.ends().await;
    }

    /// Returns how the write has ended, after it has; `None` if there was none. What comes next is not held back any
    /// more once [`rest`](Self::rest) is called.
    pub(super) fn end(&mut self) -> Option<Result<Way, HandoffError>> {
        self.under_way = None;
        let mut desk = self.desk();
        desk.work();
        desk.result.take()
    }

    /// Lets go on what waits for the writes.
    pub(super) fn rest(&self) {
        self.busy.send_replace(false);
    }

    fn desk(&self) -> MutexGuard<'_, Desk> {
        // A poisoned lock means that a write panicked, and a panic ends the process.
        self.desk.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::handoff::Loaded;
    use leasehold_base::time::Moment;

    fn binding() -> Binding {
        let (pod, boot, server) = ("pod".to_owned(), "boot".to_owned(), "server".to_owned());
        Binding { digest: [0; 32], pod, boot, server, owns: true }
    }

    /// Returns a write of a whole state that names this notifier.
    fn job(untold: &str) -> Job {
        let snapshot = Snapshot { untold: [untold.to_owned()].into(), ..Snapshot::default() };
        let all = All {
            snapshot,
            answers: Vec::new(),
            children: BTreeMap::new(),
            published: Vec::new(),
            last: false,
        };
        let content = Content {
            binding: binding(),
            tokens: BTreeMap::new(),
            mounts: Vec::new(),
            refused_with: None,
            opened: None,
            changes: Changes::default(),
            answers: Vec::new(),
            children: BTreeMap::new(),
            published: BTreeMap::new(),
        };
        Job { content, all: Some(all) }
    }

    fn untold(handoff: &Handoff) -> Vec<String> {
        match handoff.load(&binding(), Moment::default()) {
            Loaded::Found { kept, .. } => kept.snapshot.untold.into_iter().collect(),
            Loaded::Absent => Vec::new(),
            other => panic!("{other:?}"),
        }
    }

    fn writer(dir: &tempfile::TempDir) -> Writer {
        Writer::new(Handoff::open(&dir.path().join("state"), false).expect("a place"))
    }

    #[tokio::test]
    async fn what_relies_on_a_write_goes_on_after_it_and_after_what_was_asked_for_meanwhile() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = writer(&dir);
        writer.at_rest().await;
        writer.begin(job("a"));
        let mut relies = std::pin::pin!(writer.at_rest());
        assert!(futures_util::poll!(&mut relies).is_pending());
        writer.ends().await;
        assert!(futures_util::poll!(&mut relies).is_pending(), "until its end is handled");
        assert_eq!(writer.end(), Some(Ok(Way::Whole)));
        assert_eq!(writer.end(), None);
        writer.rest();
        writer.begin(job("b"));
        assert!(futures_util::poll!(&mut relies).is_pending(), "the next write follows at once");
        writer.ends().await;
        assert_eq!(writer.end(), Some(Ok(Way::Whole)));
        writer.rest();
        relies.await;
        assert_eq!(writer.with(|handoff| untold(handoff)), ["b"]);
    }

    #[tokio::test]
    async fn whatever_is_done_with_the_handoff_is_done_after_the_write_that_was_begun() {
        let dir = tempfile::tempdir().expect("a folder");
        let mut writer = writer(&dir);
        for number in 0..50 {
            let name = number.to_string();
            // The thread may be early or late.
            writer.begin(job(&name));
            if number % 2 == 0 {
                tokio::task::yield_now().await;
            }
            assert_eq!(writer.with(|handoff| untold(handoff)), [name]);
            assert!(writer.is_busy(), "its end was not handled yet");
            assert_eq!(writer.end(), Some(Ok(Way::Whole)));
            writer.rest();
        }
        writer.begin(job("last"));
        writer.with(Handoff::remove).expect("it is there");
        assert_eq!(writer.end(), Some(Ok(Way::Whole)));
        assert_eq!(writer.with(|handoff| untold(handoff)), Vec::<String>::new(), "it does not come back");
    }
}
