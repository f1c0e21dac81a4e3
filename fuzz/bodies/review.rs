//! Any body of a review: an answer to that review, or an error; never a panic.

use leasehold_kubernetes::settings::Settings;
use serde_json::Value;

/// The body.
pub fn run(input: &[u8]) {
    let settings = Settings { address: Some("https://vault:8200".to_owned()), ..Settings::default() };
    let Ok(answer) = leasehold_kubernetes::review(input, &settings) else { return };
    let answer: Value = serde_json::from_slice(&answer).expect("JSON");
    let asked: Value = serde_json::from_slice(input).expect("it was read");
    assert_eq!(answer["response"]["uid"], asked["request"]["uid"]);
    assert_eq!(answer["apiVersion"], asked["apiVersion"]);
    let (allowed, patch) = (&answer["response"]["allowed"], &answer["response"]["patch"]);
    assert!(*allowed == true || *allowed == false && patch.is_null(), "a refusal changes nothing");
}
