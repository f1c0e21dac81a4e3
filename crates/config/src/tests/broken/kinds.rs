//! Values of the wrong kind.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ndefaults: {refresh: 30}",
        &["c.yaml:7:21: expected a duration, found a number; give it a unit: 30s, 30m"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ndefaults: {refresh: 5 minuets}",
        &["c.yaml:7:21: not a duration; write it like 30s, 5m, 1h30m or 250ms"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ndefaults: {refresh: 20y}",
        &["c.yaml:7:21: a duration longer than ten years; write it like 30s, 5m, 1h30m or 250ms"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ndefaults: {refresh: 10ms}",
        &["c.yaml:7:21: more often than once a second; use 1s or more"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ndefaults: {mode: 440, dir_mode: \"0999\"}",
        &[
            "c.yaml:7:18: expected a file mode as text, found a number; a number here could be octal or decimal: write octal digits in quotes, like \"0440\"",
            "c.yaml:7:33: not a file mode; write octal digits in quotes, like \"0440\"",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ndefaults: {mode: \"4440\", dir_mode: \"0050\"}",
        &[
            "c.yaml:7:18: set-uid, set-gid or sticky on a file of secrets; use three digits, like \"0440\"",
            "c.yaml:7:36: a folder its owner cannot use; begin with 7, like \"0750\"",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nrequire_tmpfs: yes",
        &["c.yaml:7:16: expected true or false, found text; write true or false, without quotes"],
    ),
    ("secrets_dir: /s", "secrets_dir: 5", &["c.yaml:6:14: expected text, found a number; put it in quotes"]),
    (
        "secrets_dir: /s",
        "secrets_dir: !dir /s",
        &["c.yaml:6:14: expected text, found a YAML tag; remove the tag"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlog: debug",
        &["c.yaml:7:6: expected a map, found text; put its keys below it, like `level: …`"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlog: {level: warning, format: xml}",
        &[
            "c.yaml:7:14: unknown value; use one of error, warn, info, debug, trace",
            "c.yaml:7:31: unknown value; use one of auto, text, json",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v:8200\n  max_in_flight: 0\n  rate_limit: {per_second: -1, burst: many}",
        &[
            "c.yaml:3:18: not a number from 1 to 4294967295; write a whole number, like 8",
            "c.yaml:4:28: not a number above 0; write it like 20 or 0.5",
            "c.yaml:4:39: expected a whole number, found text; write the number without quotes",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v:8200\n  rate_limit: {burst: 3}",
        &["c.yaml:3:3: a rate limit without `per_second`; write {per_second: 20, burst: 40}"],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v:8200\n  redirect_hosts: vault-1",
        &["c.yaml:3:19: expected a list, found text; write a list: [one, two]"],
    ),
    (
        "  address: https://v:8200",
        "  address: https://v:8200\n  redirect_hosts: [a b, \"https://c\", 5]",
        &[
            "c.yaml:3:20: not a host name; write it like vault.example.com or vault.example.com:8200",
            "c.yaml:3:25: not a host name; write it like vault.example.com or vault.example.com:8200",
            "c.yaml:3:38: expected text, found a number; put it in quotes",
        ],
    ),
    (
        "vault:\n  address: https://v:8200",
        "vault: https://v:8200",
        &["c.yaml:1:8: expected a map, found text; put its keys below it, like `address: …`"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ninit: {timeout: 2}",
        &["c.yaml:7:17: expected a duration, found a number; give it a unit: 2s, 2m"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlog: {level: inof}",
        &["c.yaml:7:14: unknown value; did you mean `info`?"],
    ),
];
