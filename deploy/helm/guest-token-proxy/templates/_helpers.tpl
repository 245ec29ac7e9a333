{{/* Names and labels. */}}
{{- define "proxy.fullname" -}}
{{- if contains .Chart.Name .Release.Name -}}
{{- .Release.Name | trunc 50 | trimSuffix "-" -}}
{{- else -}}
{{- printf "%s-%s" .Release.Name .Chart.Name | trunc 50 | trimSuffix "-" -}}
{{- end -}}
{{- end -}}

{{- define "proxy.selectorLabels" -}}
app.kubernetes.io/name: {{ .Chart.Name }}
app.kubernetes.io/instance: {{ .Release.Name }}
{{- end -}}

{{- define "proxy.labels" -}}
{{ include "proxy.selectorLabels" . }}
app.kubernetes.io/version: {{ .Chart.AppVersion | quote }}
app.kubernetes.io/managed-by: {{ .Release.Service }}
helm.sh/chart: {{ printf "%s-%s" .Chart.Name .Chart.Version | replace "+" "_" }}
{{- end -}}

{{- define "proxy.serviceAccountName" -}}
{{- if .Values.serviceAccount.create -}}
{{- .Values.serviceAccount.name | default (include "proxy.fullname" .) -}}
{{- else -}}
{{- .Values.serviceAccount.name | default "default" -}}
{{- end -}}
{{- end -}}

{{- define "proxy.image" -}}
{{- if .Values.image.digest -}}
{{- printf "%s@%s" .Values.image.repository .Values.image.digest -}}
{{- else -}}
{{- printf "%s:%s" .Values.image.repository (.Values.image.tag | default .Chart.AppVersion) -}}
{{- end -}}
{{- end -}}

{{/* Rules that no schema can express: values that need each other. */}}
{{- define "proxy.validate" -}}
{{- if not (or .Values.policy.inline .Values.policy.existingConfigMap) -}}
{{- fail "policy.inline or policy.existingConfigMap is required: without a policy no token is issued" -}}
{{- end -}}
{{- if and .Values.policy.inline .Values.policy.existingConfigMap -}}
{{- fail "policy.inline and policy.existingConfigMap exclude each other" -}}
{{- end -}}
{{- if not (or .Values.settings.JWT_ISSUER .Values.settings.JWT_ISSUERS_FILE .Values.issuers) -}}
{{- fail "settings.JWT_ISSUER, or issuers, is required" -}}
{{- end -}}
{{- if and .Values.issuers (or .Values.settings.JWT_ISSUER .Values.settings.JWT_ISSUERS_FILE) -}}
{{- fail "issuers excludes settings.JWT_ISSUER and settings.JWT_ISSUERS_FILE" -}}
{{- end -}}
{{- if regexMatch "(?m)(^|[\\s{,\"'])secret[\"']?\\s*:" .Values.issuers -}}
{{- fail "issuers must not hold a secret, because a ConfigMap is no place for one: name a file of secrets.existingSecret as secretFile" -}}
{{- end -}}
{{- if not (or .Values.secrets.existingSecret .Values.vault.enabled .Values.extraVolumeMounts (include "proxy.cloudSecrets" .)) -}}
{{- fail "secrets.existingSecret (or vault, extraVolumeMounts, or a cloud secret store in settings) is required: the Databrain API key comes from there" -}}
{{- end -}}
{{- if and .Values.vault.enabled (not (and .Values.vault.address .Values.vault.role .Values.vault.secrets)) -}}
{{- fail "vault.address, vault.role and vault.secrets are required when vault.enabled is true" -}}
{{- end -}}
{{- if and .Values.httpRoute.enabled (not .Values.httpRoute.parentRefs) -}}
{{- fail "httpRoute.parentRefs is required when httpRoute.enabled is true" -}}
{{- end -}}
{{- if and .Values.ingress.enabled (not .Values.ingress.hosts) -}}
{{- fail "ingress.hosts is required when ingress.enabled is true" -}}
{{- end -}}
{{- end -}}

{{- define "proxy.cloudSecrets" -}}
{{- range $name, $value := .Values.settings -}}
{{- if regexMatch "^DATABRAIN_API_KEY(_[A-Z0-9_]+)?_(AWS_SECRET|GCP_SECRET|AZURE_SECRET)$" $name -}}yes{{- end -}}
{{- end -}}
{{- end -}}

{{/* The settings as environment variables, the same for the proxy and for what runs before it. */}}
{{- define "proxy.env" -}}
{{- $settings := merge (dict) .Values.settings (dict "ADMIN_HOST" "0.0.0.0" "POLICY_FILE" "/etc/guest-token-proxy/policy.yaml") -}}
{{- if .Values.policy.shadow -}}
{{- $_ := set $settings "POLICY_SHADOW_FILE" "/etc/guest-token-proxy/shadow.yaml" -}}
{{- end -}}
{{- if .Values.policy.tests -}}
{{- $files := list -}}
{{- range $name := keys .Values.policy.tests | sortAlpha -}}
{{- $files = append $files (printf "/etc/guest-token-proxy/%s" $name) -}}
{{- end -}}
{{- $_ := set $settings "POLICY_TEST_FILES" (join "," $files) -}}
{{- end -}}
{{- if .Values.issuers -}}
{{- $_ := set $settings "JWT_ISSUERS_FILE" "/etc/guest-token-proxy/issuers.yaml" -}}
{{- end -}}
{{- if .Values.vault.enabled -}}
{{- $_ := set $settings "VAULT_ADDR" .Values.vault.address -}}
{{- $_ := set $settings "VAULT_K8S_ROLE" .Values.vault.role -}}
{{- if .Values.vault.namespace -}}{{- $_ := set $settings "VAULT_NAMESPACE" .Values.vault.namespace -}}{{- end -}}
{{- if .Values.vault.caConfigMap -}}{{- $_ := set $settings "VAULT_CACERT" "/etc/guest-token-proxy-vault-ca/ca.crt" -}}{{- end -}}
{{- range $name, $place := .Values.vault.secrets -}}{{- $_ := set $settings $name $place -}}{{- end -}}
{{- end -}}
{{- if .Values.extraCaConfigMap -}}
{{- $_ := set $settings "NODE_EXTRA_CA_CERTS" "/etc/guest-token-proxy-ca/ca.crt" -}}
{{- end -}}
{{- if .Values.secrets.existingSecret -}}
{{- range $name, $key := .Values.secrets.files -}}
{{- $_ := set $settings $name (printf "/run/secrets/guest-token-proxy/%s" $key) -}}
{{- end -}}
{{- end -}}
{{- range $name := keys $settings | sortAlpha }}
{{- $value := get $settings $name }}
- name: {{ $name }}
  {{- /* A number in a values file is a float for Helm: 100000 would be printed as 1e+06. */}}
  value: {{ if kindIs "float64" $value }}{{ $value | int64 | toString | quote }}{{ else }}{{ $value | toString | quote }}{{ end }}
{{- end }}
{{- end -}}

{{- define "proxy.volumeMounts" -}}
# Whole folders, without subPath: only these are updated when a ConfigMap or Secret changes.
- name: policy
  mountPath: /etc/guest-token-proxy
  readOnly: true
{{- if .Values.secrets.existingSecret }}
- name: secrets
  mountPath: /run/secrets/guest-token-proxy
  readOnly: true
{{- end }}
{{- if .Values.extraCaConfigMap }}
- name: extra-ca
  mountPath: /etc/guest-token-proxy-ca
  readOnly: true
{{- end }}
{{- if .Values.vault.enabled }}
- name: vault-token
  mountPath: /var/run/secrets/kubernetes.io/serviceaccount
  readOnly: true
{{- if .Values.vault.caConfigMap }}
- name: vault-ca
  mountPath: /etc/guest-token-proxy-vault-ca
  readOnly: true
{{- end }}
{{- end }}
{{- range .Values.extraVolumeMounts }}
- name: {{ .name }}
  mountPath: {{ .mountPath }}
  readOnly: true
{{- end }}
{{- end -}}

{{/* Call with a dict: root, policyConfigMap. */}}
{{- define "proxy.volumes" -}}
{{- $root := .root -}}
- name: policy
  {{- if $root.Values.policy.existingConfigMap }}
  projected:
    sources:
      - configMap:
          name: {{ $root.Values.policy.existingConfigMap }}
      {{- if or $root.Values.policy.shadow $root.Values.policy.tests $root.Values.issuers }}
      - configMap:
          name: {{ .policyConfigMap }}
      {{- end }}
  {{- else }}
  configMap:
    name: {{ .policyConfigMap }}
  {{- end }}
{{- with $root.Values.secrets.existingSecret }}
- name: secrets
  secret:
    secretName: {{ . }}
    defaultMode: 288 # 0440, as JSON has no octal numbers
{{- end }}
{{- with $root.Values.extraCaConfigMap }}
- name: extra-ca
  configMap:
    name: {{ . }}
{{- end }}
{{- if $root.Values.vault.enabled }}
# A token only for Vault, in the folder where Vault's clients look for it.
- name: vault-token
  projected:
    defaultMode: 288 # 0440, as JSON has no octal numbers
    sources:
      - serviceAccountToken:
          path: token
          audience: {{ $root.Values.vault.tokenAudience }}
          expirationSeconds: 3600
{{- with $root.Values.vault.caConfigMap }}
- name: vault-ca
  configMap:
    name: {{ . }}
{{- end }}
{{- end }}
{{- with $root.Values.extraVolumes }}
{{ toYaml . }}
{{- end }}
{{- end -}}

{{- define "proxy.policyData" -}}
{{- $data := dict -}}
{{- with .Values.policy.inline -}}{{- $_ := set $data "policy.yaml" . -}}{{- end -}}
{{- with .Values.policy.shadow -}}{{- $_ := set $data "shadow.yaml" . -}}{{- end -}}
{{- with .Values.issuers -}}{{- $_ := set $data "issuers.yaml" . -}}{{- end -}}
{{- range $name, $text := .Values.policy.tests -}}{{- $_ := set $data $name $text -}}{{- end -}}
{{- toYaml $data -}}
{{- end -}}
