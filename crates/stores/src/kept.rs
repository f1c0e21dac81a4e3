//! Keys and tokens that are kept until shortly before their end, and that one request then replaces for all.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::PathBuf;
use std::sync::{Arc, MutexGuard, PoisonError};
use std::time::Duration;

use leasehold_base::clock;
use leasehold_base::failure::Failure;
use leasehold_base::time::Moment;
use tokio::sync::Mutex;

use crate::times;

/// How long before its end a value is replaced; or a quarter of its life, if that is less.
const BEFORE_THE_END: Duration = Duration::from_secs(300);

/// The pause before a replacement is tried again while the old value is good. It begins when the failed try has ended.
const ONCE_MORE: Duration = Duration::from_secs(10);

/// The shortest life that is assumed. A value that has ended when it comes shows that this machine's clock is wrong.
const SHORTEST: Duration = Duration::from_secs(60);

/// How long a refusal is kept, the first time and each time that it is repeated. The first one is short, since a
/// refusal counts when it is repeated after 1.5 seconds.
const REFUSED: [Duration; 5] = [
    Duration::from_secs(1),
    Duration::from_secs(10),
    Duration::from_secs(20),
    Duration::from_secs(40),
    Duration::from_secs(60),
];

/// What was fetched, and how long it is good; `None` for ever.
#[derive(Debug)]
pub(crate) struct Fresh<T> {
    pub(crate) it: T,
    pub(crate) life: Option<Duration>,
}

impl<T> Fresh<T> {
    /// Makes one that is good until a time as the clouds write it. One whose end is not understood is fetched anew soon,
    /// and not kept for ever.
    pub(crate) fn until_time(it: T, ends: Option<&str>) -> Self {
        Self::until(it, ends.map(|ends| times::parse(ends).unwrap_or_default()))
    }

    /// Makes one that is good until a time in seconds since 1970.
    pub(crate) fn until(it: T, ends: Option<i64>) -> Self {
        let left = |ends: i64| u64::try_from(ends.saturating_sub(clock::now().wall)).unwrap_or(0);
        Self { it, life: ends.map(|ends| Duration::from_secs(left(ends))) }
    }
}

/// The value that is good now.
pub(crate) struct Kept<T> {
    clock: Box<dyn Fn() -> Moment + Send + Sync>,
    /// Is locked by the one request that fetches a value.
    fetching: Mutex<()>,
    state: std::sync::Mutex<State<T>>,
}

struct State<T> {
    held: Option<Held<T>>,
    refused: Option<Refused>,
    /// When the server last said that a value has ended.
    forgotten: Option<Moment>,
    /// How many fetches have ended.
    fetches: u64,
}

struct Held<T> {
    it: Arc<T>,
    replace: Option<Moment>,
    ends: Option<Moment>,
}

/// The outcome of the last fetch, if it brought nothing and there is nothing else.
struct Refused {
    failure: Failure,
    /// How many times it was the same before.
    repeated: usize,
    until: Moment,
    /// The files that the value would have been made of, as they were before the fetch.
    files: Vec<Mark>,
}

/// What changes if a file is written or replaced; `None` if it is not there.
pub(crate) type Mark = Option<[i64; 6]>;

/// Returns the marks of files.
pub(crate) fn marks(files: Vec<PathBuf>) -> Vec<Mark> {
    let mark = |path: PathBuf| {
        let facts = fs::metadata(path).ok()?;
        let (dev, ino) = (facts.dev().cast_signed(), facts.ino().cast_signed());
        // The time of change, too, since a change of the mode may let us read it.
        Some([dev, ino, facts.mtime(), facts.mtime_nsec(), facts.ctime(), facts.ctime_nsec()])
    };
    files.into_iter().map(mark).collect()
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self::by(clock::moment)
    }
}

impl<T> Held<T> {
    fn new(fresh: Fresh<T>, now: Moment) -> Self {
        let life = fresh.life.map(|life| life.max(SHORTEST));
        Self {
            it: Arc::new(fresh.it),
            replace: life.map(|life| now.after(life.saturating_sub(BEFORE_THE_END.min(life / 4)))),
            ends: life.map(|life| now.after(life)),
        }
    }

    fn is_good(&self, now: Moment) -> bool {
        self.ends.is_none_or(|end| now < end)
    }

    fn is_due(&self, now: Moment) -> bool {
        self.replace.is_some_and(|at| at <= now)
    }
}

impl<T> State<T> {
    /// Returns the value that is good, and whether it has to be replaced soon.
    fn good(&self, now: Moment) -> Option<(Arc<T>, bool)> {
        let held = self.held.as_ref().filter(|held| held.is_good(now))?;
        Some((Arc::clone(&held.it), held.is_due(now)))
    }

    /// Records a failed fetch. Returns the old value if that is still good.
    fn failed(&mut self, failure: Failure, files: Vec<Mark>, now: Moment) -> Result<Arc<T>, Failure> {
        if let Some(old) = self.held.as_mut().filter(|held| held.is_good(now)) {
            old.replace = Some(now.after(ONCE_MORE));
            return Ok(Arc::clone(&old.it));
        }
        let same =
            self.refused.take().filter(|last| last.failure.kind == failure.kind && last.files == files);
        let repeated = same.map_or(0, |last| last.repeated + 1);
        // The engine has a rest of its own for a service that is away, and its next request is to find out.
        let pause = match failure.kind {
            kind if kind.is_outage() => Duration::ZERO,
            _ => REFUSED[repeated.min(REFUSED.len() - 1)],
        };
        self.refused = Some(Refused { failure: failure.clone(), repeated, until: now.after(pause), files });
        Err(failure)
    }
}

impl<T> Kept<T> {
    /// Makes one that holds nothing yet, and that reads this clock.
    pub(crate) fn by(clock: impl Fn() -> Moment + Send + Sync + 'static) -> Self {
        let state = State { held: None, refused: None, forgotten: None, fetches: 0 };
        Self { clock: Box::new(clock), fetching: Mutex::default(), state: std::sync::Mutex::new(state) }
    }

    fn state(&self) -> MutexGuard<'_, State<T>> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Returns the value that is good, or what `fetch` brings. While that fails, the old value serves to its end, and
    /// while it lasts, the old value serves all other requests.
    ///
    /// If there is no old value, the requests that wait share one failure. A refusal is kept for a while, unless one of
    /// the `files` that the value is made of changes.
    pub(crate) async fn get(
        &self,
        files: impl Fn() -> Vec<PathBuf>,
        fetch: impl Future<Output = Result<Fresh<T>, Failure>>,
    ) -> Result<Arc<T>, Failure> {
        let (good, before) = {
            let state = self.state();
            (state.good((self.clock)()), state.fetches)
        };
        let _fetching = match good {
            Some((good, false)) => return Ok(good),
            Some((good, true)) => match self.fetching.try_lock() {
                Ok(fetching) => fetching,
                Err(_) => return Ok(good),
            },
            None => self.fetching.lock().await,
        };
        let files = marks(files());
        {
            // Another request may have fetched since.
            let (state, now) = (self.state(), (self.clock)());
            if let Some((good, false)) = state.good(now) {
                return Ok(good);
            }
            let known =
                |last: &&Refused| state.fetches != before || (now < last.until && last.files == files);
            if let Some(last) = state.refused.as_ref().filter(known) {
                return Err(last.failure.clone());
            }
        }
        let fetched = fetch.await;
        let (mut state, now) = (self.state(), (self.clock)());
        state.fetches += 1;
        match fetched {
            Ok(fresh) => {
                state.refused = None;
                Ok(Arc::clone(&state.held.insert(Held::new(fresh, now)).it))
            }
            Err(failure) => state.failed(failure, files, now),
        }
    }

    /// Holds a value that came in another way, for ever.
    pub(crate) fn put(&self, it: T) -> Arc<T> {
        let held = Held::new(Fresh { it, life: None }, (self.clock)());
        Arc::clone(&self.state().held.insert(held).it)
    }

    /// Returns whether the present value has an end.
    pub(crate) fn has_end(&self) -> bool {
        self.state().held.as_ref().is_some_and(|held| held.ends.is_some())
    }

    /// Has this value replaced at the next request, since the server says that it has ended. A server that takes no value
    /// at all has one replaced every ten seconds, and not one for each request.
    pub(crate) fn forget(&self, it: &Arc<T>) {
        let (mut state, now) = (self.state(), (self.clock)());
        let Some(held) = state.held.as_ref().filter(|held| Arc::ptr_eq(&held.it, it)) else { return };
        // A value without an end is only read from a file.
        if held.ends.is_none() || state.forgotten.is_none_or(|at| at.after(ONCE_MORE) <= now) {
            state.held = None;
            state.forgotten = Some(now);
        }
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "tests write their own files")]
mod tests {
    use std::cell::Cell;
    use std::future::poll_fn;
    use std::pin::Pin;
    use std::sync::atomic::{AtomicU64, Ordering};
    use std::task::Poll;

    use super::*;
    use leasehold_base::failure::FailureKind;
    use tokio::sync::Notify;

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    /// Makes a [`Kept`] that reads a clock of the test's own, and returns both. The clock shows seconds.
    fn kept() -> (Kept<u32>, Arc<AtomicU64>) {
        let seconds = Arc::new(AtomicU64::new(0));
        let read = Arc::clone(&seconds);
        (Kept::by(move || at(read.load(Ordering::Relaxed))), seconds)
    }

    async fn fresh(it: u32, life: u64) -> Result<Fresh<u32>, Failure> {
        Ok(Fresh { it, life: Some(Duration::from_secs(life)) })
    }

    async fn failing(kind: FailureKind) -> Result<Fresh<u32>, Failure> {
        Err(Failure::new(kind, "so"))
    }

    async fn away() -> Result<Fresh<u32>, Failure> {
        failing(FailureKind::Unreachable).await
    }

    /// Lets a request run until it waits for something.
    async fn begin<F: Future>(request: &mut Pin<Box<F>>) {
        let waits = poll_fn(|cx| Poll::Ready(request.as_mut().poll(cx).is_pending())).await;
        assert!(waits, "it waits");
    }

    #[tokio::test]
    async fn one_is_kept_until_it_is_forgotten() {
        let kept = Kept::default();
        assert_eq!(kept.get(Vec::new, away()).await.expect_err("there is none").why, "so");
        let first = kept.get(Vec::new, fresh(1, 3600)).await.expect("it comes");
        assert_eq!((*first, *kept.get(Vec::new, away()).await.expect("it is kept")), (1, 1));
        kept.forget(&first);
        assert_eq!(*kept.get(Vec::new, fresh(2, 3600)).await.expect("it comes"), 2);
        kept.forget(&first);
        assert_eq!(*kept.get(Vec::new, away()).await.expect("the second stays"), 2);
    }

    #[test]
    fn it_is_replaced_before_its_end_and_serves_until_then() {
        for (life, replace, ends) in [(3600, 3300, 3600), (600, 450, 600), (0, 45, 60)] {
            let held = Held::new(Fresh { it: (), life: Some(Duration::from_secs(life)) }, at(0));
            assert_eq!((held.replace, held.ends), (Some(at(replace)), Some(at(ends))));
        }
        assert_eq!(Held::new(Fresh { it: (), life: None }, at(0)).replace, None);
    }

    #[tokio::test]
    async fn a_request_shortly_before_the_end_brings_another() {
        let (kept, clock) = kept();
        let mut got = Vec::new();
        for (now, next) in [(0, 1), (3299, 2), (3300, 3), (3301, 4)] {
            clock.store(now, Ordering::Relaxed);
            got.push(*kept.get(Vec::new, fresh(next, 3600)).await.expect("it comes"));
        }
        assert_eq!(got, [1, 1, 3, 3]);
    }

    #[tokio::test]
    async fn while_it_cannot_be_replaced_the_old_one_serves_to_its_end_and_no_longer() {
        let (kept, clock) = kept();
        kept.get(Vec::new, fresh(1, 3600)).await.expect("it comes");
        let tries = Cell::new(0);
        let mut outcomes = Vec::new();
        for now in [3300, 3309, 3310, 3319, 3320, 3599, 3600, 3601] {
            clock.store(now, Ordering::Relaxed);
            let fetch = async {
                tries.set(tries.get() + 1);
                away().await
            };
            let outcome = kept.get(Vec::new, fetch).await.map(|it| *it).ok();
            outcomes.push((now, tries.get(), outcome));
        }
        let old = Some(1);
        let expected = [
            (3300, 1, old),
            (3309, 1, old),
            (3310, 2, old),
            (3319, 2, old),
            (3320, 3, old),
            (3599, 4, old),
            (3600, 5, None),
            (3601, 6, None),
        ];
        assert_eq!(outcomes, expected);
    }

    #[tokio::test]
    async fn while_a_replacement_takes_long_the_others_go_on_with_the_old_one() {
        let (kept, clock) = kept();
        kept.get(Vec::new, fresh(1, 3600)).await.expect("it comes");
        clock.store(3300, Ordering::Relaxed);
        let hang = Notify::new();
        let slow = async {
            hang.notified().await;
            away().await
        };
        let mut first = Box::pin(kept.get(Vec::new, slow));
        begin(&mut first).await;
        for _ in 0..8 {
            let mut other = Box::pin(kept.get(Vec::new, fresh(2, 3600)));
            let got = poll_fn(|cx| Poll::Ready(other.as_mut().poll(cx))).await;
            let Poll::Ready(Ok(got)) = got else { panic!("it waits for the other") };
            assert_eq!(*got, 1);
        }
        // The identity provider was silent for 15 seconds.
        clock.store(3315, Ordering::Relaxed);
        hang.notify_one();
        assert_eq!(*first.await.expect("the old one is good"), 1);
        for (now, next) in [(3316, 1), (3324, 1), (3325, 3)] {
            clock.store(now, Ordering::Relaxed);
            assert_eq!(*kept.get(Vec::new, fresh(3, 3600)).await.expect("it is good"), next, "at {now}");
        }
    }

    #[tokio::test]
    async fn a_first_fetch_that_fails_fails_for_all_that_wait_and_the_next_request_tries_anew() {
        for kind in [FailureKind::Unheard, FailureKind::Refused] {
            let (kept, clock) = kept();
            let hang = Notify::new();
            let fetches = Cell::new(0);
            let slow = || async {
                fetches.set(fetches.get() + 1);
                if fetches.get() == 1 {
                    hang.notified().await;
                }
                failing(kind).await
            };
            let mut waiting: Vec<_> = (0..8).map(|_| Box::pin(kept.get(Vec::new, slow()))).collect();
            for request in &mut waiting {
                begin(request).await;
            }
            hang.notify_waiters();
            for request in waiting {
                assert_eq!(request.await.expect_err("it fails").kind, kind);
            }
            assert_eq!(fetches.get(), 1);
            clock.store(2, Ordering::Relaxed);
            assert_eq!(*kept.get(Vec::new, fresh(1, 60)).await.expect("it comes"), 1);
        }
    }

    #[tokio::test]
    async fn a_fetch_that_is_dropped_leaves_the_others_to_fetch() {
        let (kept, _) = kept();
        let mut first = Box::pin(kept.get(Vec::new, std::future::pending()));
        let mut second = Box::pin(kept.get(Vec::new, fresh(2, 60)));
        begin(&mut first).await;
        begin(&mut second).await;
        drop(first);
        assert_eq!(*second.await.expect("it comes"), 2);
    }

    #[tokio::test]
    async fn a_refusal_is_kept_longer_and_longer_while_it_stays_the_same() {
        let (kept, clock) = kept();
        let mut tries = Vec::new();
        // A thousand requests a minute, for five minutes.
        for number in 0..5000 {
            let now = number * 300 / 5000;
            clock.store(now, Ordering::Relaxed);
            let fetch = async {
                tries.push(now);
                failing(FailureKind::Refused).await
            };
            kept.get(Vec::new, fetch).await.expect_err("it is refused");
        }
        assert_eq!(tries, [0, 1, 11, 31, 71, 131, 191, 251]);
        // What comes back is asked at once the next time.
        clock.store(400, Ordering::Relaxed);
        let good = kept.get(Vec::new, fresh(1, 60)).await.expect("it comes");
        kept.forget(&good);
        kept.get(Vec::new, failing(FailureKind::Refused)).await.expect_err("it is refused");
        clock.store(401, Ordering::Relaxed);
        assert_eq!(*kept.get(Vec::new, fresh(2, 60)).await.expect("it comes"), 2);
    }

    #[tokio::test]
    async fn a_server_that_takes_no_token_has_one_fetched_now_and_then() {
        let (kept, clock) = kept();
        let mut fetched = Vec::new();
        for now in 0..30 {
            clock.store(now, Ordering::Relaxed);
            for _ in 0..20 {
                let fetch = async {
                    fetched.push(now);
                    fresh(1, 3600).await
                };
                let token = kept.get(Vec::new, fetch).await.expect("it comes");
                kept.forget(&token);
            }
        }
        assert_eq!(fetched, [0, 0, 10, 20]);
        // Keys in a file are read again at once.
        let (kept, _) = self::kept();
        let mut reads = 0;
        for _ in 0..3 {
            let read = async {
                reads += 1;
                Ok(Fresh { it: 2, life: None })
            };
            let keys = kept.get(Vec::new, read).await.expect("they come");
            kept.forget(&keys);
        }
        assert_eq!(reads, 3);
    }

    #[tokio::test]
    async fn a_credential_that_changes_on_disk_is_tried_at_once() {
        let dir = tempfile::tempdir().expect("a folder");
        let path = dir.path().join("secret");
        let (kept, _) = kept();
        let refused = || failing(FailureKind::Refused);
        let files = || vec![path.clone()];
        kept.get(files, refused()).await.expect_err("there is no file");
        kept.get(files, fresh(1, 60)).await.expect_err("it is kept");
        fs::write(&path, "one").expect("a file");
        kept.get(files, refused()).await.expect_err("it is another");
        kept.get(files, fresh(1, 60)).await.expect_err("it is kept");
        fs::write(dir.path().join("next"), "two").expect("a file");
        fs::rename(dir.path().join("next"), &path).expect("a rename");
        assert_eq!(*kept.get(files, fresh(2, 60)).await.expect("it is tried"), 2);
    }
}
