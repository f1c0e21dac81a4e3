{{ with secret "pki/issue/nginx" "common_name=www.example.com" -}}
{{ .Data.certificate }}
{{ range .Data.ca_chain }}{{ . }}
{{ end }}{{ .Data.private_key }}
{{ end -}}
