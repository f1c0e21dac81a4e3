//! `vault`.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "  address: https://v:8200",
        "  namespace: a",
        &[
            "c.yaml:1:1: `vault.address` is missing; set it or VAULT_ADDR: write it like https://vault.example.com:8200",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: v.example.com:8200",
        &["c.yaml:2:12: not a URL: it has no scheme; write it like https://vault.example.com:8200"],
    ),
    (
        "  address: https://v:8200",
        "  address: http://v.example.com:8200",
        &[
            "c.yaml:2:12: plain http:// would send tokens and secrets in the clear to v.example.com; use https://; `plaintext: anywhere` allows it, and then anyone on the way can read every secret",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: http://127.0.0.1:8200\n  plaintext: never",
        &["c.yaml:2:12: plain http:// is not allowed by `plaintext: never`; use https://"],
    ),
    (
        "  address: https://v:8200",
        "  address: http://127.0.0.1:8200\n  proxy: http://proxy:3128",
        &[
            "c.yaml:2:12: plain http:// would send tokens and secrets in the clear to proxy; use https://; `plaintext: anywhere` allows it, and then anyone on the way can read every secret",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: ftp://v",
        &["c.yaml:2:12: `ftp://` is not supported; write it like https://vault.example.com:8200"],
    ),
    (
        "  address: https://v:8200",
        "  address: https://user:hunter2@v",
        &[
            "c.yaml:2:12: the URL holds a user or a password; take them out: they would show in places that are not secret",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v:8200/?namespace=a\n  proxy: http://proxy:3128?",
        &[
            "c.yaml:2:12: the URL has a query; take out what follows the ?",
            "c.yaml:3:10: the URL has a query; take out what follows the ?",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v/v1/",
        &["c.yaml:2:12: the address ends with /v1; leave that out: Leasehold adds it"],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v:99999",
        &["c.yaml:2:12: not a URL; write it like https://vault.example.com:8200"],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v\n  namespace: a//b\n  proxy: 'proxy:hunter2'\n  server_name: https://v\n  timeout: 1ms",
        &[
            "c.yaml:3:14: not a namespace; write it like team-a or org/team-a",
            "c.yaml:4:10: not a URL: it has no scheme; write it like http://proxy.example.com:3128",
            "c.yaml:5:16: not a host name; write it like vault.example.com, without scheme and port",
            "c.yaml:6:12: too short for any request; give it a second at least",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v\n  client_cert_file: /c",
        &["c.yaml:3:3: a client certificate without its key; set `client_key_file` too"],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v\n  ca_file: ''\n  client_key_file: /c",
        &[
            "c.yaml:3:12: an empty path; name a file or a folder",
            "c.yaml:4:3: a client key without its certificate; set `client_cert_file` too",
        ],
    ),
];
