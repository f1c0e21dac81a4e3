//! The difference between two pods, as the API server takes it.

use serde_json::Value;

/// Makes the JSON patch that turns `before` into `after`.
#[must_use]
pub fn patch(before: &Value, after: &Value) -> Value {
    serde_json::to_value(json_patch::diff(before, after)).unwrap_or_default()
}
