vault {
  address = "https://vault.example.com:8200"
}
secret {
  path   = "secret/web"
  format = "WEB_{{ key | replaceKey `a` `b` }}"
}
exec {
  command = "/usr/local/bin/web"
}
