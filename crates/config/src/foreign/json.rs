//! The JSON form of HCL, which is also YAML: read as that, with its limits and its places.

use crate::value::Value as Yaml;

use super::tree::{self, At, Item, Lies, Node, Number, Object, Value};
use crate::document::Document;
use crate::keypath::KeyPath;

/// Returns `value`, which stands in `document`, as an object of the tree. If it is something else than an object,
/// the result is empty.
pub(super) fn object(value: &Yaml, document: &Document, source: usize) -> Object {
    match (Walk { document, source }).value(value, &KeyPath::top()) {
        Value::Object(object) => object,
        _ => Object::default(),
    }
}

struct Walk<'d> {
    document: &'d Document,
    source: usize,
}

impl Walk<'_> {
    fn node(&self, value: &Yaml, path: &KeyPath) -> Node {
        let mark = self.document.find(path).value;
        Node { at: At { source: self.source, mark }, value: self.value(value, path) }
    }

    /// Returns a value of the tree. Its depth is that of the text, which is bounded.
    fn value(&self, value: &Yaml, path: &KeyPath) -> Value {
        match value {
            Yaml::Null => Value::Null,
            Yaml::Bool(flag) => Value::Flag(*flag),
            Yaml::Number(number) => {
                let fraction = || Number::Fraction(number.as_f64());
                let kind = number.as_i64().map_or_else(fraction, Number::Whole);
                Value::Number(kind, number.to_string())
            }
            Yaml::String(text) => Value::Text(tree::Text { text: text.clone(), lies: Lies::Somewhere }),
            Yaml::Sequence(items) => {
                let items = items.iter().enumerate();
                Value::List(items.map(|(index, item)| self.node(item, &path.index(index))).collect())
            }
            Yaml::Mapping(map) => {
                let items = map.iter().filter_map(|(key, value)| Some((key.as_str()?, value)));
                Value::Object(Object {
                    items: items.map(|(key, value)| self.item(key, value, path)).collect(),
                })
            }
            Yaml::Tagged(tagged) => self.value(tagged, path),
        }
    }

    fn item(&self, key: &str, value: &Yaml, path: &KeyPath) -> Item {
        let path = path.key(key);
        let at = At { source: self.source, mark: self.document.find(&path).key };
        Item { key: key.to_owned(), at, labels: Vec::new(), value: self.node(value, &path) }
    }
}
