//! See `bodies/annotations.rs`.
#![no_main]

#[path = "../bodies/annotations.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
