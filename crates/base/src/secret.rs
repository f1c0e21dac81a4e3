//! The types that hold secret bytes.
//!
//! Everything that came out of the server, and everything rendered from it, is a [`Secret`] or a
//! [`Tree`](crate::tree::Tree) of them. Neither can be printed: there is no `Display`, and `Debug`
//! says only that something is there. Whoever needs the bytes writes [`Secret::expose`], which is
//! the one word to search for in a review.

use std::fmt;
use std::sync::Arc;

use zeroize::{Zeroize, ZeroizeOnDrop};

/// Bytes nobody may see: cheap to share, wiped when the last holder lets go.
///
/// Bytes rather than text, because templates count and cut bytes as Go does and a value may be
/// binary after `base64Decode`.
#[derive(Clone, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Secret(Arc<Wiped>);

#[derive(Default, PartialEq, Eq, PartialOrd, Ord, Hash, Zeroize, ZeroizeOnDrop)]
struct Wiped(Vec<u8>);

impl Secret {
    /// Takes the bytes over; the vector must not have been grown since it first held a secret,
    /// for a reallocation leaves an unwiped copy behind.
    #[must_use]
    pub fn new(bytes: Vec<u8>) -> Self {
        Self(Arc::new(Wiped(bytes)))
    }

    /// The bytes themselves. Every caller of this is a place to look at in a review.
    #[must_use]
    pub fn expose(&self) -> &[u8] {
        &self.0.0
    }

    /// The bytes as text, or `None` where they are not UTF-8.
    #[must_use]
    pub fn expose_str(&self) -> Option<&str> {
        std::str::from_utf8(&self.0.0).ok()
    }

    /// How many bytes there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.0.0.len()
    }

    /// Whether there are none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.0.is_empty()
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
