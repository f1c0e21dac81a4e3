//! Says what the stores that are no Vault have of what a plan wants.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::rules::Rule;
use super::survey::{Finding, State, no_key};
use super::turns::Turns;
use super::wants::{Want, Wants};
use crate::config::plan::Plan;
use crate::secret::Secret;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::{Request, Verb};
use leasehold_base::response::Response;
use leasehold_stores::{Settings, Store};

/// Asks each store for everything that is wanted of it, as many at once and as fast as a run would. No value is kept.
pub async fn survey(plan: &Plan, wants: &Wants, variables: &BTreeMap<String, Secret>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for settings in &plan.stores {
        let of_this = |want: &&Want| plan.store_of(&want.path) == Some(settings);
        let wanted = wants.stored.iter().filter(of_this).collect();
        findings.extend(of_store(settings, wanted, variables).await);
    }
    findings
}

async fn of_store(
    settings: &Settings,
    wanted: Vec<&Want>,
    variables: &BTreeMap<String, Secret>,
) -> Vec<Finding> {
    let store = Store::open(settings, variables);
    let asked = Asked { store: &store, turns: Turns::new(settings.rate_limit), away: RefCell::default() };
    let look = |want| {
        let asked = &asked;
        async move { finding(settings, want, asked.presence(want).await) }
    };
    stream::iter(wanted).map(look).buffered(settings.kind.max_in_flight()).collect().await
}

fn finding(settings: &Settings, want: &Want, state: State) -> Finding {
    let needs = if want.verb == Verb::List { "list" } else { "read" };
    let rule = Rule::of_store(&want.path, needs, &want.users);
    Finding { rules: vec![rule], has: vec![settings.kind.name().to_owned()], state, vital: true }
}

/// A store that is asked.
struct Asked<'s> {
    store: &'s Store,
    turns: Turns,
    /// Why it does not answer. What does not answer one request does not answer the next.
    away: RefCell<Option<Failure>>,
}

impl Asked<'_> {
    async fn presence(&self, want: &Want) -> State {
        for (request, keys) in &want.requests {
            let answer = match self.answer(request).await {
                Ok(answer) => answer,
                Err(state) => return state,
            };
            if let Some(key) = keys.iter().find(|key| answer.data.get(key).is_none()) {
                return State::Missing(no_key(key));
            }
        }
        State::Works
    }

    async fn answer(&self, request: &Request) -> Result<Response, State> {
        self.is_there()?;
        self.turns.next().await;
        // Another request may have found out while this one waited.
        self.is_there()?;
        self.store.ask(request).await.map_err(|failure| {
            let state = state(failure);
            if let State::Away(failure) = &state {
                self.away.borrow_mut().get_or_insert_with(|| failure.clone());
            }
            state
        })
    }

    fn is_there(&self) -> Result<(), State> {
        self.away.borrow().clone().map_or(Ok(()), |failure| Err(State::Away(failure)))
    }
}

fn state(failure: Failure) -> State {
    match failure.kind {
        FailureKind::Denied | FailureKind::Refused | FailureKind::Unusable => State::Refused(failure),
        FailureKind::Redirected | FailureKind::Nonsense => State::Away(failure),
        kind if kind.is_outage() => State::Away(failure),
        _ => State::Missing(failure),
    }
}

#[cfg(test)]
#[allow(clippy::disallowed_methods, reason = "the test writes its own file")]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;
    use crate::access::{test_plan, wants};

    #[test]
    fn a_store_is_asked_at_the_rate_that_it_is_limited_to() {
        let dir = tempfile::tempdir().expect("a folder");
        std::fs::write(dir.path().join("there"), "x").expect("a file");
        let files: String = (0..4).map(|n| format!("  - {{path: f{n}, secret: disk/s{n}}}\n")).collect();
        let plan = test_plan(&format!(
            "backends: {{disk: {{files: {{dir: '{}'}}, rate_limit: {{per_second: 20, burst: 1}}}}}}\n\
             files:\n  - {{path: a, secret: disk/there}}\n{files}",
            dir.path().display()
        ));
        let wants = wants::of(&plan);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        let began = Instant::now();
        let findings = runtime.block_on(survey(&plan, &wants, &BTreeMap::new()));
        // The first goes at once, and each of the other four a twentieth of a second later.
        assert!(began.elapsed() >= Duration::from_millis(200), "{:?}", began.elapsed());
        let works = |finding: &&Finding| finding.state == State::Works;
        assert_eq!((findings.len(), findings.iter().filter(works).count()), (5, 1));
    }
}
