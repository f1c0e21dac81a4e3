# Generated. Do not edit.
{{- define "server" }}
server {{ .host }}:{{ .port }} weight={{ .weight }}{{ if .backup }} backup{{ end }};
{{- end }}
{{ with .database -}}
database:
  url: {{ printf "postgres://%s:%s@%s:%s/%s" .username .password .host .port .name | printf "%q" }}
  username: {{ .username }}
  password: {{ .password }}
  {{- if .tls }}
  sslmode: verify-full
  {{- else }}
  sslmode: disable
  {{- end }}
  pool: {{ or .pool "10" }}
{{ else }}
# no database
{{ end -}}
features:
{{- range $name, $on := .features }}
  {{ $name }}: {{ if eq $on true }}enabled{{ else }}disabled{{ end }}
{{- end }}
upstream app {
{{- range $index, $server := .servers }}
{{- if lt $index 8 }}{{ template "server" $server }}{{ end }}
{{- else }}
  # none
{{- end }}
}
{{ range .users }}{{ if and .active (not .locked) (ne .name "root") -}}
user {{ .name | printf "%-12s" }} {{ len .groups }} {{ index .groups 0 }} {{ html .comment }} {{ urlquery .name .comment }}
{{ end }}{{ end -}}
total: {{ len .users }} users, {{ len .servers }} servers, {{ slice .database.password 0 3 | len }}
