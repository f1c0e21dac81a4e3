//! Any template with any data and every function: an error or an output within the limits, never a
//! panic, never endless.
#![no_main]

use leasehold::functions;
use leasehold::template::{Limits, MissingKey, Template};
use leasehold::template::host::Nowhere;
use leasehold::template::value::Value;
use leasehold::tree::Tree;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (&[u8], &[u8], u8)| {
    let (data, text, options) = input;
    let Ok(template) = Template::parse("fuzz", text, None, functions::all()) else { return };
    let tree = Tree::from_json(data).unwrap_or_else(|_| {
        Tree::from_json(br#"{"a":"x","b":{"c":[1,2.50,null]},"l":["y",true],"n":5432}"#).expect("JSON")
    });
    let data = if options & 1 == 0 { Value::from_tree(&tree) } else { Value::from_data(&tree) };
    let missing_key = match options >> 1 & 3 {
        0 => MissingKey::Default,
        1 => MissingKey::Zero,
        _ => MissingKey::Error,
    };
    let limits = Limits { range: 1000, output: 1 << 16, steps: 20_000, ..Limits::default() };
    match template.execute(data, missing_key, limits, &mut Nowhere) {
        Ok(output) => assert!(output.len() <= limits.output, "within the limit"),
        Err(error) => drop(error.to_string()),
    }
});
