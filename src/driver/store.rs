//! Keeps the answers of the server, each under the one resolved form of its request.

use std::collections::HashMap;
use std::sync::Arc;

use crate::render::Secrets;
use leasehold_base::request::Request;
use leasehold_base::response::Response;

/// Answers by resolved request, and the other ways those requests are written.
#[derive(Debug, Default)]
pub(super) struct Store {
    answers: HashMap<Request, Arc<Response>>,
    /// As written → resolved: `secret/web` → `secret/data/web`.
    resolved: HashMap<Request, Request>,
}

impl Store {
    /// Remembers that `written` means `resolved`.
    pub(super) fn resolve(&mut self, written: Request, resolved: Request) {
        self.resolved.insert(written, resolved);
    }

    /// Keeps an answer. `vault::facts` has compared it with the one before.
    pub(super) fn put(&mut self, resolved: Request, response: Arc<Response>) {
        self.answers.insert(resolved, response);
    }

    /// Drops an answer and every way it was written.
    pub(super) fn forget(&mut self, resolved: &Request) {
        self.answers.remove(resolved);
        self.resolved.retain(|_, target| target != resolved);
    }
}

impl Secrets for Store {
    /// The answer to a request, however it is written.
    fn get(&self, written: &Request) -> Option<Arc<Response>> {
        self.answers.get(self.resolved.get(written).unwrap_or(written)).cloned()
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
}
