# The token for a program that fetches its own secrets, wrapped so that only one reader can have it.

auto_auth {
  method "approle" {
    config = {
      role_id_file_path                   = "etc/vault/role-id"
      secret_id_file_path                 = "etc/vault/secret-id"
      remove_secret_id_file_after_reading = false
    }
  }

  sink "file" {
    wrap_ttl = "5m"
    config = {
      path = "run/vault/wrapped-token"
    }
  }
}
