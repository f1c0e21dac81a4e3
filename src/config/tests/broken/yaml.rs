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
        &[
            "c.yaml:5:1: not valid YAML: found a tab character that violates indentation while scanning a plain scalar that starts on line 4; indent with spaces, not tabs",
        ],
    ),
    (
        "  role: web",
        "  role: web: hunter2",
        &[
            "c.yaml:5:12: not valid YAML: mapping values are not allowed in this context; check the indentation, and quote a value that has a colon and a space in it",
        ],
    ),
    (
        "  role: web",
        "  role: \"web",
        &[
            "c.yaml:10:1: not valid YAML: found unexpected end of stream while scanning a quoted scalar that starts on line 5; close the quote or the bracket",
        ],
    ),
    (
        "    secret: kv/a#k",
        "   secret: kv/a#k",
        &[
            "c.yaml:9:4: not valid YAML: did not find expected '-' indicator while parsing a block collection that starts on line 8; check the indentation: the entries of a list start in one column",
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
            "c.yaml:6:16: not valid YAML: found unknown escape character while parsing a quoted scalar; double a backslash in double quotes, or use single quotes",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: [a",
        &[
            "c.yaml:7:6: not valid YAML: did not find expected ',' or ']' while parsing a flow sequence that starts on line 6; close the bracket, or put a comma between the values",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: a\u{7}b",
        &["c.yaml:6:15: a control character; remove it, or write it as an escape in double quotes"],
    ),
    ("secrets_dir: /s", "{a: b}: c", &["c.yaml:6:1: a key that is not text; write keys as plain words"]),
];
