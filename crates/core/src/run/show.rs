//! What the core shows.

use leasehold_base::gather::Gather as _;
use std::collections::BTreeMap;

use crate::engine::Engine;
use crate::files::inspect;
use crate::files::shelf::File;
use crate::interface::ids::{FileId, SecretId};
use crate::interface::view::{
    AwayStore, Fault, FileView, Health, LoginTrouble, NextAction, Outage, Outlook, Readiness, SecretView,
    StoreView, TokenView, TroubledFile, Unheard, View,
};
use crate::secrets::graph::{Node, Op, Step, Trouble};
use crate::stores::Store;
use crate::tools::timers::Timer;
use crate::upstream::login::Login;
use crate::upstream::session::Entry;
use leasehold_base::exit::{Cause, Ending};
use leasehold_base::failure::Failure;
use leasehold_base::time::{Moment, Now};

impl Engine {
    /// Returns the state of everything at one moment.
    #[must_use]
    pub fn view(&self, now: Now) -> View {
        let now = self.not_before(now);
        let places: BTreeMap<SecretId, usize> =
            self.graph.iter().enumerate().map(|(place, (id, _))| (id, place)).gather();
        let files: Vec<FileView> =
            self.shelf.files().map(|(id, file)| self.view_file(id, file, &places, now.moment)).collect();
        let until = files.iter().filter_map(|file| file.expires).min();
        View {
            now: now.moment,
            readiness: self.readiness(until, now.moment),
            token: self.upstream.session.login().map(|login| self.view_token(login)),
            logged_out: self.logged_out(),
            login: self.login_trouble(),
            used_up: self.upstream.session.used_up,
            outage: self.outage(),
            silence: None,
            breaker: self.upstream.breaker.view(!self.upstream.pauses.is_empty()),
            stores: self.stores.iter().map(Self::view_store).collect(),
            files,
            secrets: self.graph.iter().map(|(id, node)| self.view_secret(id, node, now.moment)).collect(),
            notifiers: self.notices.view(),
            counters: self.counters,
        }
    }

    /// Returns a time that is not before the last decision, so that nothing older is shown.
    fn not_before(&self, now: Now) -> Now {
        Now { moment: now.moment.max(self.now.moment), ..now }
    }

    /// Returns what has to be watched, at one moment: [`View::outlook`] without the rest of the view.
    #[must_use]
    pub fn outlook(&self, now: Now) -> Outlook {
        let now = self.not_before(now).moment;
        let (mut until, mut files, mut troubled): (Option<Moment>, usize, Vec<TroubledFile>) =
            (None, 0, Vec::new());
        for (id, file) in self.shelf.files() {
            let expires = self.file_expires(id, file);
            until = expires.into_iter().chain(until).min();
            files += 1;
            let error = self.file_error(id, file);
            let health = self.file_health(id, file, expires, error.is_some(), now);
            if health != Health::Good {
                let name = self.policy.files[id.0].name.clone();
                troubled.push(TroubledFile { name, health, error, failures: self.failures(file) });
            }
        }
        let notifiers = self.notices.view();
        Outlook {
            now,
            readiness: self.readiness(until, now),
            until,
            logged_out: self.logged_out(),
            login: self.login_trouble(),
            outage: self.outage(),
            silence: None,
            away: self.stores.iter().filter_map(|store| AwayStore::of(&Self::view_store(store))).collect(),
            files,
            troubled,
            notifiers: notifiers.len(),
            unheard: notifiers.iter().filter_map(Unheard::of).collect(),
            counters: self.counters,
        }
    }

    /// Returns whether the files can be relied on; `until` is the first effective expiry of all.
    pub(crate) fn readiness(&self, until: Option<Moment>, now: Moment) -> Readiness {
        let told = |id: FileId, file: &File, otherwise: &str| {
            let why = self.file_error(id, file).map_or_else(|| otherwise.to_owned(), |fault| fault.text);
            (self.policy.files[id.0].name.clone(), why)
        };
        let mut files = self.shelf.files();
        if let Some((id, file)) = files.find(|(_, file)| file.generation.is_none()) {
            let (file, why) = told(id, file, "not published yet");
            return Readiness::NotRendered { file, why };
        }
        let lost = |(id, file): &(FileId, &File)| self.inspector.loss(file.unit, *id).is_some();
        if let Some((id, file)) = self.shelf.files().find(lost) {
            let (file, why) = told(id, file, "");
            return Readiness::Lost { file, why };
        }
        let is_over =
            |(id, file): &(FileId, &File)| self.file_expires(*id, file).is_some_and(|end| end <= now);
        if let Some((id, file)) =
            self.shelf.files().filter(|_| until.is_some_and(|end| end <= now)).find(is_over)
        {
            let otherwise = match self.file_unknown(id, file) {
                Some(_) => "it is not known yet whether its token lives: the server is being asked",
                None => "its secret has expired",
            };
            let (file, why) = told(id, file, otherwise);
            return Readiness::Expired { file, why };
        }
        match self.login_trouble() {
            _ if !self.upstream.breaker.is_closed() => Readiness::ReadyWithoutServer { until },
            Some(LoginTrouble { since, why, .. }) => Readiness::ReadyWithoutLogin { since, why },
            None => self.readiness_of_stores(),
        }
    }

    fn readiness_of_stores(&self) -> Readiness {
        let away = |store: &Store| {
            let (since, failure) = store.rest.outage()?;
            let (store, why) = (store.name.clone(), failure.why.clone());
            Some(Readiness::ReadyWithoutStore { store, since, why })
        };
        self.stores.iter().find_map(away).unwrap_or(Readiness::Ready)
    }

    fn view_store(store: &Store) -> StoreView {
        let outage = |(since, failure): (Moment, &Failure)| Outage { since, why: failure.why.clone() };
        StoreView {
            name: store.name.clone(),
            outage: store.rest.outage().map(outage),
            answers: store.answers,
            failures: store.failures,
        }
    }

    /// Returns the login that is wanted and fails for another reason than that the server is away.
    fn login_trouble(&self) -> Option<LoginTrouble> {
        let alone = self.upstream.session.alone;
        let counts = |failure: &&Failure| alone || !failure.kind.is_outage();
        let failure = self.upstream.session.trouble.as_ref().filter(counts)?;
        let why = failure.why.clone();
        let since = self.upstream.session.failing.filter(|_| self.upstream.session.entry != Entry::Quiet)?;
        Some(LoginTrouble { since, why, next: self.timers.at(&Timer::LogIn) })
    }

    /// Returns the first effective expiry among what a file is made of.
    pub(crate) fn file_expires(&self, id: FileId, file: &File) -> Option<Moment> {
        let held = file.uses.iter().filter_map(|secret| self.secret_expires(*secret));
        // The file on disk may still depend on a lease that was replaced.
        let replaced = self.retirees.behind(id).map(|one| self.lease_expires(&one.lease));
        held.chain(replaced).chain(self.sink_expires(id)).chain(self.file_unknown(id, file)).min()
    }

    /// Returns since when it is not known whether a file still has what is good. An earlier run may have revoked it,
    /// or it may have ended while the machine was restarted.
    fn file_unknown(&self, id: FileId, file: &File) -> Option<Moment> {
        if self.upstream.session.logins.values().all(|login| login.unknown_since().is_none()) {
            return None;
        }
        let lease = |secret: &SecretId| Some(self.graph.get(*secret)?.lease()?.token);
        // The file on disk may still depend on a lease that was replaced.
        let replaced = self.retirees.behind(id).map(|one| one.lease.token);
        let tokens = file.uses.iter().filter_map(lease).chain(replaced).chain(self.sinks.shown_in(id));
        tokens.filter_map(|token| self.upstream.session.logins.get(&token)?.unknown_since()).min()
    }

    fn view_token(&self, login: &Login) -> TokenView {
        let next = match self.upstream.session.entry {
            Entry::Quiet => login.next(0.5),
            Entry::Asked => Some((NextAction::LogIn, self.now.moment)),
            Entry::Resting => {
                Some((NextAction::LogIn, self.timers.at(&Timer::LogIn).unwrap_or(self.now.moment)))
            }
        };
        TokenView { accessor: login.accessor.clone(), expires: login.expires, granted: login.granted, next }
    }

    fn view_file(
        &self,
        id: FileId,
        file: &File,
        places: &BTreeMap<SecretId, usize>,
        now: Moment,
    ) -> FileView {
        let (expires, error) = (self.file_expires(id, file), self.file_error(id, file));
        FileView {
            name: self.policy.files[id.0].name.clone(),
            generation: file.generation,
            changed: file.changed,
            expires,
            health: self.file_health(id, file, expires, error.is_some(), now),
            error,
            failures: self.failures(file),
            secrets: file.uses.iter().filter_map(|secret| places.get(secret).copied()).collect(),
            renders: file.renders,
        }
    }

    /// Returns what keeps a file from being current: its template, what it needs, what it is made of, its publish, or
    /// the login.
    fn file_error(&self, id: FileId, file: &File) -> Option<Fault> {
        let trouble = |secret: &SecretId| Some(fault(self.graph.get(*secret)?.trouble.as_ref()?));
        let ending = |why: &Ending| Fault { class: why.cause.class(), text: why.what.clone() };
        let of_secrets =
            || file.needs.iter().find_map(trouble).or_else(|| file.uses.iter().find_map(trouble));
        let of_unit = || self.shelf.unit(file.unit).error.as_ref().map(ending);
        let of_login = || {
            let waits = !file.needs.is_empty() || (self.sinks.contains(id) && !file.rendered);
            let failure = self.upstream.session.trouble.as_ref().filter(|_| waits)?;
            Some(Fault { class: failure.kind.class(), text: format!("could not log in: {}", failure.why) })
        };
        let of_disk = || {
            let text = inspect::words(self.inspector.loss(file.unit, id)?).to_owned();
            Some(of_unit().unwrap_or(Fault { class: Cause::Destination.class(), text }))
        };
        of_disk()
            .or_else(|| file.failed.as_ref().map(ending))
            .or_else(of_secrets)
            .or_else(of_unit)
            .or_else(of_login)
    }

    fn view_secret(&self, id: SecretId, node: &Node, now: Moment) -> SecretView {
        let request = node.request.as_ref().or(node.written.first());
        let source = request.map_or_else(String::new, |request| {
            let names: Vec<&str> = request.args.keys().map(String::as_str).collect();
            let names = names.join(" ");
            if names.is_empty() { request.path.clone() } else { format!("{} {names}", request.path) }
        });
        let next = match node.step {
            Step::Waiting { what, at, .. } => Some((what, at)),
            Step::Busy(Op::Renew) => Some((NextAction::Renew, self.now.moment)),
            Step::Busy(Op::Read) if node.lease().is_some() => Some((NextAction::Replace, self.now.moment)),
            Step::Busy(_) => Some((NextAction::Read, self.now.moment)),
            Step::Suspect(_) => Some((NextAction::Retry, self.now.moment)),
            Step::Idle => None,
        };
        SecretView {
            id: node.name.to_string(),
            source,
            version: node.held.as_ref().and_then(|held| held.version),
            version_id: node.held.as_ref().and_then(|held| held.version_id.clone()),
            lease: node.lease().map(|lease| lease.id.0.clone()),
            accessor: node.lease().and_then(|lease| {
                self.upstream.session.logins.get(&lease.token).map(|login| login.accessor.clone())
            }),
            expires: self.secret_expires(id),
            fresh: node.fresh,
            next,
            health: self.secret_health(id, node, now),
            error: node.trouble.as_ref().map(fault),
            reads: node.reads,
            renewals: node.renewals,
            replacements: node.replacements,
        }
    }
}

fn fault(trouble: &Trouble) -> Fault {
    Fault { class: trouble.kind.class(), text: trouble.text.clone() }
}
