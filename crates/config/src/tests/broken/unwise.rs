//! What works, and should be known.

use super::Row;

pub(super) const ROWS: &[Row] = &[
    (
        "    secret: kv/a#k",
        "    secret: kv/a#k\n    notify: []\nnotify: {app: {signal: HUP, process: app}}",
        &["c.yaml:11:15: warning: no file notifies `app`; name it in a file's `notify`, or take it out"],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nrequire_tmpfs: false\nlisten: 0.0.0.0:9110\ndefaults: {mode: '0444', dir_mode: '0777', missing_key: default}",
        &[
            "c.yaml:7:16: warning: secrets may be written to a disk, where they outlive the run; use a tmpfs and `require_tmpfs: true`",
            "c.yaml:8:9: warning: status and metrics are served to other machines, without TLS; add `listen_tls`, or listen on 127.0.0.1 and use exec probes (`leasehold status --ready`)",
            "c.yaml:9:18: warning: a mode by which anyone on this machine may read the secrets; use \"0440\" and `group`",
            "c.yaml:9:36: warning: anyone may replace files in the secrets' folder; use \"0750\"",
            "c.yaml:9:57: warning: a missing key renders as `<no value>` instead of stopping; use `error`, so that no file has a hole",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nlisten: 127.0.0.1:0\ndefaults: {mode: '0000'}\nsinks: [{path: t, mode: '0200'}, {path: u, mode: '0040'}]",
        &[
            "c.yaml:7:9: warning: port 0, for which the kernel chooses another port at each start; name one, like 127.0.0.1:9110",
            "c.yaml:8:18: warning: a mode by which only root may read the file; use \"0440\" and `group`",
            "c.yaml:9:25: warning: a mode by which only root may read the file; use \"0440\" and `group`",
        ],
    ),
    (
        "secrets_dir: /s",
        "secrets_dir: /s\nsandbox: off",
        &[
            "c.yaml:7:10: warning: without the sandbox, nothing limits what this process can do if it is attacked; use `auto`, which closes what it can",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: token\n  token_env: ONE_WORD",
        &[
            "c.yaml:4:11: warning: a token in the environment shows in /proc, and nothing follows it when it ends; log in by another method, or use `token_file`",
        ],
    ),
    (
        "  method: kubernetes\n  role: web",
        "  method: approle\n  role_id: r\n  secret_id_env: ONE_WORD",
        &["c.yaml:6:18: warning: a secret id in the environment shows in /proc; use `secret_id_file`"],
    ),
    (
        "    secret: kv/a#k",
        "    template: '{{ \"x\" | writeToFile \"/w/a\" \"\" \"\" \"0400\" }}'",
        &[
            "c.yaml:9:25: warning: template: writeToFile will be refused: the path is below no folder that the configuration's `write_to_file` names; name the folder in `write_to_file`",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    template: '{{ \"x\" | writeToFile (env \"A\") \"\" \"\" \"0400\" }}'",
        &[
            "c.yaml:9:25: warning: template: writeToFile may be refused; name the folder that it writes to in `write_to_file`",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    template: '{{ \"x\" | writeToFile \"/w/a\" \"\" \"\" \"0400\" }}{{ \"x\" | writeToFile (env \"A\") \"\" \"\" \"0400\" }}'\nwrite_to_file: [/w]\nexec: {env: {A: {template: '{{ \"x\" | writeToFile \"/w/b\" \"\" \"\" \"0400\" }}'}}}",
        &[
            "c.yaml:11:38: warning: template: writeToFile is refused in a variable; write it from a file's template",
        ],
    ),
    (
        "  address: https://v:8200",
        "  address: http://v:8200\n  plaintext: anywhere",
        &[
            "c.yaml:3:14: warning: plain http:// is allowed to any host: tokens and secrets can be read on the way; use https:// and `plaintext: loopback`",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    template: '{{ with secret \"kv/data/a\" }}{{ .Data.password }}{{ index .Data \"db-user\" }}{{ end }}'",
        &[
            "c.yaml:9:53: warning: template: `.Data.password` of kv/data/a: the keys of a KV version 2 secret are in .Data.data; write `.Data.data.password`, unless the mount is of KV version 1",
            "c.yaml:9:74: warning: template: `index .Data \"db-user\"` of kv/data/a: the keys of a KV version 2 secret are in .Data.data; write `index .Data.data \"db-user\"`, unless the mount is of KV version 1",
        ],
    ),
    (
        "    secret: kv/a#k",
        "    template: '{{ with secret \"kv/data/a\" }}{{ .Data.data.x }}{{ .Data.metadata.version }}{{ end }}'\nexec: {env: {A: {template: '{{ (secret \"team/kv/data/a\").Data.x }}{{ (secret \"kv/a\").Data.x }}{{ (secret \"data/a\").Data.x }}'}}}",
        &[
            "c.yaml:10:57: warning: template: `.Data.x` of team/kv/data/a: the keys of a KV version 2 secret are in .Data.data; write `.Data.data.x`, unless the mount is of KV version 1",
        ],
    ),
];
