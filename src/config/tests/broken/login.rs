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
            "c.yaml:3:1: `auth` has no `method`; use one of kubernetes, jwt, approle, cert, userpass, ldap, token, token_file, path",
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
