# The agent as the parent of a process that wants its secrets in variables.

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "etc/vault/token"
    }
  }
}

env_template "DB_USER" {
  contents             = "{{ with secret \"kv/postgresql\" }}{{ .Data.username }}{{ end }}"
  error_on_missing_key = true
}

env_template "DB_PASSWORD" {
  contents             = "{{ with secret \"kv/postgresql\" }}{{ .Data.password }}{{ end }}"
  error_on_missing_key = true
}

exec {
  command                   = ["/bin/sh", "-c", "printf '%s:%s' \"$DB_USER\" \"$DB_PASSWORD\" > run/seen; exit 7"]
  restart_on_secret_changes = "always"
  restart_stop_signal       = "SIGTERM"
}
