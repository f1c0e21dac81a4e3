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
templates {
  path = "/etc/templates"
}
template {
  contents    = "{{ with secret \"secret/web\" }}{{ .Data.data.password }}{{ end }}"
  destination = "/run/web/password"
}
