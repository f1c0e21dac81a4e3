//! A pointer to a struct as dot: the same as the oracle's `Secret`.

use leasehold::template::value::{Record, Shape, Type, Value};
use leasehold::tree::Tree;

static SECRET: Shape = Shape {
    name: "main.Secret",
    pointer: true,
    fields: &["LeaseID", "LeaseDuration", "Renewable", "Data", "Warnings", "Auth"],
    methods: &[],
};

static AUTH: Shape =
    Shape { name: "main.SecretAuth", pointer: true, fields: &["ClientToken", "Policies"], methods: &[] };

/// The struct with the fields that `tree` has, the others zero.
pub(crate) fn secret(tree: &Tree) -> Value {
    let field = |name: &str, of: Type| match tree.get(name) {
        None | Some(Tree::Null) => Value::zero(of),
        Some(Tree::List(list)) => strings(list),
        Some(tree) => Value::from_data(tree),
    };
    let data = tree.get("Data").map_or(Value::NilOf(Type::MAP), Value::from_tree);
    let auth = tree.get("Auth").map_or(Value::NilOf(AUTH.type_of()), |auth| {
        let token = auth.get("ClientToken").map_or_else(|| Value::zero(Type::String), Value::from_tree);
        let policies =
            auth.get("Policies").and_then(Tree::as_list).map_or(Value::NilOf(Type::STRINGS), strings);
        Record::value(&AUTH, vec![token, policies])
    });
    Record::value(
        &SECRET,
        vec![
            field("LeaseID", Type::String),
            field("LeaseDuration", Type::INT),
            field("Renewable", Type::Bool),
            data,
            field("Warnings", Type::STRINGS),
            auth,
        ],
    )
}

fn strings(list: &[Tree]) -> Value {
    Value::texts(list.iter().filter_map(Tree::as_text).cloned())
}
