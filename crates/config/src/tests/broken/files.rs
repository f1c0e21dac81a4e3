//! `files`.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "files:\n  - path: a\n    secret: kv/a#k\n",
        "",
        &["c.yaml:1:1: there are no `files`: nothing to render; add an entry with `path` and `template`"],
    ),
    ("  - path: a\n", "  - mode: '0400'\n", &["c.yaml:8:5: a file without a `path`; say where it goes"]),
    ("  - path: a\n", "  - path: ../a\n", &["c.yaml:8:11: `.` or `..` in the path; write where it leads"]),
    (
        "  - path: a\n",
        "  - path: a/\n",
        &["c.yaml:8:11: an empty name in the path; name a file, with one slash between folders"],
    ),
    (
        "  - path: a\n",
        "  - path: ..data/a\n",
        &["c.yaml:8:11: a name that begins with `..`; these are the set's own: use another"],
    ),
    (
        "  - path: a\n",
        "  - path: /s/a\n",
        &[
            "c.yaml:8:11: an absolute path inside `secrets_dir`; write it relative, so that it is a member of the set",
        ],
    ),
    (
        "secrets_dir: /s\n",
        "",
        &[
            "c.yaml:1:1: `secrets_dir` is missing, and `files[0]` has a relative path; set it to a folder on a tmpfs, like /leasehold/secrets in a pod, or /run/leasehold/secrets on a machine",
        ],
    ),
    ("secrets_dir: /s", "secrets_dir: s", &["c.yaml:6:14: not an absolute path; begin it with /"]),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    template: x",
        &["c.yaml:9:5: `template` and `secret` exclude one another; a file is made of one of them"],
    ),
    (
        "    secret: kv/a#k",
        "    mode: '0400'",
        &["c.yaml:8:5: a file that is made of nothing; add `template`, `template_file` or `secret`"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#",
        &["c.yaml:9:13: no key behind the #; name one, or take the # out for all fields as JSON"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/../sys#k",
        &["c.yaml:9:13: the path has a segment `.` or `..`; write it like secret/web#api_key"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a\n    encoding: base64",
        &[
            "c.yaml:10:5: `encoding` decodes one value, and `secret` names all of them; write secret: PATH#KEY",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    encoding: base46",
        &["c.yaml:10:15: unknown value; did you mean `base64`?"],
    ),
    (
        "    secret: kv/a#k",
        "    template: x\n    encoding: base64",
        &[
            "c.yaml:10:5: `encoding` means nothing without `secret: PATH#KEY`; in a template, use base64Decode",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    template_file: /nowhere.tpl",
        &["c.yaml:9:20: cannot read /nowhere.tpl: no such file; name a file that is there and readable"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n  - path: a\n    secret: kv/b\n  - path: a/b\n    secret: kv/b",
        &[
            "c.yaml:10:11: the same path as files[0]; two files cannot be one: rename it",
            "c.yaml:12:11: files[0] is a file where this path needs a folder; rename one of them",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n  - path: b/c\n    secret: kv/b\n  - path: b\n    secret: kv/b",
        &["c.yaml:12:11: files[1] needs a folder where this path is a file; rename one of them"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    user: ngnix\n    group: '4294967295'",
        &[
            "c.yaml:10:11: no such name in /etc/passwd; add it there, or write the number",
            "c.yaml:11:12: not the number of an account; use one below 4294967295",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    wait: {min: 5s, max: 1s}",
        &["c.yaml:10:26: `max` is shorter than `min`; make it at least as long"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    wait: {max: 1s}",
        &["c.yaml:10:5: a `wait` without `min`; write it like {min: 1s, max: 10s}"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    refresh: 0s",
        &["c.yaml:10:14: more often than once a second; use 1s or more"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    notify: [nginx, apq]\nnotify: {app: {signal: HUP, process: a}}",
        &[
            "c.yaml:10:14: no notifier is called `nginx`; define it under `notify`: nginx: {signal: HUP, process: …}",
            "c.yaml:10:21: no notifier is called `apq`; did you mean `app`?",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n  - just text",
        &["c.yaml:10:5: expected a map, found text; put its keys below it, like `path: …`"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n  - path: /h/state\n    secret: kv/b\nhandoff: {file: /h/state}",
        &["c.yaml:10:11: the same path as the handoff; rename one of them"],
    ),
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    delimiters: {left: '[['}\n    missing_key: zero",
        &[
            "c.yaml:10:5: `delimiters` means nothing beside `secret`; take it out",
            "c.yaml:11:5: `missing_key` means nothing beside `secret`; take it out",
            "c.yaml:11:18: warning: a missing key renders as `<no value>` instead of stopping; use `error`, so that no file has a hole",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    template: '[[ env \"A\" ]]'\n    delimiters: {left: '', rihgt: ']]'}",
        &[
            "c.yaml:10:24: not a delimiter; write it like \"[[\"",
            "c.yaml:10:28: unknown key `rihgt`; did you mean `right`?",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    template: '[[ env \"A\" ]]'\n    delimiters: {left: '[[', right: ']]'}\n    deny_functions: [env, key, evn]",
        &[
            "c.yaml:9:19: template: function \"env\" not defined; `deny_functions` names it",
            "c.yaml:11:32: warning: no function of this name can be denied; see that it is spelled right; built-in ones are always there",
        ],
    ),
];
