//! What is not YAML, or not within the limits.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nsecrets_dir: /t\nlog: {level: info, level: warn}",
        &[
            "c.yaml:7:1: `secrets_dir` stands here twice; it is on line 6 already: remove one",
            "c.yaml:8:20: `level` stands here twice; it is on line 8 already: remove one",
        ],
    ),
    (
        "  role: web",
        "\trole: web",
        &["c.yaml:5:1: not valid YAML: a tab in the indentation; indent with spaces, not tabs"],
    ),
    (
        "  role: web",
        "  role: web: hunter2",
        &[
            "c.yaml:5:12: not valid YAML: a colon where no key can stand; check the indentation, and quote a value that has a colon and a space in it",
        ],
    ),
    (
        "  role: web",
        "  role: \"web",
        &["c.yaml:10:1: not valid YAML: a quote that is never closed (it opens on line 5); close it"],
    ),
    (
        "    secret: kv/a#k",
        "   secret: kv/a#k",
        &[
            "c.yaml:9:4: not valid YAML: no `- ` where an entry of the list is due (it starts on line 8); check the indentation: the entries of a list start in one column",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: *here",
        &["c.yaml:6:14: `*here` refers to no anchor above it; name one with `&here` first"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\n---\na: 1",
        &[
            "c.yaml:7:1: a second YAML document; one text holds one configuration: give --config more than once",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: \"a\\qb\"",
        &[
            "c.yaml:6:16: not valid YAML: a backslash that escapes nothing; double a backslash in double quotes, or use single quotes",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: [a",
        &[
            "c.yaml:7:6: not valid YAML: a bracket that is not closed (it opens on line 6); close it with ], or put a comma between the values",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: a\u{7}b",
        &["c.yaml:6:15: a control character; remove it, or write it as an escape in double quotes"],
    ),
    (
        "    secret: kv/a#k",
        "    template: {{ with secret \"kv/a\" }}{{ .Data.k }}{{ end }}",
        &[
            "c.yaml:9:15: a template without quotes: `{{` opens two maps in YAML; put it in quotes, or on lines of its own below a `|`",
        ],
    ),
    (
        "  role: web",
        "  role: @web",
        &["c.yaml:5:9: not valid YAML: a value that starts with a sign of YAML's own; put it in quotes"],
    ),
    ("secrets_dir: /s", "{a: b}: c", &["c.yaml:6:1: a key that is not text; write keys as plain words"]),
];
