{{- $o := .ObjectMeta }}{{ $g := .Values.global }}{{ $cni := .Values.pilot.cni }}
{{- $mode := annotation $o "sidecar.istio.io/interceptionMode" .ProxyConfig.InterceptionMode }}
{{- $isTransparent := eq $mode "TPROXY" }}
{{- $bindsLow := eq (annotation $o "sidecar.istio.io/capNetBindService" $g.proxy.capNetBindService) "true" }}
{{- $comesFirst := ne (index $o.Annotations "sidecar.istio.io/nativeSidecar" | default (printf "%v" .NativeSidecars)) "false" }}
{{- $holds := and (or .ProxyConfig.HoldApplicationUntilProxyStarts.GetValue $g.proxy.holdApplicationUntilProxyStarts) (not $comesFirst) }}
{{- $statusPort := annotation $o "status.sidecar.istio.io/port" $g.proxy.statusPort }}
{{- $user := .ProxyUID | default 1337 }}{{ $group := .ProxyGID | default 1337 }}
{{- $excluded := excludeInboundPort $statusPort (annotation $o "traffic.sidecar.istio.io/excludeInboundPorts" $g.proxy.excludeInboundPorts) }}
{{- $included := annotation $o "traffic.sidecar.istio.io/includeInboundPorts" $g.proxy.includeInboundPorts }}
{{- $includedRanges := annotation $o "traffic.sidecar.istio.io/includeOutboundIPRanges" $g.proxy.includeIPRanges }}
{{- $excludedRanges := annotation $o "traffic.sidecar.istio.io/excludeOutboundIPRanges" $g.proxy.excludeIPRanges }}
{{- $includedOutbound := ternary (annotation $o "traffic.sidecar.istio.io/includeOutboundPorts" $g.proxy.includeOutboundPorts) nil (or (isset $o.Annotations "traffic.sidecar.istio.io/includeOutboundPorts") (ne (valueOrDefault $g.proxy.includeOutboundPorts "") "")) }}
{{- $excludedOutbound := ternary (annotation $o "traffic.sidecar.istio.io/excludeOutboundPorts" $g.proxy.excludeOutboundPorts) nil (or (isset $o.Annotations "traffic.sidecar.istio.io/excludeOutboundPorts") (ne (valueOrDefault $g.proxy.excludeOutboundPorts "") "")) }}
metadata:
  labels:
    security.istio.io/tlsMode: {{ index $o.Labels "security.istio.io/tlsMode" | default "istio" | quote }}
    {{- if eq (index .ProxyConfig.ProxyMetadata "ISTIO_META_ENABLE_HBONE") "true" }}
    networking.istio.io/tunnel: {{ index $o.Labels "networking.istio.io/tunnel" | default "http" | quote }}
    {{- end }}
    {{- include "labels.canonical" . | nindent 4 }}
  annotations:
    {{- include "annotations.pod" . | nindent 4 }}
    {{- if $cni.enabled }}
    {{- if eq $cni.provider "multus" }}
    k8s.v1.cni.cncf.io/networks: {{ appendMultusNetwork (index $o.Annotations "k8s.v1.cni.cncf.io/networks") "default/istio-cni" | squote }}
    {{- end }}
    sidecar.istio.io/interceptionMode: {{ quote $mode }}
    {{- with $includedRanges }}
    traffic.sidecar.istio.io/includeOutboundIPRanges: {{ quote . }}
    {{- end }}
    {{- with $excludedRanges }}
    traffic.sidecar.istio.io/excludeOutboundIPRanges: {{ quote . }}
    {{- end }}
    traffic.sidecar.istio.io/includeInboundPorts: {{ quote $included }}
    traffic.sidecar.istio.io/excludeInboundPorts: {{ quote $excluded }}
    {{- if not (kindIs "invalid" $includedOutbound) }}
    traffic.sidecar.istio.io/includeOutboundPorts: {{ quote $includedOutbound }}
    {{- end }}
    {{- if not (kindIs "invalid" $excludedOutbound) }}
    traffic.sidecar.istio.io/excludeOutboundPorts: {{ quote $excludedOutbound }}
    {{- end }}
    {{- range $name := list "traffic.sidecar.istio.io/kubevirtInterfaces" "istio.io/reroute-virtual-interfaces" "traffic.sidecar.istio.io/excludeInterfaces" }}
    {{- with index $o.Annotations $name }}
    {{ $name }}: {{ quote . }}
    {{- end }}
    {{- end }}
    {{- end }}
spec:
  {{- if or $comesFirst (ne $mode "NONE") }}
  initContainers:
  {{- end }}
  {{- if ne $mode "NONE" }}
  - name: {{ ternary "istio-validation" "istio-init" $cni.enabled }}
    {{- $named := annotation $o "sidecar.istio.io/proxyImage" $g.proxy_init.image }}
    image: {{ ternary $named .ProxyInitImage (contains "/" $named) | quote }}
    {{ include "pull" . }}
    args:
    - istio-iptables
    - -p
    - {{ .MeshConfig.ProxyListenPort | default 15001 | quote }}
    - -z
    - {{ .MeshConfig.ProxyInboundListenPort | default 15006 | quote }}
    - -u
    - {{ ternary 1337 $user $isTransparent | quote }}
    - -m
    - {{ quote $mode }}
    - -i
    - {{ quote $includedRanges }}
    - -x
    - {{ quote $excludedRanges }}
    - -b
    - {{ quote $included }}
    - -d
    - {{ compact (list "15090,15021" $excluded) | join "," | quote }}
    {{- if not (kindIs "invalid" $includedOutbound) }}
    - -q
    - {{ quote $includedOutbound }}
    {{- end }}
    {{- if not (kindIs "invalid" $excludedOutbound) }}
    - -o
    - {{ quote $excludedOutbound }}
    {{- end }}
    {{- if isset $o.Annotations "istio.io/reroute-virtual-interfaces" }}
    - -k
    - {{ index $o.Annotations "istio.io/reroute-virtual-interfaces" | quote }}
    {{- else if isset $o.Annotations "traffic.sidecar.istio.io/kubevirtInterfaces" }}
    - -k
    - {{ index $o.Annotations "traffic.sidecar.istio.io/kubevirtInterfaces" | quote }}
    {{- end }}
    {{- if isset $o.Annotations "traffic.sidecar.istio.io/excludeInterfaces" }}
    - -c
    - {{ index $o.Annotations "traffic.sidecar.istio.io/excludeInterfaces" | quote }}
    {{- end }}
    - {{ printf "--log_output_level=%s" (annotation $o "sidecar.istio.io/agentLogLevel" $g.logging.level) | quote }}
    {{- if $g.logAsJson }}
    - --log_as_json
    {{- end }}
    {{- if $cni.enabled }}
    - --run-validation
    - --skip-rule-apply
    {{- else if $g.proxy_init.forceApplyIptables }}
    - --force-apply
    {{- end }}
    {{- if $g.nativeNftables }}
    - --native-nftables
    {{- end }}
    {{- if .ProxyConfig.ProxyMetadata }}
    env:
      {{- include "environment.metadata" . | nindent 6 }}
    {{- end }}
    resources:
      {{- include "resources" . | nindent 6 }}
    securityContext:
      privileged: {{ $g.proxy.privileged }}
      allowPrivilegeEscalation: {{ $g.proxy.privileged }}
      capabilities:
        {{- if not $cni.enabled }}
        add: [NET_ADMIN, NET_RAW]
        {{- end }}
        drop: [ALL]
      readOnlyRootFilesystem: {{ ternary true false $cni.enabled }}
      runAsNonRoot: {{ ternary true false $cni.enabled }}
      runAsUser: {{ ternary (ternary 1337 $user $isTransparent) 0 $cni.enabled }}
      runAsGroup: {{ ternary (ternary 1337 $group $isTransparent) 0 $cni.enabled }}
      {{- with $g.proxy.seccompProfile }}
      seccompProfile: {{ toJson . }}
      {{- end }}
  {{- end }}
  {{- if not $comesFirst }}
  containers:
  {{- end }}
  - name: istio-proxy
    image: {{ include "image" . }}
    {{ include "pull" . }}
    {{- if $comesFirst }}
    restartPolicy: Always
    {{- end }}
    ports:
    - {containerPort: 15090, protocol: TCP, name: http-envoy-prom}
    args:
    - proxy
    - sidecar
    - --domain
    - $(POD_NAMESPACE).svc.{{ $g.proxy.clusterDomain }}
    {{- include "arguments.logging" . | nindent 4 }}
    {{- include "arguments.common" . | nindent 4 }}
    {{- with $g.proxy.outlierLogPath }}
    - --outlierLogPath={{ . }}
    {{- end }}
    {{- if $g.proxy.lifecycle }}
    lifecycle: {{ toJson $g.proxy.lifecycle }}
    {{- else if $holds }}
    lifecycle: {postStart: {exec: {command: [pilot-agent, wait]}}}
    {{- else if $comesFirst }}
    lifecycle: {preStop: {exec: {command: [pilot-agent, request, "--debug-port={{ $statusPort }}", POST, drain]}}}
    {{- end }}
    env:
    {{- if eq .InboundTrafficPolicyMode "localhost" }}
    - {name: REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION, value: "true"}
    {{- end }}
    {{- include "environment.identity" . | nindent 4 }}
    {{- include "environment.processors" . | nindent 4 }}
    {{- include "environment.settings" . | nindent 4 }}
    {{- include "environment.ports" . | nindent 4 }}
    - {name: ISTIO_META_APP_CONTAINERS, value: {{ include "applications" . | quote }}}
    {{- include "environment.memory" . | nindent 4 }}
    {{- include "environment.compliance" . | nindent 4 }}
    - {name: ISTIO_META_CLUSTER_ID, value: "{{ valueOrDefault $g.multiCluster.clusterName "Kubernetes" }}"}
    {{- include "environment.node" . | nindent 4 }}
    - {name: ISTIO_META_INTERCEPTION_MODE, value: "{{ or (index $o.Annotations "sidecar.istio.io/interceptionMode") .ProxyConfig.InterceptionMode.String }}"}
    {{- with $g.network }}
    - {name: ISTIO_META_NETWORK, value: {{ quote . }}}
    {{- end }}
    {{- with index $o.Labels "service.istio.io/workload-name" | default .DeploymentMeta.Name }}
    - {name: ISTIO_META_WORKLOAD_NAME, value: {{ quote . }}}
    {{- end }}
    {{- include "environment.owner" . | nindent 4 }}
    {{- include "environment.bootstrap" . | nindent 4 }}
    {{- include "environment.mesh" . | nindent 4 }}
    {{- if and (eq $g.proxy.tracer "datadog") (isset $o.Annotations "apm.datadoghq.com/env") }}
    {{- range $name, $value := fromJSON (index $o.Annotations "apm.datadoghq.com/env") }}
    - {name: {{ $name }}, value: {{ quote $value }}}
    {{- end }}
    {{- end }}
    {{- with otelResourceAttributes .MeshConfig $o.Annotations $o.Labels .DeploymentMeta.Namespace .Spec.Containers }}
    - {name: OTEL_RESOURCE_ATTRIBUTES, value: {{ quote . }}}
    {{- end }}
    {{- include "environment.metadata" . | nindent 4 }}
    {{- if ne $statusPort "0" }}
    {{- if $g.proxy.startupProbe.enabled }}
    startupProbe:
      httpGet: {path: /healthz/ready, port: 15021}
      initialDelaySeconds: 0
      periodSeconds: 1
      timeoutSeconds: 3
      failureThreshold: {{ $g.proxy.startupProbe.failureThreshold }}
    {{- end }}
    readinessProbe:
      httpGet: {path: /healthz/ready, port: 15021}
      initialDelaySeconds: {{ annotation $o "readiness.status.sidecar.istio.io/initialDelaySeconds" $g.proxy.readinessInitialDelaySeconds }}
      periodSeconds: {{ annotation $o "readiness.status.sidecar.istio.io/periodSeconds" $g.proxy.readinessPeriodSeconds }}
      timeoutSeconds: 3
      failureThreshold: {{ annotation $o "readiness.status.sidecar.istio.io/failureThreshold" $g.proxy.readinessFailureThreshold }}
    {{- end }}
    securityContext:
      {{- if eq (index .ProxyConfig.ProxyMetadata "IPTABLES_TRACE_LOGGING") "true" }}
      privileged: true
      allowPrivilegeEscalation: true
      capabilities: {add: [NET_ADMIN], drop: [ALL]}
      runAsNonRoot: false
      runAsUser: 0
      runAsGroup: {{ $group }}
      {{- else }}
      privileged: {{ $g.proxy.privileged }}
      allowPrivilegeEscalation: {{ $g.proxy.privileged }}
      capabilities:
        {{- with compact (list (ternary "NET_ADMIN" "" $isTransparent) (ternary "NET_BIND_SERVICE" "" $bindsLow)) }}
        add: {{ toJson . }}
        {{- end }}
        drop: [ALL]
      {{- $isRoot := or $isTransparent $bindsLow }}
      runAsNonRoot: {{ not $isRoot }}
      runAsUser: {{ ternary 0 $user $isRoot }}
      runAsGroup: {{ ternary 1337 $group $isRoot }}
      {{- end }}
      readOnlyRootFilesystem: true
      {{- with $g.proxy.seccompProfile }}
      seccompProfile: {{ toJson . }}
      {{- end }}
    resources:
      {{- include "resources" . | nindent 6 }}
    volumeMounts:
    - {name: workload-socket, mountPath: /var/run/secrets/workload-spiffe-uds}
    - {name: credential-socket, mountPath: /var/run/secrets/credential-uds}
    {{- include "mount.certificates" . | nindent 4 }}
    {{- if eq $g.pilotCertProvider "istiod" }}
    - {name: istiod-ca-cert, mountPath: /var/run/secrets/istio}
    - {name: istio-ca-crl, mountPath: /var/run/secrets/istio/crl}
    {{- end }}
    - {name: istio-data, mountPath: /var/lib/istio/data}
    {{- if isset $o.Annotations "sidecar.istio.io/bootstrapOverride" }}
    - {name: custom-bootstrap-volume, mountPath: /etc/istio/custom-bootstrap}
    {{- end }}
    - {name: istio-envoy, mountPath: /etc/istio/proxy}
    - {name: istio-token, mountPath: /var/run/secrets/tokens}
    {{- include "mount.files" . | nindent 4 }}
    - {name: istio-podinfo, mountPath: /etc/istio/pod}
    {{- if and (eq $g.proxy.tracer "lightstep") .ProxyConfig.GetTracing.GetTlsSettings }}
    - {name: lightstep-certs, mountPath: {{ directory .ProxyConfig.GetTracing.GetTlsSettings.GetCaCertificates | quote }}, readOnly: true}
    {{- end }}
    {{- include "mounts.user" . | nindent 4 }}
  volumes:
  - {name: workload-socket, emptyDir: {}}
  - {name: credential-socket, emptyDir: {}}
  {{- include "volume.certificates" . | nindent 2 }}
  {{- include "volume.bootstrap" . | nindent 2 }}
  - {name: istio-envoy, emptyDir: {medium: Memory}}
  - {name: istio-data, emptyDir: {}}
  {{- include "volume.podinfo" . | nindent 2 }}
  {{- include "volume.token" . | nindent 2 }}
  {{- if eq $g.pilotCertProvider "istiod" }}
  {{- include "volume.root" . | nindent 2 }}
  {{- end }}
  - {name: istio-ca-crl, configMap: {name: {{ .Values.pilot.crlConfigMapName | default "istio-ca-crl" | quote }}, optional: true}}
  {{- include "volume.files" . | nindent 2 }}
  {{- include "volumes.user" . | nindent 2 }}
  {{- if and (eq $g.proxy.tracer "lightstep") .ProxyConfig.GetTracing.GetTlsSettings }}
  - {name: lightstep-certs, secret: {optional: true, secretName: lightstep.cacert}}
  {{- end }}
  {{- include "pullSecrets" . | nindent 2 }}
