//! The keys of `auth`.

use super::stores::MANAGED_IDENTITY;
use super::{Key, Kind, key};

/// The methods of logging in, as messages list them.
pub(crate) const METHODS: &[&str] = &[
    "kubernetes",
    "jwt",
    "approle",
    "cert",
    "userpass",
    "ldap",
    "aws",
    "azure",
    "gcp",
    "token",
    "token_file",
    "path",
];

pub(super) static AUTH: &[Key] = &[
    key(
        "method",
        Kind::Choice(METHODS),
        "",
        "how to log in",
    )
    .also(&["type"]),
    key("mount", Kind::Text, "the method's own name", "the mount below auth/").also(&["mount_path"]),
    key("namespace", Kind::Text, "vault.namespace", "the namespace of the login; \"\" is the root"),
    key("role", Kind::Text, "aws: the identity's own name", "kubernetes, jwt, aws, azure, gcp: the role of the mount"),
    key(
        "jwt_file",
        Kind::Text,
        "kubernetes: /var/run/secrets/kubernetes.io/serviceaccount/token",
        "kubernetes, jwt: the token to log in with",
    )
    .also(&["token_path", "path", "jwt"])
    .private(),
    key(
        "jwt_from",
        Kind::Choice(&["aws", "azure", "gcp"]),
        "",
        "jwt: the cloud that gives the token to log in with, in the place of `jwt_file`",
    ),
    key("audience", Kind::Text, "", "azure, jwt_from: what the token is for, as the method is configured").also(&["resource"]),
    key("region", Kind::Text, "aws: the global STS; jwt_from: AWS_REGION", "aws, jwt_from: aws: the region whose STS is asked"),
    key("server_id", Kind::Text, "", "aws: which server the login is for, where the method has iam_server_id_header_value")
        .also(&["header_value"]),
    key(
        "managed_identity",
        Kind::Map(MANAGED_IDENTITY),
        "",
        "azure, jwt_from: azure: an identity of the machine, {} for its own, whatever the environment has",
    ),
    key("gcp_type", Kind::Choice(&["gce", "iam"]), "gce", "gcp: the type of the role: Google signs for the machine, or the service account does"),
    key("service_account", Kind::Text, "our own", "gcp, jwt_from: gcp: the service account to log in as"),
    key("role_id", Kind::Text, "", "approle: the role's id").private(),
    key("role_id_file", Kind::Text, "", "approle: a file with the role's id")
        .also(&["role_id_file_path"])
        .private(),
    key("secret_id_file", Kind::Text, "", "approle: a file with the secret id")
        .also(&["secret_id_file_path", "secret_id"])
        .private(),
    key("secret_id_env", Kind::Text, "", "approle: the variable with the secret id").private(),
    key(
        "secret_id_wrapped",
        Kind::Text,
        "",
        "approle: the secret id is given as a wrapping token, which this path must have made: auth/approle/role/web/secret-id",
    )
    .also(&["secret_id_response_wrapping_path"])
    .private(),
    key("token_env", Kind::Text, "VAULT_TOKEN, or BAO_TOKEN", "token: the variable that holds it")
        .also(&["token"])
        .private(),
    key("token_file", Kind::Text, "", "token_file: a file that another program keeps; read when a login is wanted, at the start and once the token has died. A new token in it is not taken up while the old one lives")
        .also(&["token_file_path"])
        .private(),
    key("name", Kind::Text, "", "cert: the role's name; without it the server tries them all"),
    key("username", Kind::Text, "", "userpass, ldap: the name of the user").private(),
    key("password_file", Kind::Text, "", "userpass, ldap: a file with the password")
        .also(&["password_file_path", "password"])
        .private(),
    key("path", Kind::Text, "", "path: where to post, such as auth/clusters/login").private(),
    key("fields", Kind::Named(&Kind::TextOr(FIELD)), "{}", "path: what to post: NAME: TEXT, or NAME: {file: PATH}")
        .private(),
    key("wrap_ttl", Kind::Duration, "", "the server wraps the login's token for the reader of the only sink; Leasehold never sees the token"),
];

static FIELD: &[Key] = &[key("file", Kind::Text, "", "a file with the text")];
