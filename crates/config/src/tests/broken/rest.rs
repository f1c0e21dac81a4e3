//! Handoff, listener, init.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nhandoff: {file: /s/state}",
        &[
            "c.yaml:7:17: the handoff lies in `secrets_dir`, where the application could read the token; put it on a tmpfs that the application does not mount",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nhandoff: {file: state}",
        &["c.yaml:7:17: not an absolute path; begin it with /"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten: 9110",
        &["c.yaml:7:9: expected text, found a number; put it in quotes"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten: localhost:9110",
        &[
            "c.yaml:7:9: neither IP:PORT nor unix:/path; write it like 127.0.0.1:9110 or unix:/run/leasehold.sock",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten: unix:run/x",
        &["c.yaml:7:9: not an absolute path; begin it with /"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten_tls: {cert_file: c, key_file: k}",
        &["c.yaml:7:1: TLS without `listen`; add listen: 0.0.0.0:9110, or take it out"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten: unix:/run/x\nlisten_tls: {cert_file: c, key_file: k}",
        &["c.yaml:8:1: TLS on a Unix socket, which its mode protects; take it out"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten: 0.0.0.0:9110\nlisten_tls: {cert_file: '', client_ca_file: ca}",
        &[
            "c.yaml:8:1: `listen_tls` without `key_file`; add it, a file in PEM",
            "c.yaml:8:25: an empty path; name a file or a folder",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\ninit: {timeout: 5ms}",
        &["c.yaml:7:17: too short to log in; use a second or more"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /\nhandoff: {file: /}",
        &[
            "c.yaml:6:14: the root folder; name a folder of its own, like /leasehold/secrets",
            "c.yaml:7:17: not a file; write it like /leasehold/handoff/state",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s/t\nwrite_to_file: [w, /, /a/../b, /s, /s/t, /s/t/u, /w]",
        &[
            "c.yaml:7:17: not an absolute path; begin it with /",
            "c.yaml:7:20: the root folder; name a folder of its own, like /leasehold/secrets",
            "c.yaml:7:23: a path with `..` in it; write where it leads",
            "c.yaml:7:32: `secrets_dir` is in it or around it, where a template could replace the set; name a folder of its own, like /leasehold/written",
            "c.yaml:7:36: `secrets_dir` is in it or around it, where a template could replace the set; name a folder of its own, like /leasehold/written",
            "c.yaml:7:42: `secrets_dir` is in it or around it, where a template could replace the set; name a folder of its own, like /leasehold/written",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nhandoff: {file: /h/state}\nwrite_to_file: [/h]",
        &["c.yaml:8:17: the handoff lies in it; name a folder of its own, like /leasehold/written"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nwrite_to_file: /w",
        &["c.yaml:7:16: expected a list, found text; write a list: [one, two]"],
    ),
];
