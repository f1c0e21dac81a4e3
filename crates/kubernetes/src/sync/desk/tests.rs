use serde_json::json;

use super::*;
use crate::sync::definition::{Kind, Kv, Rules};

fn definition(name: &str, target: &str) -> Definition {
    let key = Key { kind: Kind::SecretDefinition, namespace: "shop".into(), name: name.into() };
    let spec = json!({"name": target, "keysMap": {"foo": {"path": "secret/data/app", "key": "value"}}});
    let rules = Rules { kv: Kv::Two, logs_in: true, by_namespace: None, types: BTreeSet::new() };
    Definition::read(key, &json!({"uid": name}), &spec, &rules).expect("a definition")
}

fn seen(name: &str, owner: &str, version: &str) -> Sighting {
    let owner = (!owner.is_empty()).then(|| owner.into());
    let version = (!version.is_empty()).then(|| version.into());
    let gone = version.is_none();
    Sighting { namespace: "shop".into(), name: name.into(), owner, version, gone, listed: false }
}

#[test]
fn one_target_belongs_to_the_first_that_asks_for_it() {
    let mut desk = Desk::default();
    assert_eq!(desk.want(definition("a", "s").into()), Ok(true));
    assert_eq!(desk.want(definition("a", "s").into()), Ok(false), "nothing has changed");
    let a = definition("a", "s").key;
    assert_eq!(desk.want(definition("b", "s").into()), Err(a.clone()));
    assert_eq!(desk.want(definition("a", "t").into()), Ok(true), "it is renamed");
    assert_eq!(desk.want(definition("b", "s").into()), Ok(true), "and the name is free");
    assert!(desk.drop(&a) && !desk.drop(&a));
    assert_eq!(desk.want(definition("c", "t").into()), Ok(true));
}

#[test]
fn a_secret_that_names_a_definition_under_another_name_is_an_orphan() {
    let mut desk = Desk::default();
    desk.want(definition("a", "new").into()).expect("it is free");
    let holder = Some(definition("a", "new").key);
    assert_eq!(desk.see(seen("old", "SecretDefinition/a", "5")), holder);
    assert_eq!(desk.see(seen("new", "SecretDefinition/a", "6")), holder);
    assert_eq!(desk.see(seen("other", "SecretDefinition/b", "7")), None, "no such definition is known");
    assert_eq!(desk.orphans_of(&definition("a", "new")), ["old".into()].into());
    desk.see(seen("old", "", ""));
    assert_eq!(desk.orphans_of(&definition("a", "new")), BTreeSet::new());
}

#[test]
fn versions_are_numbers_that_grow() {
    let mut desk = Desk::default();
    desk.want(definition("a", "s").into()).expect("it is free");
    assert!(!desk.is_later(&definition("a", "s"), "9"), "it was not seen");
    desk.see(seen("s", "SecretDefinition/a", "10"));
    assert!(desk.is_later(&definition("a", "s"), "9"));
    assert!(!desk.is_later(&definition("a", "s"), "10") && !desk.is_later(&definition("a", "s"), "11"));
}

#[test]
fn a_definition_that_waits_for_a_target_is_told_when_that_is_free() {
    let mut desk = Desk::default();
    let rival = Arc::new(definition("b", "s"));
    desk.want(definition("a", "s").into()).expect("it is free");
    desk.want(Arc::clone(&rival)).expect_err("it is taken");
    desk.wait(Arc::clone(&rival), true);
    assert_eq!(desk.next_rival(), None, "it is still taken");
    desk.want(definition("a", "t").into()).expect("it is free");
    assert_eq!(desk.next_rival(), Some((Arc::clone(&rival), true)));
    assert_eq!(desk.next_rival(), None, "it was told");
    // It waits no more when it goes, or asks for something else.
    for gone in [true, false] {
        desk.want(definition("a", "s").into()).expect("nobody has it");
        desk.wait(Arc::clone(&rival), true);
        if gone {
            desk.drop(&rival.key);
        } else {
            desk.want(definition("b", "u").into()).expect("it is free");
        }
        desk.want(definition("a", "t").into()).expect("it is free");
        assert_eq!(desk.next_rival(), None);
    }
}
