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
    assert_eq!(desk.want(definition("a", "s").into()), Taken::New);
    assert_eq!(desk.want(definition("a", "s").into()), Taken::Same, "nothing has changed");
    let a = definition("a", "s").key;
    assert_eq!(desk.want(definition("b", "s").into()), Taken::Held(a.clone()));
    assert_eq!(desk.want(definition("a", "t").into()), Taken::New, "it is renamed");
    assert_eq!(desk.want(definition("b", "s").into()), Taken::New, "and the name is free");
    assert!(desk.drop(&a) && !desk.drop(&a));
    assert_eq!(desk.want(definition("c", "t").into()), Taken::New);
}

#[test]
fn a_secret_that_names_a_definition_under_another_name_is_an_orphan() {
    let mut desk = Desk::default();
    assert_eq!(desk.want(definition("a", "new").into()), Taken::New, "it is free");
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
    assert_eq!(desk.want(definition("a", "s").into()), Taken::New, "it is free");
    assert!(!desk.is_later(&definition("a", "s"), "9"), "it was not seen");
    desk.see(seen("s", "SecretDefinition/a", "10"));
    assert!(desk.is_later(&definition("a", "s"), "9"));
    assert!(!desk.is_later(&definition("a", "s"), "10") && !desk.is_later(&definition("a", "s"), "11"));
}

#[test]
fn a_definition_that_waits_for_a_target_is_told_when_that_is_free() {
    let mut desk = Desk::default();
    let rival = Arc::new(definition("b", "s"));
    assert_eq!(desk.want(definition("a", "s").into()), Taken::New, "it is free");
    assert!(matches!(desk.want(Arc::clone(&rival)), Taken::Held(_)));
    desk.wait(Arc::clone(&rival), true);
    assert_eq!(desk.next_rival(), None, "it is still taken");
    assert_eq!(desk.want(definition("a", "t").into()), Taken::New, "it is free");
    assert_eq!(desk.next_rival(), Some((Arc::clone(&rival), true)));
    assert_eq!(desk.next_rival(), None, "it was told");
    // It waits no more when it goes, or asks for something else.
    for gone in [true, false] {
        assert_eq!(desk.want(definition("a", "s").into()), Taken::New, "the target is free");
        desk.wait(Arc::clone(&rival), true);
        if gone {
            desk.drop(&rival.key);
        } else {
            assert_eq!(desk.want(definition("b", "u").into()), Taken::New, "it is free");
        }
        assert_eq!(desk.want(definition("a", "t").into()), Taken::New, "it is free");
        assert_eq!(desk.next_rival(), None);
    }
}

#[test]
fn a_secret_goes_to_the_definition_that_it_names() {
    let mut desk = Desk::default();
    let (named, other) = (Arc::new(definition("a", "s")), Arc::new(definition("b", "s")));
    // A controller starts, and hears of the other one first.
    assert_eq!(desk.want(Arc::clone(&other)), Taken::New);
    assert_eq!(desk.want(Arc::clone(&named)), Taken::Held(other.key.clone()));
    desk.wait(Arc::clone(&named), true);
    assert_eq!(desk.next_rival(), None, "nothing was seen");
    desk.see(seen("s", "SecretDefinition/a", "5"));
    assert_eq!(desk.next_rival(), Some((Arc::clone(&named), true)));
    assert_eq!(desk.want(Arc::clone(&named)), Taken::From(Arc::clone(&other)));
    desk.wait(Arc::clone(&other), false);
    assert_eq!(desk.next_rival(), None);

    // It is renamed.
    assert_eq!(desk.want(definition("a", "t").into()), Taken::New);
    assert_eq!(desk.next_rival(), Some((Arc::clone(&other), false)));
    assert_eq!(desk.want(Arc::clone(&other)), Taken::New);

    // A mistake of a moment: the first may have its Secret again.
    desk.drop(&named.key);
    desk.drop(&other.key);
    assert_eq!(desk.want(Arc::clone(&named)), Taken::New);
    desk.see(seen("s", "SecretDefinition/a", "6"));
    desk.wait(Arc::clone(&other), false);
    desk.drop(&named.key);
    assert_eq!(desk.next_rival(), Some((Arc::clone(&other), false)));
    assert_eq!(desk.want(Arc::clone(&other)), Taken::New);
    assert_eq!(desk.want(Arc::clone(&named)), Taken::From(other));
}
