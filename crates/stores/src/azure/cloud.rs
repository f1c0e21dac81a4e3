//! Azure's clouds: where a vault is, and which host gives tokens for it.

use url::Url;

/// The host that gives tokens if nothing says which cloud it is.
pub(crate) const PUBLIC: &str = "login.microsoftonline.com";

/// The names of vaults in each cloud, and the host that gives tokens there.
const CLOUDS: [(&str, &str); 3] = [
    ("vault.azure.net", PUBLIC),
    ("vault.azure.cn", "login.chinacloudapi.cn"),
    ("vault.usgovcloudapi.net", "login.microsoftonline.us"),
];

/// Returns the host that gives tokens for the vault; for a vault outside all clouds, that of the public cloud.
pub(super) fn authority(vault: &Url) -> &'static str {
    let host = vault.host_str().unwrap_or_default();
    let cloud = CLOUDS.iter().find(|(domain, _)| is_within(host, domain));
    cloud.map_or(PUBLIC, |(_, authority)| authority)
}

/// Returns whether a token for `resource` is for the vault, and could not be used elsewhere.
pub(super) fn fits(resource: &Url, vault: &Url) -> bool {
    match (resource.host_str(), vault.host_str()) {
        // An IP address belongs to no domain.
        (Some(resource), Some(host)) => host == resource || is_within(host, resource),
        _ => false,
    }
}

fn is_within(host: &str, domain: &str) -> bool {
    // A domain of one word would contain everything on the Internet below it.
    domain.contains('.') && host.strip_suffix(domain).is_some_and(|rest| rest.ends_with('.'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn url(text: &str) -> Url {
        Url::parse(text).expect("a URL")
    }

    #[test]
    fn each_cloud_has_its_own_authority() {
        for (vault, by) in [
            ("https://a.vault.azure.net", "login.microsoftonline.com"),
            ("https://a.vault.azure.cn", "login.chinacloudapi.cn"),
            ("https://a.vault.usgovcloudapi.net", "login.microsoftonline.us"),
            ("https://127.0.0.1:8443", "login.microsoftonline.com"),
        ] {
            assert_eq!(authority(&url(vault)), by);
        }
    }

    #[test]
    fn a_token_is_for_the_vaults_own_domain() {
        let vault = url("https://my.vault.azure.net");
        for (resource, good) in [
            ("https://vault.azure.net", true),
            ("https://azure.net", true),
            ("https://net", false),
            ("https://management.azure.com", false),
            ("https://evil-vault.azure.net", false),
            ("https://vault.azure.net.evil.example", false),
            ("https://y.vault.azure.net", false),
        ] {
            assert_eq!(fits(&url(resource), &vault), good, "{resource}");
        }
        assert!(fits(&url("https://127.0.0.1"), &url("https://127.0.0.1:8443")));
    }
}
