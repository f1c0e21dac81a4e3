//! See `bodies/yaml.rs`.
#![no_main]

#[path = "../bodies/yaml.rs"]
mod body;

libfuzzer_sys::fuzz_target!(|input: &[u8]| body::run(input));
