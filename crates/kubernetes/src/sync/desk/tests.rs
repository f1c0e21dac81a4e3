use serde_json::json;

use super::*;
use crate::sync::definition::{Kind, Kv, Rules};

fn definition(name: &str, target: &str) -> Definition {
    let key = Key { kind: Kind::SecretDefinition, namespace: "shop".to_owned(), name: name.to_owned() };
    let spec = json!({"name": target, "keysMap": {"foo": {"path": "secret/data/app", "key": "value"}}});
    let rules = Rules { kv: Kv::Two, logs_in: true, by_namespace: None, types: BTreeSet::new() };
    Definition::read(key, &json!({"uid": name}), &spec, &rules).expect("a definition")
}

fn seen(name: &str, owner: &str, version: &str) -> Sighting {
    let owner = (!owner.is_empty()).then(|| owner.to_owned());
    let version = (!version.is_empty()).then(|| version.to_owned());
    let gone = version.is_none();
    Sighting { namespace: "shop".to_owned(), name: name.to_owned(), owner, version, gone, listed: false }
}

#[test]
fn one_target_belongs_to_the_first_that_asks_for_it() {
    let mut desk = Desk::default();
    assert_eq!(desk.want(definition("a", "s")), Ok(true));
    assert_eq!(desk.want(definition("a", "s")), Ok(false), "nothing has changed");
    let a = definition("a", "s").key;
    assert_eq!(desk.want(definition("b", "s")), Err(a.clone()));
    assert_eq!(desk.want(definition("a", "t")), Ok(true), "it is renamed");
    assert_eq!(desk.want(definition("b", "s")), Ok(true), "and the name is free");
    assert!(desk.drop(&a) && !desk.drop(&a));
    assert_eq!(desk.want(definition("c", "t")), Ok(true));
}

#[test]
fn a_secret_that_names_a_definition_under_another_name_is_an_orphan() {
    let mut desk = Desk::default();
    desk.want(definition("a", "new")).expect("it is free");
    let holder = Some(definition("a", "new").key);
    assert_eq!(desk.see(seen("old", "SecretDefinition/a", "5")), holder);
    assert_eq!(desk.see(seen("new", "SecretDefinition/a", "6")), holder);
    assert_eq!(desk.see(seen("other", "SecretDefinition/b", "7")), None, "no such definition is known");
    assert_eq!(desk.orphans_of(&definition("a", "new")), ["old".to_owned()].into());
    desk.see(seen("old", "", ""));
    assert_eq!(desk.orphans_of(&definition("a", "new")), BTreeSet::new());
}

#[test]
fn versions_are_numbers_that_grow() {
    let mut desk = Desk::default();
    desk.want(definition("a", "s")).expect("it is free");
    assert!(!desk.is_later(&definition("a", "s"), "9"), "it was not seen");
    desk.see(seen("s", "SecretDefinition/a", "10"));
    assert!(desk.is_later(&definition("a", "s"), "9"));
    assert!(!desk.is_later(&definition("a", "s"), "10") && !desk.is_later(&definition("a", "s"), "11"));
}
