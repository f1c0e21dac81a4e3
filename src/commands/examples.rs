//! The examples below the help of each command: how it is called, line by line. A test has the parser take each
//! line.

pub(crate) const INIT: &str = "Examples:
  leasehold init                          with /etc/leasehold/leasehold.yaml
  leasehold init -c web.yaml --timeout 30s
  leasehold init -c web.yaml --dry-run    what would be written, changed or removed";

pub(crate) const SIDECAR: &str = "Examples:
  leasehold sidecar -c web.yaml
  leasehold sidecar -c agent.hcl -c tighter.yaml    Vault Agent's configuration, and what is different";

pub(crate) const EXEC: &str = "Examples:
  leasehold exec -c exec.yaml -- /usr/local/bin/server --port 8080
  leasehold exec -c agent.hcl                       with the command that the configuration names";

pub(crate) const CHECK: &str = "Examples:
  leasehold check -c web.yaml
  leasehold check --elsewhere --strict configurations/    in CI: each file of a folder
  leasehold check -c web.yaml --format json";

pub(crate) const PLAN: &str = "Examples:
  leasehold plan -c web.yaml
  leasehold plan -c web.yaml --format json";

pub(crate) const POLICY: &str = "Examples:
  leasehold policy -c web.yaml | bao policy write web -
  leasehold policy -c web.yaml --backend aws > policy.json";

pub(crate) const STATUS: &str = "Examples:
  leasehold status -c web.yaml
  leasehold status db.env -c web.yaml      one file, secret, backend or notifier
  leasehold status --explain -c web.yaml   the first broken link of each file that is not well
  leasehold status --ready                 a startup probe";

pub(crate) const REFRESH: &str = "Examples:
  leasehold refresh -c web.yaml
  leasehold refresh db.env -c web.yaml
  leasehold refresh --path secret/web -c web.yaml";

pub(crate) const QUIT: &str = "Examples:
  leasehold quit -c web.yaml";

pub(crate) const LOG_LEVEL: &str = "Examples:
  leasehold log-level debug -c web.yaml";

pub(crate) const CONVERT: &str = "Examples:
  leasehold convert agent.hcl >web.yaml
  leasehold convert -o converted/ */agent.hcl    each by itself, and a report
  leasehold convert --from-server envconsul.hcl";

pub(crate) const RENDER: &str = "Examples:
  leasehold render --template db.env.tpl --secrets test-secrets.yaml
  leasehold render --template - --data values.json";

pub(crate) const INSTALL: &str = "Examples:
  leasehold install /shared/bin/";

pub(crate) const COMPLETIONS: &str = "Examples:
  leasehold completions bash >/usr/share/bash-completion/completions/leasehold
  leasehold completions zsh >/usr/local/share/zsh/site-functions/_leasehold
  leasehold completions fish >~/.config/fish/completions/leasehold.fish";

pub(crate) const NEW: &str = "Examples:
  leasehold new                             asks for everything
  leasehold new web --for machine --address https://vault:8200 --secret secret/web#password
  leasehold new web --for pod --address https://vault.vault.svc:8200 --secret db.json=database/creds/web -o web/";

pub(crate) const DEMO: &str = "Examples:
  leasehold demo";
