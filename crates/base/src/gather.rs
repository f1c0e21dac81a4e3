//! Collecting into a tree without sorting first.

/// `gather` in the place of `collect`, where a `BTreeMap` or a `BTreeSet` is made.
///
/// `collect` sorts all pairs first, and the sorting is compiled anew for each type of pairs: 4.6 KB of the program each,
/// and there were dozens. One insertion after the other does as well for what is small or comes in order.
pub trait Gather: Iterator + Sized {
    /// Collects all items.
    fn gather<C: Default + Extend<Self::Item>>(self) -> C {
        let mut all = C::default();
        all.extend(self);
        all
    }
}

impl<I: Iterator> Gather for I {}
