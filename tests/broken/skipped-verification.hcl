vault {
  address = "https://vault.example.com:8200"
  tls_skip_verify = true
}
auto_auth {
  method "kubernetes" {
    config = {
      role = "web"
    }
  }
}
template {
  contents    = "{{ with secret \"secret/web\" }}{{ .Data.data.password }}{{ end }}"
  destination = "/run/web/password"
}
