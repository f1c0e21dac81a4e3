// What people can begin with, by what they try.

const templates = [
  {
    name: "A file of settings, from KV version 2",
    template: `{{- with secret "secret/data/web" }}
DATABASE_URL=postgres://{{ .Data.data.user }}:{{ .Data.data.password }}@db.example/web
{{- if .Data.data.debug }}
LOG_LEVEL=debug
{{- end }}
{{- end }}
`,
    secrets: `secret/data/web:
  data:
    user: web
    password: correct horse
    debug: true
  metadata:
    version: 3
`,
  },
  {
    name: "A loop over all keys, from KV version 1",
    template: `{{ with secret "kv/web" -}}
{{ range $key, $value := .Data -}}
export {{ $key | toUpper }}={{ $value | toJSON }}
{{ end -}}
{{ end }}`,
    secrets: `kv/web:
  user: web
  password: "it's \\"quoted\\""
  port: 5432
`,
  },
  {
    name: "Credentials of a database, with their lease",
    template: `{{ with secret "database/creds/web" }}{
  "user": {{ .Data.username | toJSON }},
  "password": {{ .Data.password | toJSON }},
  "good_for": "{{ .LeaseDuration }}s"
}
{{ end }}`,
    secrets: `database/creds/web:
  lease_id: database/creds/web/1
  lease_duration: 3600
  renewable: true
  data:
    username: v-web-8f2k
    password: generated-by-the-server
`,
  },
  {
    name: "A certificate, issued by a write",
    template: `{{ with secret "pki/issue/web" "common_name=web.example" "ttl=24h" -}}
{{ .Data.certificate }}
{{ .Data.issuing_ca }}
{{- end }}
`,
    secrets: `pki/issue/web common_name=web.example ttl=24h:
  certificate: |-
    -----BEGIN CERTIFICATE-----
    (the certificate)
    -----END CERTIFICATE-----
  issuing_ca: |-
    -----BEGIN CERTIFICATE-----
    (its authority)
    -----END CERTIFICATE-----
`,
  },
  {
    name: "A mistake, and what the page says of it",
    template: `{{ with secret "secret/data/web" }}
password={{ .Data.password }}
{{ end }}`,
    secrets: `secret/data/web:
  data:
    password: correct horse
  metadata:
    version: 3
`,
  },
];

const yaml = [
  {
    name: "Files of a KV secret, in a pod",
    yaml: `vault:
  address: https://vault.example.com:8200
auth:
  method: kubernetes
  role: web
secrets_dir: /leasehold/secrets
files:
  # The value alone, without a newline.
  - path: api-key
    secret: secret/web#api_key
  # As a template, which is the same text as for Vault Agent.
  - path: app.env
    template: |
      {{ with secret "secret/web" -}}
      {{ range $name, $value := .Data.data -}}
      {{ $name }}={{ $value | toJSON }}
      {{ end -}}
      {{ end -}}
`,
  },
  {
    name: "Credentials of a database, and a reload after each change",
    yaml: `vault:
  address: https://vault.example.com:8200
auth:
  method: approle
  role_id_file: /etc/leasehold/role-id
  secret_id_file: /etc/leasehold/secret-id
files:
  - path: /run/app/database.json
    mode: "0440"
    template: |
      {{ with secret "database/creds/app" }}{{ .Data | toJSON }}{{ end }}
notify:
  app:
    pid_file: /run/app/app.pid
    signal: HUP
`,
  },
  {
    name: "Mistakes, and what the page says of them",
    yaml: `vault:
  address: vault.example.com:8200
auth:
  method: kubernetes
  role: web
secrets_dir: /leasehold/secrets
files:
  - path: api-key
    secrt: secret/web#api_key
  - path: app.env
    template: |
      {{ with secret "secret/web" }}
      {{ .Data.data.password | toJson }}
      {{ end }}
`,
  },
];

const hcl = [
  {
    name: "Vault Agent with AppRole and a reload",
    hcl: `vault {
  address = "https://vault.example.com:8200"
}

auto_auth {
  method "approle" {
    config = {
      role_id_file_path   = "/etc/vault/role-id"
      secret_id_file_path = "/etc/vault/secret-id"
    }
  }
}

template {
  destination = "/etc/nginx/tls/server.pem"
  perms       = "0640"
  contents    = <<EOT
{{ with secret "secret/data/nginx" }}{{ .Data.data.certificate }}{{ end }}
EOT
  exec {
    command = ["nginx", "-s", "reload"]
  }
}
`,
  },
  {
    name: "consul-template",
    hcl: `vault {
  address                = "https://vault.example.com:8200"
  vault_agent_token_file = "/run/vault/token"
}

template {
  destination = "/run/app/app.env"
  contents    = "{{ with secret \\"kv/web\\" }}TOKEN={{ .Data.token }}{{ end }}\\n"
}
`,
  },
  {
    name: "What Leasehold refuses",
    hcl: `vault {
  address         = "https://vault.example.com:8200"
  tls_skip_verify = true
}

auto_auth {
  method "kubernetes" {
    config = {
      role = "web"
    }
  }
}

template {
  destination = "/run/app/app.env"
  contents    = "{{ with secret \\"kv/web\\" }}TOKEN={{ .Data.token }}{{ end }}\\n"
}
`,
  },
];

export const examples = { template: templates, yaml, hcl };
