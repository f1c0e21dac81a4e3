vault {
  address = "https://vault.example.com:8200"
}
template {
  contents    = "{{ key \"web/host\" }}"
  destination = "/run/web/host"
}
