//! Requests that lead to other requests, from both ends: to where one leads, and which ones lead to it. So forgetting
//! one of ten thousand secrets looks at no other.

use std::collections::HashMap;
use std::sync::Arc;

use leasehold_base::request::Request;

/// Which request leads to which.
#[derive(Debug, Default)]
pub(super) struct Ways {
    targets: HashMap<Arc<Request>, Arc<Request>>,
    /// The same, from the other end.
    sources: HashMap<Arc<Request>, Vec<Arc<Request>>>,
    /// How many ways were looked at, for tests of how that grows.
    #[cfg(test)]
    pub(super) looks: usize,
}

impl Ways {
    /// Returns where `source` leads.
    pub(super) fn target(&self, source: &Request) -> Option<&Request> {
        self.targets.get(source).map(Arc::as_ref)
    }

    /// Has `source` lead to `target`, and nowhere else.
    pub(super) fn put(&mut self, source: Request, target: Request) {
        self.remove(&source);
        let (source, target) = (Arc::new(source), Arc::new(target));
        self.sources.entry(target.clone()).or_default().push(source.clone());
        self.targets.insert(source, target);
    }

    /// Removes the way from `source`. Returns where it led.
    pub(super) fn remove(&mut self, source: &Request) -> Option<Arc<Request>> {
        let target = self.targets.remove(source)?;
        if let Some(sources) = self.sources.get_mut(&target) {
            #[cfg(test)]
            (self.looks += sources.len());
            sources.retain(|other| **other != *source);
            if sources.is_empty() {
                self.sources.remove(&target);
            }
        }
        Some(target)
    }

    /// Removes all ways to `target`. Returns where they came from.
    pub(super) fn remove_to(&mut self, target: &Request) -> Vec<Arc<Request>> {
        let sources = self.sources.remove(target).unwrap_or_default();
        for source in &sources {
            #[cfg(test)]
            (self.looks += 1);
            self.targets.remove(source);
        }
        sources
    }

    /// Has all that leads to `target` lead to `other`.
    pub(super) fn turn(&mut self, target: &Request, other: &Request) {
        let sources = self.remove_to(target);
        if sources.is_empty() {
            return;
        }
        let other = Arc::new(other.clone());
        self.targets.extend(sources.iter().map(|source| (source.clone(), other.clone())));
        self.sources.entry(other).or_default().extend(sources);
    }

    #[cfg(test)]
    pub(super) fn is_empty(&self) -> bool {
        self.targets.is_empty() && self.sources.is_empty()
    }
}
