# Templates of their own files beside ones in the configuration, as larger deployments have them.

vault {
  retry { num_retries = -1 }
}

auto_auth {
  method "token_file" {
    namespace = ""
    min_backoff = "1s"
    max_backoff = "1m"
    exit_on_err = true
    config = { token_file_path = "etc/vault/token" }
  }
}

template_config {
  exit_on_retry_failure         = true
  static_secret_render_interval = 300
  max_connections_per_host      = 10
}

cache {
  # nothing: templates share what they read
}

template {
  source      = "./etc/vault/templates/haproxy.ctmpl"
  destination = "./etc/haproxy/userlist.cfg"
  perms       = "0640"
  wait {
    min = "1s"
    max = "2s"
  }
}

template {
  source      = "etc/vault/templates/motd.ctmpl"
  destination = "etc/motd"
  backup      = false
}

template { contents = "{{ with secret \"kv/keystore\" }}{{ .Data.password | sha256Hex }}{{ end }}\n", destination = "etc/checksum", perms = "0444" }

template {
  contents             = "a missing key is {{ with secret \"kv/keystore\" }}{{ .Data.nothing }}{{ end }}\n"
  destination          = "etc/missing"
  error_on_missing_key = false
  create_dest_dirs     = true
  command              = ["true"]
  command_timeout      = "10s"
}

log_level  = "warn"
log_format = "json"
