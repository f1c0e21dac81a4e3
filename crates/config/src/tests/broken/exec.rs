//! `exec`.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nexec:\n  command: []\n  on_change: reload\n  stop_signal: TREM\n  stop_timeout: 0s",
        &[
            "c.yaml:8:12: a command without a program; write a list: [/usr/local/bin/reload, argument]",
            "c.yaml:9:14: neither `restart` nor `ignore` nor a signal; use restart, ignore, or a signal like HUP or SIGUSR1",
            "c.yaml:10:16: not a signal; write a name like HUP or SIGUSR1, or a number from 1 to 64",
            "c.yaml:11:17: no time to stop in; write it like 30s, or `stop_signal: KILL` to give it no time",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nexec: {env: {A: {}, B: {secret: kv/a, template: x}, C: {secret: 'kv/a#'}, 'D=': {secret: kv/a}}}",
        &[
            "c.yaml:7:14: a variable that is made of nothing; add `template`, `template_file` or `secret`",
            "c.yaml:7:25: `template` and `secret` exclude one another; a variable is made of one of them",
            "c.yaml:7:65: no key behind the #; name one, or take the # out for all fields as JSON",
            "c.yaml:7:75: not the name of a variable; write it like DB_PASSWORD",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nexec: {env: {A: {template: '{{ nope }}'}, B: {secret: kv/a, refresh: 1ms}}, wait: {max: 1s}}",
        &[
            "c.yaml:7:32: template: function \"nope\" not defined; did you mean \"ne\"?",
            "c.yaml:7:70: more often than once a second; use 1s or more",
            "c.yaml:7:77: a `wait` without `min`; write it like {min: 1s, max: 10s}",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nexec: {on_change: HUP, env: {A: {secret: kv/a}}}",
        &[
            "c.yaml:7:19: warning: a change does not reach the variables of a process that runs; use `restart`, or give it files",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nsandbox: required\nexec: {command: [/bin/server]}",
        &[
            "c.yaml:7:10: `exec.command` would inherit the sandbox, and could not work inside it; use `sandbox: auto`, which leaves the sandbox off for `exec`",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nnotify: {exec: {signal: HUP, process: x}}",
        &[
            "c.yaml:7:10: `exec` in a `notify` list means the process of `leasehold exec`; give this notifier another name",
        ],
    ),
];
