{{- define "leasehold.labels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end }}

{{- define "leasehold.account" -}}
{{ .Values.serviceAccount.name | default .Release.Name }}
{{- end }}

{{/* leasehold.yaml: what the chart knows, and over it what the values say. */}}
{{- define "leasehold.config" -}}
{{- $vault := dict "address" .Values.vault.address -}}
{{- if .Values.vault.caConfigMap -}}
{{- $_ := set $vault "ca_file" "/etc/leasehold/ca.pem" -}}
{{- end -}}
{{- $auth := dict "method" "kubernetes" "mount" .Values.vault.mount "role" (.Values.vault.role | default (include "leasehold.account" .)) "jwt_file" "/var/run/secrets/vault/token" -}}
{{- $config := dict
    "vault" $vault
    "auth" $auth
    "secrets_dir" "/leasehold/secrets"
    "handoff" (dict "file" "/leasehold/handoff/state")
    "defaults" (dict "mode" "0440" "dir_mode" "0750")
    "listen" "127.0.0.1:9110" -}}
{{- if eq .Values.sidecar "classic" -}}
{{- $_ := set $config "shutdown" (dict "delay" .Values.shutdownDelay) -}}
{{- else if .Values.config.notify -}}
{{- /* The application starts once Leasehold is ready, and reads the first files by itself. */ -}}
{{- $notify := dict -}}
{{- range $name, $_ := .Values.config.notify -}}
{{- $_ := set $notify $name (dict "on_first" false) -}}
{{- end -}}
{{- $_ := set $config "notify" $notify -}}
{{- end -}}
{{- toYaml (mustMergeOverwrite $config (deepCopy .Values.config)) -}}
{{- end }}

{{- define "leasehold.restricted" -}}
allowPrivilegeEscalation: false
readOnlyRootFilesystem: true
capabilities: {drop: [ALL]}
{{- end }}

{{/* What init and sidecar have in common. */}}
{{- define "leasehold.container" -}}
image: "{{ .Values.image.repository }}:{{ .Values.image.tag | default .Chart.AppVersion }}"
imagePullPolicy: {{ .Values.image.pullPolicy }}
# What kubectl describe shows of an end: the last lines of the log, with the reason.
terminationMessagePolicy: FallbackToLogsOnError
env:
  - {name: LEASEHOLD_CONFIG, value: /etc/leasehold/leasehold.yaml}
securityContext:
  {{- include "leasehold.restricted" . | nindent 2 }}
resources:
  {{- toYaml .Values.resources | nindent 2 }}
volumeMounts:
  - {name: secrets, mountPath: /leasehold/secrets}
  - {name: handoff, mountPath: /leasehold/handoff}
  - {name: leasehold, mountPath: /etc/leasehold, readOnly: true}
  - {name: vault-token, mountPath: /var/run/secrets/vault, readOnly: true}
{{- end }}

{{/* The image has no shell and the endpoint is on loopback, so the binary itself is the probe. */}}
{{- define "leasehold.probes" -}}
startupProbe:
  exec: {command: [/usr/local/bin/leasehold, status, --ready]}
  periodSeconds: 1
  timeoutSeconds: 10
  failureThreshold: 120
livenessProbe:
  exec: {command: [/usr/local/bin/leasehold, status, --live]}
  periodSeconds: 30
  timeoutSeconds: 10
{{- end }}

{{- define "leasehold.pod" -}}
metadata:
  labels:
    {{- include "leasehold.labels" . | nindent 4 }}
  annotations:
    # A changed configuration is rolled out.
    leasehold/config: {{ include "leasehold.config" . | sha256sum }}
spec:
  serviceAccountName: {{ include "leasehold.account" . }}
  automountServiceAccountToken: false
  terminationGracePeriodSeconds: {{ .Values.terminationGracePeriodSeconds }}
  {{- if eq .Values.sidecar "classic" }}
  # So that Leasehold can signal the application.
  shareProcessNamespace: true
  {{- end }}
  {{- if has .Values.kind (list "Job" "CronJob") }}
  restartPolicy: Never
  {{- end }}
  securityContext:
    runAsNonRoot: true
    runAsUser: {{ .Values.user }}
    runAsGroup: {{ .Values.user }}
    fsGroup: {{ .Values.user }}
    seccompProfile: {type: RuntimeDefault}
  initContainers:
    {{- if eq .Values.sidecar "native" }}
    - name: leasehold
      args: [sidecar]
      restartPolicy: Always
      {{- include "leasehold.probes" . | nindent 6 }}
      {{- include "leasehold.container" . | nindent 6 }}
    {{- else }}
    - name: leasehold-init
      args: [init]
      {{- include "leasehold.container" . | nindent 6 }}
    {{- end }}
  containers:
    - name: application
      image: {{ .Values.application.image | quote }}
      {{- range $key := list "command" "args" "env" "ports" }}
      {{- with index $.Values.application $key }}
      {{ $key }}:
        {{- toYaml . | nindent 8 }}
      {{- end }}
      {{- end }}
      securityContext:
        {{- include "leasehold.restricted" . | nindent 8 }}
      resources:
        {{- toYaml .Values.application.resources | nindent 8 }}
      volumeMounts:
        # Read-only, and a whole volume: a subPath would never see a new generation.
        - {name: secrets, mountPath: {{ .Values.application.secretsPath | quote }}, readOnly: true}
    {{- if eq .Values.sidecar "classic" }}
    - name: leasehold
      args: [sidecar]
      {{- include "leasehold.probes" . | nindent 6 }}
      {{- include "leasehold.container" . | nindent 6 }}
    {{- end }}
  volumes:
    # A file that changes is there twice for a moment. Where all may change at once, they may take half of the sizeLimit.
    - name: secrets
      emptyDir: {medium: Memory, sizeLimit: {{ .Values.sizeLimit }}}
    # Holds the token: mounted by Leasehold's own containers only.
    - name: handoff
      emptyDir: {medium: Memory, sizeLimit: {{ .Values.sizeLimit }}}
    - name: leasehold
      projected:
        sources:
          - configMap: {name: {{ .Release.Name }}-leasehold}
          {{- with .Values.vault.caConfigMap }}
          - configMap: {name: {{ . }}}
          {{- end }}
    # A token that only Vault accepts, renewed by the kubelet; the application never sees it.
    - name: vault-token
      projected:
        sources:
          - serviceAccountToken: {audience: {{ .Values.vault.audience | quote }}, expirationSeconds: 3600, path: token}
{{- end }}
