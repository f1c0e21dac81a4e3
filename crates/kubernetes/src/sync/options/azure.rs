//! Azure Key Vault in place of a Vault: `-backend=azure-kv`.

use std::collections::BTreeMap;

use leasehold_base::secret::Secret;
use leasehold_stores::{Azure, AzureIdentity, Kind, ManagedIdentity, Settings};
use url::Url;

use super::Store;
use crate::sync::definition::AZURE;
use crate::sync::flags::Flags;

/// The host of vaults in the public cloud.
const SUFFIX: &str = "vault.azure.net";

/// The further variables that Azure's own libraries read, if no flag names their value.
const READ: [&str; 5] = [
    "AZURE_AUTHORITY_HOST",
    "AZURE_FEDERATED_TOKEN_FILE",
    "AZURE_POD_IDENTITY_AUTHORITY_HOST",
    "IDENTITY_ENDPOINT",
    "IDENTITY_HEADER",
];

/// Reads which vault is asked, and by whom: a managed identity by its client id, then by its resource id, then a
/// service principal.
pub(super) fn read(
    flags: &Flags,
    variable: &dyn Fn(&str) -> Option<String>,
    warnings: &mut Vec<String>,
) -> Result<Store, String> {
    let of = |name: &str, flag: &str| variable(name).or_else(|| flags.get(flag).map(str::to_owned));
    let name = of("AZURE_KV_NAME", "azure-kv.name").ok_or(
        "-azure-kv.name is missing; name the vault, or write its URL for another cloud than the public one",
    )?;
    let managed = of("AZURE_MANAGED_CLIENT_ID", "azure-kv.managed-client-id").map(ManagedIdentity::Client);
    let resource =
        || of("AZURE_MANAGED_RESOURCE_ID", "azure-kv.managed-resource-id").map(ManagedIdentity::Resource);
    let managed_identity = managed.or_else(resource);
    let (tenant_id, client_id) =
        (of("AZURE_TENANT_ID", "azure-kv.tenant-id"), of("AZURE_CLIENT_ID", "azure-kv.client-id"));
    let secret = of("AZURE_CLIENT_SECRET", "azure-kv.client-secret");
    let by_token = variable("AZURE_FEDERATED_TOKEN_FILE").is_some();
    let principal = tenant_id.is_some() && client_id.is_some() && (secret.is_some() || by_token);
    if managed_identity.is_none() && !principal {
        return Err("no credentials for Azure are given; set AZURE_TENANT_ID, AZURE_CLIENT_ID and AZURE_CLIENT_SECRET, or -azure-kv.managed-client-id".to_owned());
    }
    if flags.get("azure-kv.client-secret").is_some() && variable("AZURE_CLIENT_SECRET").is_none() {
        warnings.push(
            "-azure-kv.client-secret shows the secret in the list of processes; set AZURE_CLIENT_SECRET"
                .to_owned(),
        );
    }
    let kind = Kind::Azure(Azure {
        url: url(&name)?,
        identity: AzureIdentity { tenant_id, client_id, client_secret_file: None, managed_identity },
    });
    let given = READ.iter().filter_map(|name| Some(((*name).to_owned(), Secret::from(variable(name)?))));
    let secret = secret.map(|secret| ("AZURE_CLIENT_SECRET".to_owned(), Secret::from(secret)));
    let environment: BTreeMap<String, Secret> = given.chain(secret).collect();
    Ok(Store { settings: Settings { name: AZURE.to_owned(), kind, rate_limit: None }, environment })
}

fn url(name: &str) -> Result<Url, String> {
    let plain = name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
    let text = if plain { format!("https://{name}.{SUFFIX}") } else { name.to_owned() };
    Url::parse(&text)
        .ok()
        .filter(|url| url.scheme() == "https" && url.has_host() && url.password().is_none())
        .ok_or_else(|| format!("-azure-kv.name={name:?} is neither the name nor the URL of a vault; write my-vault or https://my-vault.vault.azure.cn"))
}
