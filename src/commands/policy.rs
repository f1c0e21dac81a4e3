//! `leasehold policy`: the least policy that a configuration needs, without a server.

use std::io::{self, Write as _};
use std::process::ExitCode;

use super::output::write_out;
use super::run;
#[cfg(feature = "clouds")]
use crate::access::grants;
use crate::access::{rules, wants};
use crate::commands::args::PolicyArgs;
use crate::config::plan::{AuthMethod, Plan};
use crate::exit::{Cause, Ending};
use leasehold_stores::Settings;

/// Prints the policy on standard output.
///
/// # Errors
/// 64 for a backend that is not there or has nothing to grant; 78 if the configuration is not good; 73 if standard
/// output cannot be written.
pub fn run(args: &PolicyArgs) -> Result<ExitCode, Ending> {
    let (plan, _notices) = run::load(&args.config)?;
    let text = match &args.backend {
        Some(name) => {
            let text = of_backend(&plan, name)?;
            for line in unsaid(&wants::of(&plan), name, &text) {
                let _closed = writeln!(io::stderr(), "warning: {line}");
            }
            text
        }
        None => text(&plan),
    };
    write_out(&mut io::stdout().lock(), text.as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

/// Returns what a store has to be granted.
#[cfg(feature = "clouds")]
fn granted(plan: &Plan, wants: &wants::Wants, store: &Settings) -> Option<String> {
    grants::of_store(plan, wants, store)
}

/// Returns `None`: without clouds, no store has to be granted anything.
#[cfg(not(feature = "clouds"))]
fn granted(_: &Plan, _: &wants::Wants, _: &Settings) -> Option<String> {
    None
}

/// Returns what the text for a backend does not grant.
fn unsaid(wants: &wants::Wants, name: &str, text: &str) -> Vec<String> {
    let unknown = wants.unknown.iter().map(|unknown| {
        let (place, function) = (&unknown.place, &unknown.function);
        format!(
            "{place} ({function}): its path is known when it is rendered; if that begins with {name}/, add it"
        )
    });
    let nothing =
        text.is_empty().then(|| format!("no path is known to begin with {name}/, so nothing is granted"));
    unknown.chain(nothing).collect()
}

/// Returns what one store needs.
fn of_backend(plan: &Plan, name: &str) -> Result<String, Ending> {
    let Some(settings) = plan.stores.iter().find(|store| store.name == name) else {
        let what = format!("the configuration has no backend {name}");
        return Err(Ending::new(Cause::Usage, what, "write a name that stands below `backends`"));
    };
    granted(plan, &wants::of(plan), settings).ok_or_else(|| {
        let what =
            format!("there is nothing to grant for {name}, which is of the kind {}", settings.kind.name());
        Ending::new(Cause::Usage, what, "name a backend of a cloud")
    })
}

/// Returns comments that name the commands by which the needs of the clouds' stores are printed.
fn of_others(plan: &Plan) -> String {
    let wants = wants::of(plan);
    let granted = plan.stores.iter().filter(|store| self::granted(plan, &wants, store).is_some());
    granted
        .map(|store| format!("# `leasehold policy --backend {0}` prints what {0} needs.\n", store.name))
        .collect()
}

pub(super) fn text(plan: &Plan) -> String {
    let others = of_others(plan);
    if matches!(plan.auth.method, AuthMethod::None) {
        return if others.is_empty() {
            "# No Vault is configured, so there is nothing to grant.\n".to_owned()
        } else {
            format!("# No Vault is configured, so there is nothing to grant there.\n{others}")
        };
    }
    let wants = wants::of(plan);
    let mut text = "\
# The least policy for this configuration, by `leasehold policy`. No server was asked: a path that may be a KV secret
# is there as version 1 has it and, with data/ or metadata/, as version 2 has it. Paths like database/creds/web are
# taken for those of other engines. `leasehold plan` asks the server, and shows one form of each.
"
    .to_owned();
    if let Some(namespace) = &plan.vault.namespace {
        text += &format!("# It belongs in the namespace {namespace}.\n");
    }
    for unknown in &wants.unknown {
        text += &format!(
            "# {} ({}): its path is known when it is rendered; add it.\n",
            unknown.place, unknown.function
        );
    }
    text + &others + "\n" + &rules::hcl(&rules::offline(plan, &wants))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_backends_policy_leaves_out_is_named() {
        let plan = crate::access::test_plan(
            "backends: {cloud: {files: {dir: /x}}}\nfiles: [{path: a, template: '{{ secret (env \"X\") }}'}]\n",
        );
        let said = unsaid(&wants::of(&plan), "cloud", "");
        let place = "files[0].template:1:4 (secret): its path is known when it is rendered; if that begins with cloud/, add it";
        assert_eq!(said, [place, "no path is known to begin with cloud/, so nothing is granted"]);
        assert_eq!(unsaid(&wants::Wants::default(), "cloud", "{}"), [""; 0]);
    }

    #[test]
    fn what_cannot_be_known_is_said_before_the_lines() {
        let plan = crate::access::test_plan(
            "files: [{path: a, template: '{{ secret (env \"X\") }}{{ secret \"kv/a\" }}'}]\n",
        );
        let text = text(&plan);
        let unknown = "# files[0].template:1:4 (secret): its path is known when it is rendered; add it.\n";
        assert!(text.contains(unknown), "{text}");
        assert!(text.contains("\n# a\npath \"kv/a\" {\n  capabilities = [\"read\"]\n}\n"), "{text}");
    }
}
