//! The lines of a policy that grant what is wanted, and no more.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use super::wants::{Want, Wants};
use crate::config::plan::Plan;
use crate::vault::mounts::{Mount, canonical};
use leasehold_base::request::{Request, Verb};

/// The second parts of paths that engines other than KV have. Without a server, they show that a path is no KV
/// secret, which has two forms.
const NOT_KV: [&str; 16] = [
    "cert",
    "code",
    "creds",
    "datakey",
    "decrypt",
    "encrypt",
    "hash",
    "hmac",
    "issue",
    "random",
    "rewrap",
    "sign",
    "sign-verbatim",
    "static-creds",
    "sts",
    "verify",
];

/// The capabilities that one path has to be granted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rule {
    /// The path as the server sees it.
    pub path: String,
    /// The capabilities, sorted.
    pub capabilities: BTreeSet<&'static str>,
    /// The users of the path, or what it is for.
    pub users: BTreeSet<String>,
}

impl Rule {
    fn new(path: &str, capabilities: &[&'static str], whose: &str) -> Self {
        let users = BTreeSet::from([whose.to_owned()]);
        Self { path: path.to_owned(), capabilities: capabilities.iter().copied().collect(), users }
    }

    /// Makes the rule for a path of a store that is no Vault.
    pub(super) fn of_store(path: &str, needs: &'static str, users: &BTreeSet<String>) -> Self {
        Self { path: path.to_owned(), capabilities: BTreeSet::from([needs]), users: users.clone() }
    }

    /// Returns whether a policy's line for this path would grant other paths, too: then there is no way to write
    /// it.
    #[must_use]
    pub fn is_wild(&self) -> bool {
        self.path.ends_with('*') || self.path.split('/').any(|part| part == "+")
    }

    /// Returns whether these capabilities, as the server names them, are enough.
    #[must_use]
    pub fn is_granted(&self, has: &[String]) -> bool {
        let has = |wanted: &str| has.iter().any(|one| one == wanted || one == "root");
        // Which of the two a write takes is for the engine to say: update, unless it knows of paths
        // that are not there yet.
        self.capabilities.iter().all(|wanted| has(wanted) || (*wanted == "create" && has("update")))
    }
}

/// Returns the capabilities that a request of this kind takes.
fn capabilities(verb: Verb) -> &'static [&'static str] {
    match verb {
        Verb::Read => &["read"],
        Verb::Write => &["create", "update"],
        Verb::List => &["list"],
    }
}

/// Returns the rules that grant `want`: one if its mount is known, and otherwise both forms of what may be a KV
/// secret.
#[must_use]
pub fn for_want(want: &Want, mount: Option<&Mount>) -> Vec<Rule> {
    let rule = |path: String| Rule {
        path,
        capabilities: capabilities(want.verb).iter().copied().collect(),
        users: want.users.clone(),
    };
    let request = Request { verb: want.verb, path: want.path.clone(), args: BTreeMap::new() };
    if let Some(mount) = mount {
        return vec![rule(canonical(&request, mount).path)];
    }
    let mut rules = vec![rule(want.path.clone())];
    let mut parts = want.path.split('/');
    let (first, second) = (parts.next().unwrap_or_default(), parts.next());
    let never = matches!(first, "auth" | "sys" | "identity" | "cubbyhole");
    if !never && !second.is_some_and(|part| NOT_KV.contains(&part)) {
        let versioned = Mount { path: format!("{first}/"), kind: "kv".to_owned(), kv2: true };
        let other = canonical(&request, &versioned).path;
        if other != want.path {
            rules.push(rule(other));
        }
    }
    rules
}

/// Returns what the token and its leases need for themselves. `leases` says whether anything may be leased.
#[must_use]
pub fn for_upkeep(plan: &Plan, wants: &Wants, leases: bool) -> Vec<Rule> {
    if plan.auth.wrap_ttl.is_some() {
        return Vec::new();
    }
    let mut rules = vec![
        Rule::new("auth/token/lookup-self", &["read"], "to tell a dead token from a policy"),
        Rule::new("auth/token/renew-self", &["update"], "to renew the token"),
    ];
    if plan.auth.owns_token() {
        rules.push(Rule::new("auth/token/revoke-self", &["update"], "to revoke the token"));
    }
    if leases {
        rules.push(Rule::new("sys/leases/renew", &["update"], "to renew leases"));
        rules.push(Rule::new("sys/leases/revoke", &["update"], "to revoke leases that were replaced"));
    }
    if wants.wraps {
        rules.push(Rule::new("sys/wrapping/wrap", &["update"], "to wrap the token for a sink"));
    }
    rules
}

/// Returns the least policy for `plan` as far as it is known without a server.
#[must_use]
pub fn offline(plan: &Plan, wants: &Wants) -> Vec<Rule> {
    let leases = !wants.known.iter().all(|want| want.verb == Verb::List) || !wants.unknown.is_empty();
    let known = wants.known.iter().flat_map(|want| for_want(want, None));
    let elsewhere = wants.known.iter().flat_map(for_leases_elsewhere);
    merged(known.chain(for_upkeep(plan, wants, leases)).chain(elsewhere))
}

/// Returns what the leases of `want` take if its path begins with a namespace. The server asks the policy of the
/// lease's own namespace, and revokes nothing there with the login. Without a server, a namespace cannot be told
/// from a mount of several parts. For such a mount, these lines grant nothing.
fn for_leases_elsewhere(want: &Want) -> Vec<Rule> {
    let parts: Vec<&str> = want.path.split('/').collect();
    if matches!(parts[0], "auth" | "sys" | "identity" | "cubbyhole") {
        return Vec::new();
    }
    let Some(place) = parts.iter().skip(2).position(|part| NOT_KV.contains(part)) else { return Vec::new() };
    let namespace = parts[..=place].join("/");
    let rule = |what: &str| {
        let whose = format!("to {what} leases of {namespace}, where that is a namespace");
        Rule::new(&format!("{namespace}/sys/leases/{what}"), &["update"], &whose)
    };
    vec![rule("renew"), rule("revoke")]
}

/// Merges the rules: each path once, sorted.
pub fn merged(rules: impl IntoIterator<Item = Rule>) -> Vec<Rule> {
    let mut all: BTreeMap<String, Rule> = BTreeMap::new();
    for rule in rules {
        match all.get_mut(&rule.path) {
            Some(known) => {
                known.capabilities.extend(&rule.capabilities);
                known.users.extend(rule.users);
            }
            None => drop(all.insert(rule.path.clone(), rule)),
        }
    }
    all.into_values().collect()
}

/// Writes the rules in the language of policies, each below a comment that names its users.
#[must_use]
pub fn hcl(rules: &[Rule]) -> String {
    let mut text = String::new();
    for rule in rules {
        let users: Vec<&str> = rule.users.iter().map(String::as_str).collect();
        let users = users.join(", ").replace(char::is_control, " ");
        if !text.is_empty() {
            text.push('\n');
        }
        let _infallible = if rule.is_wild() {
            writeln!(text, "# {users}\n# {}: no line can grant it alone, with a wildcard in it", rule.path)
        } else {
            let path = rule.path.replace('\\', "\\\\").replace('"', "\\\"");
            let words: Vec<String> = rule.capabilities.iter().map(|word| format!("\"{word}\"")).collect();
            writeln!(text, "# {users}\npath \"{path}\" {{\n  capabilities = [{}]\n}}", words.join(", "))
        };
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::test_plan as plan;
    use crate::access::wants;

    fn paths(yaml: &str) -> Vec<String> {
        let plan = plan(yaml);
        let rules = offline(&plan, &wants::of(&plan));
        rules.into_iter().map(|rule| rule.path).filter(|path| !path.starts_with("auth/token/")).collect()
    }

    #[test]
    fn without_a_server_what_may_be_a_kv_secret_has_both_forms_and_nothing_else_has() {
        let template = |text: &str| format!("files: [{{path: a, template: '{text}'}}]\n");
        for (text, expected) in [
            ("{{ secret \"secret/a/b\" }}", &["secret/a/b", "secret/data/a/b"][..]),
            ("{{ secret \"secret/data/a\" }}", &["secret/data/a"]),
            ("{{ secret \"database/creds/a\" }}", &["database/creds/a"]),
            ("{{ secret \"pki/issue/a\" \"ttl=1h\" }}", &["pki/issue/a"]),
            ("{{ secret \"sys/tools/random\" }}", &["sys/tools/random"]),
        ] {
            let leases = ["sys/leases/renew", "sys/leases/revoke"].map(str::to_owned);
            let mut expected: Vec<String> =
                expected.iter().map(|path| (*path).to_owned()).chain(leases).collect();
            expected.sort();
            assert_eq!(paths(&template(text)), expected, "{text}");
        }
        assert_eq!(paths(&template("{{ secrets \"secret/a\" }}")), ["secret/a", "secret/metadata/a"]);
    }

    #[test]
    fn leases_of_a_namespace_in_a_path_are_renewed_and_revoked_there() {
        let all = paths(
            "files: [{path: a, secret: team/blue/database/creds/web}, {path: b, secret: pki/issue/web}]\n",
        );
        let of_team: Vec<&String> = all.iter().filter(|path| path.starts_with("team/blue/sys/")).collect();
        assert_eq!(of_team, ["team/blue/sys/leases/renew", "team/blue/sys/leases/revoke"]);
        assert!(!all.iter().any(|path| path.starts_with("pki/sys")), "{all:?}");
    }

    #[test]
    fn the_token_and_its_leases_get_what_they_need_and_no_more() {
        let all = |yaml: &str| {
            let plan = plan(yaml);
            for_upkeep(&plan, &wants::of(&plan), true).into_iter().map(|rule| rule.path).collect::<Vec<_>>()
        };
        let file = "files: [{path: a, secret: kv/a}]\n";
        assert_eq!(all(file).len(), 5);
        assert!(
            all(&format!("{file}sinks: [{{path: t, wrap_ttl: 1m}}]\n"))
                .contains(&"sys/wrapping/wrap".to_owned())
        );
        let given = plan("files: [{path: a, secret: kv/a}]\n");
        let mut given = given;
        given.auth.method = crate::config::plan::AuthMethod::TokenFile { token_file: "/t".into() };
        let rules = for_upkeep(&given, &wants::of(&given), false);
        let paths: Vec<&str> = rules.iter().map(|rule| rule.path.as_str()).collect();
        assert_eq!(paths, ["auth/token/lookup-self", "auth/token/renew-self"], "not ours to revoke");
    }

    #[test]
    fn a_policy_is_written_so_that_no_path_can_leave_its_line() {
        let rules = merged([
            Rule::new("secret/a\"b\\c", &["read"], "one"),
            Rule::new("secret/a\"b\\c", &["list"], "two\nthree"),
            Rule::new("secret/x*", &["read"], "four"),
        ]);
        assert_eq!(
            hcl(&rules),
            "# one, two three\npath \"secret/a\\\"b\\\\c\" {\n  capabilities = [\"list\", \"read\"]\n}\n\n\
             # four\n# secret/x*: no line can grant it alone, with a wildcard in it\n"
        );
    }

    #[test]
    fn a_write_is_granted_by_update_and_root_may_everything() {
        let has = |rule: &Rule, words: &[&str]| {
            rule.is_granted(&words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>())
        };
        let write = Rule::new("a", capabilities(Verb::Write), "");
        assert!(has(&write, &["update"]) && has(&write, &["create", "update"]) && has(&write, &["root"]));
        assert!(!has(&write, &["create"]) && !has(&write, &["deny"]) && !has(&write, &["read"]));
    }
}
