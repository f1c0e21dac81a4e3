vault {
  address = "https://vault.example.com:8200"
}
auto_auth {
  method "kubernetes" {
    config = {
      role = "web"
    }
  }
}
api_proxy {
  use_auto_auth_token = true
}
listener "tcp" {
  address = "127.0.0.1:8100"
}
template {
  contents    = "{{ with secret \"secret/web\" }}{{ .Data.data.password }}{{ end }}"
  destination = "/run/web/password"
}
