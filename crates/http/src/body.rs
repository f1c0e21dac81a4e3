//! An answer's body: bounded, alone and together with the others, and wiped.

use bytes::Bytes;
use tokio::sync::{Semaphore, SemaphorePermit};
use zeroize::Zeroizing;

/// No secret is larger: the server's own storage takes one MiB (Raft) or half of that (Consul).
pub const MAX: usize = 4 * 1024 * 1024;

/// The size up to which any number of answers are collected at once.
const SMALL: usize = 128 * 1024;

/// Lets one answer at a time grow beyond `SMALL`, because eight hostile ones would hold 32 MiB. The answer that
/// waits here has a deadline, and so has the one that it waits for.
pub struct Growth(Semaphore);

impl Default for Growth {
    fn default() -> Self {
        Self(Semaphore::new(1))
    }
}

/// The body is longer than [`MAX`].
#[derive(Debug, PartialEq, Eq)]
pub struct TooLarge;

/// Collects chunks into one buffer. When that must grow, the old one is wiped, which `Vec` itself
/// would not do. Beyond `SMALL` it gets room for the largest at once: a row of ever larger buffers
/// would leave a heap of holes that none of the next ones fits into.
pub struct Collector<'a> {
    growth: &'a Growth,
    /// The permit that the one grown body holds.
    grown: Option<SemaphorePermit<'a>>,
    bytes: Zeroizing<Vec<u8>>,
}

impl<'a> Collector<'a> {
    /// Makes a collector for a body that says it is `announced` bytes long.
    ///
    /// # Errors
    /// If the body says that it is longer than [`MAX`].
    pub fn new(announced: Option<u64>, growth: &'a Growth) -> Result<Self, TooLarge> {
        let announced = usize::try_from(announced.unwrap_or(4096)).map_err(|_| TooLarge)?;
        if announced > MAX {
            return Err(TooLarge);
        }
        // What is announced need not come.
        let bytes = Zeroizing::new(Vec::with_capacity(announced.min(SMALL)));
        Ok(Self { growth, grown: None, bytes })
    }

    /// Adds a chunk.
    ///
    /// # Errors
    /// A body that is longer than [`MAX`].
    pub async fn push(&mut self, chunk: &Bytes) -> Result<(), TooLarge> {
        let needed = self.bytes.len() + chunk.len();
        if needed > MAX {
            return Err(TooLarge);
        }
        if needed > SMALL && self.grown.is_none() {
            self.grown = Some(self.growth.0.acquire().await.expect("it is never closed"));
        }
        if needed > self.bytes.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(if needed > SMALL { MAX } else { SMALL }));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        self.bytes.extend_from_slice(chunk);
        Ok(())
    }

    /// Returns the whole body.
    pub fn finish(self) -> Zeroizing<Vec<u8>> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use futures_util::FutureExt as _;

    use super::*;

    /// Returns what a push answers at once, or `None` if it waits for its turn.
    fn push(body: &mut Collector<'_>, length: usize) -> Option<Result<(), TooLarge>> {
        body.push(&Bytes::from(vec![b'x'; length])).now_or_never()
    }

    #[test]
    fn chunks_become_one_body() {
        let growth = Growth::default();
        let mut body = Collector::new(None, &growth).expect("small");
        for _ in 0..3 {
            assert_eq!(push(&mut body, 3000), Some(Ok(())));
        }
        assert_eq!(body.finish().as_slice(), [b'x'; 9000]);
    }

    #[test]
    fn more_than_the_limit_is_refused_when_announced_and_when_sent() {
        let growth = Growth::default();
        assert!(Collector::new(Some(1 << 30), &growth).is_err());
        assert!(Collector::new(Some(u64::MAX), &growth).is_err());
        let mut body = Collector::new(Some(10), &growth).expect("small");
        assert_eq!(push(&mut body, MAX), Some(Ok(())));
        assert_eq!(push(&mut body, 1), Some(Err(TooLarge)));
    }

    #[test]
    fn room_is_not_made_for_what_was_only_announced() {
        let growth = Growth::default();
        let body = Collector::new(Some(MAX as u64), &growth).expect("small enough");
        assert!(body.finish().capacity() <= SMALL);
    }

    #[test]
    fn one_at_a_time_grows_large_and_small_ones_go_on() {
        let growth = Growth::default();
        let collector = || Collector::new(None, &growth).expect("small");
        let (mut first, mut second, mut small) = (collector(), collector(), collector());
        assert_eq!(push(&mut first, SMALL + 1), Some(Ok(())));
        assert_eq!(push(&mut second, SMALL), Some(Ok(())));
        assert_eq!(push(&mut second, 1), None);
        assert_eq!(push(&mut small, SMALL), Some(Ok(())));
        drop(first);
        assert_eq!(push(&mut second, 1), Some(Ok(())));
        assert_eq!(second.finish().len(), SMALL + 1);
    }
}
