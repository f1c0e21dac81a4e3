// What people can begin with.

export const examples = [
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
