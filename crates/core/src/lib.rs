//! The engine: decides everything, does nothing.
//!
//! PURE: no tokio, no files, no clock, no dice. [`Engine::handle`] takes an event with the time it happened and
//! returns what to do. The driver does it, and brings the result back as the next event. Init, sidecar and exec
//! are this one engine under different [policies](policy::Policy).
//!
//! # How to drive it
//! 1. [`Engine::new`] with a policy.
//! 2. [`Engine::handle`] with [`Event::Start`](event::Event::Start), which brings the [`snapshot`] of an earlier run
//!    where there is one; then with everything that happens. Perform the actions in their order; each that can fail
//!    is answered by one event.
//! 3. [`Engine::deadline`] says when to come back where nothing happens: arm one timer on the boot clock.
//! 4. An [`Action::Exit`](action::Action::Exit) ends the run.
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
