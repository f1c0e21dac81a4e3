//! Counts the memory that secrets and values take at this moment, so that a rendering can be stopped before it fills the
//! memory.
//!
//! Each thread counts for itself. Within one piece of work on one thread, the difference of two readings is what that work
//! holds; a reading alone means little, because a value may be dropped by another thread than the one that made it.

use std::cell::Cell;

thread_local! {
    static HELD: Cell<usize> = const { Cell::new(0) };
}

/// Returns the bytes that this thread has made and not dropped, up to the bytes that it dropped for others.
#[must_use]
#[inline]
pub fn now() -> usize {
    HELD.get()
}

/// Returns the bytes that were made since the reading `before` and are still there.
#[must_use]
#[inline]
pub fn since(before: usize) -> usize {
    // Less than before: something older was dropped.
    HELD.get().wrapping_sub(before).cast_signed().max(0).cast_unsigned()
}

/// Counts `bytes` more.
#[inline]
pub(crate) fn add(bytes: usize) {
    HELD.set(HELD.get().wrapping_add(bytes));
}

/// Counts `bytes` less.
#[inline]
pub(crate) fn remove(bytes: usize) {
    HELD.set(HELD.get().wrapping_sub(bytes));
}

/// Bytes that count for as long as this lives.
#[derive(Debug)]
pub struct Held(usize);

impl Held {
    /// Counts `bytes` from now on.
    #[must_use]
    #[inline]
    pub fn new(bytes: usize) -> Self {
        add(bytes);
        Self(bytes)
    }

    /// Counts `bytes` in place of what it counted until now.
    #[inline]
    pub fn set(&mut self, bytes: usize) {
        remove(self.0);
        add(bytes);
        self.0 = bytes;
    }
}

impl Drop for Held {
    #[inline]
    fn drop(&mut self) {
        remove(self.0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[test]
    fn what_is_there_counts_once_and_what_is_gone_does_not() {
        let before = now();
        let secret = Secret::new(vec![b'x'; 1000]);
        let one = since(before);
        assert!((1000..1200).contains(&one), "{one}");
        let clone = secret.clone();
        drop(secret);
        assert_eq!(since(before), one, "a clone is the same bytes");
        drop(clone);
        assert_eq!(since(before), 0);
        let mut held = Held::new(10);
        held.set(7);
        assert_eq!(since(before), 7);
    }

    #[test]
    fn what_another_thread_made_is_no_debt() {
        let before = now();
        let made = std::thread::spawn(|| Secret::from("made elsewhere")).join().expect("no panic");
        drop(made);
        assert_eq!(since(before), 0);
    }
}
