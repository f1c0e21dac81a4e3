//! What comes from outside, and what is told to those who ask.

use super::Driver;
use super::inputs::Input;
use crate::core::event::Event;
use crate::observe::clock;
use crate::observe::http::Ask;
use crate::observe::metrics::Besides;
use crate::observe::status::Status;

impl Driver {
    /// What an input means to the core; those that mean nothing to it are dealt with here.
    pub(super) fn hear(&mut self, input: Input) -> Option<Event> {
        match input {
            Input::Wake => return Some(Event::Wake),
            Input::Stop => return Some(Event::Stop { at_once: false }),
            Input::Reload => return Some(self.reload()),
            Input::Tell => self.tell_log(),
            Input::Files => return self.look_at_files(),
            Input::Watchdog => self.voice.alive(),
            Input::Children => self.reaper.reap(),
            Input::Signal(signal) => {
                let heard = self.offspring.as_ref().is_some_and(|offspring| offspring.has(signal));
                return (!heard).then_some(Event::Signalled(signal.number));
            }
            Input::Ask(ask) => return self.answer(ask),
        }
        None
    }

    /// Answers the listener. Whoever asked may be gone by now.
    fn answer(&mut self, ask: Ask) -> Option<Event> {
        match ask {
            Ask::Alive(reply) => drop(reply.send(())),
            Ask::Ready(reply) => {
                let now = clock::now();
                drop(reply.send((self.engine.ready(now), now.moment)));
            }
            Ask::Scrape(reply) => drop(reply.send((self.engine.view(clock::now()), self.besides()))),
            Ask::Log(level, reply) => {
                self.surroundings.log.set_level(level);
                let _gone = reply.send(());
            }
            Ask::Refresh(reply) => {
                let _gone = reply.send(());
                return Some(Event::Refresh);
            }
            Ask::Renew(wanted, reply) => {
                let is_there = self.engine.has(&wanted);
                let _gone = reply.send(is_there);
                return is_there.then_some(Event::Renew(wanted));
            }
            Ask::Quit(reply) => {
                let _gone = reply.send(());
                return Some(Event::Stop { at_once: true });
            }
        }
        None
    }

    /// What metrics tell besides the core's view.
    fn besides(&self) -> Besides {
        Besides {
            requests: self.client.requests(),
            bytes: self.files.sizes(),
            sandbox: self.surroundings.sandbox,
            certificates: self.expiring.view(clock::now().wall),
        }
    }

    fn tell_log(&self) {
        let status = Status::of(&self.engine.view(clock::now()), &self.besides());
        let json = serde_json::to_string(&status).expect("a status is texts and numbers");
        tracing::info!("status: {json}");
    }
}
