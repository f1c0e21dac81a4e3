vault {
  address = "https://vault.example.com:8200"
}
secret {
  path = "secret/web"
}
exec {
  command = "/usr/local/bin/web"
}
