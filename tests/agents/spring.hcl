# application.properties for Spring Boot: every key of the secret, sorted.

vault {
  retry {
    num_retries = 5
  }
}

auto_auth {
  method {
    type = "token_file"
    config = {
      token_file_path = "etc/vault/token"
    }
  }
}

template {
  destination          = "config/application.properties"
  error_on_missing_key = true
  contents             = <<EOH
{{- with secret "secret/data/spring" }}
# from Vault, version {{ .Data.metadata.version }}
spring.datasource.url=jdbc:postgresql://{{ .Data.data.host }}/{{ .Data.data.database }}
spring.datasource.username={{ .Data.data.username }}
spring.datasource.password={{ .Data.data.password }}
{{- range $key, $value := .Data.data }}
app.{{ $key }}={{ $value }}
{{- end }}
{{- end }}
EOH
}
