# Rows of docs/FIELD.md, "The second search": every block with an equals sign, quoted keys, and what the run rows of that table
# have in their templates.

"vault" = {
  "retry" = { "num_retries" = 5 }
}

auto_auth = {
  method = {
    type = "token_file"
    config = {
      token_file_path = "etc/vault/token"
    }
  }
  sink = {
    type = "file"
    config = {
      path = "run/vault/token"
    }
  }
}

template = {
  "contents"    = "{{ range secrets \"secret/metadata/list\" }}{{ with secret (printf \"secret/data/list/%s\" .) }}{{ range $k, $v := .Data.data }}export {{ $k }}=\"{{ $v }}\"\n{{ end }}{{ end }}{{ end }}"
  "destination" = "out/exports.env"
  "perms"       = "0640"
}

template {
  contents    = "{{ with secret \"secret/data/web\" }}{{ .Data.data | toJSONPretty }}{{ .Data.metadata.version }}{{ end }}"
  destination = "out/pretty.json"
  wait {
    min = "1s"
    max = "2s"
  }
}

# A path in `contents` by mistake: the path is the file.
template {
  contents    = "etc/vault/templates/motd.ctmpl"
  destination = "out/mistake"
}
