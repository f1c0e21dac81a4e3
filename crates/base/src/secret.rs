//! The types that hold secret bytes.
//!
//! Everything that a server answered, and everything rendered from it, is a [`Secret`] or a
//! [`Tree`](crate::tree::Tree) of them. Neither can be printed: there is no `Display`, and `Debug`
//! says only that something is there. Code that needs the bytes calls [`Secret::expose`], which is
//! the one word to search for in a review.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop};

use crate::held;

/// Secret bytes: a clone copies a pointer, and the bytes are wiped when the last clone is dropped.
///
/// They are bytes and not text, because templates count and cut bytes as Go does, and a value may be
/// binary after `base64Decode`.
#[derive(Clone)]
pub struct Secret(Arc<Wiped>);

/// It counts as held without a [`Held`](held::Held) of its own, which would make each secret larger: nothing changes the
/// vector's capacity.
struct Wiped(Vec<u8>);

/// What a secret takes in addition to its bytes: two counters, the vector, and the allocator's own.
const OVERHEAD: usize = 80;

impl Wiped {
    fn new(bytes: Vec<u8>) -> Self {
        held::add(bytes.capacity() + OVERHEAD);
        Self(bytes)
    }
}

impl Drop for Wiped {
    fn drop(&mut self) {
        held::remove(self.0.capacity() + OVERHEAD);
        self.0.zeroize();
    }
}

impl ZeroizeOnDrop for Wiped {}

impl Secret {
    /// Takes over the bytes without a copy. The vector must not have grown since it first held a secret,
    /// because a reallocation leaves an unwiped copy behind.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Wiped::new(bytes)))
    }

    /// Returns the bytes. A review has to read every call of this.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0.0
    }

    /// Returns the bytes as text, or `None` if they are not UTF-8.
    #[must_use]
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0.0).ok()
    }

    /// Returns the number of bytes.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.len()
    }

    /// Returns whether there are no bytes.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
    }
}

impl Default for Secret {
    fn default() -> Self {
        Self::new(Vec::new())
    }
}

impl PartialEq for Secret {
    fn eq(&self, other: &Self) -> bool {
        self.expose() == other.expose()
    }
}

impl Eq for Secret {}

impl PartialOrd for Secret {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Secret {
    fn cmp(&self, other: &Self) -> Ordering {
        self.expose().cmp(other.expose())
    }
}

impl Hash for Secret {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.expose().hash(state);
    }
}

impl From<Vec<u8>> for Secret {
    fn from(bytes: Vec<u8>) -> Self {
        Self::new(bytes)
    }
}

impl From<&str> for Secret {
    fn from(text: &str) -> Self {
        Self::new(text.as_bytes().to_vec())
    }
}

impl From<String> for Secret {
    fn from(text: String) -> Self {
        Self::new(text.into_bytes())
    }
}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[secret]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn debug_shows_neither_value_nor_length() {
        assert_eq!(format!("{:?}", Secret::from("hunter2")), "[secret]");
        assert_eq!(format!("{:?}", Secret::default()), "[secret]");
    }
}
