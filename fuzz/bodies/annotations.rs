//! Any annotations of a pod: a refusal with words, or a pod that the patch makes and that a second injection leaves alone.

use leasehold_kubernetes::settings::Settings;
use leasehold_kubernetes::{Outcome, Request, inject, patch};
use serde_json::{Value, json};

/// One annotation a line: `NAME: VALUE`.
pub fn run(input: &[u8]) {
    let text = String::from_utf8_lossy(input);
    let pairs = text.lines().filter_map(|line| line.split_once(": "));
    let annotations: serde_json::Map<String, Value> =
        pairs.map(|(name, value)| (name.to_owned(), Value::from(value))).collect();
    let before = json!({
        "apiVersion": "v1", "kind": "Pod", "metadata": {"name": "web", "annotations": annotations},
        "spec": {"containers": [{"name": "web", "image": "app", "command": ["/app"]}, {"name": "helper", "image": "h"}]},
    });
    let settings = Settings { address: Some("https://vault:8200".to_owned()), ..Settings::default() };
    let request = Request { namespace: "default" };
    match inject(&before, request, &settings) {
        Ok(Outcome::Untouched(why)) => assert!(!why.is_empty()),
        Ok(Outcome::Injected { pod, .. }) => {
            let mut patched = before.clone();
            let operations =
                serde_json::from_value::<json_patch::Patch>(patch(&before, &pod)).expect("a patch");
            json_patch::patch(&mut patched, &operations)
                .map_err(|error| error.to_string())
                .expect("it applies");
            assert_eq!(patched, *pod, "the patch makes the pod");
            let again = inject(&pod, request, &settings);
            assert!(matches!(again, Ok(Outcome::Untouched(_))), "a second time changes nothing");
        }
        Err(refusal) => {
            let words = refusal.to_string();
            assert!(!words.is_empty() && words.len() < 4096, "{} bytes of words", words.len());
        }
    }
}
