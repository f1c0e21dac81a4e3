//! The identity that asks: the sources of Google's tokens, in the order of Google's own libraries.

mod iam;
mod machine;
mod proof;
mod subject;
mod token;

use std::path::PathBuf;
use std::sync::Arc;

use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::secret::Secret;

use super::key::Key;
use crate::http::Http;
use crate::kept::{Fresh, Kept};
use crate::variables::Variables;

pub(crate) use machine::address as metadata;
pub(crate) use proof::{identity, of_machine, signed};

/// The present token, and how it is replaced.
pub(super) struct Identity {
    variables: Variables,
    kept: Kept<Secret>,
}

impl Identity {
    pub(super) fn new(variables: Variables) -> Self {
        Self { variables, kept: Kept::default() }
    }

    pub(super) async fn token(&self, http: &Http) -> Result<Arc<Secret>, Failure> {
        let files = || super::needs_of_identity(&self.variables).read.into_iter().collect();
        self.kept.get(files, async { fetch(&self.variables, http).await.map_err(lacking) }).await
    }

    pub(super) fn forget(&self, token: &Arc<Secret>) {
        self.kept.forget(token);
    }
}

/// Returns the file of credentials, if there is one: the file that the variable names, or the one that gcloud has
/// left.
pub(super) fn key_file(variables: &Variables) -> Option<PathBuf> {
    let left = || {
        let config = variables.path("CLOUDSDK_CONFIG");
        let config = config.or_else(|| Some(variables.path("HOME")?.join(".config/gcloud")));
        config.map(|config| config.join("application_default_credentials.json")).filter(|path| path.exists())
    };
    variables.path("GOOGLE_APPLICATION_CREDENTIALS").or_else(left)
}

/// Fetches an access token.
async fn fetch(variables: &Variables, http: &Http) -> Result<Fresh<Secret>, Failure> {
    let Some(path) = key_file(variables) else { return machine::token(http, variables).await };
    match Key::read(&path)? {
        Key::Account(account) => token::of_account(http, &account).await,
        Key::User(user) => token::of_user(http, &user).await,
        Key::Federated(federated) => {
            let token = token::exchange(http, &federated).await?;
            match &federated.impersonate {
                Some(url) => iam::impersonate(http, url, &token.it).await,
                None => Ok(token),
            }
        }
    }
}

/// Returns whether a text can be the name of a service account, and so a part of a URL's path and of a claim.
pub(super) fn is_account(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.' | '@' | '_' | ':');
    (6..=128).contains(&text.len()) && text.contains('@') && text.chars().all(is_part)
}

fn lacking(failure: Failure) -> Failure {
    let kind = if failure.kind == FailureKind::Local { FailureKind::Unusable } else { failure.kind };
    Failure { kind, why: format!("no credentials of Google: {}", failure.why), by_us: true, ..failure }
}
