//! `sinks`, and a wrapped login.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "files:",
        "sinks: [{mode: '0400'}, {path: a}, {path: a/b}]\nfiles:",
        &[
            "c.yaml:7:9: a sink without a `path`; say where it goes",
            "c.yaml:7:32: the same path as files[0]; two files cannot be one: rename it",
            "c.yaml:7:43: files[0] is a file where this path needs a folder; rename one of them",
        ],
    ),
    (
        "files:",
        "sinks: [{path: t, mode: '0444', wrap_ttl: 100ms, notify: [app], template: x}]\nfiles:",
        &[
            "c.yaml:7:25: warning: a mode by which anyone on this machine may read the secrets; use \"0440\" and `group`",
            "c.yaml:7:43: too short for a reader to open it in time; use a second or more",
            "c.yaml:7:59: no notifier is called `app`; define it under `notify`: app: {signal: HUP, process: …}",
            "c.yaml:7:65: unknown key `template`; it belongs in `files[]`",
        ],
    ),
    (
        "  role: web",
        "  role: web\n  wrap_ttl: 5m",
        &["c.yaml:6:13: a wrapped login without a sink to put it into; add one to `sinks`"],
    ),
    (
        "  role: web",
        "  role: web\n  wrap_ttl: 0s\nsinks: [{path: b}]",
        &[
            "c.yaml:6:13: too short for a reader to open it in time; use a second or more",
            "c.yaml:6:13: Leasehold cannot read secrets with a wrapped login; wrap the token in the sink instead: sinks: [{path: token, wrap_ttl: 5m}]",
        ],
    ),
    (
        "  role: web",
        "  role: web\n  wrap_ttl: 5m\nsinks: [{path: b}, {path: c}]",
        &["c.yaml:6:13: a wrapped login can be opened by one reader, and there are more sinks; keep one"],
    ),
    (
        "  role: web",
        "  role: web\n  wrap_ttl: 5m\nsinks: [{path: b, wrap_ttl: 5m}]",
        &["c.yaml:6:13: the login and the sink are both wrapped; keep one of the two `wrap_ttl`"],
    ),
    (
        "  role: web\nsecrets_dir: /s\nfiles:\n  - path: a\n    secret: kv/a#k",
        "  role: web\n  wrap_ttl: 5m\nsecrets_dir: /s\nsinks: [{path: b}]\nhandoff: {file: /h/state}",
        &[
            "c.yaml:6:13: a wrapped login cannot be handed over; take `handoff` out: the next run logs in anew",
        ],
    ),
    (
        "  method: kubernetes\n  role: web\nsecrets_dir: /s\nfiles:\n  - path: a\n    secret: kv/a#k",
        "  method: token_file\n  token_file: /t\n  wrap_ttl: 5m\nsecrets_dir: /s\nsinks: [{path: b}]",
        &[
            "c.yaml:6:13: a token that is given cannot be wrapped, because no login makes it; use `wrap_ttl` in the sink",
        ],
    ),
];
