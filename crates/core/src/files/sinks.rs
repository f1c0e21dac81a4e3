//! Sinks: files that hold the login's token itself, for applications that ask the server on their own. A sink is made
//! of whatever login is current, and of no secret. So it is rendered when there is a login, and again when another
//! takes over.
//!
//! A token that applications may have read is in use, like a lease. The login that was replaced is revoked only when
//! no sink shows it any more, and every notifier was notified of that.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::engine::Engine;
use crate::files::notice::{Reader, Unaware};
use crate::interface::action::{Action, Level, Question};
use crate::interface::ids::{FileId, NotifierId, TokenId};
use crate::interface::policy::{FilePolicy, SinkPolicy};
use crate::secrets::retire::grace;
use crate::tools::dice::pause;
use crate::tools::timers::Timer;
use crate::tools::work::Job;
use crate::upstream::judge::LAG_TRIES;
use crate::upstream::pauses::{half_of, told_to_wait};
use leasehold_base::exit::{Cause, Ending};
use leasehold_base::failure::{Failure, FailureKind};
use leasehold_base::time::Moment;

/// The longest pause between tries to have a token wrapped.
const MOST: Duration = Duration::from_secs(60);

/// One sink.
#[derive(Debug)]
struct Sink {
    policy: SinkPolicy,
    /// The login whose wrapping the driver holds.
    wrapping: Option<TokenId>,
    /// The login that its last rendering is made of.
    made: Option<TokenId>,
    /// How many times in a row the wrapping failed.
    tries: u32,
}

/// What keeps a login's token in use.
#[derive(Debug, Default)]
struct Shown {
    /// The sinks that show it, or may.
    files: BTreeSet<FileId>,
    /// The readers that were not notified yet that a sink shows another token.
    readers: Unaware,
    /// Until when applications change over.
    until: Option<Moment>,
}

/// All sinks.
#[derive(Debug)]
pub(crate) struct Sinks {
    all: BTreeMap<FileId, Sink>,
    shown: BTreeMap<TokenId, Shown>,
}

impl Sinks {
    pub(crate) fn new(files: &[FilePolicy]) -> Self {
        let sink = |(index, file): (usize, &FilePolicy)| {
            let policy = file.sink?;
            Some((FileId(index), Sink { policy, wrapping: None, made: None, tries: 0 }))
        };
        Self { all: files.iter().enumerate().filter_map(sink).collect(), shown: BTreeMap::new() }
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.all.is_empty()
    }

    pub(crate) fn contains(&self, file: FileId) -> bool {
        self.all.contains_key(&file)
    }

    /// Records that an earlier run may have written this token to any sink. `owed` are the notifiers that it had not
    /// notified of everything.
    pub(crate) fn may_show(&mut self, token: TokenId, owed: &BTreeSet<NotifierId>) {
        if !self.is_empty() {
            let shown = self.shown.entry(token).or_default();
            shown.files.extend(self.all.keys());
            // Any notification of this run covers what an earlier one has published.
            shown.readers.add(owed.iter().copied().map(Reader::Notifier), Moment::default());
        }
    }

    /// Records that the publish of these files begins: from here on they may show what they are made of.
    pub(crate) fn publishing(&mut self, files: &[FileId]) {
        for file in files {
            if let Some(token) = self.all.get(file).and_then(|sink| sink.made) {
                let shown = self.shown.entry(token).or_default();
                shown.files.insert(*file);
                shown.until = None;
            }
        }
    }

    /// Records that these files are on disk as they should be, and that the `untold` readers must be notified of
    /// that. Returns the logins that nothing shows any more.
    fn settled(&mut self, files: &[FileId], untold: &[(FileId, Reader)], now: Moment) -> Vec<TokenId> {
        for file in files {
            let Some(made) = self.all.get(file).map(|sink| sink.made) else { continue };
            for (_, shown) in self.shown.iter_mut().filter(|(token, _)| Some(**token) != made) {
                if shown.files.remove(file) {
                    let whom = untold.iter().filter(|(of, _)| of == file).map(|(_, whom)| *whom);
                    shown.readers.add(whom, now);
                }
            }
        }
        self.free()
    }

    /// Records that this notifier knows of everything that was published up to `until`. Returns the logins that
    /// nothing shows any more.
    fn told(&mut self, notifier: NotifierId, until: Moment) -> Vec<TokenId> {
        for shown in self.shown.values_mut() {
            shown.readers.told(notifier, until);
        }
        self.free()
    }

    fn free(&self) -> Vec<TokenId> {
        let free = |shown: &Shown| shown.files.is_empty() && shown.readers.is_empty();
        let free = self.shown.iter().filter(|(_, shown)| free(shown) && shown.until.is_none());
        free.map(|(token, _)| *token).collect()
    }

    /// Returns whether applications may still use this login's token.
    pub(crate) fn keep(&self, token: TokenId, now: Moment) -> bool {
        self.shown.get(&token).is_some_and(|shown| {
            let over = shown.until.is_some_and(|until| until <= now);
            !over || !shown.files.is_empty() || !shown.readers.is_empty()
        })
    }

    /// Forgets a login that is gone. A sink that still shows it shows a dead token, which has to be visible in the
    /// status.
    pub(crate) fn forget(&mut self, token: TokenId) {
        self.shown.retain(|known, shown| *known != token || !shown.files.is_empty());
    }

    /// Returns the logins that this file shows, or may show.
    pub(crate) fn shown_in(&self, file: FileId) -> impl Iterator<Item = TokenId> {
        self.shown.iter().filter(move |(_, shown)| shown.files.contains(&file)).map(|(token, _)| *token)
    }

    /// Gives the login another number.
    pub(crate) fn rename(&mut self, old: TokenId, new: TokenId) {
        for token in self.all.values_mut().flat_map(|sink| [&mut sink.wrapping, &mut sink.made]) {
            if *token == Some(old) {
                *token = Some(new);
            }
        }
        if let Some(shown) = self.shown.remove(&old) {
            self.shown.insert(new, shown);
        }
    }
}

impl Engine {
    /// Marks every sink to be rendered, since there is another login, or none was shown yet.
    pub(crate) fn mark_sinks(&mut self) {
        let now = self.now.moment;
        for (file, sink) in &mut self.sinks.all {
            sink.tries = 0;
            self.shelf.mark(*file, now);
        }
    }

    /// Returns whether there is something to fill the sink with.
    pub(crate) fn is_sink_renderable(&self, file: FileId) -> bool {
        let current = self.upstream.session.current;
        let wrapped = |sink: &Sink| sink.policy == SinkPolicy::Plain || sink.wrapping == current;
        current.is_some() && self.sinks.all.get(&file).is_some_and(wrapped)
    }

    /// Returns the action that renders a file: a sink with the current login, any other file from the store.
    pub(crate) fn rendering_of(&mut self, file: FileId) -> Action {
        match (self.sinks.all.get_mut(&file), self.upstream.session.current) {
            (Some(sink), Some(token)) => {
                sink.made = Some(token);
                Action::RenderSink { file, token }
            }
            _ => Action::Render(file),
        }
    }

    /// Replaces the current login, since its token was shown where it must not be known any longer. The login is
    /// revoked like any that was replaced. A token that we did not make is not ours to end.
    pub(crate) fn replace_login(&mut self) {
        if !self.policy.owns_token {
            return;
        }
        // One in doubt may be taken back.
        for login in self.upstream.session.logins.values_mut() {
            login.exposed = true;
        }
        // If this run is killed before the login, only the handoff can tell the next run to log in.
        self.keep(true);
        self.follow_exposed();
    }

    /// Asks for the login that follows an exposed token, if the current one is that.
    pub(crate) fn follow_exposed(&mut self) {
        if self.policy.owns_token && self.upstream.session.login().is_some_and(|login| login.exposed) {
            self.want_login(true);
        }
    }

    /// Asks for a wrapping, if that is why a sink cannot be rendered.
    pub(crate) fn want_wrapping(&mut self, file: FileId) {
        let (now, current) = (self.now.moment, self.upstream.session.current);
        let Some(sink) = self.sinks.all.get(&file) else { return };
        if sink.policy != SinkPolicy::Plain && current.is_some() && sink.wrapping != current {
            self.work.add(Job::Wrap(file), now);
        }
    }

    /// Returns the action that wraps the current login's token for a sink.
    pub(crate) fn wrapping(&self, file: FileId) -> Option<(Action, TokenId)> {
        let token = self.upstream.session.current?;
        match self.sinks.all.get(&file)?.policy {
            SinkPolicy::Wrapped(ttl) => Some((Action::Ask(Question::Wrap { file, token, ttl }), token)),
            SinkPolicy::Plain => None,
        }
    }

    pub(crate) fn wrapped(&mut self, file: FileId, token: TokenId, result: Result<(), Failure>) {
        if !self.work.finish(&Job::Wrap(file), self.now.moment) {
            return;
        }
        match result {
            Ok(()) => {
                self.upstream.breaker.succeeded();
                if let Some(sink) = self.sinks.all.get_mut(&file) {
                    sink.wrapping = Some(token);
                    sink.tries = 0;
                }
                // If another login has taken over since, that one is wrapped next.
                self.shelf.mark(file, self.now.moment);
            }
            Err(failure) => self.not_wrapped(file, token, &failure),
        }
        self.spend(token);
    }

    fn not_wrapped(&mut self, file: FileId, token: TokenId, failure: &Failure) {
        let away = self.note_failure(failure);
        let denied = failure.kind == FailureKind::Denied;
        if denied
            && self.upstream.judge.can_look_up != Some(false)
            && self.upstream.session.current == Some(token)
        {
            self.look_up(Some(token));
        }
        let (now, draw) = (self.now.moment, self.session_draw());
        let Some(sink) = self.sinks.all.get_mut(&file) else { return };
        sink.tries = sink.tries.saturating_add(1);
        let tries = sink.tries;
        let asked = if let FailureKind::Overloaded(asked) = failure.kind { asked } else { None };
        let wait = pause(tries, Duration::from_secs(1), MOST, draw).max(asked.unwrap_or_default().min(MOST));
        // The token that the file shows meanwhile may end.
        let end = self.sink_expires(file).filter(|end| *end > now);
        let wait = end.map_or(wait, |end| wait.min(half_of(now, end)));
        self.timers.set(Timer::Wrap(file), now.after(wait));
        let what = format!("{}: could not have the token wrapped", self.policy.files[file.0].name);
        if let (1, Some((level, text))) = (tries, told_to_wait(&what, failure, wait)) {
            self.say(level, text);
        }
        // Just after a login a standby may not know the token yet.
        let fresh = self.upstream.session.logins.get(&token).is_some_and(|login| login.is_fresh(now));
        if away || (denied && fresh && tries <= LAG_TRIES) {
            return;
        }
        let why = self.cannot_wrap(file, failure);
        if self.shelf.file(file).failed.as_ref() != Some(&why) {
            self.say(Level::Warn, why.what.clone());
        }
        self.shelf.file_mut(file).failed = Some(why);
        self.setback = true;
        self.touch_waiting();
    }

    fn cannot_wrap(&self, file: FileId, failure: &Failure) -> Ending {
        let (cause, hint) = match failure.kind {
            FailureKind::Denied => (Cause::Denied, "grant the role's policy update on sys/wrapping/wrap"),
            _ => (Cause::Deadline, "see the server's own log"),
        };
        let name = &self.policy.files[file.0].name;
        Ending::new(cause, format!("{name}: could not have the token wrapped: {}", failure.why), hint)
    }

    /// Retries a wrapping.
    pub(crate) fn wrap_due(&mut self, file: FileId) {
        self.shelf.mark(file, self.now.moment);
    }

    /// Has every wrapping made anew, since each can be used only once.
    pub(crate) fn rewrap(&mut self) {
        let now = self.now.moment;
        for (file, sink) in &mut self.sinks.all {
            if sink.wrapping.take().is_some() {
                self.shelf.mark(*file, now);
            }
        }
    }

    /// Records that these files are on disk as they should be, and that these readers must be notified of that.
    pub(crate) fn sinks_settled(&mut self, files: &[FileId], untold: &[(FileId, Reader)]) {
        let free = self.sinks.settled(files, untold, self.now.moment);
        self.free_logins(free);
    }

    /// Records that this notifier knows of everything that was published up to `until`.
    pub(crate) fn sinks_told(&mut self, notifier: NotifierId, until: Moment) {
        let free = self.sinks.told(notifier, until);
        self.free_logins(free);
    }

    /// Plans the revocation of logins that no sink shows any more, after applications have changed over.
    fn free_logins(&mut self, free: Vec<TokenId>) {
        let now = self.now.moment;
        for token in free {
            let Some(login) = self.upstream.session.logins.get(&token) else {
                self.sinks.shown.remove(&token);
                continue;
            };
            let until = grace(now, login.expires);
            if let Some(shown) = self.sinks.shown.get_mut(&token) {
                shown.until = Some(until);
            }
            self.timers.set(Timer::Leaving(token), until);
        }
    }

    /// Returns when the token that a sink shows ends. It ends with its login, and is over if that is no longer known.
    pub(crate) fn sink_expires(&self, file: FileId) -> Option<Moment> {
        let end = |token| match self.upstream.session.logins.get(&token) {
            Some(login) => login.expires,
            None => Some(self.now.moment),
        };
        self.sinks.shown_in(file).filter_map(end).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::interface::ids::UnitId;

    const SINK: FileId = FileId(0);
    const OLD: TokenId = TokenId(1);
    const NEW: TokenId = TokenId(2);
    const WHOM: NotifierId = NotifierId(0);

    fn at(seconds: u64) -> Moment {
        Moment::new(Duration::from_secs(seconds))
    }

    fn sinks() -> Sinks {
        Sinks::new(&[FilePolicy {
            name: "token".into(),
            unit: UnitId(0),
            refresh: Duration::from_secs(300),
            wait: None,
            notify: vec![WHOM],
            sink: Some(SinkPolicy::Plain),
        }])
    }

    fn publish(sinks: &mut Sinks, token: TokenId) {
        sinks.all.get_mut(&SINK).expect("the sink").made = Some(token);
        sinks.publishing(&[SINK]);
    }

    #[test]
    fn a_token_is_kept_until_another_is_shown_and_all_are_told() {
        let mut sinks = sinks();
        publish(&mut sinks, OLD);
        assert!(sinks.settled(&[SINK], &[(SINK, Reader::Notifier(WHOM))], at(1)).is_empty());
        publish(&mut sinks, NEW);
        assert_eq!(sinks.shown_in(SINK).collect::<Vec<_>>(), [OLD, NEW], "either may be on disk");
        assert!(
            sinks.settled(&[SINK], &[(SINK, Reader::Notifier(WHOM))], at(1)).is_empty(),
            "one is not told"
        );
        assert!(sinks.keep(OLD, at(1000)));
        assert_eq!(sinks.told(WHOM, at(1)), [OLD]);
        sinks.shown.get_mut(&OLD).expect("there").until = Some(at(10));
        assert!(sinks.keep(OLD, at(9)) && !sinks.keep(OLD, at(10)) && sinks.keep(NEW, at(10)));
    }

    #[test]
    fn what_an_earlier_run_had_may_be_on_disk_until_something_is_published() {
        let mut sinks = sinks();
        sinks.may_show(OLD, &BTreeSet::new());
        assert!(sinks.keep(OLD, at(1000)));
        publish(&mut sinks, NEW);
        assert_eq!(sinks.settled(&[SINK], &[], at(1)), [OLD]);
    }

    #[test]
    fn a_login_that_turns_out_to_be_the_same_moves_to_its_new_number() {
        let mut sinks = sinks();
        publish(&mut sinks, OLD);
        sinks.rename(OLD, NEW);
        assert!(!sinks.keep(OLD, at(0)) && sinks.keep(NEW, at(0)));
        assert_eq!(sinks.all[&SINK].made, Some(NEW));
    }
}
