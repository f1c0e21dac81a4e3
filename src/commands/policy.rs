//! `leasehold policy`: the least policy that a configuration needs, without a server.

use std::io;
use std::process::ExitCode;

use super::output::write_out;
use super::run;
use crate::access::{rules, wants};
use crate::commands::args::ConfigArgs;
use crate::config::plan::{AuthMethod, Plan};
use crate::exit::Ending;

/// Prints it on standard output.
///
/// # Errors
/// 78 where the configuration is not good; 73 where standard output cannot be written.
pub fn run(args: &ConfigArgs) -> Result<ExitCode, Ending> {
    let (plan, _notices) = run::load(args)?;
    write_out(&mut io::stdout().lock(), text(&plan).as_bytes())?;
    Ok(ExitCode::SUCCESS)
}

fn text(plan: &Plan) -> String {
    if matches!(plan.auth.method, AuthMethod::None) {
        return "# No Vault is configured, so there is nothing to grant.\n".to_owned();
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
    text + "\n" + &rules::hcl(&rules::offline(plan, &wants))
}

#[cfg(test)]
mod tests {
    use super::*;

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
