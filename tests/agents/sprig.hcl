# What Helm's users know: sprig's functions.

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "etc/vault/token"
    }
  }
}

template {
  destination = "etc/app/sprig.txt"
  contents    = <<EOT
{{- with secret "secret/data/web" }}
host     {{ .Data.data.host | sprig_upper | sprig_quote }}
first    {{ .Data.data.tags | sprig_first }}
joined   {{ .Data.data.tags | sprig_join "," }}
default  {{ .Data.data.nothing | sprig_default "none" }}
b64      {{ .Data.data.host | sprig_b64enc }}
sha      {{ .Data.data.host | sprig_sha256sum | sprig_trunc 12 }}
indented
{{ .Data.data.tags | sprig_join "\n" | sprig_indent 4 }}
{{- end }}
EOT
}
