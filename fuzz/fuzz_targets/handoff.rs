//! See `bodies/handoff.rs`.
#![no_main]

#[path = "../bodies/handoff.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
