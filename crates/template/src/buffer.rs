//! Where text is made: a buffer that wipes what it leaves behind, and stops at a limit.

use zeroize::Zeroizing;

use leasehold_base::secret::Secret;

/// A growing text of at most so many bytes.
#[derive(Default)]
pub struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
    full: bool,
}

impl Buffer {
    /// An empty buffer that takes `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { bytes: Zeroizing::default(), limit, full: false }
    }

    /// Appends `bytes`, or, where they are too many, none of them ever again.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.reserve(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Appends `count` times the same byte.
    pub fn repeat(&mut self, byte: u8, count: usize) {
        if self.reserve(count) {
            let longer = self.bytes.len() + count;
            self.bytes.resize(longer, byte);
        }
    }

    /// Refuses everything from here on, as if the limit were reached.
    pub const fn overflow(&mut self) {
        self.full = true;
    }

    /// Whether something did not fit.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.full
    }

    /// How many bytes it takes.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The bytes so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// The text.
    #[must_use]
    pub fn into_secret(mut self) -> Secret {
        Secret::new(std::mem::take(&mut *self.bytes))
    }

    /// Makes room; the old bytes are wiped where they have to move.
    fn reserve(&mut self, more: usize) -> bool {
        let needed = self.bytes.len().saturating_add(more);
        if self.full || needed > self.limit {
            self.full = true;
            return false;
        }
        if needed > self.bytes.capacity() {
            let mut larger =
                Zeroizing::new(Vec::with_capacity(needed.max(self.bytes.capacity() * 2).max(64)));
            larger.extend_from_slice(&self.bytes);
            self.bytes = larger;
        }
        true
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_does_not_fit_fills_the_buffer_for_good() {
        let mut buffer = Buffer::new(4);
        buffer.push(b"abc");
        buffer.repeat(b'x', 2);
        assert!(buffer.is_full());
        buffer.push(b"d");
        assert_eq!(buffer.into_secret().expose(), b"abc");
    }
}
