//! Dropping nested containers without recursion.
//!
//! A template can nest lists as deep as it has steps. Dropping such a value by recursion would
//! overflow the stack, which ends the process.

use std::rc::Rc;

use super::Value;

/// Drops `pending`, and everything that nothing else holds, level by level.
pub(super) fn unravel(mut pending: Vec<Value>) {
    while let Some(value) = pending.pop() {
        match value {
            Value::List(mut list) => {
                if let Some(inner) = Rc::get_mut(&mut list.0) {
                    pending.append(&mut inner.items);
                }
            }
            Value::Map(mut map) => {
                if let Some(inner) = Rc::get_mut(&mut map.0) {
                    inner.take_values(&mut pending);
                }
            }
            _ => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_million_nested_lists_drop_without_overflow() {
        let mut value = Value::Nil;
        for _ in 0..1_000_000 {
            value = Value::list([value]);
        }
        drop(value);
    }

    #[test]
    fn a_hundred_thousand_nested_maps_drop_without_overflow() {
        let mut value = Value::Nil;
        for _ in 0..100_000 {
            value = Value::map([("deeper", value)]);
        }
        drop(value);
    }
}
