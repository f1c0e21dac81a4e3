vault {
  address = "https://vault.example.com:8200"
}
prefix {
  path = "web/config"
}
exec {
  command = "/usr/local/bin/web"
}
