//! Keys: unknown, misplaced, of a later version.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "    secret: kv/a#k",
        "    templte: x",
        &["c.yaml:9:5: unknown key `templte`; did you mean `template`?"],
    ),
    (
        "    secret: kv/a#k",
        "    contents: x",
        &["c.yaml:9:5: unknown key `contents`; did you mean `template`?"],
    ),
    (
        "secrets_dir: /s",
        "secret_dir: /s",
        &["c.yaml:6:1: unknown key `secret_dir`; did you mean `secrets_dir`?"],
    ),
    ("  role: web", "  rolle: web", &["c.yaml:5:3: unknown key `rolle`; did you mean `role`?"]),
    (
        "  role: web",
        "  role: web\n  secret_id: hunter2",
        &["c.yaml:6:3: unknown key `secret_id`; did you mean `secret_id_file`?"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\naddress: https://x",
        &["c.yaml:7:1: unknown key `address`; it belongs in `vault`"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nzzz: 1",
        &[
            "c.yaml:7:1: unknown key `zzz`; the keys here are vault, auth, backends, secrets_dir, require_tmpfs, defaults, files, write_to_file, notify, sinks, exec, init, handoff, shutdown, listen, listen_tls, sandbox, log",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\n7: 1",
        &["c.yaml:7:1: a key that is not text; write keys as plain words"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten: 127.0.0.1:9110\nlisten_tls: {tls_cert_file: c, key_file: k, cert_file: c}",
        &["c.yaml:8:14: unknown key `tls_cert_file`; did you mean `cert_file`?"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nsandbox: strict",
        &["c.yaml:7:10: unknown value; use one of auto, off, required"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nsandbox: required\nnotify: {hook: {command: [/bin/reload]}}",
        &[
            "c.yaml:7:10: notifier `hook` runs a command, which cannot work inside the sandbox; use `signal` or `http` there, or `sandbox: auto`, which leaves the sandbox off",
        ],
    ),
    (
        "  method: kubernetes",
        "  method: alicloud",
        &[
            "c.yaml:4:11: unknown value; use one of kubernetes, jwt, approle, cert, userpass, ldap, aws, azure, gcp, token, token_file, path",
        ],
    ),
    (
        "  method: kubernetes",
        "  method: kubernets",
        &["c.yaml:4:11: unknown value; did you mean `kubernetes`?"],
    ),
    (
        "  role: web",
        "  role: web\n  address: https://user:hunter2@v",
        &["c.yaml:6:3: unknown key `address`; it belongs in `vault`"],
    ),
];
