{{- $o := .ObjectMeta }}{{ $g := .Values.global }}
metadata:
  labels:
    {{- include "labels.canonical" . | nindent 4 }}
  annotations:
    {{- include "annotations.pod" . | nindent 4 }}
spec:
  securityContext:
    {{- if .Values.gateways.securityContext }}
    {{- toYaml .Values.gateways.securityContext | nindent 4 }}
    {{- else }}
    sysctls:
    - {name: net.ipv4.ip_unprivileged_port_start, value: "0"}
    {{- end }}
  containers:
  - name: istio-proxy
    image: {{ include "image" . }}
    {{ include "pull" . }}
    ports:
    - {containerPort: 15090, protocol: TCP, name: http-envoy-prom}
    args:
    - proxy
    - router
    - --domain
    - $(POD_NAMESPACE).svc.{{ $g.proxy.clusterDomain }}
    {{- include "arguments.logging" . | nindent 4 }}
    {{- include "arguments.common" . | nindent 4 }}
    {{- with $g.proxy.lifecycle }}
    lifecycle: {{ toJson . }}
    {{- end }}
    securityContext:
      runAsUser: {{ .ProxyUID | default 1337 }}
      runAsGroup: {{ .ProxyGID | default 1337 }}
    env:
    {{- include "environment.identity" . | nindent 4 }}
    {{- include "environment.processors" . | nindent 4 }}
    {{- include "environment.settings" . | nindent 4 }}
    {{- include "environment.ports" . | nindent 4 }}
    {{- include "environment.memory" . | nindent 4 }}
    {{- include "environment.compliance" . | nindent 4 }}
    - {name: ISTIO_META_APP_CONTAINERS, value: {{ include "applications" . | quote }}}
    - {name: ISTIO_META_CLUSTER_ID, value: "{{ valueOrDefault $g.multiCluster.clusterName "Kubernetes" }}"}
    {{- include "environment.node" . | nindent 4 }}
    - {name: ISTIO_META_INTERCEPTION_MODE, value: "{{ .ProxyConfig.InterceptionMode.String }}"}
    {{- with $g.network }}
    - {name: ISTIO_META_NETWORK, value: {{ quote . }}}
    {{- end }}
    {{- with .DeploymentMeta.Name }}
    - {name: ISTIO_META_WORKLOAD_NAME, value: {{ quote . }}}
    {{- end }}
    {{- include "environment.owner" . | nindent 4 }}
    {{- include "environment.bootstrap" . | nindent 4 }}
    {{- include "environment.mesh" . | nindent 4 }}
    {{- include "environment.metadata" . | nindent 4 }}
    readinessProbe:
      httpGet: {path: /healthz/ready, port: 15021}
      initialDelaySeconds: {{ $g.proxy.readinessInitialDelaySeconds }}
      periodSeconds: {{ $g.proxy.readinessPeriodSeconds }}
      timeoutSeconds: 3
      failureThreshold: {{ $g.proxy.readinessFailureThreshold }}
    volumeMounts:
    - {name: workload-socket, mountPath: /var/run/secrets/workload-spiffe-uds}
    - {name: credential-socket, mountPath: /var/run/secrets/credential-uds}
    {{- include "mount.certificates" . | nindent 4 }}
    {{- if eq $g.pilotCertProvider "istiod" }}
    - {name: istiod-ca-cert, mountPath: /var/run/secrets/istio}
    {{- end }}
    - {name: istio-data, mountPath: /var/lib/istio/data}
    {{- if isset $o.Annotations "sidecar.istio.io/bootstrapOverride" }}
    - {name: custom-bootstrap-volume, mountPath: /etc/istio/custom-bootstrap}
    {{- end }}
    - {name: istio-envoy, mountPath: /etc/istio/proxy}
    - {name: istio-token, mountPath: /var/run/secrets/tokens}
    {{- include "mount.files" . | nindent 4 }}
    - {name: istio-podinfo, mountPath: /etc/istio/pod}
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
  {{- include "volume.files" . | nindent 2 }}
  {{- include "pullSecrets" . | nindent 2 }}
