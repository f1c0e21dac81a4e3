//! See `bodies/response.rs`.
#![no_main]

#[path = "../bodies/response.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
