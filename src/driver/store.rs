//! Keeps the answers of the server, each under the one resolved form of its request.

mod ways;

use std::collections::HashMap;
use std::sync::Arc;

use self::ways::Ways;
use super::Driver;
use crate::core::Engine;
use crate::core::event::{Life, ReadFacts};
use crate::core::ids::SecretId;
use crate::render::Secrets;
use leasehold_base::request::Request;
use leasehold_base::response::Response;
use leasehold_base::time::Moment;

/// Answers by resolved request, and the other ways those requests are written.
#[derive(Debug, Default)]
pub(super) struct Store {
    answers: HashMap<Request, Arc<Response>>,
    /// The resolved form of each written request: `secret/web` → `secret/data/web`.
    resolved: Ways,
    /// For each request that has moved on the server and was not read there yet, the request under which its last
    /// good answer is kept.
    moved: Ways,
}

impl Store {
    /// Remembers that `written` means `resolved`.
    pub(super) fn resolve(&mut self, written: Request, resolved: Request) {
        let before = self.place(&written).clone();
        if before == resolved {
            // It has moved back before it was read at the place that it was thought to have moved to.
            self.moved.remove_to(&resolved);
        }
        let known = before == resolved || self.moved.target(&resolved) == Some(&before);
        if !known && self.answers.contains_key(&before) {
            // Other ways of writing it move along. A request in its former form means another secret, if there is
            // one.
            self.resolved.remove(&before);
            self.resolved.turn(&before, &resolved);
            if self.answers.contains_key(&resolved) {
                self.answers.remove(&before);
            } else {
                self.moved.put(resolved.clone(), before);
            }
        }
        self.resolved.put(written, resolved);
    }

    /// Returns the request under which the answer to this one is kept.
    fn place<'a>(&'a self, written: &'a Request) -> &'a Request {
        let resolved = self.resolved.target(written).unwrap_or(written);
        self.moved.target(resolved).unwrap_or(resolved)
    }

    /// Keeps an answer. `vault::facts` has compared it with the one before.
    pub(super) fn put(&mut self, resolved: Request, response: Arc<Response>) {
        if let Some(before) = self.moved.remove(&resolved) {
            self.answers.remove(&before);
        }
        self.answers.insert(resolved, response);
    }

    /// Drops an answer and every way in which its request was written.
    pub(super) fn forget(&mut self, resolved: &Request) {
        self.answers.remove(resolved);
        if let Some(before) = self.moved.remove(resolved) {
            self.answers.remove(&before);
        }
        self.resolved.remove_to(resolved);
    }
}

/// Keeps the answer of a store that is no Vault, and returns what the core needs to know of it.
pub(super) fn fetched(
    store: &mut Store,
    engine: &Engine,
    secret: SecretId,
    request: &Request,
    response: Arc<Response>,
) -> ReadFacts {
    // Another version may hold the same value.
    let same = |before: Arc<Response>| before.data == response.data && before.raw == response.raw;
    let changed = !store.get(request).is_some_and(same);
    let version_id = response.version_id.clone();
    let version = version_id.as_ref().and_then(|id| id.parse().ok());
    if engine.knows(secret) {
        store.put(request.clone(), response);
    }
    ReadFacts { lease: None, life: Life::Unknown, version, version_id, changed, rotated: changed }
}

impl Driver {
    /// Keeps what a store that is no Vault has answered, and returns what the core needs to know.
    pub(super) fn keep_fetched(
        &mut self,
        secret: SecretId,
        request: &Request,
        response: Arc<Response>,
        sent: Moment,
    ) -> ReadFacts {
        let facts = fetched(&mut self.store, &self.engine, secret, request, response);
        self.voice.step(|| format!("read {}", request.path), sent);
        facts
    }
}

impl Secrets for Store {
    /// Returns the answer to a request, however the request is written.
    fn get(&self, written: &Request) -> Option<Arc<Response>> {
        self.answers.get(self.place(written)).cloned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::Tree;

    fn read(path: &str) -> Request {
        Request::read(path).expect("a good path")
    }

    fn answer(value: &str) -> Arc<Response> {
        Arc::new(Response { data: Tree::text(value), ..Response::default() })
    }

    #[test]
    fn an_answer_is_found_however_its_path_is_written() {
        let mut store = Store::default();
        store.resolve(read("secret/web"), read("secret/data/web"));
        store.put(read("secret/data/web"), answer("a"));
        assert!(store.get(&read("secret/web")).is_some());
        assert!(store.get(&read("secret/data/web")).is_some());
        store.forget(&read("secret/data/web"));
        assert!(store.get(&read("secret/web")).is_none());
    }

    #[test]
    fn what_has_moved_is_what_it_was_until_it_is_read_anew() {
        let mut store = Store::default();
        store.resolve(read("kv/web"), read("kv/web"));
        store.put(read("kv/web"), answer("a"));
        // The mount was upgraded to version 2.
        store.resolve(read("kv/web"), read("kv/data/web"));
        for way in ["kv/web", "kv/data/web"] {
            assert_eq!(store.get(&read(way)).map(|found| found.data.clone()), Some(Tree::text("a")), "{way}");
        }
        store.resolve(read("kv/data/web"), read("kv/data/web"));
        store.put(read("kv/data/web"), answer("b"));
        assert_eq!(store.get(&read("kv/web")).map(|found| found.data.clone()), Some(Tree::text("b")));
        assert_eq!(store.answers.len(), 1, "no secret is kept that nothing leads to");
        store.resolve(read("kv/web"), read("kv/web"));
        assert!(store.get(&read("kv/web")).is_some(), "and back");
        store.forget(&read("kv/web"));
        assert!(store.answers.is_empty() && store.moved.is_empty() && store.resolved.is_empty());
    }

    /// Returns how many ways are looked at while so many secrets move with their mount, and are forgotten.
    fn looks(number: usize) -> usize {
        let mut store = Store::default();
        let path = |index: usize| read(&format!("kv/{index}"));
        let moved = |index: usize| read(&format!("kv/data/{index}"));
        for index in 0..number {
            store.resolve(path(index), path(index));
            store.put(path(index), answer("a"));
        }
        for index in 0..number {
            store.resolve(path(index), moved(index));
            store.put(moved(index), answer("b"));
        }
        (0..number).for_each(|index| store.forget(&moved(index)));
        assert!(store.answers.is_empty() && store.moved.is_empty() && store.resolved.is_empty());
        store.resolved.looks + store.moved.looks
    }

    #[test]
    fn a_secret_that_moves_or_is_forgotten_costs_no_look_at_the_others() {
        let (few, many) = (looks(20), looks(40));
        assert!(few > 0 && many <= 2 * few, "{few} and {many}");
    }

    #[test]
    fn what_is_back_before_it_was_read_elsewhere_answers_for_nothing_else() {
        let mut store = Store::default();
        store.resolve(read("kv/web"), read("kv/web"));
        store.put(read("kv/web"), answer("a"));
        store.resolve(read("kv/web"), read("kv/data/web"));
        store.resolve(read("kv/web"), read("kv/web"));
        assert!(store.get(&read("kv/web")).is_some());
        assert!(store.get(&read("kv/data/web")).is_none());
    }
}
