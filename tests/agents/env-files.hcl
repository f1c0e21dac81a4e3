# What `source` in a shell, docker --env-file and systemd's EnvironmentFile= read.

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "etc/vault/token"
    }
  }
}

template {
  destination = "run/app/env.sh"
  perms       = 0640
  contents    = <<EOT
{{ with secret "secret/data/web" -}}
{{ range $k, $v := .Data.data -}}
export {{ $k | toUpper }}={{ $v | toJSON }}
{{ end -}}
{{ end -}}
export HOME_OF_APP="${HOME:-/srv}"
EOT
}

template {
  destination = "run/app/docker.env"
  contents    = "DB_PASSWORD={{ with secret \"kv/postgresql\" }}{{ .Data.password }}{{ end }}\nPATH_OF=\"${PATH}\"\n"
}
