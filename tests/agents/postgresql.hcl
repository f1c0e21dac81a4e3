// What psql and pg_dump read: one line a server, and nobody else may look at it.

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "etc/vault/token"
    }
  }
}

template_config {
  static_secret_render_interval = "1m"
  exit_on_retry_failure         = true
}

template {
  contents = <<-EOF
    {{- with secret "kv/postgresql" }}
    {{ .Data.host }}:{{ .Data.port }}:*:{{ .Data.username }}:{{ .Data.password | replaceAll ":" "\\:" }}
    {{- end }}
    EOF
  destination = "home/app/.pgpass"
  perms       = "0600"
}

template {
  contents = "postgresql://{{ with secret \"kv/postgresql\" }}{{ .Data.username }}:{{ .Data.password | urlquery }}@{{ .Data.host }}:{{ .Data.port }}/app{{ end }}?sslmode=verify-full\n"
  destination = "etc/app/database-url"
  perms       = 0640
}
