//! The token with which handoffs are encrypted. All engines share it, and one login is under way for it at a time.

use std::cell::RefCell;
use std::time::Duration;

use leasehold_base::clock;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;
use leasehold_base::time::Moment;
use tokio::sync::Mutex;

/// How long a failure stands for the logins that other engines would try.
const PAUSE: Duration = Duration::from_secs(1);
/// The same for a refusal: servers lock an account after some of them.
const REFUSED: Duration = Duration::from_secs(30);

/// The token; see the module.
#[derive(Default)]
pub(super) struct Shared {
    token: RefCell<Option<Secret>>,
    /// Held during a login. When the last one failed, and why.
    failed: Mutex<Option<(Moment, Failure)>>,
}

impl Shared {
    pub(super) fn held(&self) -> Option<Secret> {
        self.token.borrow().clone()
    }

    pub(super) fn take(&self) -> Option<Secret> {
        self.token.borrow_mut().take()
    }

    /// Returns another token than the dead one: that of this login, or that of an engine that has logged in meanwhile.
    ///
    /// # Errors
    /// The login's, also if it was another engine's a moment ago: hundreds of engines may wait for one answer.
    pub(super) async fn renew(
        &self,
        dead: Option<&Secret>,
        login: impl AsyncFnOnce() -> Result<Secret, Failure>,
    ) -> Result<Secret, Failure> {
        let mut failed = self.failed.lock().await;
        if let Some(token) = self.held().filter(|token| Some(token) != dead) {
            return Ok(token);
        }
        if let Some((at, failure)) = failed.as_ref().filter(|(at, failure)| stands(*at, failure)) {
            tracing::debug!("no login {:?} after one that failed", at.until(clock::moment()));
            return Err(failure.clone());
        }
        let result = login().await;
        *failed = result.as_ref().err().map(|failure| (clock::moment(), failure.clone()));
        *self.token.borrow_mut() = result.as_ref().ok().cloned();
        result
    }
}

fn stands(at: Moment, failure: &Failure) -> bool {
    let pause = if failure.kind == FailureKind::Refused { REFUSED } else { PAUSE };
    at.until(clock::moment()) < pause
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use futures_util::future::join_all;

    use super::*;

    /// Has so many engines ask for another token at once. Returns what they got, and how many logins that took.
    async fn ask(
        shared: &Shared,
        dead: Option<&Secret>,
        answer: &Result<Secret, Failure>,
    ) -> (Vec<Result<Secret, Failure>>, u32) {
        let logins = Cell::new(0);
        let login = async || {
            logins.set(logins.get() + 1);
            tokio::task::yield_now().await;
            answer.clone()
        };
        let all = join_all((0..200).map(|_| shared.renew(dead, login))).await;
        (all, logins.get())
    }

    #[tokio::test(flavor = "current_thread")]
    async fn many_engines_without_a_token_log_in_once() {
        let shared = Shared::default();
        let (one, two) = (Secret::from("one"), Secret::from("two"));
        let (all, logins) = ask(&shared, None, &Ok(one.clone())).await;
        assert!(logins == 1 && all.iter().all(|token| *token == Ok(one.clone())));
        let (all, logins) = ask(&shared, Some(&one), &Ok(two.clone())).await;
        assert!(logins == 1 && all.iter().all(|token| *token == Ok(two.clone())), "the first is dead");
        // One that was slow to find that out.
        let (all, logins) = ask(&shared, Some(&one), &Ok(one.clone())).await;
        assert!(logins == 0 && all.iter().all(|token| *token == Ok(two.clone())));
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_login_that_fails_fails_for_all_that_wait_for_it() {
        let shared = Shared::default();
        let failure = Failure::new(FailureKind::Refused, "no such role");
        let (all, logins) = ask(&shared, None, &Err(failure.clone())).await;
        assert!(logins == 1 && all.iter().all(|result| *result == Err(failure.clone())));
    }
}
