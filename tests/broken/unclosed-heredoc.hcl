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
template {
  contents = <<EOT
{{ with secret "secret/web" }}{{ end }}
  destination = "/run/web/password"
}
