/* A secret as JSON, for programs that read their configuration so. */

auto_auth {
  method "token_file" { config = { token_file_path = "etc/vault/token" } }
}

template {
  destination = "etc/app/secrets.json"
  contents    = "{{ with secret \"secret/data/web\" }}{{ .Data.data | toJSONPretty }}{{ end }}"
}

template {
  destination = "etc/app/one-line.json"
  contents    = "{{ with secret \"secret/data/web\" }}{{ .Data.data | toUnescapedJSON }}{{ end }}\n"
}

template {
  destination = "etc/app/built.json"
  contents    = <<EOF
{
{{- with secret "secret/data/web" }}
  "url": {{ printf "https://%s:%v/" .Data.data.host .Data.data.port | toJSON }},
  "port": {{ .Data.data.port }},
  "tags": [{{ range $i, $tag := .Data.data.tags }}{{ if $i }}, {{ end }}{{ $tag | toJSON }}{{ end }}]
{{- end }}
}
EOF
}
