//! Reads that are asked for at the same time go out as one request of up to twenty.

use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, MutexGuard, PoisonError};

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::response::Response;
use leasehold_base::tree::Tree;
use tokio::sync::oneshot;

use super::errors::Complaint;
use super::{Aws, Refused};

/// How many secrets AWS reads at once.
const MOST: usize = 20;

/// The outcome of a read; `None` if it has to be asked by itself.
type Outcome = Option<Result<Response, Failure>>;

/// A task that asks for a secret.
#[derive(Debug)]
struct Asker {
    id: String,
    tell: oneshot::Sender<Outcome>,
}

/// The reads that wait for the end of this turn of the loop.
#[derive(Debug, Default)]
pub(super) struct Gather {
    waiting: Mutex<Vec<Asker>>,
    /// No request may read several secrets at once: the identity may only read each of them, or what is asked cannot.
    denied: AtomicBool,
}

/// The turn of the first task, which asks for all that wait. If that task is dropped, the others must not wait for it.
struct Turn<'g> {
    gather: &'g Gather,
    is_over: bool,
}

impl Drop for Turn<'_> {
    fn drop(&mut self) {
        if !self.is_over {
            self.gather.waiting().clear();
        }
    }
}

impl Gather {
    fn waiting(&self) -> MutexGuard<'_, Vec<Asker>> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Adds a task that asks. Returns whether it is the first, which then asks for all.
    fn wait(&self, id: &str) -> (oneshot::Receiver<Outcome>, bool) {
        let (tell, told) = oneshot::channel();
        let mut waiting = self.waiting();
        waiting.push(Asker { id: id.to_owned(), tell });
        (told, waiting.len() == 1)
    }

    fn take(&self) -> Vec<Asker> {
        let mut waiting = self.waiting();
        let many = waiting.len().min(MOST);
        waiting.drain(..many).collect()
    }

    /// Returns the outcome of `id`, which is asked for together with what else is asked for now. `ask` asks for
    /// several; `found` finds one in their answer. `None` if it has to be asked by itself.
    async fn read<A>(
        &self,
        id: &str,
        ask: impl AsyncFn(Vec<String>) -> Result<A, Refused>,
        found: impl Fn(&A, &str) -> Outcome,
    ) -> Outcome {
        if self.denied.load(Ordering::Relaxed) {
            return None;
        }
        let (told, is_first) = self.wait(id);
        if is_first {
            let mut turn = Turn { gather: self, is_over: false };
            // Everything that is asked for in this turn of the loop comes before the rest of this.
            tokio::task::yield_now().await;
            loop {
                let askers = self.take();
                match &askers[..] {
                    [] => break,
                    // A task that gets no answer asks by itself.
                    [_] => {}
                    _ if self.denied.load(Ordering::Relaxed) => {}
                    _ => {
                        let answer = ask(askers.iter().map(|asker| asker.id.clone()).collect()).await;
                        self.tell(askers, &answer, &found);
                    }
                }
            }
            turn.is_over = true;
        }
        // If the first task was dropped, each of the others asks by itself.
        told.await.ok().flatten()
    }

    fn tell<A>(&self, askers: Vec<Asker>, answer: &Result<A, Refused>, found: &impl Fn(&A, &str) -> Outcome) {
        if let Err(refused) = answer
            && (refused.is_of_action || refused.failure.kind == FailureKind::Denied)
        {
            self.denied.store(true, Ordering::Relaxed);
        }
        // A request that is rejected may be so for one name of several: only its own secrets are asked for by themselves.
        let by_itself = |kind| matches!(kind, FailureKind::Denied | FailureKind::Rejected);
        for Asker { id, tell } in askers {
            let outcome = match answer {
                Ok(answer) => found(answer, &id),
                Err(refused) if by_itself(refused.failure.kind) => None,
                Err(refused) => Some(Err(refused.failure.clone())),
            };
            // A task that was dropped needs no answer.
            let _ = tell.send(outcome);
        }
    }
}

impl Aws {
    /// Reads the newest version, together with what else is asked for now.
    pub(super) async fn read_together(&self, id: &str) -> Result<Response, Failure> {
        let ask = async |ids: Vec<String>| {
            let ids = Tree::list(ids.into_iter().map(Tree::text));
            self.call("BatchGetSecretValue", Tree::map([("SecretIdList", ids)])).await
        };
        match self.gather.read(id, ask, |tree, id| self.found(tree, id)).await {
            Some(result) => result,
            None => self.read_one(id, &[]).await,
        }
    }

    /// Returns what the answer has for one secret.
    fn found(&self, tree: &Tree, id: &str) -> Outcome {
        let list = |name: &str| tree.get(name).and_then(Tree::as_list).unwrap_or_default();
        let is = |of: &Tree, key: &str| of.get(key).and_then(Tree::as_str) == Some(id);
        let value = list("SecretValues").iter().find(|one| is(one, "Name") || is(one, "ARN"));
        if let Some(value) = value {
            return Some(super::value(value));
        }
        let error = list("Errors").iter().find(|one| is(one, "SecretId"))?;
        let text = |key: &str| error.get(key).and_then(Tree::as_str).unwrap_or_default();
        let complaint = Complaint::of_one(text("ErrorCode"), text("Message"));
        Some(Err(super::explained(&complaint, self.region.get().map_or("", String::as_str), None)))
    }
}

#[cfg(test)]
mod tests {
    use std::cell::RefCell;
    use std::future::{Future as _, poll_fn};
    use std::rc::Rc;
    use std::task::Poll;

    use http::{HeaderMap, StatusCode};
    use leasehold_base::secret::Secret;
    use tokio::runtime::Builder;
    use tokio::task::LocalSet;
    use zeroize::Zeroizing;

    use super::*;
    use crate::http::Answer;

    /// Asks for this many at once, while the store answers each request for several with `answer`. Returns what the
    /// store was asked, and the outcome of each.
    fn asked_at_once(
        many: usize,
        answer: &Result<&'static str, Refused>,
    ) -> (Vec<Vec<String>>, Vec<Outcome>) {
        let gather = Rc::new(Gather::default());
        let asked = Rc::new(RefCell::new(Vec::new()));
        let read = |number: usize| {
            let (gather, asked, answer) = (Rc::clone(&gather), Rc::clone(&asked), answer.clone());
            async move {
                let ask = async |ids: Vec<String>| {
                    asked.borrow_mut().push(ids);
                    tokio::task::yield_now().await;
                    answer.clone()
                };
                let found = |value: &&'static str, id: &str| {
                    let value = format!("{value} of {id}");
                    (id != "s1").then(|| Ok(Response::of_value(Secret::new(value.into_bytes()))))
                };
                gather.read(&format!("s{number}"), ask, found).await
            }
        };
        let tasks = LocalSet::new();
        let reads: Vec<_> = (0..many).map(|number| tasks.spawn_local(read(number))).collect();
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        let outcomes = runtime.block_on(tasks.run_until(async {
            let mut outcomes = Vec::new();
            for read in reads {
                outcomes.push(read.await.expect("no task panics"));
            }
            outcomes
        }));
        (asked.take(), outcomes)
    }

    #[test]
    fn what_is_said_of_one_of_several_is_not_quoted_where_it_repeats_a_credential() {
        let body = br#"{"SecretValues": [{"Name": "a"}], "Errors": [
            {"SecretId": "b", "ErrorCode": "AccessDenied", "Message": "FwoGZXIvYXdzEBYaDA may not read it"}]}"#;
        let has = |list: &str, unspoken: &str| {
            let (status, headers) = (StatusCode::OK, HeaderMap::new());
            let (body, unspoken) = (Zeroizing::new(body.to_vec()), vec![unspoken.into()]);
            let tree = super::super::understood(&Answer { status, headers, body, unspoken });
            tree.is_ok_and(|tree| tree.get(list).is_some())
        };
        assert!(has("Errors", "a token that is not in it"));
        assert!(!has("Errors", "FwoGZXIvYXdzEBYaDAbcdef"), "it is asked for by itself");
        assert!(has("SecretValues", "FwoGZXIvYXdzEBYaDAbcdef"), "what is good is good");
    }

    #[test]
    fn where_the_first_is_dropped_before_it_has_asked_the_others_ask_by_themselves() {
        let gather = Gather::default();
        let ask = async |_: Vec<String>| Ok::<(), Refused>(());
        let found = |(): &(), _: &str| None;
        let runtime = Builder::new_current_thread().build().expect("a runtime");
        runtime.block_on(async {
            let mut first = Box::pin(gather.read("first", ask, found));
            let mut second = Box::pin(gather.read("second", ask, found));
            let begun = poll_fn(|cx| {
                Poll::Ready(first.as_mut().poll(cx).is_pending() && second.as_mut().poll(cx).is_pending())
            });
            assert!(begun.await, "both wait");
            drop(first);
            assert!(second.await.is_none(), "it asks by itself");
            assert!(gather.read("third", ask, found).await.is_none(), "and is the first again");
        });
    }

    fn sizes(asked: &[Vec<String>]) -> Vec<usize> {
        asked.iter().map(Vec::len).collect()
    }

    #[test]
    fn what_is_asked_in_one_turn_goes_out_in_requests_of_twenty() {
        for (many, requests) in [(1, &[][..]), (2, &[2]), (20, &[20]), (21, &[20]), (45, &[20, 20, 5])] {
            let (asked, outcomes) = asked_at_once(many, &Ok("value"));
            assert_eq!(sizes(&asked), requests, "{many}");
            let ids: Vec<String> = asked.into_iter().flatten().collect();
            let expected: Vec<String> = (0..ids.len()).map(|number| format!("s{number}")).collect();
            assert_eq!(ids, expected, "each is asked for once");
            let told =
                |outcome: &Outcome| outcome.as_ref().and_then(|result| result.as_ref().ok()?.raw.clone());
            for (number, outcome) in outcomes.iter().enumerate() {
                // The one that is alone, the last of 21 and the one that the answer has nothing of ask by themselves.
                let own = number == 1 || number >= ids.len();
                let expected = (!own).then(|| format!("value of s{number}").into_bytes());
                assert_eq!(told(outcome).map(|raw| raw.expose().to_vec()), expected, "{number} of {many}");
            }
        }
    }

    #[test]
    fn who_may_not_read_several_at_once_finds_that_out_once() {
        for (kind, is_of_action) in [(FailureKind::Denied, false), (FailureKind::Rejected, true)] {
            let refused = Refused { failure: Failure::new(kind, "not several"), is_of_action };
            let (asked, outcomes) = asked_at_once(45, &Err(refused));
            assert_eq!(sizes(&asked), [20], "what waited already is not tried again");
            assert!(outcomes.iter().all(Option::is_none), "each asks by itself");
        }
    }

    #[test]
    fn a_name_that_is_rejected_ends_no_other_request_for_several() {
        let rejected = Failure::new(FailureKind::Rejected, "ValidationException");
        let (asked, outcomes) = asked_at_once(45, &Err(rejected.into()));
        assert_eq!(sizes(&asked), [20, 20, 5]);
        assert!(outcomes.iter().all(Option::is_none), "each asks by itself");
    }

    #[test]
    fn a_failure_of_the_store_is_the_failure_of_each() {
        let away = Failure::new(FailureKind::Unreachable, "connection refused");
        let (asked, outcomes) = asked_at_once(3, &Err(away.clone().into()));
        assert_eq!(sizes(&asked), [3]);
        assert!(outcomes.iter().all(|outcome| matches!(outcome, Some(Err(failure)) if *failure == away)));
    }

    #[test]
    fn one_of_several_is_found_or_explained_as_if_it_were_asked_for_by_itself() {
        let settings = crate::settings::Aws { region: Some("eu-central-1".to_owned()), ..Default::default() };
        let aws = Aws::new(&settings, &std::collections::BTreeMap::new());
        aws.region().expect("it is named");
        let binary = br#"{"Name": "b", "VersionId": "v1", "SecretBinary": "/wB7Ig=="}"#;
        let values = format!(r#"{{"SecretValues": [{}]}}"#, String::from_utf8_lossy(binary));
        let tree = Tree::from_json(values.as_bytes()).expect("JSON");
        let found = aws.found(&tree, "b").expect("it is there").expect("a value");
        assert_eq!(found.raw.expect("raw").expose(), b"\xff\x00{\"");
        assert_eq!(found.version_id.as_deref(), Some("v1"));
        assert!(aws.found(&tree, "c").is_none(), "it is asked for by itself");
        for (code, kind, words) in [
            ("ResourceNotFoundException", FailureKind::Missing, " does not have it (why)"),
            ("AccessDeniedException", FailureKind::Denied, " denies it (why); `leasehold policy`"),
            ("DecryptionFailure", FailureKind::Denied, " cannot decrypt it (why); allow kms:Decrypt"),
            ("InternalServiceError", FailureKind::Unavailable, ": a fault of its own (why)"),
            ("ThrottlingException", FailureKind::Overloaded(None), ": too many requests"),
            ("Strange", FailureKind::Rejected, ": Strange (why)"),
        ] {
            let error = format!(r#"{{"SecretId": "s", "ErrorCode": "{code}", "Message": "why"}}"#);
            let tree = Tree::from_json(format!(r#"{{"Errors": [{error}]}}"#).as_bytes()).expect("JSON");
            let failure = aws.found(&tree, "s").expect("it is there").expect_err("refused");
            assert_eq!(failure.kind, kind, "{failure}");
            let start = format!("AWS Secrets Manager in eu-central-1{words}");
            assert!(failure.why.starts_with(&start), "{failure}");
        }
    }
}
