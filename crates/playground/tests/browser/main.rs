//! The playground in a real browser: Debian's Chromium without a window, driven over its debugging pipe.

#![allow(clippy::disallowed_methods, reason = "tests measure real time and write their own files")]

mod chromium;
mod configurations;
mod corpus;
mod page;
mod site;

#[path = "../../../../tests/support/need.rs"]
#[allow(unreachable_pub, reason = "shared with the agent's tests")]
mod need;

use std::path::Path;

/// Returns whether this machine has what the site is built and shown with.
fn possible() -> bool {
    let how = "apt-get install rustc-web cargo-web rust-web-src lld-22 chromium";
    let files = ["/usr/bin/cargo", "/usr/lib/rustlib/src/rust/library/std/Cargo.toml"];
    let available = files.iter().all(|file| Path::new(file).exists())
        && ["wasm-ld-22", "chromium", "python3"].iter().all(|program| need::have(program));
    need::need("a compiler for WebAssembly and Chromium", how, available)
}
