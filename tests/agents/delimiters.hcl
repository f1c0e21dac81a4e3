# Other delimiters, for files whose own language has braces.

auto_auth {
  method "token_file" {
    config = {
      token_file_path = "etc/vault/token"
    }
  }
}

template {
  left_delimiter  = "[["
  right_delimiter = "]]"
  destination     = "etc/alertmanager/templates/slack.tmpl"
  contents        = <<-EOT
	{{ define "slack.title" }}{{ .CommonLabels.alertname }}{{ end }}
	[[- with secret "kv/slack" ]]
	{{ define "slack.url" }}[[ .Data.url ]]{{ end }}
	[[- end ]]
	EOT
}

template {
  left_delimiter  = "<%"
  right_delimiter = "%>"
  destination     = "etc/app/config.erb"
  contents        = "password: <%- with secret \"kv/slack\" -%> <% .Data.url | toJSON %><% end %>\nbraces: {{ kept }}\n"
}
