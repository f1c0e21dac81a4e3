//! Says what the identity that asks a cloud has to be granted there, and no more.

use std::collections::BTreeSet;

use super::wants::{Want, Wants};
use crate::config::plan::Plan;
use leasehold_base::request::Verb;
use leasehold_stores::{Aws, Azure, Google, Kind, Settings, aws_partition};

/// The requests to one store.
struct Wanted<'p> {
    /// The names that are read.
    reads: BTreeSet<&'p str>,
    lists: bool,
}

/// Returns what grants that, as the cloud takes it: a policy in JSON, or commands. It is empty if nothing is known to be
/// asked of the store. Nothing for a store that grants nothing.
#[must_use]
pub fn of_store(plan: &Plan, wants: &Wants, settings: &Settings) -> Option<String> {
    let wants_of = |want: &&Want| plan.store_of(&want.path) == Some(settings);
    let all: Vec<&Want> = wants.stored.iter().filter(wants_of).collect();
    let wanted = Wanted {
        reads: match settings.kind {
            // There, slashes are a part of a name.
            Kind::Aws(_) => reads(&all).filter_map(|want| Some(want.path.split_once('/')?.1)).collect(),
            _ => reads(&all).filter_map(|want| want.path.split('/').nth(1)).collect(),
        },
        lists: all.iter().any(|want| want.verb == Verb::List),
    };
    match &settings.kind {
        // A policy without a statement is none.
        Kind::Aws(_) | Kind::Azure(_) | Kind::Google(_) if wanted.reads.is_empty() && !wanted.lists => {
            Some(String::new())
        }
        Kind::Aws(aws) => Some(for_aws(aws, &wanted)),
        Kind::Azure(azure) => Some(for_azure(azure, &wanted)),
        Kind::Google(google) => Some(for_google(google, &wanted)),
        Kind::Environment { .. } | Kind::Files { .. } => None,
    }
}

fn reads<'w>(all: &'w [&'w Want]) -> impl Iterator<Item = &'w Want> {
    all.iter().copied().filter(|want| want.verb != Verb::List)
}

fn for_aws(aws: &Aws, wanted: &Wanted<'_>) -> String {
    let region = aws.region.as_deref().unwrap_or("*");
    let partition = aws_partition(region);
    // AWS puts a dash and six characters behind a name.
    let arn = |name: &&str| match name.starts_with("arn:") {
        true => (*name).to_owned(),
        false => format!("arn:{partition}:secretsmanager:{region}:*:secret:{name}-??????"),
    };
    let mut statements = Vec::new();
    if !wanted.reads.is_empty() {
        statements.push(statement(&["GetSecretValue"], &wanted.reads.iter().map(arn).collect::<Vec<_>>()));
    }
    let mut of_all = Vec::new();
    // It reads nothing that the other does not grant, and knows no resource.
    of_all.extend((wanted.reads.len() > 1).then_some("BatchGetSecretValue"));
    of_all.extend(wanted.lists.then_some("ListSecrets"));
    if !of_all.is_empty() {
        statements.push(statement(&of_all, &["*".to_owned()]));
    }
    let policy = serde_json::json!({"Version": "2012-10-17", "Statement": statements});
    format!("{policy:#}\n")
}

fn statement(actions: &[&str], resources: &[String]) -> serde_json::Value {
    let actions: Vec<String> = actions.iter().map(|action| format!("secretsmanager:{action}")).collect();
    serde_json::json!({"Effect": "Allow", "Action": actions, "Resource": resources})
}

fn for_azure(azure: &Azure, wanted: &Wanted<'_>) -> String {
    let host = azure.url.host_str().unwrap_or_default();
    let name = host.split('.').next().unwrap_or_default();
    let mut text = format!("vault=$(az keyvault show --name {name} --query id --output tsv)\n");
    let mut grant = |scope: &str| {
        text += &format!(
            "az role assignment create --role 'Key Vault Secrets User' --assignee \"$IDENTITY\" --scope \"$vault{scope}\"\n"
        );
    };
    if wanted.lists {
        grant("");
    } else {
        wanted.reads.iter().for_each(|name| grant(&format!("/secrets/{name}")));
    }
    text
}

fn for_google(google: &Google, wanted: &Wanted<'_>) -> String {
    let at = google.location.as_ref().map_or_else(String::new, |location| format!(" --location {location}"));
    let project = &google.project;
    let mut text = String::new();
    for name in &wanted.reads {
        text += &format!(
            "gcloud secrets add-iam-policy-binding {name} --project {project}{at} --role roles/secretmanager.secretAccessor --member \"$MEMBER\"\n"
        );
    }
    if wanted.lists {
        text += &format!(
            "gcloud projects add-iam-policy-binding {project} --role roles/secretmanager.viewer --member \"$MEMBER\"\n"
        );
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::access::{test_plan, wants};

    fn grant(backend: &str, files: &str) -> String {
        let plan = test_plan(&format!("backends: {{s: {backend}}}\nfiles: [{files}]\n"));
        of_store(&plan, &wants::of(&plan), &plan.stores[0]).unwrap_or_default()
    }

    const TWO: &str = "{path: a, secret: s/prod-db}, {path: b, secret: 's/api?version=1'}";
    const LIST: &str = "{path: c, template: '{{ range secrets \"s\" }}{{ . }}{{ end }}'}";

    #[test]
    fn aws_is_granted_each_name_and_the_wide_actions_only_where_they_are_wanted() {
        let aws = "{aws_secrets_manager: {region: cn-north-1}}";
        let one: serde_json::Value =
            serde_json::from_str(&grant(aws, "{path: a, secret: s/prod/db}")).expect("JSON");
        let only = serde_json::json!([{
            "Effect": "Allow", "Action": ["secretsmanager:GetSecretValue"],
            "Resource": ["arn:aws-cn:secretsmanager:cn-north-1:*:secret:prod/db-??????"],
        }]);
        assert_eq!(one["Statement"], only);
        let more: serde_json::Value =
            serde_json::from_str(&grant(aws, &format!("{TWO}, {LIST}"))).expect("JSON");
        let wide = ["secretsmanager:BatchGetSecretValue", "secretsmanager:ListSecrets"];
        assert_eq!(more["Statement"][1]["Action"], serde_json::json!(wide));
    }

    #[test]
    fn azure_is_granted_each_secret_and_the_vault_only_where_it_is_listed() {
        let azure = "{azure_key_vault: {vault: my-vault}}";
        let text = grant(azure, TWO);
        assert!(text.starts_with("vault=$(az keyvault show --name my-vault --query id --output tsv)\n"));
        assert!(text.contains("--scope \"$vault/secrets/api\"\n") && text.contains("/secrets/prod-db\"\n"));
        assert!(!text.contains("--scope \"$vault\"\n"));
        let text = grant(azure, &format!("{TWO}, {LIST}"));
        assert!(text.contains("--scope \"$vault\"\n") && !text.contains("/secrets/"), "{text}");
    }

    #[test]
    fn a_path_that_only_a_rendering_knows_widens_nothing() {
        const UNKNOWN: &str = "{path: d, template: '{{ with secret (env \"X\") }}{{ . }}{{ end }}'}";
        let stores = [
            "{aws_secrets_manager: {region: eu-central-1}}",
            "{azure_key_vault: {vault: my-vault}}",
            "{google_secret_manager: {project: p}}",
        ];
        for store in stores {
            assert_eq!(grant(store, &format!("{TWO}, {UNKNOWN}")), grant(store, TWO));
            assert_eq!(grant(store, UNKNOWN), "", "nothing is known, and an empty policy is none");
        }
    }

    #[test]
    fn arns_have_the_partition_of_the_region() {
        for (region, partition) in [("eusc-de-east-1", "aws-eusc"), ("us-isob-east-1", "aws-iso-b")] {
            let store = format!("{{aws_secrets_manager: {{region: {region}}}}}");
            let arn = format!("\"arn:{partition}:secretsmanager:{region}:*:secret:prod-db-??????\"");
            assert!(grant(&store, TWO).contains(&arn), "{}", grant(&store, TWO));
        }
    }

    #[test]
    fn google_is_granted_each_secret() {
        let google = "{google_secret_manager: {project: p, location: europe-west3}}";
        let text = grant(google, &format!("{TWO}, {LIST}"));
        assert!(text.contains(
            "gcloud secrets add-iam-policy-binding prod-db --project p --location europe-west3 --role roles/secretmanager.secretAccessor"
        ));
        assert!(text.contains("projects add-iam-policy-binding p --role roles/secretmanager.viewer"));
        assert_eq!(grant("{files: {dir: /x}}", TWO), "");
    }
}
