//! The command line of secrets-manager: flags in Go's form, each with one dash or two.

use std::collections::BTreeMap;

/// What a flag does in this program.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Does {
    /// The same as in secrets-manager.
    Same,
    /// Nothing, for this reason.
    Nothing(&'static str),
}

/// A flag, and whether it is a switch, which takes no value after a space.
struct Known {
    name: &'static str,
    switch: bool,
    does: Does,
}

const fn takes(name: &'static str) -> Known {
    Known { name, switch: false, does: Does::Same }
}

const fn switch(name: &'static str) -> Known {
    Known { name, switch: true, does: Does::Same }
}

const fn idle(name: &'static str, why: &'static str) -> Known {
    Known { name, switch: false, does: Does::Nothing(why) }
}

const HALF: &str = "the token is renewed at half of its life, whatever that is";

const FLAGS: &[Known] = &[
    takes("backend"),
    takes("config.backend-timeout"),
    idle("controller-name", "it changes nothing that is written"),
    switch("enable-debug-log"),
    switch("enable-leader-election"),
    takes("exclude-namespaces"),
    takes("handoff.secret"),
    takes("handoff.transit"),
    takes("kubeconfig"),
    takes("metrics-addr"),
    switch("metrics-paths"),
    takes("namespace-account"),
    takes("namespace-audience"),
    takes("namespace-logins"),
    takes("namespace-roles"),
    takes("reconcile-period"),
    takes("secret-types"),
    takes("vault.approle-path"),
    takes("vault.auth-method"),
    takes("vault.engine"),
    takes("vault.kubernetes-path"),
    takes("vault.kubernetes-role"),
    takes("vault.kubernetes-token-file"),
    idle("vault.max-token-ttl", HALF),
    idle("vault.renew-ttl-increment", HALF),
    takes("vault.role-id"),
    takes("vault.secret-id"),
    idle("vault.token-polling-period", HALF),
    takes("vault.url"),
    switch("version"),
    takes("watch-namespaces"),
    Known { name: "zap-devel", switch: true, does: Does::Nothing("use -zap-encoder and -zap-log-level") },
    takes("zap-encoder"),
    takes("zap-log-level"),
    idle("zap-stacktrace-level", "the log has no stack traces"),
    takes("azure-kv.client-id"),
    takes("azure-kv.client-secret"),
    takes("azure-kv.managed-client-id"),
    takes("azure-kv.managed-resource-id"),
    takes("azure-kv.name"),
    takes("azure-kv.tenant-id"),
];

/// The flags that were given, each with its last value.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(crate) struct Flags {
    given: BTreeMap<&'static str, String>,
}

/// Returns whether a command line without a command is one of secrets-manager's: its image was replaced, and its
/// arguments were kept.
#[must_use]
pub(crate) fn are_meant(first: &str) -> bool {
    name_of(first).is_some_and(|(name, _)| known(name).is_some()) && first != "--version"
}

fn known(name: &str) -> Option<&'static Known> {
    FLAGS.iter().find(|flag| flag.name == name)
}

/// Returns a flag's name, and its value after an equals sign.
fn name_of(text: &str) -> Option<(&str, Option<&str>)> {
    let rest = text.strip_prefix("--").or_else(|| text.strip_prefix('-'))?;
    Some(rest.split_once('=').map_or((rest, None), |(name, value)| (name, Some(value))))
}

impl Flags {
    /// Reads a command line as Go's package `flag` does.
    ///
    /// # Errors
    /// Says what is wrong and what to do.
    pub(crate) fn read(args: &[String]) -> Result<Self, String> {
        let mut flags = Self::default();
        let mut args = args.iter();
        while let Some(arg) = args.next() {
            let Some((name, value)) = name_of(arg) else {
                return Err(format!("{arg:?} is no flag; write flags as -NAME=VALUE"));
            };
            let Some(flag) = known(name) else { return Err(unknown(name)) };
            let value = match value {
                Some(value) => value.to_owned(),
                None if flag.switch => "true".to_owned(),
                None => args
                    .next()
                    .cloned()
                    .ok_or_else(|| format!("-{name} has no value; write -{name}=VALUE"))?,
            };
            if flag.switch {
                truth(&value)
                    .ok_or_else(|| format!("-{name}={value:?} is no truth value; write true or false"))?;
            }
            flags.given.insert(flag.name, value);
        }
        Ok(flags)
    }

    /// Returns the value of a flag that was given and is not empty.
    pub(crate) fn get(&self, name: &str) -> Option<&str> {
        self.given.get(name).map(String::as_str).filter(|value| !value.is_empty())
    }

    /// Returns whether a switch is on.
    pub(crate) fn is_on(&self, name: &str) -> bool {
        self.given.get(name).is_some_and(|value| truth(value) == Some(true))
    }

    /// Returns a warning for each flag that was given and changes nothing.
    pub(crate) fn idle(&self) -> Vec<String> {
        let nothing = |name: &&'static str| match known(name)?.does {
            Does::Nothing(why) => Some(format!("-{name} changes nothing: {why}")),
            Does::Same => None,
        };
        self.given.keys().filter_map(nothing).collect()
    }
}

fn unknown(name: &str) -> String {
    let near = FLAGS.iter().map(|flag| (strsim::jaro_winkler(flag.name, name), flag.name));
    let nearest = near.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(likeness, _)| *likeness > 0.85);
    match nearest {
        Some((_, near)) => format!("there is no flag -{name}; did you mean -{near}?"),
        None => format!("there is no flag -{name}; see docs/guides/from-secrets-manager.md"),
    }
}

/// Parses a boolean like Go's `strconv.ParseBool`.
fn truth(text: &str) -> Option<bool> {
    match text {
        "1" | "t" | "T" | "true" | "TRUE" | "True" => Some(true),
        "0" | "f" | "F" | "false" | "FALSE" | "False" => Some(false),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Flags, String> {
        Flags::read(&args.iter().map(|arg| (*arg).to_owned()).collect::<Vec<_>>())
    }

    #[test]
    fn a_flag_has_one_dash_or_two_and_its_value_behind_a_sign_or_a_space() {
        for args in [&["-vault.url=x"][..], &["--vault.url=x"], &["-vault.url", "x"], &["--vault.url", "x"]] {
            assert_eq!(read(args).expect("flags").get("vault.url"), Some("x"), "{args:?}");
        }
        let flags =
            read(&["-enable-leader-election", "-version=false", "-backend=a", "-backend=b"]).expect("flags");
        assert!(flags.is_on("enable-leader-election") && !flags.is_on("version"));
        assert_eq!(flags.get("backend"), Some("b"), "the last one counts");
    }

    #[test]
    fn what_is_no_flag_is_refused_with_what_may_be_meant() {
        for (args, why) in [
            (&["vault.url"][..], "\"vault.url\" is no flag; write flags as -NAME=VALUE"),
            (&["-vault.urls=x"], "there is no flag -vault.urls; did you mean -vault.url?"),
            (&["-vault.url"], "-vault.url has no value; write -vault.url=VALUE"),
            (&["-version=maybe"], "-version=\"maybe\" is no truth value; write true or false"),
        ] {
            assert_eq!(read(args), Err(why.to_owned()));
        }
    }

    #[test]
    fn a_flag_that_changes_nothing_says_so() {
        let flags = read(&["-vault.max-token-ttl=300", "-vault.url=x"]).expect("flags");
        assert_eq!(
            flags.idle(),
            [
                "-vault.max-token-ttl changes nothing: the token is renewed at half of its life, whatever that is"
            ]
        );
    }

    #[test]
    fn arguments_of_the_old_image_are_known_without_a_command() {
        for first in ["-vault.url=http://vault:8200", "--backend", "-version"] {
            assert!(are_meant(first), "{first}");
        }
        for first in ["webhook", "--version", "-h", "--help", "-V", "inject"] {
            assert!(!are_meant(first), "{first}");
        }
    }
}
