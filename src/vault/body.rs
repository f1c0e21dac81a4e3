//! An answer's body: bounded, and wiped.

use bytes::Bytes;
use zeroize::Zeroizing;

/// No secret is larger; a list of a hundred thousand names fits.
pub(super) const MAX: usize = 8 * 1024 * 1024;

/// The body is longer than [`MAX`].
#[derive(Debug, PartialEq, Eq)]
pub(super) struct TooLarge;

/// Collects chunks into one buffer. When that must grow, the old one is wiped, which `Vec` itself
/// would not do.
pub(super) struct Collector(Zeroizing<Vec<u8>>);

impl Collector {
    /// For a body that says it is `announced` bytes long.
    pub(super) fn new(announced: Option<u64>) -> Result<Self, TooLarge> {
        let announced = usize::try_from(announced.unwrap_or(4096)).map_err(|_| TooLarge)?;
        if announced > MAX { Err(TooLarge) } else { Ok(Self(Zeroizing::new(Vec::with_capacity(announced)))) }
    }

    pub(super) fn push(&mut self, chunk: &Bytes) -> Result<(), TooLarge> {
        let needed = self.0.len() + chunk.len();
        if needed > MAX {
            return Err(TooLarge);
        }
        if needed > self.0.capacity() {
            let mut larger = Zeroizing::new(Vec::with_capacity(needed.max(self.0.capacity() * 2)));
            larger.extend_from_slice(&self.0);
            self.0 = larger;
        }
        self.0.extend_from_slice(chunk);
        Ok(())
    }

    pub(super) fn finish(self) -> Zeroizing<Vec<u8>> {
        self.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn chunks_become_one_body() {
        let mut body = Collector::new(None).expect("small");
        for _ in 0..3 {
            body.push(&Bytes::from(vec![b'x'; 3000])).expect("fits");
        }
        assert_eq!(body.finish().as_slice(), [b'x'; 9000]);
    }

    #[test]
    fn more_than_the_limit_is_refused_when_announced_and_when_sent() {
        assert!(Collector::new(Some(1 << 30)).is_err());
        assert!(Collector::new(Some(u64::MAX)).is_err());
        let mut body = Collector::new(Some(10)).expect("small");
        body.push(&Bytes::from(vec![0; MAX])).expect("fits");
        assert_eq!(body.push(&Bytes::from_static(b"x")), Err(TooLarge));
    }
}
