"""Ten kinds of annotated pods, and the files that vault-k8s' agent would write for each."""

from dataclasses import dataclass, field

VAULT, OWN = "vault.hashicorp.com/", "leasehold.dev/"
SECRETS = {
    "web": {"user": "web", "password": 'a:b"c $HOME', "host": "db<1>&co"},
    "tls": {"certificate": "-----BEGIN CERTIFICATE-----\nMIIB\n-----END CERTIFICATE-----", "key": "KEY"},
    # Bytes that are no text.
    "keystore": {"bytes": "/u3+7QAAAAIAAAABAP8=", "password": "change it"},
}
POLICY = """
path "secret/data/*" { capabilities = ["read"] }
path "database/creds/app" { capabilities = ["read"] }
"""

TLS = '{{ with secret "secret/data/tls" }}{{ .Data.data.certificate }}\n{{ .Data.data.key }}{{ end }}'
ENVIRONMENT = """{{ with secret "secret/data/web" -}}
export SECRET_USER={{ .Data.data.user }}
export SECRET_HOST='{{ .Data.data.host }}'
{{- end }}
"""
KEYSTORE = '{{ with secret "secret/data/keystore" }}{{ base64Decode .Data.data.bytes }}{{ end }}'
PROPERTIES = """server.ssl.key-store=/vault/secrets/keystore.jks
server.ssl.key-store-password={{ with secret "secret/data/keystore" }}{{ .Data.data.password }}{{ end }}
"""
DATABASE = """{{ with secret "database/creds/app" -}}
user={{ .Data.username }}
password={{ .Data.password }}
{{ end }}"""
CONFIG = """{{ with secret "secret/data/web" }}{{ .Data.data | toJSON }}{{ end }}"""
MAP = '{{ with secret "secret/data/web" }}{{ range $k, $v := .Data }}{{ $k }}: {{ $v }}\n{{ end }}{{ end }}'
CONFIGMAP = """
{once}
pid_file = "/home/vault/.pid"
auto_auth {{
  method "kubernetes" {{
    mount_path = "auth/kubernetes"
    config = {{
      role = "web"
      token_path = "/var/run/secrets/vault/token"
    }}
  }}
}}
template {{
  destination = "/vault/secrets/config.json"
  contents = <<EOT
{contents}
EOT
}}
"""
OWN_CONFIG = """
files:
  - path: config.json
    template: '{contents}'
"""


@dataclass
class Kind:
    """One pod."""

    name: str
    what: str
    annotations: dict
    # What the agent writes: the file below the volume → the template.
    files: dict
    modes: dict = field(default_factory=dict)
    containers: tuple = ("vault-agent-init", "app", "vault-agent")
    volume: str = "vault-secrets"
    # What the application reads at its start, and what it must have said then.
    arguments: tuple = ()
    says: tuple = ()
    config_map: dict = field(default_factory=dict)
    # Podman and Kubernetes 1.20 know no native sidecar: what the API server would drop is taken from `inject`.
    native: bool = False
    # Its user in the database ends with the pod.
    leased: bool = False


def vault(**annotations):
    """Annotations of vault-k8s; `_` stands for `-`."""
    found = {VAULT + "agent-inject": "true", VAULT + "role": "web"}
    return found | {VAULT + name.replace("_", "-"): value for name, value in annotations.items()}


def own(**annotations):
    """Annotations of Leasehold."""
    found = {OWN + "inject": "true", OWN + "role": "web"}
    return found | {OWN + name: value for name, value in annotations.items()}


def of(annotations, name, template, path="secret/data/web"):
    """Annotations for one more file."""
    return annotations | {f"{VAULT}agent-inject-secret-{name}": path, f"{VAULT}agent-inject-template-{name}": template}


KINDS = [
    Kind("nginx", "the certificate of nginx, in a folder of its own, for its user alone",
         of(vault(agent_inject_file_tls="nginx/tls.pem", agent_inject_perms_tls="0400"), "tls", TLS),
         {"nginx/tls.pem": TLS}, modes={"nginx/tls.pem": 0o400}),
    Kind("env-file", "a file that the application's shell reads",
         of(vault(), "env", ENVIRONMENT), {"env": ENVIRONMENT},
         arguments=("/vault/secrets/env",), says=("SECRET_USER is web", "SECRET_HOST is db<1>&co")),
    Kind("keystore", "a Java keystore, and the properties with its password",
         of(of(vault(), "keystore.jks", KEYSTORE), "application.properties", PROPERTIES),
         {"keystore.jks": KEYSTORE, "application.properties": PROPERTIES}),
    Kind("database", "credentials of a database, which end with the pod",
         of(vault(agent_revoke_on_shutdown="true", agent_revoke_grace="1"), "db", DATABASE, "database/creds/app"),
         {"db": DATABASE}, leased=True),
    Kind("init-only", "an init container alone",
         of(vault(agent_pre_populate_only="true"), "config.json", CONFIG), {"config.json": CONFIG},
         containers=("vault-agent-init", "app")),
    Kind("classic", "a secret without a template",
         vault() | {VAULT + "agent-inject-secret-Web": "secret/data/web"}, {"web": MAP}),
    Kind("native", "a native sidecar, by our own annotations",
         own(**{"secret-password": "secret/data/web#password"}),
         {"password": '{{ with secret "secret/data/web" }}{{ .Data.data.password }}{{ end }}'},
         containers=("leasehold", "app"), volume="leasehold-secrets", native=True),
    Kind("exec", "an application that reads its environment alone",
         own(mode="exec", **{"secret-SECRET_PASSWORD": "secret/data/web#password"}), {},
         containers=("leasehold-install", "app"), says=('SECRET_PASSWORD is a:b"c $HOME',)),
    Kind("own-config", "a configuration of ours from a ConfigMap",
         own(mode="classic", **{"config-map": "own"}), {"config.json": CONFIG},
         containers=("leasehold-init", "app", "leasehold"), volume="leasehold-secrets",
         config_map={"own": {"leasehold.yaml": OWN_CONFIG.format(contents=CONFIG)}}),
    Kind("configmap", "a configuration of Vault Agent from a ConfigMap",
         vault(agent_configmap="agent"), {"config.json": CONFIG + "\n"},
         config_map={"agent": {"config-init.hcl": CONFIGMAP.format(once="exit_after_auth = true", contents=CONFIG),
                               "config.hcl": CONFIGMAP.format(once="", contents=CONFIG)}}),
]
