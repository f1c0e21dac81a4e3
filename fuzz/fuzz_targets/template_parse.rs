//! Any bytes as a template, between any delimiters: an error or a template, never a panic.
#![no_main]

use leasehold::functions;
use leasehold::template::Template;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &str, &str)| {
    let (text, left, right) = input;
    let functions = functions::all();
    let _ = Template::parse("fuzz", text, None, functions);
    if let Err(error) = Template::parse("fuzz", text, Some((left, right)), functions) {
        assert!(error.position.offset <= text.len(), "the place is in the text");
        let _ = error.to_string();
    }
});
