//! `init`, and what `exec` does before its process. Everything is published, or nothing. In the second case the run
//! ends with the clearest cause, as soon as everything possible was tried, and at the deadline at the latest.

use std::time::Duration;

use crate::engine::{Engine, Phase};
use crate::files::child::Child;
use crate::files::shelf::Stage;
use crate::interface::action::Level;
use crate::interface::ids::{FileId, SecretId, TokenId};
use crate::interface::policy::Mode;
use crate::run::farewell::Revoke;
use crate::secrets::graph::{Node, Trouble};
use crate::tools::steps::step;
use crate::upstream::login::Standing;
use crate::upstream::logins::MOST_UNFOUND;
use leasehold_base::exit::{Cause, Ending};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::request::Verb;
use leasehold_base::time::Moment;

/// What to do about a server that is away, if the reason does not say it.
const HINT: &str = "check the address, and that the server is unsealed";

/// How long a failed `init` waits for its revocations.
const LEAVING: Duration = Duration::from_secs(5);

impl Engine {
    /// Returns whether everything has to be published before anything else. A failure ends the run then.
    pub(crate) fn is_starting(&self) -> bool {
        matches!(self.policy.mode, Mode::Init { .. }) || self.child.as_ref().is_some_and(Child::is_absent)
    }

    /// Publishes and goes on, or fails, as soon as either is possible. Does nothing in a daemon.
    pub(crate) fn settle_init(&mut self) {
        if !self.is_starting() || !matches!(self.phase, Phase::Running) {
            return;
        }
        if self.is_all_rendered() {
            self.publish_in_turn();
        } else if let Some(ending) = self.definitive() {
            self.fail(ending);
        }
    }

    /// Returns whether everything is rendered. This is checked after every event, so the order matters: a file that
    /// is still waited for shows at once, as it does every time but the last, while the leases of all secrets take a
    /// walk through them.
    fn is_all_rendered(&mut self) -> bool {
        // What an earlier run left is published only once its token is known to live, as far as the server can be
        // asked.
        let sure = self.upstream.judge.asked.is_none() || !self.upstream.breaker.is_closed();
        sure && self.shelf.is_all_rendered()
            && self.standing(Standing::Doubtful).is_empty()
            && !self.holds_what_is_over()
    }

    /// Returns whether a lease of an earlier run has ended, or is not known to live after another boot. Its successor
    /// is on its way.
    fn holds_what_is_over(&mut self) -> bool {
        let now = self.now.moment;
        let first_ends = self.graph.first_ends();
        let session = &self.upstream.session;
        let ends =
            |(token, end): (&TokenId, &Moment)| session.expires(*token).map_or(*end, |of| of.min(*end));
        first_ends.iter().map(ends).any(|end| end <= now)
    }

    /// Publishes one unit after the other, the set first. If one fails, the units after it stay as they were.
    fn publish_in_turn(&mut self) {
        if self.shelf.is_publishing() {
            return;
        }
        match self.shelf.first_fresh() {
            Some(id) => self.publish(id),
            None => self.succeeded(),
        }
    }

    /// Ends well, since everything is published. Without a handoff, a token that the files still need stays.
    fn succeeded(&mut self) {
        if self.child.is_some() {
            return self.spawn_child();
        }
        // A command makes what an application needs before its start, such as a keystore made of the files.
        self.notify_on_init();
        if self.awaited().is_some() {
            return;
        }
        let leased = self.graph.iter().any(|(_, node)| node.lease().is_some());
        let needed = (leased || !self.sinks.is_empty()) && !self.policy.rehearsal;
        let revoke = if self.policy.handoff || needed { Revoke::Nothing } else { Revoke::Everything };
        self.leave_with(Ok(()), revoke, LEAVING);
    }

    /// Fails, and revokes what this run minted. Logs what failed besides, since the end names only one cause.
    pub(crate) fn fail(&mut self, ending: Ending) {
        let failed = self.shelf.files().filter_map(|(_, file)| file.failed.as_ref());
        let others: Vec<String> = failed.filter(|why| **why != ending).map(|why| why.what.clone()).collect();
        for what in others {
            self.say(Level::Error, what);
        }
        let untold = |trouble: &Trouble| trouble.definitive && !ending.what.ends_with(&trouble.text);
        let secrets = self.graph.iter().filter_map(|(id, node)| Some((id, node.trouble.as_ref()?)));
        let secrets: Vec<(SecretId, String)> = secrets
            .filter(|(_, trouble)| untold(trouble))
            .map(|(id, trouble)| (id, trouble.text.clone()))
            .collect();
        for (id, text) in secrets {
            self.say_of(id, Level::Warn, text);
        }
        self.leave_with(Err(ending), Revoke::Minted, LEAVING);
    }

    /// Fails at the deadline.
    pub(crate) fn init_deadline(&mut self) {
        if matches!(self.phase, Phase::Running) && self.is_starting() {
            let ending = self.seen().unwrap_or_else(|| self.too_late());
            self.fail(ending);
        }
    }

    /// Returns what certainly keeps `init` from succeeding, once nothing else is left to be tried. This is checked after
    /// every event, so files are looked at only after one of them has failed, and not from the first one each time.
    fn definitive(&mut self) -> Option<Ending> {
        if let Some(ending) = self.login_hopeless() {
            return Some(ending);
        }
        if !self.setback || !self.is_all_tried() {
            return None;
        }
        let ending = self.definitive_now();
        self.setback = ending.is_some();
        ending
    }

    /// Returns whether nothing is left to be tried. The search begins with the file that was found the last time.
    fn is_all_tried(&mut self) -> bool {
        let (first, count) = (self.untried.0, self.policy.files.len());
        let mut files = (first..count).chain(0..first).map(FileId);
        match files.find(|id| !self.is_settled(*id)) {
            Some(id) => {
                self.untried = id;
                false
            }
            None => true,
        }
    }

    /// Returns whether the file is rendered, has failed, or waits for nothing that was not tried.
    fn is_settled(&self, id: FileId) -> bool {
        step();
        let file = self.shelf.file(id);
        (file.rendered && file.stage == Stage::Clean) || file.failed.is_some() || self.is_tried(id)
    }

    fn definitive_now(&self) -> Option<Ending> {
        self.login_hopeless().or_else(|| self.shelf.files().find_map(|(id, _)| self.file_hopeless(id)))
    }

    /// Returns whether everything that the file waits for has been tried.
    fn is_tried(&self, id: FileId) -> bool {
        let file = self.shelf.file(id);
        let tried = |secret: &SecretId| {
            self.graph.get(*secret).is_some_and(|node| node.held.is_some() || node.trouble.is_some())
        };
        !file.needs.is_empty() && file.needs.iter().all(tried)
    }

    pub(crate) fn login_hopeless(&self) -> Option<Ending> {
        if self.upstream.session.current.is_some() {
            return None;
        }
        if let Some(failure) = &self.upstream.session.trouble {
            let hopeless = failure.kind == FailureKind::Unusable
                || self.upstream.session.is_locked(self.now.moment)
                || self.upstream.session.unfound > MOST_UNFOUND
                // During an outage, the engine cannot know whether the login is still refused.
                || (self.upstream.session.is_out_of_patience(self.now.moment) && !failure.kind.is_outage());
            return hopeless.then(|| no_login(failure, &self.policy.login_advice));
        }
        None
    }

    pub(crate) fn file_hopeless(&self, id: FileId) -> Option<Ending> {
        step();
        let file = self.shelf.file(id);
        if let Some(why) = &file.failed {
            return Some(why.clone());
        }
        let troubles = file.needs.iter().filter_map(|secret| {
            let node = self.graph.get(*secret)?;
            node.trouble.as_ref().map(|trouble| (trouble, node))
        });
        let (trouble, node) = troubles.into_iter().find(|(trouble, _)| trouble.definitive)?;
        Some(self.ending_for(id, trouble, node))
    }

    fn ending_for(&self, id: FileId, trouble: &Trouble, node: &Node) -> Ending {
        if node.store.is_some() {
            return self.ending_for_stored(id, trouble);
        }
        let path = node.path();
        let (cause, hint) = match trouble.kind {
            FailureKind::Denied => (
                Cause::Denied,
                format!(
                    "grant the role's policy access to {}, or correct the path; `leasehold plan` prints the lines that are missing",
                    paths_of_policy(node)
                ),
            ),
            FailureKind::Missing if trouble.advised => (Cause::Missing, String::new()),
            FailureKind::Missing if path.contains("/data/") => (
                Cause::Missing,
                "create it, or correct the path; on a mount of KV version 1, leave the data/ out".to_owned(),
            ),
            FailureKind::Missing => (Cause::Missing, "create it, or correct the path".to_owned()),
            FailureKind::Rejected => (Cause::Missing, "correct the path or its arguments".to_owned()),
            FailureKind::Local => (Cause::Template, "correct the path".to_owned()),
            kind if kind.is_outage() || kind == FailureKind::Redirected => {
                (Cause::Unavailable, if trouble.advised { "" } else { HINT }.to_owned())
            }
            _ => (Cause::Deadline, "see the server's own log".to_owned()),
        };
        Ending::new(cause, format!("{}: {}", self.policy.files[id.0].name, trouble.text), hint)
    }

    /// Returns the same end for a secret of a store that is no Vault.
    fn ending_for_stored(&self, id: FileId, trouble: &Trouble) -> Ending {
        let what = format!("{}: {}", self.policy.files[id.0].name, trouble.text);
        let is = |kinds: &[FailureKind]| kinds.contains(&trouble.kind);
        let (cause, hint) = if is(&[FailureKind::Denied]) {
            (Cause::Denied, "grant the identity that reads it access to this secret, or correct the path")
        } else if is(&[FailureKind::Refused, FailureKind::Unusable]) {
            (Cause::Denied, "give the process the credentials of the store, or correct them")
        } else if is(&[FailureKind::Missing, FailureKind::Rejected, FailureKind::Local]) {
            (Cause::Missing, "create it, or correct the path")
        } else if trouble.kind.is_outage() || is(&[FailureKind::Redirected]) {
            (Cause::Unavailable, "check the store's address, and the way to it")
        } else {
            (Cause::Deadline, "see the store's own log")
        };
        Ending::new(cause, what, if trouble.advised { "" } else { hint })
    }

    /// Returns the denial of a secret that is not judged yet, or may come from a standby that lags.
    fn suspicion(&self, id: SecretId) -> Option<(Trouble, &Node)> {
        let node = self.graph.get(id)?;
        let (failure, path) = (node.denial.as_ref()?, node.path());
        let text = format!("could not read {path}: {}", failure.why);
        let trouble =
            Trouble { kind: failure.kind, text, advised: failure.advised, definitive: true, told: false };
        Some((trouble, node))
    }

    /// Returns what keeps everything from being published, as far as is known. A cause that stays goes before one
    /// that may pass.
    pub(crate) fn seen(&self) -> Option<Ending> {
        self.definitive_now().or_else(|| self.passing())
    }

    /// Returns a cause that may pass.
    fn passing(&self) -> Option<Ending> {
        if let Some((_, failure)) = self.upstream.breaker.outage() {
            let what = format!("the server does not answer: {failure}");
            return Some(Ending::new(Cause::Unavailable, what, failure.hint(HINT)));
        }
        if let (None, Some(failure)) = (self.upstream.session.current, &self.upstream.session.trouble) {
            return Some(no_login(failure, &self.policy.login_advice));
        }
        for (id, file) in self.shelf.files().filter(|(_, file)| !file.rendered) {
            // The secret was denied. That is not judged yet, but it is what was seen.
            if let Some((trouble, node)) = file.needs.iter().find_map(|secret| self.suspicion(*secret)) {
                return Some(self.ending_for(id, &trouble, node));
            }
            let troubles = |secret: &SecretId| {
                let node = self.graph.get(*secret)?;
                Some((node.trouble.as_ref()?, node))
            };
            if let Some((trouble, node)) = file.needs.iter().find_map(troubles) {
                return Some(self.ending_for(id, trouble, node));
            }
        }
        self.shelf.units().find_map(|(_, unit)| unit.error.clone())
    }

    /// Returns the end for a deadline that was reached although nothing has failed.
    fn too_late(&self) -> Ending {
        if let Some((name, why)) = self.awaited() {
            let what = format!("could not notify {name}: {}", why.unwrap_or("it did not end in time"));
            return Ending::new(
                Cause::Deadline,
                what,
                "see why it fails, or write `may_fail: true` beside its `on_init`",
            );
        }
        if self.work.is_waiting_for_answers() {
            return Ending::new(Cause::Unavailable, "the server did not answer in time", HINT);
        }
        if let Some(store) = self.stores.awaited() {
            let what = format!("the store {} did not answer in time", store.name);
            return Ending::new(Cause::Unavailable, what, "check its address, and the way to it");
        }
        Ending::new(Cause::Deadline, "not everything was published in time", "raise `init.timeout`")
    }
}

/// Returns the end that a failed login leads to, whether it is beyond hope or the deadline came first: a short
/// deadline must not hide what is wrong. `advice` says what to do if the server refuses it (`Policy::login_advice`).
#[must_use]
pub fn no_login(failure: &Failure, advice: &str) -> Ending {
    let why = &failure.why;
    match failure.kind {
        FailureKind::Refused | FailureKind::Denied => {
            let hint = if failure.advised { "" } else { advice };
            Ending::new(Cause::Denied, why, hint)
        }
        FailureKind::Local => {
            let hint = failure.hint("put the credentials there, or correct their path in `auth`");
            Ending::new(Cause::Denied, format!("no credentials to log in with: {why}"), hint)
        }
        FailureKind::Unusable => {
            let hint = failure.hint("correct the credentials that `auth` names");
            Ending::new(Cause::Denied, format!("no credentials to log in with: {why}"), hint)
        }
        kind => {
            let away = kind.is_outage() || kind == FailureKind::Redirected;
            let cause = if away { Cause::Unavailable } else { Cause::Deadline };
            let hint = failure.hint("check the address, and the server's own log");
            Ending::new(cause, format!("could not log in: {why}"), hint)
        }
    }
}

/// Returns the paths that a policy has to name. If the question about a mount is denied, too, its version is not
/// known. On KV version 2, policies need a `data/` that people do not write.
fn paths_of_policy(node: &Node) -> String {
    if let Some(request) = &node.request {
        return request.path.clone();
    }
    let path = node.path();
    let plain = node.written.first().is_some_and(|request| request.verb == Verb::Read);
    match path.split_once('/') {
        Some((mount, rest)) if plain && !path.contains("/data/") => {
            format!("{mount}/data/{rest} (KV version 2) or {path}")
        }
        _ => path.to_owned(),
    }
}
