//! The command line of vault-k8s' injector: `agent-inject`, with flags of Go's form that mean what variables mean.

use std::collections::BTreeMap;

use super::VARIABLES;

/// Flags that need no value.
const SWITCHES: &[&str] = &[
    "revoke-on-shutdown",
    "run-as-same-user",
    "set-security-context",
    "use-leader-elector",
    "template-config-exit-on-retry-failure",
];

/// Flags whose variable has another name.
const RENAMED: &[(&str, &str)] = &[
    ("vault-address", "VAULT_ADDR"),
    ("proxy-address", "PROXY_ADDR"),
    ("memory-request", "MEM_REQUEST"),
    ("memory-limit", "MEM_LIMIT"),
    ("ephemeral-storage-request", "EPHEMERAL_REQUEST"),
    ("ephemeral-storage-limit", "EPHEMERAL_LIMIT"),
];

/// Reads the injector's flags, and returns their values by the names of the variables that mean the same. As in Go, the
/// flags end at the first word that is no flag. The chart of vault-k8s writes `2>&1` there, which no shell ever reads.
///
/// # Errors
/// A flag that vault-k8s does not have, or one without its value.
pub(crate) fn flags(arguments: &[String]) -> Result<BTreeMap<String, String>, String> {
    let mut found = BTreeMap::new();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(flag) = argument.strip_prefix("--").or_else(|| argument.strip_prefix('-')) else { break };
        if flag.is_empty() {
            break;
        }
        let (name, value) = match flag.split_once('=') {
            Some((name, value)) => (name, Some(value)),
            None => (flag, None),
        };
        let variable = variable(name).ok_or_else(|| {
            format!("{argument}: vault-k8s' injector has no such flag; set its variable, AGENT_INJECT_…")
        })?;
        let value = match value {
            Some(value) => value.to_owned(),
            None if SWITCHES.contains(&name) => "true".to_owned(),
            None => rest.next().cloned().ok_or_else(|| format!("{argument}: needs a value"))?,
        };
        found.insert(variable, value);
    }
    Ok(found)
}

/// Returns the variable that means the same as a flag.
fn variable(flag: &str) -> Option<String> {
    let renamed = RENAMED.iter().find(|(name, _)| *name == flag).map(|(_, variable)| (*variable).to_owned());
    let is_old = |name: &str| RENAMED.iter().any(|(_, variable)| *variable == name);
    let name =
        renamed.or_else(|| Some(flag.replace('-', "_").to_uppercase()).filter(|name| !is_old(name)))?;
    let known = flag.chars().all(|letter| !letter.is_ascii_uppercase() && letter != '_')
        && VARIABLES.iter().any(|variable| variable.name == name);
    known.then(|| format!("AGENT_INJECT_{name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(words: &str) -> Result<Vec<(String, String)>, String> {
        let words: Vec<String> = words.split(' ').map(str::to_owned).collect();
        flags(&words).map(|found| found.into_iter().collect())
    }

    fn pairs(expected: &[(&str, &str)]) -> Vec<(String, String)> {
        expected.iter().map(|(name, value)| (format!("AGENT_INJECT_{name}"), (*value).to_owned())).collect()
    }

    #[test]
    fn what_the_chart_writes_behind_the_flags_is_passed_over() {
        assert_eq!(read("2>&1"), Ok(vec![]));
        assert_eq!(read("-listen=:8080 2>&1 -unknown"), Ok(pairs(&[("LISTEN", ":8080")])));
    }

    #[test]
    fn flags_have_gos_form_and_mean_the_variables() {
        let words = "-tls-auto cfg --vault-address=https://vault:8200 -memory-limit 64Mi -run-as-same-user -revoke-on-shutdown=false";
        let expected = [
            ("MEM_LIMIT", "64Mi"),
            ("REVOKE_ON_SHUTDOWN", "false"),
            ("RUN_AS_SAME_USER", "true"),
            ("TLS_AUTO", "cfg"),
            ("VAULT_ADDR", "https://vault:8200"),
        ];
        assert_eq!(read(words), Ok(pairs(&expected)));
    }

    #[test]
    fn a_flag_that_is_none_and_one_without_its_value_are_named() {
        for wrong in ["-vault-addr=x", "-mem-limit=1", "-LISTEN=:1", "-tls_auto=x", "-listeen=:1"] {
            assert!(read(wrong).is_err_and(|why| why.starts_with(wrong)), "{wrong}");
        }
        assert_eq!(read("-listen"), Err("-listen: needs a value".to_owned()));
    }
}
