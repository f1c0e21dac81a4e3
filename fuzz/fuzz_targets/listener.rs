//! See `bodies/listener.rs`.
#![no_main]

#[path = "../bodies/listener.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
