{{- /* The objects are called as the webhook looks for them: one webhook a cluster. */ -}}
{{- define "leasehold-webhook.labels" -}}
app.kubernetes.io/name: leasehold-webhook
app.kubernetes.io/instance: {{ .Release.Name }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
{{- end -}}

{{- define "leasehold-webhook.selector" -}}
app.kubernetes.io/name: leasehold-webhook
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}
