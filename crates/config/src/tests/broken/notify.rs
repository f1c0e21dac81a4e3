//! `notify`.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nnotify: {a: {}, b: {signal: HUP}, c: {signal: HUPP, process: x}}",
        &[
            "c.yaml:7:10: a notifier without a way to notify; give it `signal`, `http` or `command`",
            "c.yaml:7:21: a signal without a process to send it to; add `process`, `pid_file` or `command_line`",
            "c.yaml:7:47: not a signal; write a name like HUP or SIGUSR1, or a number from 1 to 64",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nnotify:\n  a: {http: 'http://h', command: [x]}\n  b: {command: []}\n  c: {command: reload now}",
        &[
            "c.yaml:8:25: `http` and `command` are more than one way to notify; make it a notifier of its own",
            "c.yaml:9:16: a command without a program; write a list: [/usr/local/bin/reload, argument]",
            "c.yaml:10:16: expected a list, found text; write a list: [one, two]",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nnotify:\n  a: {http: 'localhost:80', timeout: 0s}\n  b: {signal: 99, process: /bin/x, timeout: 1s}",
        &[
            "c.yaml:8:13: not a URL: it has no scheme; write it like http://127.0.0.1:8080/-/reload",
            "c.yaml:8:38: no time at all; write it like 5s",
            "c.yaml:9:15: not a signal's number; write a name like HUP or SIGUSR1, or a number from 1 to 64",
            "c.yaml:9:28: not the name of a process; write the last part of its path, or use `command_line`",
            "c.yaml:9:36: `timeout` means nothing beside `signal`; take it out",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nnotify: {a: {signal: HUP, process: x, pid_file: /y}, b: {http: 'http://h', process: x}, c: {signal: 1, command_line: ''}}",
        &[
            "c.yaml:7:10: `process`, `pid_file` and `command_line` exclude one another; keep one",
            "c.yaml:7:76: `process` means nothing beside `http`; take it out",
            "c.yaml:7:118: an empty pattern, which fits every process; write a part of the command line",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nnotify: {a: {signal: HUP, command_line: 'java ('}}",
        &[
            "c.yaml:7:41: not a regular expression: found open group without closing ')'; put a backslash before . ( [ and their like",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nnotify: {7: {signal: HUP, process: x}}",
        &["c.yaml:7:10: a name that is not text; put it in quotes"],
    ),
];
