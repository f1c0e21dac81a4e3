//! Keys and tokens that are kept until shortly before their end, and that one request then replaces for all.

use std::sync::Arc;
use std::time::Duration;

use leasehold_base::clock;
use leasehold_base::failure::Failure;
use leasehold_base::time::Moment;
use tokio::sync::Mutex;

/// How long before its end a value is replaced; or a quarter of its life, if that is less.
const BEFORE_THE_END: Duration = Duration::from_secs(300);

/// The pause before a replacement is tried again while the old value is good.
const ONCE_MORE: Duration = Duration::from_secs(10);

/// The shortest life that is assumed. A value that has ended when it comes shows that this machine's clock is wrong.
const SHORTEST: Duration = Duration::from_secs(60);

/// What was fetched, and how long it is good; `None` for ever.
#[derive(Debug)]
pub(crate) struct Fresh<T> {
    pub(crate) it: T,
    pub(crate) life: Option<Duration>,
}

impl<T> Fresh<T> {
    /// Makes one that is good until a time in seconds since 1970.
    pub(crate) fn until(it: T, ends: Option<i64>) -> Self {
        let left = |ends: i64| u64::try_from(ends.saturating_sub(clock::now().wall)).unwrap_or(0);
        Self { it, life: ends.map(|ends| Duration::from_secs(left(ends))) }
    }
}

/// The value that is good now.
pub(crate) struct Kept<T>(Mutex<Option<Held<T>>>);

struct Held<T> {
    it: Arc<T>,
    replace: Option<Moment>,
    ends: Option<Moment>,
}

impl<T> Default for Kept<T> {
    fn default() -> Self {
        Self(Mutex::new(None))
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
}

impl<T> Kept<T> {
    /// Returns the value that is good, or what `fetch` brings. While that fails, the old value serves to its end.
    pub(crate) async fn get(
        &self,
        fetch: impl Future<Output = Result<Fresh<T>, Failure>>,
    ) -> Result<Arc<T>, Failure> {
        let mut held = self.0.lock().await;
        let now = clock::moment();
        if let Some(good) = held.as_ref().filter(|held| held.replace.is_none_or(|at| now < at)) {
            return Ok(Arc::clone(&good.it));
        }
        match fetch.await {
            Ok(fresh) => Ok(Arc::clone(&held.insert(Held::new(fresh, clock::moment())).it)),
            Err(failure) => match held.as_mut().filter(|held| held.ends.is_none_or(|end| now < end)) {
                Some(old) => {
                    old.replace = Some(now.after(ONCE_MORE));
                    Ok(Arc::clone(&old.it))
                }
                None => Err(failure),
            },
        }
    }

    /// Has this value replaced at the next request, since the server says that it has ended.
    pub(crate) async fn forget(&self, it: &Arc<T>) {
        let mut held = self.0.lock().await;
        if held.as_ref().is_some_and(|held| Arc::ptr_eq(&held.it, it)) {
            *held = None;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use leasehold_base::failure::FailureKind;

    async fn fresh(it: u32, life: u64) -> Result<Fresh<u32>, Failure> {
        Ok(Fresh { it, life: Some(Duration::from_secs(life)) })
    }

    async fn away() -> Result<Fresh<u32>, Failure> {
        Err(Failure::new(FailureKind::Unreachable, "away"))
    }

    #[tokio::test]
    async fn one_is_kept_until_it_is_forgotten() {
        let kept = Kept::default();
        assert_eq!(kept.get(away()).await.expect_err("there is none").why, "away");
        let first = kept.get(fresh(1, 3600)).await.expect("it comes");
        assert_eq!((*first, *kept.get(away()).await.expect("it is kept")), (1, 1));
        kept.forget(&first).await;
        assert_eq!(*kept.get(fresh(2, 3600)).await.expect("it comes"), 2);
        kept.forget(&first).await;
        assert_eq!(*kept.get(away()).await.expect("the second stays"), 2);
    }

    #[test]
    fn it_is_replaced_before_its_end_and_serves_until_then() {
        let at = |seconds| Moment::new(Duration::from_secs(seconds));
        for (life, replace, ends) in [(3600, 3300, 3600), (600, 450, 600), (0, 45, 60)] {
            let held = Held::new(Fresh { it: (), life: Some(Duration::from_secs(life)) }, at(0));
            assert_eq!((held.replace, held.ends), (Some(at(replace)), Some(at(ends))));
        }
        assert_eq!(Held::new(Fresh { it: (), life: None }, at(0)).replace, None);
    }
}
