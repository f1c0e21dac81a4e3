vault {
  address      = "https://vault.example.com:8200"
  ca_cert_file = "/etc/vault/ca.pem"
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
  destination = "/run/web.env"
}
