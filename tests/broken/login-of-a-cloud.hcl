vault {
  address = "https://vault.example.com:8200"
}
auto_auth {
  method "aws" {
    config = {
      type = "ec2"
      role = "web"
    }
  }
}
template {
  contents    = "{{ with secret \"secret/web\" }}{{ .Data.data.password }}{{ end }}"
  destination = "/run/web/password"
}
