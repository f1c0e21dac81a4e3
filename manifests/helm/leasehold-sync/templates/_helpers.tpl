{{- /* One controller a release: the Lease is secrets-manager's, so that one of several in a namespace syncs. */ -}}
{{- define "leasehold-sync.labels" -}}
app.kubernetes.io/name: leasehold-sync
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "leasehold-sync.selector" -}}
app.kubernetes.io/name: leasehold-sync
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
