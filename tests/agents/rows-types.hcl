# Rows of docs/FIELD.md, "The second search": blocks with `type` in place of labels, relative sources, no address (it is in the
# environment), `tls_disable` in `vault`, a cache without a listener, a pid file and a sink without a label.

pid_file = "run/vault/agent-pid"

vault {
  tls_disable = true
}

cache {}

auto_auth {
  method {
    type       = "token_file"
    namespace  = ""
    mount_path = "auth/clusters"
    config = {
      token_file_path = "etc/vault/token"
    }
  }

  sink {
    type = "file"
    config = {
      path = "run/vault/token-by-type"
      mode = 0600
    }
  }
}

template {
  source      = "etc/vault/templates/haproxy.ctmpl"
  destination = "out/haproxy.cfg"
}

template {
  source      = "./etc/vault/templates/motd.ctmpl"
  destination = "./out/motd"
  // contents = <<EOT
  // {{ with secret "secret/data/none" }}{{ .Data.data.none }}{{ end }}
  // EOT
  #perms = "0777"
}
