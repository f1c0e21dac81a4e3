//! See `bodies/review.rs`.
#![no_main]

#[path = "../bodies/review.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
