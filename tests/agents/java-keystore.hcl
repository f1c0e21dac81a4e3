# A keystore's password without a line end, its bytes, and what the JVM is told about both.

auto_auth {
  method "token_file" {
    config {
      token_file_path = "etc/vault/token"
    }
  }
}

template {
  contents    = "{{ with secret \"kv/keystore\" }}{{ .Data.password }}{{ end }}"
  destination = "opt/app/keystore.password"
  perms       = 0400
}

template {
  contents    = "{{ with secret \"kv/keystore\" }}{{ .Data.bytes | base64Decode }}{{ end }}"
  destination = "opt/app/keystore.p12"
  perms       = 0400
}

template {
  contents    = <<EOT
-Djavax.net.ssl.keyStore=/opt/app/keystore.p12
-Djavax.net.ssl.keyStorePassword={{ with secret "kv/keystore" }}{{ .Data.password }}{{ end }}
-Dnot.there={{ with secret "kv/keystore" }}{{ .Data.alias }}{{ end }}
EOT
  destination = "opt/app/jvm.options"
  perms       = 0440
}
