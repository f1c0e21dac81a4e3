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
  contents    = "{{ with secert \"secret/web\" }}{{ .Data.data.password }}{{ end }}"
  destination = "/run/web/password"
}
