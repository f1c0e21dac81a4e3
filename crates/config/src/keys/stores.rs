//! The keys of stores that are no Vault.

use super::{Key, Kind, RATE_LIMIT, key};

pub(super) static BACKEND: &[Key] = &[
    key(
        "environment",
        Kind::Map(ENVIRONMENT_STORE),
        "",
        "the variables of Leasehold's own environment, as they are at its start",
    ),
    key("files", Kind::Map(FILE_STORE), "", "a folder in which each file is a secret"),
    key(
        "aws_secrets_manager",
        Kind::Map(AWS_STORE),
        "",
        "AWS Secrets Manager, with the credentials that AWS' own programs would find; in the binary leasehold-clouds",
    ),
    key(
        "azure_key_vault",
        Kind::Map(AZURE_STORE),
        "",
        "a vault of Azure Key Vault, with the credentials that Azure's own libraries would find; in leasehold-clouds",
    ),
    key(
        "google_secret_manager",
        Kind::Map(GOOGLE_STORE),
        "",
        "Google Secret Manager, with the credentials that Google's own libraries would find; in leasehold-clouds",
    ),
    key(
        "rate_limit",
        Kind::Map(RATE_LIMIT),
        "",
        "a token bucket over the secrets that this backend is asked for",
    ),
];

static ENVIRONMENT_STORE: &[Key] =
    &[key("prefix", Kind::Text, "", "what stands before every name: NAME/DB is the variable PREFIX and DB")];

static FILE_STORE: &[Key] =
    &[key("dir", Kind::Text, "", "the folder, absolute; folders below it are part of the path")];

static AWS_STORE: &[Key] = &[
    key("region", Kind::Text, "AWS_REGION, or the profile's", "the region"),
    key("endpoint", Kind::Text, "the region's own", "the address to ask, such as a private endpoint"),
    key("role_arn", Kind::Text, "", "a role to assume with the credentials that are found"),
];

static AZURE_STORE: &[Key] = &[
    key("vault", Kind::Text, "", "the vault's name: the address is https://NAME.vault.azure.net"),
    key("url", Kind::Text, "", "the vault's address, for another cloud: https://NAME.vault.azure.cn"),
    key(
        "tenant_id",
        Kind::Text,
        "AZURE_TENANT_ID, or the vault's",
        "the tenant of the application or identity that asks",
    ),
    key("client_id", Kind::Text, "AZURE_CLIENT_ID", "the client id of the application or identity that asks"),
    key("client_secret_file", Kind::Text, "", "a file with the application's secret").private(),
    key("managed_identity", Kind::Map(MANAGED_IDENTITY), "", "an identity of the machine; {} is its own"),
];

pub(super) static MANAGED_IDENTITY: &[Key] = &[
    key("client_id", Kind::Text, "", "the identity with this client id"),
    key("object_id", Kind::Text, "", "the identity with this object id"),
    key("resource_id", Kind::Text, "", "the identity with this resource id"),
];

static GOOGLE_STORE: &[Key] = &[
    key("project", Kind::Text, "", "the project, by its id or its number"),
    key("location", Kind::Text, "", "the location of regional secrets, such as europe-west3"),
    key("endpoint", Kind::Text, "Google's own", "the address to ask, such as a private endpoint"),
];
