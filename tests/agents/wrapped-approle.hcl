# A secret id that is wrapped in a one-time token, and comes from one role only.

auto_auth {
  method "approle" {
    config = {
      role_id_file_path                   = "etc/vault/role-id"
      secret_id_file_path                 = "etc/vault/wrapped-secret-id"
      secret_id_response_wrapping_path    = "auth/approle/role/agents/secret-id"
      remove_secret_id_file_after_reading = true
    }
  }
}

template {
  contents    = "{{ with secret \"kv/postgresql\" }}{{ .Data.password }}{{ end }}"
  destination = "etc/app/password"
}
