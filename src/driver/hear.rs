//! Handles what comes from outside, and answers questions of the listener.

use super::Driver;
use super::apart::Apart;
use super::files::MANY;
use super::inputs::Input;
use super::requests::Answer;
use crate::config::plan::AuthMethod;
use crate::core::event::Event;
use crate::core::policy::Mode;
use crate::core::view::{Outlook, View};
use crate::observe::clock;
use crate::observe::http::Ask;
use crate::observe::metrics::{About, Besides};
use crate::observe::status::Status;
use leasehold_base::time::{Moment, Now};

impl Driver {
    /// Returns what an input means to the core. Inputs that mean nothing to the core are handled here.
    pub(super) fn hear(&mut self, input: Input) -> Option<Event> {
        match input {
            Input::Wake => return Some(Event::Wake),
            Input::Stop(signal) => {
                self.say_stopping(signal, false);
                return Some(Event::Stop { at_once: false });
            }
            Input::Reload => self.reload(),
            Input::Tell => self.tell_log(),
            Input::Files => return self.look_at_files(),
            Input::Watchdog if self.reopening.hangs(clock::moment()) => {}
            Input::Watchdog => self.voice.alive(),
            Input::Others => return self.others.are_gone().then_some(Event::Deserted),
            Input::Children => self.reaper.reap(),
            Input::Signal(signal) => {
                let heard = self.child.as_ref().is_some_and(|child| child.has(signal));
                return (!heard).then_some(Event::Signalled(signal.number));
            }
            Input::Ask(ask) => return self.answer(ask),
        }
        None
    }

    /// Returns the outlook at this moment. A probe asks every second, so all files are walked only if something has
    /// happened since the last time, or a deadline of the core or an end of a file has come.
    fn look(&mut self) -> Outlook {
        let now = clock::now();
        let next = self.engine.deadline();
        let holds = |seen: &Outlook| next.into_iter().chain(seen.until).all(|at| now.moment < at);
        let seen = self.seen.take().filter(holds).map(|seen| Outlook { now: now.moment, ..seen });
        let seen = seen.unwrap_or_else(|| self.engine.outlook(now));
        Outlook { silence: self.silence(now.moment), ..self.seen.insert(seen).clone() }
    }

    /// Answers those who asked whether everything is there, after a look at the files.
    pub(super) fn answer_after_look(&mut self) {
        for reply in std::mem::take(&mut self.asked) {
            drop(reply.send(self.look()));
        }
    }

    /// Returns what has to be watched, with what only the driver knows.
    pub(super) fn outlook(&self, now: Now) -> Outlook {
        Outlook { silence: self.silence(now.moment), ..self.engine.outlook(now) }
    }

    /// Returns the state of everything at this moment, with what only the driver knows.
    fn view(&self) -> View {
        let now = clock::now();
        View { silence: self.silence(now.moment), ..self.engine.view(now) }
    }

    /// Returns since when the server is silent, if that is long.
    pub(super) fn silence(&self, now: Moment) -> Option<Moment> {
        self.requests.silence().long(now)
    }

    /// Answers the listener. The client that asked may be gone by now.
    fn answer(&mut self, ask: Ask) -> Option<Event> {
        match ask {
            Ask::Alive(_unanswered) if self.reopening.hangs(clock::moment()) => {}
            Ask::Alive(reply) => drop(reply.send(())),
            Ask::Ready(reply) if self.folder.has_changed(clock::moment()) => {
                self.asked.push(reply);
                return Some(Event::FolderChanged);
            }
            Ask::Ready(reply) => drop(reply.send(self.look())),
            Ask::Scrape(reply) => {
                let view = self.view();
                self.note_life(&view);
                let _gone = reply.send((view, self.besides()));
            }
            Ask::Log(level, reply) => {
                self.surroundings.log.set_level(level);
                let _gone = reply.send(());
            }
            Ask::Refresh(None, reply) => {
                let _gone = reply.send(true);
                return Some(Event::Refresh);
            }
            Ask::Refresh(Some(wanted), reply) => {
                let is_there = self.engine.has(&wanted);
                let _gone = reply.send(is_there);
                return is_there.then_some(Event::RefreshSome(wanted));
            }
            Ask::Renew(wanted, reply) => {
                let is_there = self.engine.has(&wanted);
                let _gone = reply.send(is_there);
                return is_there.then_some(Event::Renew(wanted));
            }
            Ask::Quit(reply) => {
                let _gone = reply.send(());
                self.say_stopping("a request to quit", true);
                self.quits = true;
            }
        }
        None
    }

    /// Returns what metrics show besides the core's view.
    fn besides(&self) -> Besides {
        Besides {
            requests: self.client.requests(),
            bytes: self.files.sizes(),
            sandbox: self.surroundings.sandbox,
            certificates: self.expiring.view(clock::now().wall),
            about: self.about(),
        }
    }

    /// Records the longest life that a token was seen to have. A given token is looked up again and again, and each
    /// time the rest of its life is its TTL: the longest is what it was granted.
    fn note_life(&mut self, view: &View) {
        let Some((accessor, life)) = view.token.as_ref().and_then(|it| Some((&it.accessor, it.granted?)))
        else {
            return;
        };
        let before = self.token_life.take().filter(|(known, _)| known == accessor);
        let life = before.map_or(life, |(_, before)| before.max(life));
        self.token_life = Some((accessor.clone(), life));
    }

    fn about(&self) -> About {
        let auth = &self.plan.auth;
        About {
            address: match auth.method {
                AuthMethod::None => String::new(),
                _ => self.plan.vault.address.as_str().trim_end_matches('/').to_owned(),
            },
            method: auth.method.name(),
            mount: auth.mount.clone(),
            role: auth.method.role().map(str::to_owned),
            backends: self.plan.stores.iter().map(|store| store.kind.name()).collect(),
            configuration: self.surroundings.configuration.clone(),
            overrides: self.plan.overrides.clone(),
            started: self.started,
            reload_error: self.reload_error.clone(),
            token_life: self.token_life.as_ref().map(|(_, life)| *life),
        }
    }

    /// Logs how everything stands. For ten thousand files that takes a good part of a second, so another thread makes
    /// what is logged then. It is logged here, in the order of events.
    fn tell_log(&mut self) {
        let (view, besides, log) = (self.view(), self.besides(), self.surroundings.log.clone());
        let report = move || log.report(&Status::of(&view, &besides));
        if self.plan.files.len() < MANY {
            self.surroundings.log.tell(&report());
            return;
        }
        let mut made = Apart::begin(report);
        self.requests.add(async move { Answer::Report(made.ends().await) });
    }

    /// Logs that the end begins. `init` ends by itself, and `exec` with its process.
    fn say_stopping(&self, why: &str, at_once: bool) {
        let delay = self.plan.shutdown.delay;
        let nobody = delay.is_zero() || !self.engine.has_served();
        if at_once || nobody || self.engine.is_leaving() {
            tracing::info!("stopping: {why}");
        } else {
            let delay = humantime::format_duration(delay);
            tracing::info!("stopping: {why}; serving for {delay} more (`shutdown.delay`)");
        }
    }

    /// Logs that the run has ended.
    pub(super) fn say_stopped(&self) {
        if !matches!(self.mode, Mode::Init { .. }) {
            tracing::info!("{}", self.parting.line(&self.engine, &self.plan, clock::moment()));
        }
    }
}

/// Returns whether an event may change the state of things, so that the outlook is made anew at once. For publishes
/// the loop knows whether more of them follow.
pub(super) fn is_seen(event: &Event) -> bool {
    match event {
        Event::Inspected { .. } | Event::Probed(_) | Event::Spawned(Ok(())) => true,
        Event::LoggedIn { .. } | Event::LookedUp { .. } => true,
        Event::Notified { result, .. } => result.is_err(),
        Event::Read { result, .. } | Event::Fetched { result, .. } => result.is_err(),
        Event::Renewed { result, .. } | Event::TokenRenewed { result, .. } => result.is_err(),
        _ => false,
    }
}
