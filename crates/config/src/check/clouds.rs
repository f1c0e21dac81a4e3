//! The secret managers of the clouds, among the backends.

use leasehold_settings::stores::{Aws, Azure, AzureIdentity, Google, Kind};
use url::Url;

use super::identity::{self, is_word, region, text};
use super::optional_path;
use super::vault::{is_loopback, web_url};
use crate::desk::Desk;
use crate::file::{AwsStore, AzureStore, GoogleStore};
use crate::keypath::KeyPath;

pub(super) fn aws(entry: &AwsStore, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Kind> {
    let at = at.key("aws_secrets_manager");
    let region = region(entry.region.as_deref(), &at.key("region"), desk);
    let role = ("the ARN of a role", "write it like arn:aws:iam::123456789012:role/reader");
    let role_arn = text(entry.role_arn.as_deref(), &at.key("role_arn"), role, desk, |text| {
        let mut parts = text.splitn(6, ':');
        parts.next() == Some("arn") && parts.nth(1) == Some("iam") && text.contains(":role/") && is_word(text)
    });
    let endpoint = endpoint(entry.endpoint.as_deref(), &at.key("endpoint"), desk);
    Some(Kind::Aws(Aws { region: region?, endpoint: endpoint?, role_arn: role_arn? }))
}

pub(super) fn azure(entry: &AzureStore, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Kind> {
    let at = at.key("azure_key_vault");
    let url = vault(entry, &at, desk);
    let hint = ("an id of Azure", "write it as Azure shows it, like 11111111-2222-3333-4444-555555555555");
    let id = |key: &str, given: &Option<String>, desk: &mut Desk<'_>| {
        text(given.as_deref(), &at.key(key), hint, desk, is_id)
    };
    let (tenant_id, client_id) =
        (id("tenant_id", &entry.tenant_id, desk), id("client_id", &entry.client_id, desk));
    let secret_at = at.key("client_secret_file");
    let client_secret_file = optional_path(entry.client_secret_file.as_deref(), &secret_at, desk);
    let managed_identity = entry.managed_identity.as_ref().map(|entry| identity::managed(entry, &at, desk));
    if client_secret_file.is_some() && managed_identity.is_some() {
        let message = "`client_secret_file` and `managed_identity` exclude one another";
        desk.wrong_key(&at.key("managed_identity"), message, "leave one of them out");
        return None;
    }
    Some(Kind::Azure(Azure {
        url: url?,
        identity: AzureIdentity {
            tenant_id: tenant_id?,
            client_id: client_id?,
            client_secret_file,
            managed_identity: managed_identity.map_or(Some(None), |identity| identity.map(Some))?,
        },
    }))
}

fn vault(entry: &AzureStore, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Url> {
    match (entry.vault.as_deref(), entry.url.as_deref()) {
        (Some(name), None) => {
            let is_name = |c: char| c.is_ascii_alphanumeric() || c == '-';
            let is_good = (3..=24).contains(&name.len()) && name.chars().all(is_name);
            let url = Url::parse(&format!("https://{name}.vault.azure.net/")).ok().filter(|_| is_good);
            if url.is_none() {
                let hint =
                    "write its name alone, 3 to 24 letters, digits and dashes; an address goes into `url`";
                desk.wrong_value(&at.key("vault"), "not the name of a vault", hint);
            }
            url
        }
        (None, Some(url)) => {
            address(url, &at.key("url"), "write it like https://my-vault.vault.azure.net", desk)
        }
        (Some(_), Some(_)) => {
            let message = "`vault` and `url` exclude one another";
            desk.wrong_key(&at.key("url"), message, "leave one of them out");
            None
        }
        (None, None) => {
            desk.missing(&at.key("vault"), "no vault is named", "add `vault: NAME`, or its `url`");
            None
        }
    }
}

pub(super) fn google(entry: &GoogleStore, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Kind> {
    let at = at.key("google_secret_manager");
    if entry.project.is_none() {
        desk.missing(&at.key("project"), "no project is named", "write its id, like my-project");
    }
    let is_part = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let hint = ("a project of Google", "write its id, like my-project");
    let project = text(entry.project.as_deref(), &at.key("project"), hint, desk, |id| {
        // Those of a company have its domain in front.
        !id.is_empty() && id.chars().all(|c| is_part(c) || matches!(c, '.' | ':'))
    });
    let location = text(
        entry.location.as_deref(),
        &at.key("location"),
        ("a location of Google", "write it like europe-west3"),
        desk,
        |id| (4..=32).contains(&id.len()) && id.chars().all(is_part),
    );
    let endpoint = endpoint(entry.endpoint.as_deref(), &at.key("endpoint"), desk);
    Some(Kind::Google(Google { project: project??, location: location?, endpoint: endpoint? }))
}

/// Returns whether a text is an id of Azure. A tenant may be named by its domain, too.
fn is_id(text: &str) -> bool {
    let is_part = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '.');
    !text.is_empty() && text.len() <= 128 && !text.starts_with('.') && text.chars().all(is_part)
}

/// Checks an address of a cloud's own: over TLS, except on this machine, and without a path.
fn endpoint(text: Option<&str>, at: &KeyPath, desk: &mut Desk<'_>) -> Option<Option<Url>> {
    let Some(text) = text else { return Some(None) };
    let example = "write it like https://vpce-0123.secretsmanager.eu-central-1.vpce.amazonaws.com";
    address(text, at, example, desk).map(Some)
}

fn address(text: &str, at: &KeyPath, example: &str, desk: &mut Desk<'_>) -> Option<Url> {
    let url = web_url(text, at, example, desk)?;
    if url.scheme() == "http" && !is_loopback(&url) {
        desk.wrong_value(at, "plain http:// to another machine", "use https://");
        return None;
    }
    if url.path() != "/" || url.query().is_some() {
        desk.wrong_value(at, "an address with a path or a query", "write the scheme, the host and the port");
        return None;
    }
    Some(url)
}
