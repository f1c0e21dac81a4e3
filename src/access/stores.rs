//! What the stores that are no Vault have of what is wanted of them.

use std::collections::BTreeMap;

use super::rules::Rule;
use super::survey::{Finding, State};
use super::wants::{Want, Wants};
use crate::config::plan::Plan;
use crate::secret::Secret;
use leasehold_base::failure::FailureKind;
use leasehold_base::request::Verb;
use leasehold_stores::Store;

/// Asks each store for everything that is wanted of it. No value is kept.
pub async fn survey(plan: &Plan, wants: &Wants, variables: &BTreeMap<String, Secret>) -> Vec<Finding> {
    let mut findings = Vec::new();
    for settings in &plan.stores {
        let store = Store::open(settings, variables);
        let of_this = |want: &&Want| plan.store_of(&want.path) == Some(settings);
        for want in wants.stored.iter().filter(of_this) {
            let state = presence(&store, want).await;
            let needs = if want.verb == Verb::List { "list" } else { "read" };
            let rule = Rule::of_store(&want.path, needs, &want.users);
            let has = vec![settings.kind.name().to_owned()];
            findings.push(Finding { rules: vec![rule], has, state, vital: true });
        }
    }
    findings
}

async fn presence(store: &Store, want: &Want) -> State {
    for (request, keys) in &want.requests {
        let answer = match store.ask(request).await {
            Ok(answer) => answer,
            Err(failure) if failure.kind == FailureKind::Denied => return State::Refused(failure.why),
            Err(failure) => return State::Missing(failure.why),
        };
        if let Some(key) = keys.iter().find(|key| answer.data.get(key).is_none()) {
            return State::Missing(format!("the secret has no key `{key}`"));
        }
    }
    State::Works
}
