//! `auth`.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "auth:\n  method: kubernetes\n  role: web\n",
        "",
        &["c.yaml:1:1: `auth` is missing; say how to log in: auth: {method: kubernetes, role: …}"],
    ),
    (
        "  method: kubernetes\n",
        "",
        &[
            "c.yaml:3:1: `auth` has no `method`; use one of kubernetes, jwt, approle, cert, userpass, ldap, aws, azure, gcp, token, token_file, path",
        ],
    ),
    (
        "  role: web",
        "  mount: ns1/auth/kubernetes",
        &[
            "c.yaml:3:1: method `kubernetes` needs `role`; add `role:` to `auth`",
            "c.yaml:5:10: warning: a mount with `auth/` within; if it is a namespace, write namespace: ns1 and mount: kubernetes",
        ],
    ),
    (
        "  role: web",
        "  role: ''\n  mount: a b",
        &[
            "c.yaml:5:9: `role` is empty; give it a value",
            "c.yaml:6:10: not a mount; write it like kubernetes or clusters/east",
        ],
    ),
    (
        "  role: web",
        "  role: web\n  role_id: hunter2",
        &["c.yaml:6:3: `role_id` is not a field of method `kubernetes`; its fields are role, jwt_file"],
    ),
    (
        "  method: kubernetes",
        "  method: jwt",
        &["c.yaml:3:1: method `jwt` needs `jwt_file`; add `jwt_file:` to `auth`"],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: jwt\n  role: web\n  jwt_from: gcp\n  jwt_file: /j\n  region: eu-west-1",
        &[
            "c.yaml:3:1: method `jwt` needs `audience`; add `audience:` to `auth`",
            "c.yaml:7:3: `jwt_file` is not a field of method `jwt` with `jwt_from`; its fields are role, jwt_from, audience, service_account",
            "c.yaml:8:3: `region` is not a field of method `jwt` with `jwt_from`; its fields are role, jwt_from, audience, service_account",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: aws\n  region: 'eu-west-1.evil.example'\n  server_id: \"a\\nb\"",
        &[
            "c.yaml:5:11: not a region of AWS; write it like eu-central-1",
            "c.yaml:6:14: not the value of a header; write what iam_server_id_header_value of the method is",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: gcp\n  service_account: a/../b@c\n  gcp_type: ec2",
        &[
            "c.yaml:3:1: method `gcp` needs `role`; add `role:` to `auth`",
            "c.yaml:5:20: not the name of a service account; write its e-mail address, like web@my-project.iam.gserviceaccount.com",
            "c.yaml:6:13: unknown value; use one of gce, iam",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: azure\n  role: web\n  audience: a b\n  managed_identity: {client_id: a, object_id: b}",
        &[
            "c.yaml:6:13: not an audience; write what the method is configured with, like https://vault.example.com",
            "c.yaml:7:36: `client_id` and `object_id` exclude one another; one of them is enough to name an identity",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: approle",
        &["c.yaml:3:1: method `approle` needs `role_id` or `role_id_file`; add one to `auth`"],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: approle\n  role_id: a\n  role_id_file: /b\n  secret_id_file: /c\n  secret_id_env: D",
        &[
            "c.yaml:6:3: `role_id` and `role_id_file` are both set; keep one",
            "c.yaml:8:3: `secret_id_file` and `secret_id_env` are both set; keep one",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: token\n  token_env: TWO_WORDS",
        &[
            "c.yaml:5:14: the variable TWO_WORDS holds more than one word of printable characters; set it to the credential alone",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: token_file",
        &["c.yaml:3:1: method `token_file` needs `token_file`; add `token_file:` to `auth`"],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: approle\n  role_id: a\n  secret_id_wrapped: auth/approle/role/a/secret-id",
        &[
            "c.yaml:6:3: `secret_id_wrapped` without a wrapping token; add `secret_id_file` or `secret_id_env`, which hold it",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: approle\n  role_id: a\n  secret_id_file: /w\n  secret_id_wrapped: /v1/auth/approle/role/a/secret-id",
        &[
            "c.yaml:7:22: not the path of a secret id as the server has it; write it like auth/approle/role/web/secret-id",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: cert",
        &[
            "c.yaml:4:11: method `cert` logs in with the connection's certificate, and there is none; add `client_cert_file` and `client_key_file` to `vault`",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: userpass\n  username: a/b",
        &[
            "c.yaml:3:1: method `userpass` needs `password_file`; add `password_file:` to `auth`",
            "c.yaml:5:13: not a user's name; write it without slashes",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: ldap\n  password_file: /p",
        &["c.yaml:3:1: method `ldap` needs `username`; add `username:` to `auth`"],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: path\n  path: secret/data/login\n  mount: web\n  fields: {hunter2: 5, a: {}}",
        &[
            "c.yaml:5:9: not the path of a login; write it like auth/clusters/login",
            "c.yaml:6:3: `mount` is not a field of method `path`; its fields are path, fields",
            "c.yaml:7:21: expected text or a map, found a number; put it in quotes",
            "c.yaml:7:24: a field without a value; write NAME: TEXT, or NAME: {file: PATH}",
        ],
    ),
    (
        "  role: web",
        "  mount: 5\n  jwt_file: /j",
        &[
            "c.yaml:3:1: method `kubernetes` needs `role`; add `role:` to `auth`",
            "c.yaml:5:10: expected text, found a number; put it in quotes",
        ],
    ),
];
