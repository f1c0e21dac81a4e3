//! A buffer for text in the making, which wipes its memory and stops at a limit.

use zeroize::Zeroizing;

use leasehold_base::secret::Secret;

/// A growing text with a limit. When it has to move, it wipes the bytes that it leaves behind.
#[derive(Default)]
pub struct Buffer {
    bytes: Zeroizing<Vec<u8>>,
    limit: usize,
    full: bool,
}

impl Buffer {
    /// Makes an empty buffer that takes at most `limit` bytes.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self { bytes: Zeroizing::default(), limit, full: false }
    }

    /// Appends `bytes`. If they do not fit, the buffer is full: it takes none of them, and nothing afterwards.
    pub fn push(&mut self, bytes: &[u8]) {
        if self.reserve(bytes.len()) {
            self.bytes.extend_from_slice(bytes);
        }
    }

    /// Appends `byte` `count` times, under the same rule.
    pub fn repeat(&mut self, byte: u8, count: usize) {
        if self.reserve(count) {
            let longer = self.bytes.len() + count;
            self.bytes.resize(longer, byte);
        }
    }

    /// Marks the buffer as full, as if something had not fitted.
    pub const fn overflow(&mut self) {
        self.full = true;
    }

    /// Returns whether something did not fit.
    #[must_use]
    pub const fn is_full(&self) -> bool {
        self.full
    }

    /// Returns the limit, in bytes.
    #[must_use]
    pub const fn limit(&self) -> usize {
        self.limit
    }

    /// Returns the length of the text so far, in bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    /// Returns whether the text is empty so far.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// Returns the text so far.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Turns the text into a secret, without a copy.
    #[must_use]
    pub fn into_secret(mut self) -> Secret {
        Secret::new(std::mem::take(&mut *self.bytes))
    }

    /// Makes room for `more` bytes, and wipes the old memory if the text has to move. Returns false if they do not fit.
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
