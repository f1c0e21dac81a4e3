//! The engine: decides everything, does nothing.
//!
//! PURE: no tokio, no files, no clock, no dice. [`Engine::handle`] takes an event with the time it happened and
//! returns what to do. The driver does it, and brings the result back as the next event. Init, sidecar and exec
//! are this one engine under different [policies](policy::Policy).
//!
//! # How to drive it
//! 1. Make one with [`Engine::new`] and a policy.
//! 2. Give [`Engine::handle`] an [`Event::Start`](event::Event::Start) first. It brings the [`snapshot`] of an earlier
//!    run if there is one. After that, give it everything that happens.
//! 3. Perform the actions in the order in which they come. Each action that can fail is answered by one event.
//! 4. Ask [`Engine::deadline`] after each event. Arm one timer for that moment on the boot clock, which goes on while
//!    the machine sleeps. When it rings, give the engine [`Event::Wake`](event::Event::Wake).
//! 5. An [`Action::Exit`](action::Action::Exit) ends the run.
//!
//! The driver owns time. It reads the boot clock and the wall clock together for each event
//! ([`Now`](leasehold_base::time::Now)); an answer also has the moment at which its question was sent (`sent`). The
//! engine never lets time go back.
//!
//! The other methods change nothing, except for [`changes`](Engine::changes), which returns each change once:
//! - for an answer that comes late: [`knows`](Engine::knows) says whether it is still of use;
//! - for the handoff, at an [`Action::SaveHandoff`](action::Action::SaveHandoff): [`snapshot`](Engine::snapshot) is all
//!   of it, and [`changes`](Engine::changes) is what came since the last call;
//! - for another engine that is to take over: give this one an [`Event::Yield`](event::Event::Yield), wait until it
//!   [`has_yielded`](Engine::has_yielded), and start the other with its snapshot;
//! - for people: [`view`](Engine::view) is everything, [`outlook`](Engine::outlook) is what has to be watched.
//!
//! ```
//! use leasehold_base::time::{Moment, Now};
//! use leasehold_core::action::{Action, Question};
//! use leasehold_core::{Engine, event::Event, policy};
//! # use std::time::Duration;
//! # let policy = policy::Policy {
//! #     mode: policy::Mode::Daemon,
//! #     files: vec![policy::FilePolicy {
//! #         name: "password".into(), unit: leasehold_core::ids::UnitId(0), refresh: Duration::from_secs(300),
//! #         wait: None, notify: vec![], sink: None,
//! #     }],
//! #     units: vec![policy::UnitPolicy { files: vec![leasehold_core::ids::FileId(0)] }],
//! #     notifiers: vec![], on_init: Default::default(), stores: vec![], logs_in: true, child: None,
//! #     shutdown: policy::ShutdownPlan { revoke: true, delay: Duration::ZERO }, rehearsal: false, handoff: false,
//! #     owns_token: true, sees_token: true, locks_out: false, login_advice: String::new(),
//! #     first_ready: Default::default(), binds_certificate: false, max_in_flight: 8, seed: 7,
//! # };
//! let now = Now { moment: Moment::new(Duration::from_secs(60)), wall: 1_800_000_000 };
//! let mut engine = Engine::new(policy);
//! let actions = engine.handle(Event::Start { kept: None, rebooted: false }, now);
//! assert!(actions.iter().any(|action| matches!(action, Action::Render(_))));
//! assert!(actions.iter().any(|action| matches!(action, Action::Ask(Question::LogIn(_)))));
//! ```
//!
//! # Rooms
//! `interface` is what the driver and the engine say to each other. `tools` knows nothing of secrets. `secrets`,
//! `upstream` (what is known of a Vault), `stores` (what is known of other stores) and `files` each hold a part of
//! the state, and what follows from a change of it. `run` is the beginning and the end. `engine` joins them.

mod engine;
mod files;
mod interface;
mod run;
mod secrets;
mod stores;
mod tools;
mod upstream;

pub use engine::Engine;
pub use interface::{action, event, ids, policy, snapshot, view};
pub use run::init::no_login;

#[cfg(test)]
mod tests;
