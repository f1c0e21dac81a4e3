# A login that nobody but the reader of its sink can use.

auto_auth {
  method "approle" {
    wrap_ttl = 300
    config = {
      role_id_file_path                   = "etc/vault/role-id"
      secret_id_file_path                 = "etc/vault/secret-id"
      remove_secret_id_file_after_reading = false
    }
  }

  sink "file" {
    config = {
      path = "run/vault/wrapped-login"
      mode = 0600
    }
  }
}
