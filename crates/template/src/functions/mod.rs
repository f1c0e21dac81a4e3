//! The functions that templates call besides Go's built-ins: those of Vault Agent, OpenBao Agent and consul-template, and
//! Sprig's as `sprig_NAME`.
//!
//! Every function renders the bytes that the agents render: the test cases were recorded from the real `bao agent`. An error
//! names the function and the reason, and never a value, which Go would quote. The engine checks the types of the arguments
//! before a function runs. A function reaches the world only through the rendering's [`Host`](crate::host::Host).

mod absent;
mod arg;
mod arithmetic;
mod cases;
mod collections;
mod encoding;
mod environment;
mod expression;
mod json;
pub mod manual;
mod matching;
mod membership;
mod merge;
mod numbers;
// For the agent, which reads dates and names out of the certificates that it rendered.
#[doc(hidden)]
pub mod pem;
mod scratch;
mod sockaddr;
mod spew;
mod sprig;
mod structured;
mod text;
mod time;
mod toml;
mod vault;
mod yaml;

use std::sync::OnceLock;

use crate::function::Functions;

/// Returns every function of this crate, and the reasons why other functions of the agents are not available.
///
/// To leave some out or to add your own, clone the set: [`Functions::forbid`], [`Functions::add`].
pub fn all() -> &'static Functions {
    static ALL: OnceLock<Functions> = OnceLock::new();
    ALL.get_or_init(|| {
        let mut functions = Functions::new();
        for room in [
            vault::FUNCTIONS,
            environment::FUNCTIONS,
            encoding::FUNCTIONS,
            structured::FUNCTIONS,
            text::FUNCTIONS,
            expression::FUNCTIONS,
            numbers::FUNCTIONS,
            arithmetic::FUNCTIONS,
            collections::FUNCTIONS,
            membership::FUNCTIONS,
            time::FUNCTIONS,
            scratch::FUNCTIONS,
            sockaddr::FUNCTIONS,
            spew::FUNCTIONS,
        ] {
            functions.add(room);
        }
        sprig::add_to(&mut functions);
        absent::forbid_in(&mut functions);
        functions
    })
}
