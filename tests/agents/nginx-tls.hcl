# A certificate and its key for nginx, out of one secret, with a reload after each.

pid_file = "./run/vault-agent.pid"

auto_auth {
  method "approle" {
    mount_path = "auth/approle"
    config = {
      role_id_file_path                   = "etc/vault/role-id"
      secret_id_file_path                 = "etc/vault/secret-id"
      remove_secret_id_file_after_reading = false
    }
  }
}

template {
  destination = "etc/nginx/tls/server.pem"
  perms       = 0644
  contents    = <<EOT
{{ with secret "secret/data/nginx" }}{{ .Data.data.certificate }}{{ end }}
EOT
  command     = "test ! -e run/nginx.pid || kill -HUP $(cat run/nginx.pid)"
}

template {
  destination = "etc/nginx/tls/server.key"
  perms       = 0600
  contents    = <<EOT
{{ with secret "secret/data/nginx" }}{{ .Data.data.private_key }}{{ end }}
EOT
  command     = "test ! -e run/nginx.pid || kill -HUP $(cat run/nginx.pid)"
}
