//! Checks of the things that a configuration relies on.

use std::collections::BTreeMap;

use super::{Seen, World};

const CONFIG: &str = "\
vault: {address: 'https://v:8200', ca_file: /etc/ca.pem}
auth: {method: approle, role_id: r, secret_id_file: /run/id}
files: [{path: /run/a, secret: kv/a}]
notify:
  bare: {command: [nginx, -s, reload]}
  full: {command: [/bin/reload]}
exec: {command: [/srv/app]}
listen: unix:/run/leasehold/sock
";

fn told(machine: &[(&str, Seen)]) -> Vec<String> {
    let mut world = World::new(CONFIG).var("PATH", "/usr/bin:/sbin");
    world.machine = Some(machine.iter().map(|(path, seen)| ((*path).to_owned(), *seen)).collect());
    world.problems()
}

#[test]
fn what_is_not_on_this_machine_is_a_warning_at_its_key() {
    let mend = "put it there, or check with --elsewhere if the configuration is for another machine";
    assert_eq!(
        told(&[("/bin/reload", Seen::Other)]),
        [
            format!("c.yaml:1:45: warning: there is no such file on this machine; {mend}"),
            format!("c.yaml:2:53: warning: there is no such file on this machine; {mend}"),
            format!("c.yaml:5:19: warning: no such program is in PATH on this machine; {mend}"),
            "c.yaml:6:19: warning: it is no program that can be run; make it executable".to_owned(),
            format!("c.yaml:7:17: warning: there is no such program on this machine; {mend}"),
            format!("c.yaml:8:9: warning: the socket's folder is not on this machine; {mend}"),
        ]
    );
}

#[test]
fn what_is_there_or_cannot_be_looked_at_is_not_worth_a_word() {
    let machine = [
        ("/etc/ca.pem", Seen::Other),
        ("/run/id", Seen::Unknown),
        ("/sbin/nginx", Seen::Program),
        ("/bin/reload", Seen::Unknown),
        ("/srv/app", Seen::Program),
        ("/run/leasehold", Seen::Other),
    ];
    assert_eq!(told(&machine), [""; 0]);
}

#[test]
fn nobody_looks_where_that_is_not_asked_for_or_something_is_wrong() {
    assert_eq!(World::new(CONFIG).problems(), [""; 0]);
    let mut world = World::new(&CONFIG.replace("files:", "flies:"));
    world.machine = Some(BTreeMap::new());
    assert_eq!(world.problems().len(), 1, "{:?}", world.problems());
}

#[test]
fn what_is_to_run_elsewhere_is_judged_by_itself() {
    let config = CONFIG.replace("kv/a}", "kv/a}, {path: /run/b, template_file: /srv/b.tmpl, user: web}");
    let told = |asked: bool, elsewhere| {
        let mut world = World::new(&config);
        world.machine = asked.then(BTreeMap::new);
        world.elsewhere = elsewhere;
        world.problems()
    };
    assert_eq!(
        told(true, true),
        [
            "c.yaml:3:69: warning: cannot read /srv/b.tmpl, so it is not checked: no such file; check it where it is",
            "c.yaml:3:88: warning: no such name in /etc/passwd of this machine; add it where Leasehold is to run, or write the number",
        ]
    );
    assert!(
        told(true, false).iter().any(|problem| problem.contains("cannot read /srv/b.tmpl: no such file"))
    );
    assert!(told(false, false).iter().any(|problem| problem.contains("no such name in /etc/passwd;")));
}

#[test]
fn a_server_s_own_configuration_takes_nothing_from_the_environment() {
    let told = |word: &str| {
        let config = CONFIG.replace("vault: {", &format!("vault: {{environment: {word}, "));
        let world = World::new(&config).var("BAO_ADDR", "https://other:8200").var("VAULT_NAMESPACE", "ns");
        let plan = world.plan();
        (plan.vault.address.to_string(), plan.vault.namespace, world.problems().len())
    };
    assert_eq!(told("ignore"), ("https://v:8200/".to_owned(), None, 0));
    assert_eq!(told("override"), ("https://other:8200/".to_owned(), Some("ns".to_owned()), 1));
}
