{{ with secret "secret/web" -}}
USER={{ .Data.data.user }}
PASSWORD={{ .Data.data.password | toJSNO }}
{{ end }}
