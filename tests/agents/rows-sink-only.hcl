# A row of docs/FIELD.md, "The second search": the agent ends when it has logged in, a mount of another name, a sink, no template.

exit_after_auth = true

auto_auth {
  method "token_file" {
    mount_path = "auth/clusters/east"
    config = {
      token_file_path = "etc/vault/token"
    }
  }

  sink "file" {
    config = {
      path = "run/vault/token-alone"
      mode = 0640
    }
  }
}
