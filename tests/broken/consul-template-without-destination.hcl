vault {
  address = "https://vault.example.com:8200"
}
template {
  contents = "{{ with secret \"secret/web\" }}{{ .Data.data.password }}{{ end }}"
}
