//! A set that mostly has one member, such as the secrets that a file uses, or the files that use a secret. A tree's
//! smallest node has room for eleven members, and a thousand files have five thousand such sets.

use std::slice;
use std::vec;

/// Members in order, each once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Few<T>(Vec<T>);

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self(Vec::new())
    }
}

impl<T: Ord> Few<T> {
    /// Adds `member`. Returns whether it is new.
    pub(crate) fn insert(&mut self, member: T) -> bool {
        let Err(place) = self.0.binary_search(&member) else { return false };
        if self.0.len() < 4 {
            // A vector's own first step makes room for four.
            self.0.reserve_exact(1);
        }
        self.0.insert(place, member);
        true
    }

    /// Removes `member`. Returns whether it was there.
    pub(crate) fn remove(&mut self, member: &T) -> bool {
        let place = self.0.binary_search(member);
        place.is_ok_and(|place| {
            self.0.remove(place);
            true
        })
    }

    pub(crate) fn contains(&self, member: &T) -> bool {
        self.0.binary_search(member).is_ok()
    }

    /// Returns the member at this place.
    pub(crate) fn get(&self, place: usize) -> Option<&T> {
        self.0.get(place)
    }

    pub(crate) fn len(&self) -> usize {
        self.0.len()
    }

    pub(crate) fn first(&self) -> Option<&T> {
        self.0.first()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    pub(crate) fn clear(&mut self) {
        self.0 = Vec::new();
    }

    /// Returns the members in order.
    pub(crate) fn iter(&self) -> slice::Iter<'_, T> {
        self.0.iter()
    }

    /// Returns the members that `other` does not have.
    pub(crate) fn difference<'s>(&'s self, other: &'s Self) -> impl Iterator<Item = &'s T> {
        self.iter().filter(|member| !other.contains(member))
    }
}

impl<T: Ord> FromIterator<T> for Few<T> {
    fn from_iter<I: IntoIterator<Item = T>>(members: I) -> Self {
        let mut members: Vec<T> = members.into_iter().collect();
        members.sort_unstable();
        members.dedup();
        members.shrink_to_fit();
        Self(members)
    }
}

impl<T: Ord> Extend<T> for Few<T> {
    fn extend<I: IntoIterator<Item = T>>(&mut self, members: I) {
        for member in members {
            self.insert(member);
        }
    }
}

impl<T> IntoIterator for Few<T> {
    type Item = T;
    type IntoIter = vec::IntoIter<T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.into_iter()
    }
}

impl<'s, T> IntoIterator for &'s Few<T> {
    type Item = &'s T;
    type IntoIter = slice::Iter<'s, T>;

    fn into_iter(self) -> Self::IntoIter {
        self.0.iter()
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn it_is_a_set_in_order(changes in prop::collection::vec((any::<bool>(), 0_u8..12), 0..40)) {
            let (mut few, mut tree) = (Few::default(), BTreeSet::new());
            for (put, member) in changes {
                if put {
                    prop_assert_eq!(few.insert(member), tree.insert(member));
                } else {
                    prop_assert_eq!(few.remove(&member), tree.remove(&member));
                }
                prop_assert!(few.iter().eq(&tree));
                prop_assert_eq!((few.first(), few.is_empty()), (tree.first(), tree.is_empty()));
            }
        }

        #[test]
        fn sets_are_made_of_others(a in prop::collection::vec(0_u8..12, 0..9), b in prop::collection::vec(0_u8..12, 0..9)) {
            let tree = |of: &[u8]| of.iter().copied().collect::<BTreeSet<u8>>();
            let few = |of: &[u8]| of.iter().copied().collect::<Few<u8>>();
            prop_assert!(few(&a).difference(&few(&b)).eq(tree(&a).difference(&tree(&b))));
            let mut all = few(&a);
            all.extend(b.iter().copied());
            prop_assert!(all.into_iter().eq(&tree(&a) | &tree(&b)));
        }
    }
}
