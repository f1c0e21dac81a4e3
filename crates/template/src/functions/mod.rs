//! What templates call besides the language's built-ins: the functions of Vault's and OpenBao's
//! agents, and the Sprig library under `sprig_NAME`.
//!
//! Every function renders the bytes that the agents render (`tests/corpus/functions` were
//! recorded from one). An error here names the function and the reason but never a value, where Go
//! would quote it. The argument types of the signatures are checked by the engine before the code
//! runs; the world is reached only through the rendering's [`Host`](crate::host::Host).

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

/// Every function there is, and why others are not.
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
