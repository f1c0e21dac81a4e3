# The token itself, for a program that talks to Vault, beside a file for one that does not.

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "etc/vault/token"
    }
  }

  sink "file" {
    config = {
      path = "run/vault/token"
      mode = 0400
    }
  }

  sink {
    type = "file"
    config = {
      path = "run/vault/other-token"
    }
  }
}

template {
  contents    = "{{ with secret \"kv/postgresql\" }}{{ .Data.password }}{{ end }}"
  destination = "etc/app/password"
}
