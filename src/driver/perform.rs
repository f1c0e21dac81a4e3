//! Performs the actions of the core.

use std::rc::Rc;
use std::sync::Arc;
use std::time::Duration;

use super::Driver;
use super::child::ChildProcess;
use super::requests::Answer;
use super::saving::Asked;
use crate::core::action::{Action, Question};
use crate::core::event::{Event, RenderOutcome};
use crate::core::ids::NotifierId;
use crate::exit::Ending;
use crate::observe::clock;
use crate::publish::Look;
use leasehold_base::time::Moment;

impl Driver {
    /// Performs what the engine asks for. Returns how the run ends if the action asks for that.
    pub(super) fn perform(&mut self, action: Action) -> Option<Result<(), Ending>> {
        match action {
            Action::Render(file) => self.chores.add(file),
            // At once, since the token may be dropped with the next action.
            Action::RenderSink { file, token } => {
                let began = clock::moment();
                let event = self.files.render_sink(file, self.requests.tokens().get(&token));
                self.tell_rendered(&event, began);
                self.backlog.push_back(event);
            }
            Action::Publish { unit, files } => {
                let (began, publish) = (clock::moment(), self.files.publish(unit, &files));
                // What the handoff promises about a publish is written before it.
                let written = self.keeper.at_rest();
                self.requests.add(async move {
                    written.await;
                    Answer::Published { event: Box::new(publish.await), began }
                });
            }
            Action::Inspect { unit, files, newer, thorough } => {
                let look = Look { wall: clock::now().wall, thorough };
                let inspected = self.files.inspect(unit, &files, &newer, look);
                self.requests.add(async move { Answer::Event(Box::new(inspected.await)) });
            }
            Action::Notify { notifier, delay } => self.notify(notifier, delay),
            Action::Spawn => self.spawn(),
            Action::Signal(number) => self.to_child(|child| child.signal(number)),
            Action::StopChild(number) => self.to_child(|child| child.stop(number)),
            Action::KillChild => self.to_child(ChildProcess::kill),
            Action::SaveHandoff => self.save(Asked { events: 1, openings: Vec::new() }),
            Action::DropHandoff => {
                self.end_writes();
                self.keeper.remove();
            }
            Action::DropToken(token) => self.requests.drop_token(token),
            Action::Forget(request) => self.store.forget(&request),
            Action::Say(say) => self.voice.say(&say, clock::moment()),
            Action::Ask(question) => {
                if let Question::LogIn(_) = question {
                    self.keeper.sending(&self.credentials);
                }
                self.requests.start(question);
            }
            Action::Exit(result) => return Some(result),
        }
        None
    }

    pub(super) fn tell_rendered(&self, event: &Event, began: Moment) {
        if let Event::Rendered { file, outcome: RenderOutcome::Rendered { .. } } = event {
            self.voice.step(|| format!("rendered {}", self.files.name(*file)), began);
        }
    }

    fn notify(&mut self, notifier: NotifierId, delay: Duration) {
        let (plan, teller) = (Arc::clone(&self.plan), Rc::clone(&self.teller));
        self.requests.add(async move {
            let told = teller.tell(&plan.notifiers[notifier.0].how, delay).await;
            let result = told.map(drop).map_err(|error| error.to_string());
            Answer::Event(Box::new(Event::Notified { notifier, result }))
        });
    }
}
