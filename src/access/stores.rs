//! Says what the stores that are no Vault have of what a plan wants.

use std::cell::RefCell;
use std::collections::BTreeMap;

use futures_util::StreamExt as _;
use futures_util::stream;

use super::rules::Rule;
use super::survey::{Finding, State, no_key};
use super::wants::{Want, Wants};
use crate::config::plan::Plan;
use crate::secret::Secret;
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Verb;
use leasehold_stores::{Settings, Store};

/// Asks each store for everything that is wanted of it, as many at once as a run would. No value is kept.
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
    let away: RefCell<Option<Failure>> = RefCell::default();
    let look = |want| {
        let (store, away) = (&store, &away);
        async move {
            // What does not answer one does not answer the next.
            let known = away.borrow().clone();
            let state = match known {
                Some(failure) => State::Away(failure),
                None => presence(store, want).await,
            };
            if let State::Away(failure) = &state {
                away.borrow_mut().get_or_insert_with(|| failure.clone());
            }
            finding(settings, want, state)
        }
    };
    stream::iter(wanted).map(look).buffered(settings.kind.max_in_flight()).collect().await
}

fn finding(settings: &Settings, want: &Want, state: State) -> Finding {
    let needs = if want.verb == Verb::List { "list" } else { "read" };
    let rule = Rule::of_store(&want.path, needs, &want.users);
    Finding { rules: vec![rule], has: vec![settings.kind.name().to_owned()], state, vital: true }
}

async fn presence(store: &Store, want: &Want) -> State {
    for (request, keys) in &want.requests {
        let answer = match store.ask(request).await {
            Ok(answer) => answer,
            Err(failure) => return state(failure),
        };
        if let Some(key) = keys.iter().find(|key| answer.data.get(key).is_none()) {
            return State::Missing(no_key(key));
        }
    }
    State::Works
}

fn state(failure: Failure) -> State {
    match failure.kind {
        FailureKind::Denied | FailureKind::Refused | FailureKind::Unusable => State::Refused(failure),
        FailureKind::Redirected | FailureKind::Nonsense => State::Away(failure),
        kind if kind.is_outage() => State::Away(failure),
        _ => State::Missing(failure),
    }
}
