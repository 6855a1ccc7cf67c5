{{- /*
  Parts that the templates of proxies share. Each takes the whole context, or a map with the context as "of", and is written from the left margin: who includes it indents it.
  A template of an operator's own sees none of this.
*/ -}}

{{- define "image" -}}
{{- $named := annotation .ObjectMeta "sidecar.istio.io/proxyImage" .Values.global.proxy.image -}}
{{ ternary $named .ProxyImage (contains "/" $named) | quote }}
{{- end -}}

{{- define "pull" -}}
{{- with .Values.global.imagePullPolicy }}imagePullPolicy: {{ quote . }}{{ end }}
{{- end -}}

{{- define "pullSecrets" -}}
{{- with .Values.global.imagePullSecrets }}
imagePullSecrets:
{{- range . }}
- name: {{ quote . }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Application containers, as a comma-separated text. */ -}}
{{- define "applications" -}}
{{- $names := list -}}
{{- range .Spec.Containers }}{{ if ne .Name "istio-proxy" }}{{ $names = append $names .Name }}{{ end }}{{ end -}}
{{ join "," $names }}
{{- end -}}

{{- define "labels.canonical" -}}
service.istio.io/canonical-name: {{ coalesce (index .ObjectMeta.Labels "service.istio.io/canonical-name") (index .ObjectMeta.Labels "app.kubernetes.io/name") (index .ObjectMeta.Labels "app") .DeploymentMeta.Name | trunc 63 | trimAll "-_." | quote }}
service.istio.io/canonical-revision: {{ coalesce (index .ObjectMeta.Labels "service.istio.io/canonical-revision") (index .ObjectMeta.Labels "app.kubernetes.io/version") (index .ObjectMeta.Labels "version") "latest" | quote }}
{{- end -}}

{{- /* Tools that are told no container take the application's. */ -}}
{{- define "annotations.pod" -}}
istio.io/rev: {{ .Revision | default "default" | quote }}
{{- with include "applications" . }}
{{- $first := index (splitList "," .) 0 | quote }}
{{- range $name := list "kubectl.kubernetes.io/default-logs-container" "kubectl.kubernetes.io/default-container" }}
{{- if not (isset $.ObjectMeta.Annotations $name) }}
{{ $name }}: {{ $first }}
{{- end }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* What annotations of the pod ask for, all or nothing; else what the installation gives. */ -}}
{{- define "resources" -}}
{{- $asked := dict -}}
{{- range $kind, $names := dict "requests" (dict "cpu" "proxyCPU" "memory" "proxyMemory") "limits" (dict "cpu" "proxyCPULimit" "memory" "proxyMemoryLimit") }}
{{- range $resource, $name := $names }}
{{- with index $.ObjectMeta.Annotations (printf "sidecar.istio.io/%s" $name) }}
{{- $asked = merge $asked (dict $kind (dict $resource .)) }}
{{- end }}
{{- end }}
{{- end }}
{{- toYaml (omitNil ($asked | default .Values.global.proxy.resources | default dict)) }}
{{- end -}}

{{- define "arguments.logging" -}}
{{- $o := .ObjectMeta }}{{ $g := .Values.global -}}
- {{ printf "--proxyLogLevel=%s" (annotation $o "sidecar.istio.io/logLevel" $g.proxy.logLevel) | quote }}
- {{ printf "--proxyComponentLogLevel=%s" (annotation $o "sidecar.istio.io/componentLogLevel" $g.proxy.componentLogLevel) | quote }}
- {{ printf "--log_output_level=%s" (annotation $o "sidecar.istio.io/agentLogLevel" $g.logging.level) | quote }}
{{- end -}}

{{- define "arguments.common" -}}
{{- $g := .Values.global -}}
{{- if $g.sts.servicePort }}
- --stsPort={{ $g.sts.servicePort }}
{{- end }}
{{- if $g.logAsJson }}
- --log_as_json
{{- end }}
{{- end -}}

{{- /* Who the proxy is and where its certificates come from. */ -}}
{{- define "environment.identity" -}}
- {name: PILOT_CERT_PROVIDER, value: "{{ .Values.global.pilotCertProvider }}"}
{{- if .Values.global.caAddress }}
- {name: CA_ADDR, value: {{ quote .Values.global.caAddress }}}
{{- else }}
- {name: CA_ADDR, value: "istiod{{ if ne .Values.revision "" }}-{{ .Values.revision }}{{ end }}.{{ .Values.global.istioNamespace }}.svc:15012"}
{{- end }}
- {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
- {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
- {name: INSTANCE_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
- {name: SERVICE_ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
- {name: HOST_IP, valueFrom: {fieldRef: {fieldPath: status.hostIP}}}
{{- end -}}

{{- define "environment.processors" -}}
- {name: ISTIO_CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: "1"}}}
{{- end -}}

{{- define "environment.memory" -}}
- {name: GOMEMLIMIT, valueFrom: {resourceFieldRef: {resource: limits.memory, divisor: "1"}}}
{{- end -}}

{{- define "environment.compliance" -}}
{{- with .CompliancePolicy }}
- {name: COMPLIANCE_POLICY, value: {{ quote . }}}
{{- if eq . "fips-140-3" }}
- {name: GODEBUG, value: "fips140=only"}
{{- end }}
{{- end }}
{{- end -}}

{{- define "environment.settings" -}}
- {name: PROXY_CONFIG, value: {{ printf "%s\n" (protoToJSON .ProxyConfig) | quote }}}
{{- end -}}

{{- define "environment.ports" -}}
{{- $ports := list -}}
{{- range .Spec.Containers }}{{ range .Ports }}{{ $ports = append $ports (structToJSON .) }}{{ end }}{{ end -}}
- {name: ISTIO_META_POD_PORTS, value: {{ ternary (printf "[\n    %s\n]" (join "\n    ," $ports)) "[\n]" (gt (len $ports) 0) | quote }}}
{{- end -}}

{{- define "environment.node" -}}
- {name: ISTIO_META_NODE_NAME, valueFrom: {fieldRef: {fieldPath: spec.nodeName}}}
{{- end -}}

{{- define "environment.owner" -}}
{{- if and .TypeMeta.APIVersion .DeploymentMeta.Name }}
- {name: ISTIO_META_OWNER, value: "kubernetes://apis/{{ .TypeMeta.APIVersion }}/namespaces/{{ .DeploymentMeta.Namespace | default "default" }}/{{ toLower .TypeMeta.Kind }}s/{{ .DeploymentMeta.Name }}"}
{{- end }}
{{- end -}}

{{- define "environment.bootstrap" -}}
{{- if isset .ObjectMeta.Annotations "sidecar.istio.io/bootstrapOverride" }}
- {name: ISTIO_BOOTSTRAP_OVERRIDE, value: /etc/istio/custom-bootstrap/custom_bootstrap.json}
{{- end }}
{{- end -}}

{{- define "environment.mesh" -}}
{{- $trust := valueOrDefault .MeshConfig.TrustDomain .Values.global.trustDomain -}}
{{- with .Values.global.meshID | default $trust }}
- {name: ISTIO_META_MESH_ID, value: {{ quote . }}}
{{- end }}
{{- with $trust }}
- {name: TRUST_DOMAIN, value: {{ quote . }}}
{{- end }}
{{- end -}}

{{- define "environment.metadata" -}}
{{- range $name, $value := .ProxyConfig.ProxyMetadata }}
- {name: {{ $name }}, value: {{ quote $value }}}
{{- end }}
{{- end -}}

{{- /* A mount and a volume for the workload's certificates, which some platforms bring themselves. */ -}}
{{- define "mount.certificates" -}}
{{- if eq .Values.global.caName "GkeWorkloadCertificate" -}}
- {name: gke-workload-certificate, mountPath: /var/run/secrets/workload-spiffe-credentials, readOnly: true}
{{- else -}}
- {name: workload-certs, mountPath: /var/run/secrets/workload-spiffe-credentials}
{{- end }}
{{- end -}}

{{- define "volume.certificates" -}}
{{- if eq .Values.global.caName "GkeWorkloadCertificate" -}}
- {name: gke-workload-certificate, csi: {driver: workloadcertificates.security.cloud.google.com}}
{{- else -}}
- {name: workload-certs, emptyDir: {}}
{{- end }}
{{- end -}}

{{- define "mount.files" -}}
{{- if .Values.global.mountMtlsCerts }}
- {name: istio-certs, mountPath: /etc/certs/, readOnly: true}
{{- end }}
{{- end -}}

{{- define "volume.files" -}}
{{- if .Values.global.mountMtlsCerts }}
- {name: istio-certs, secret: {optional: true, secretName: "istio.{{ .Spec.ServiceAccountName | default "default" }}"}}
{{- end }}
{{- end -}}

{{- define "volume.bootstrap" -}}
{{- with index .ObjectMeta.Annotations "sidecar.istio.io/bootstrapOverride" }}
- {name: custom-bootstrap-volume, configMap: {name: {{ quote . }}}}
{{- end }}
{{- end -}}

{{- define "volume.podinfo" -}}
- name: istio-podinfo
  downwardAPI:
    items:
    - {path: labels, fieldRef: {fieldPath: metadata.labels}}
    - {path: annotations, fieldRef: {fieldPath: metadata.annotations}}
{{- end -}}

{{- define "volume.token" -}}
- name: istio-token
  projected:
    sources:
    - serviceAccountToken: {path: istio-token, expirationSeconds: 43200, audience: "{{ .Values.global.sds.token.aud }}"}
{{- end -}}

{{- define "volume.root" -}}
- name: istiod-ca-cert
{{- if eq .Values.pilot.env.ENABLE_CLUSTER_TRUST_BUNDLE_API true }}
  projected:
    sources:
    - clusterTrustBundle: {name: {{ printf "istio.io:istiod-ca:%s" (.Values.global.trustBundleName | default "root-cert") | quote }}, path: root-cert.pem}
{{- else }}
  configMap: {name: {{ .Values.global.trustBundleName | default "istio-ca-root-cert" | quote }}}
{{- end }}
{{- end -}}

{{- define "mounts.user" -}}
{{- if isset .ObjectMeta.Annotations "sidecar.istio.io/userVolumeMount" }}
{{- range $name, $mount := fromJSON (index .ObjectMeta.Annotations "sidecar.istio.io/userVolumeMount") }}
- {{ toJsonMap (dict "name" $name) $mount }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "volumes.user" -}}
{{- if isset .ObjectMeta.Annotations "sidecar.istio.io/userVolume" }}
{{- range $name, $volume := fromJSON (index .ObjectMeta.Annotations "sidecar.istio.io/userVolume") }}
- {{ toJsonMap (dict "name" $name) $volume }}
{{- end }}
{{- end }}
{{- end -}}

{{- /* Gateways that are deployed: what their objects have in common. */ -}}
{{- define "deployed.annotations" -}}
{{ toJsonMap (omit .InfrastructureAnnotations "kubectl.kubernetes.io/last-applied-configuration" "gateway.istio.io/name-override" "gateway.istio.io/service-account" "gateway.istio.io/controller-version") }}
{{- end -}}

{{- define "deployed.labels" -}}
{{ toJsonMap .InfrastructureLabels (strdict "gateway.networking.k8s.io/gateway-name" .Name "gateway.networking.k8s.io/gateway-class-name" .GatewayClass) }}
{{- end -}}

{{- define "deployed.metadata" -}}
metadata:
  name: {{ .called | default .of.DeploymentName | quote }}
  namespace: {{ quote .of.Namespace }}
  annotations: {{ toJsonMap (.annotations | default dict) (include "deployed.annotations" .of | fromJSON) }}
  labels: {{ include "deployed.labels" .of }}
{{- if not .isFree }}
  ownerReferences:
  - {apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, name: {{ quote .of.Name }}, uid: {{ quote .of.UID }}}
{{- end }}
{{- end -}}

{{- /* Old clusters take a service account's tokens away with its owner. */ -}}
{{- define "deployed.account" -}}
apiVersion: v1
kind: ServiceAccount
{{ include "deployed.metadata" (dict "of" . "called" .ServiceAccount "isFree" (lt .KubeVersion 128)) }}
{{- end -}}

{{- define "deployed.head" -}}
apiVersion: apps/v1
kind: Deployment
{{ include "deployed.metadata" (dict "of" .) }}
spec:
  selector:
    matchLabels: {{ toJsonMap (strdict .GatewayNameLabel .Name) }}
{{- end -}}

{{- define "deployed.pod" -}}
metadata:
  annotations: {{ toJsonMap (include "deployed.annotations" .of | fromJSON) (strdict "istio.io/rev" (.of.Revision | default "default") "prometheus.io/path" "/stats/prometheus" "prometheus.io/port" "15020" "prometheus.io/scrape" "true") }}
  labels: {{ toJsonMap (strdict "sidecar.istio.io/inject" "false" "service.istio.io/canonical-name" .of.DeploymentName "service.istio.io/canonical-revision" "latest") (.labels | default dict) .of.InfrastructureLabels (include "deployed.labels" .of | fromJSON) (strdict "gateway.istio.io/managed" .of.ControllerLabel) }}
{{- end -}}

{{- define "deployed.sysctls" -}}
{{- if .Values.gateways.securityContext }}
{{- toYaml .Values.gateways.securityContext }}
{{- else -}}
sysctls:
- {name: net.ipv4.ip_unprivileged_port_start, value: "0"}
{{- with .Values.gateways.seccompProfile }}
seccompProfile: {{ toJson . }}
{{- end }}
{{- end }}
{{- end -}}

{{- define "deployed.probes" -}}
startupProbe:
  httpGet: {path: /healthz/ready, port: 15021, scheme: HTTP}
  initialDelaySeconds: 1
  periodSeconds: 1
  timeoutSeconds: 1
  successThreshold: 1
  failureThreshold: 30
readinessProbe:
  httpGet: {path: /healthz/ready, port: 15021, scheme: HTTP}
  initialDelaySeconds: 0
  periodSeconds: 15
  timeoutSeconds: 1
  successThreshold: 1
  failureThreshold: 4
{{- end -}}

{{- define "deployed.identity" -}}
- {name: ISTIO_META_WORKLOAD_NAME, value: {{ quote .DeploymentName }}}
- {name: ISTIO_META_OWNER, value: "kubernetes://apis/apps/v1/namespaces/{{ .Namespace }}/deployments/{{ .DeploymentName }}"}
{{- end -}}

{{- define "deployed.rest" -}}
---
apiVersion: v1
kind: Service
{{ include "deployed.metadata" . }}
spec:
  type: {{ quote .of.ServiceType }}
  ipFamilyPolicy: PreferDualStack
  selector: {{ toJsonMap (strdict .of.GatewayNameLabel .of.Name) }}
{{- if and .of.Spec.Addresses (eq .of.ServiceType "LoadBalancer") }}
  loadBalancerIP: {{ (index .of.Spec.Addresses 0).Value | quote }}
{{- end }}
  ports:
{{- range .of.Ports }}
  - {name: {{ quote .Name }}, port: {{ .Port }}, protocol: {{ .Protocol }}, appProtocol: {{ quote .AppProtocol }}}
{{- end }}
---
apiVersion: autoscaling/v2
kind: HorizontalPodAutoscaler
{{ include "deployed.metadata" (dict "of" .of) }}
spec:
  scaleTargetRef: {apiVersion: apps/v1, kind: Deployment, name: {{ quote .of.DeploymentName }}}
  maxReplicas: 1
---
apiVersion: policy/v1
kind: PodDisruptionBudget
{{ include "deployed.metadata" (dict "of" .of) }}
spec:
  selector:
    matchLabels: {gateway.networking.k8s.io/gateway-name: {{ quote .of.Name }}}
{{- end -}}
