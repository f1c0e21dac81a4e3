//! Files to be rendered. They are rendered in slices: a set of ten thousand files takes a good part of a second, in
//! which leases have to be renewed and probes to be answered.

use std::collections::VecDeque;
use std::time::Duration;

use super::Driver;
use crate::core::event::Event;
use crate::core::ids::FileId;
use crate::observe::clock;
use leasehold_base::time::Moment;

/// How long renderings, and what follows from them, may go on before other events are handled.
const SLICE: Duration = Duration::from_millis(20);

/// The files to be rendered.
#[derive(Debug, Default)]
pub(super) struct Chores {
    files: VecDeque<FileId>,
    /// When other events were last handled.
    heard: Moment,
}

impl Chores {
    /// Adds a file to be rendered.
    pub(super) fn add(&mut self, file: FileId) {
        self.files.push_back(file);
    }

    pub(super) fn is_empty(&self) -> bool {
        self.files.is_empty()
    }
}

impl Driver {
    /// Returns the next event: that of a rendering, or whatever happens first.
    pub(super) async fn next(&mut self) -> Event {
        loop {
            let now = clock::moment();
            if self.chores.is_empty() || self.chores.heard.until(now) >= SLICE {
                self.chores.heard = now;
                if let Some(event) = self.hear_others().await {
                    return event;
                }
            }
            if let Some(file) = self.chores.files.pop_front() {
                return self.render(file);
            }
        }
    }

    /// Returns what has happened besides renderings. While files are to be rendered, returns only what has happened
    /// by now.
    async fn hear_others(&mut self) -> Option<Event> {
        if self.chores.is_empty() {
            let event = self.wait().await;
            self.chores.heard = clock::moment();
            return Some(event);
        }
        tokio::select! {
            biased;
            event = self.wait() => Some(event),
            // The runtime polls for answers and requests before this is over.
            () = tokio::task::yield_now() => None,
        }
    }

    /// Renders a file or a variable.
    fn render(&mut self, file: FileId) -> Event {
        let began = clock::moment();
        let event = self.files.render(file, &self.store);
        self.tell_rendered(&event, began);
        event
    }
}
