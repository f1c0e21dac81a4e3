# Templates of the shapes that people have published (docs/FIELD.md, "The third search"), written anew with our names.

auto_auth {
  method "token_file" {
    config = { token_file_path = "etc/vault/token" }
  }
}

# A bundle for each kind of signature, out of a listing, with commas between and a counter.
template {
  destination = "out/01-listed.json"
  contents    = <<EOT
{
   "signature": [ {{ $length := secrets "secret/metadata/list" | len }}{{ $i := 1 }}{{ range secrets "secret/metadata/list" }}
{{ with secret (printf "secret/data/list/%s" .) }}{{ .Data.data | explodeMap | toJSONPretty | indent 4 }} {{ if lt $i $length }}, {{ end }} {{ end }} {{ $i = add 1 $i }} {{ end }}
  ]
}
EOT
}

# The chosen keys of one secret and all of another, gathered in scratch and written as properties.
template {
  destination = "out/02-shared.properties"
  contents    = <<EOT
{{- $shared := "host\nport" | split "\n" }}{{- with secret "secret/data/web" }}{{- range $k, $v := .Data.data }}{{- if in $shared $k }}{{- scratch.MapSet "secrets" $k $v }}{{- end }}{{- end }}{{- end }}{{- with secret "secret/data/spring" }}{{- range $k, $v := .Data.data }}{{- scratch.MapSet "secrets" $k $v }}{{- end }}{{- end }}{{- range $k, $v := scratch.Get "secrets" }}{{ $k }}={{ $v }}{{ "\n" }}{{- end -}}
EOT
}

# The same as YAML and as TOML.
template {
  destination = "out/03-shared.yaml"
  contents    = <<EOT
{{- with secret "secret/data/spring" }}{{- range $k, $v := .Data.data }}{{- scratch.MapSet "s" $k $v }}{{- end }}{{- end }}{{- scratch.Get "s" | toYAML }}
EOT
}
template {
  destination = "out/04-shared.toml"
  contents    = "{{ with secret \"secret/data/dashes\" }}{{ range $k, $v := .Data.data }}{{ scratch.MapSet \"s\" $k $v }}{{ end }}{{ scratch.Get \"s\" | toTOML }}{{ end }}"
}

# systemd-vaultd: some keys of a secret as JSON for LoadCredential.
template {
  destination = "out/05-vaultd.json"
  contents    = <<EOT
{{ with secret "secret/data/web" }}{{ scratch.MapSet "secrets" "foobar" .Data.data.host }}{{ end }}
{{ scratch.Get "secrets" | explodeMap | toJSON }}
EOT
}

# A shell's variables in single quotes, with the quotes in the values escaped.
template {
  destination = "out/06-quoted.env"
  contents    = <<EOT
{{- with secret "secret/data/odd" -}}
{{- range $k, $v := .Data.data }}
export {{ $k }}='{{ $v | replaceAll "'" "'\\''" }}'
{{- end }}
{{- end }}
EOT
}

# Three values in a line each, by printf.
template {
  destination = "out/07-lines"
  contents    = "{{- with secret \"secret/data/spring\" -}}{{ printf \"%s\\n%s\\n%s\" .Data.data.username .Data.data.password .Data.data.host }}{{- end -}}"
}

# Every key of a KV 1 secret as XML.
template {
  destination = "out/08-allow.xml"
  contents    = <<EOT
{{- with secret "kv/postgresql" -}}
<?xml version="1.0" encoding="UTF-8"?>
<config>
  {{ range $k, $v := .Data }}
  <dfsp>
      <name>{{ $k }}</name>
      <cidrs>{{ $v }}</cidrs>
  </dfsp>{{- end -}}
</config>
{{- end -}}
EOT
}

# A CSV of everyone in a KV 1 folder.
template {
  destination = "out/09-users.csv"
  contents    = "{{ range secrets \"kv\" }}{{ $user := . }}{{ with secret (print \"kv/\" $user) }}{{ $user }},{{ .Data.password }}{{ end }}\n{{ end }}"
}

# Listed names that contain a word, as a list of texts.
template {
  destination = "out/10-keys.yaml"
  contents    = <<EOT
FedPubKeys: [
{{ range secrets "secret/metadata/list/" -}}
  {{- if . | contains "on" -}}
    "{{- with secret (printf "secret/data/list/%s" . ) -}}{{ .Data.data.value }}{{end}}",
  {{ end }}
{{- end -}}
]
EOT
}

# A keystore in base64, decoded, and a certificate indented into YAML.
template {
  destination = "out/11-keystore"
  contents    = "{{- with secret \"kv/keystore\" -}}\n{{ .Data.bytes | base64Decode }}\n{{- end }}"
}
template {
  destination = "out/12-indented.yaml"
  contents    = <<EOT
spring:
  ssl:
    certificate: |
{{ with secret "secret/data/nginx" }}{{ .Data.data.certificate | indent 6 }}{{ end }}
EOT
}

# Consul's agent: JSON of a value that is JSON, and a join of a list.
template {
  destination = "out/13-consul.hcl"
  contents    = <<EOT
{{ with secret "secret/data/json" }}{{ with $d := .Data.data.text | parseJSON }}retry_join = {{ $d.retry_join | toJSON }}
{{ range $i, $e := $d.retry_join }}{{ if $i }},{{ end }}{{ $e }}{{ end }}
first = {{ index $d.retry_join 0 }}{{ end }}{{ end }}
EOT
}

# A connection string with what has to be escaped in it.
template {
  destination = "out/14-url"
  contents    = "{{ with secret \"kv/postgresql\" }}postgres://{{ .Data.username }}:{{ .Data.password | urlquery }}@{{ .Data.host }}:{{ .Data.port }}/app?sslmode=disable{{ end }}"
}

# Keys in upper case with other signs for dashes, as envconsul's `upcase` and `sanitize` make them.
template {
  destination = "out/15-upper.env"
  contents    = <<EOT
{{ with secret "secret/data/dashes" }}{{ range $k, $v := .Data.data }}{{ $k | toUpper | replaceAll "-" "_" }}={{ $v | toJSON }}
{{ end }}{{ end }}
EOT
}

# A secret or a default, where the key may be absent, and one with a dash in its name.
template {
  destination = "out/16-default"
  contents    = <<EOT
{{ with secret "secret/data/dashes" }}{{ if index .Data.data "not-there" }}yes{{ else }}no{{ end }} {{ index .Data.data "api-key" }} {{ or (index .Data.data "none") "fallback" }}{{ end }}
EOT
}

# The metadata of a secret: version, and whether it is destroyed.
template {
  destination = "out/17-version"
  contents    = "{{ with secret \"secret/data/web\" }}v{{ .Data.metadata.version }} {{ .Data.metadata.destroyed }} {{ len .Data.data }}{{ end }}\n"
}

# Definitions and their use with other data.
template {
  destination = "out/18-defined.ini"
  contents    = <<EOT
{{ define "entry" }}[{{ .name }}]
user = {{ .user }}
{{ end -}}
{{ with secret "secret/data/spring" }}{{ template "entry" (sprig_dict "name" "db" "user" .Data.data.username) }}{{ end -}}
EOT
}

# Names of lease and answer that a static secret does not have.
template {
  destination = "out/19-lease.json"
  contents    = <<EOT
{{- with secret "kv/slack" -}}
{"lease_id": "{{ .LeaseID }}", "renewable": {{ .Renewable }}, "url": {{ .Data.url | toJSON }}}
{{- end -}}
EOT
}

# The public key of an SSH authority, and of one of certificates.
template {
  destination = "out/20-trusted-ca.pub"
  contents    = "{{ with secret \"ssh/config/ca\" }}{{ .Data.public_key }}{{ end }}"
}
template {
  destination = "out/21-ca.pem"
  contents    = <<EOT
{{ with secret "pki/cert/ca" }}
{{ .Data.certificate }}
{{ end }}
EOT
}

# What transit has encrypted, decrypted in two steps.
template {
  destination = "out/22-decrypted"
  contents    = "{{ with secret \"secret/data/cipher\" }}{{ with secret \"transit/decrypt/app\" (printf \"ciphertext=%s\" .Data.data.text) }}{{ .Data.plaintext | base64Decode }}{{ end }}{{ end }}"
}

# Other delimiters, whitespace trimmed on both sides, and a comment.
template {
  destination     = "out/23-delimiters"
  left_delimiter  = "<<"
  right_delimiter = ">>"
  contents        = "<<- /* who */ ->>\n<<- with secret \"secret/data/web\" ->>\n  {{ not ours }} << .Data.data.host >>\n<<- end >>\n"
}

# Docker's configuration: a login in base64.
template {
  destination = "out/24-docker.json"
  contents    = <<EOT
{{ with secret "secret/data/spring" -}}
{"auths": {"registry.example.com": {"auth": "{{ printf "%s:%s" .Data.data.username .Data.data.password | base64Encode }}"}}}
{{- end }}
EOT
}

# Numbers: a port plus one, compared and looped over.
template {
  destination = "out/25-numbers"
  contents    = "{{ with secret \"secret/data/web\" }}{{ $p := .Data.data.port | sprig_toString | parseInt }}{{ add $p 1 }} {{ if gt $p 1024 }}high{{ else }}low{{ end }} {{ range loop 3 }}{{ . }};{{ end }}{{ end }}\n"
}

# One file of several secrets, some of which do not matter where they are empty.
template {
  destination = "out/26-several.env"
  contents    = <<EOT
{{ with secret "kv/postgresql" }}DATABASE_USER="{{ .Data.username }}"{{ end }}
{{- with secret "secret/data/web" }}
WEB_TAGS="{{ .Data.data.tags | sprig_join "," }}"
WEB_NOTE={{ .Data.data.note | toJSON }}
{{- range .Data.data.tags }}
TAG={{ . | trimSpace | toTitle }}
{{- end }}
{{- end }}
EOT
}

# htpasswd for a registry, out of a folder; a regular expression; a checksum.
template {
  destination = "out/27-htpasswd"
  contents    = "{{ range secrets \"secret/metadata/list\" }}{{ if . | regexMatch \"^o\" }}{{ with secret (printf \"secret/data/list/%s\" .) }}{{ .Data.data.value | sha256Hex }}:{{ .Data.data.value | md5sum }}\n{{ end }}{{ end }}{{ end }}"
}
