{{ with .database -}}
DB_USER={{ .username }}
DB_PASSWORD={{ .password }}
{{ end }}