{{- $o := .ObjectMeta }}{{ $g := .Values.global }}
{{- /* Mutual TLS is up to the application here; so the label that promises it is its owner's to set. */}}
metadata:
  labels:
    {{- include "labels.canonical" . | nindent 4 }}
  annotations:
    {{- include "annotations.pod" . | nindent 4 }}
    sidecar.istio.io/rewriteAppHTTPProbers: "false"
spec:
  containers:
  - name: istio-proxy
    image: {{ include "image" . }}
    {{ include "pull" . }}
    ports:
    - {containerPort: 15020, protocol: TCP, name: mesh-metrics}
    args:
    - proxy
    - sidecar
    - --domain
    - $(POD_NAMESPACE).svc.{{ $g.proxy.clusterDomain }}
    {{- include "arguments.logging" . | nindent 4 }}
    {{- include "arguments.common" . | nindent 4 }}
    lifecycle: {postStart: {exec: {command: [pilot-agent, wait, "--url=http://localhost:15020/healthz/ready"]}}}
    env:
    - {name: ISTIO_META_GENERATOR, value: grpc}
    - {name: OUTPUT_CERTS, value: /var/lib/istio/data}
    {{- if eq .InboundTrafficPolicyMode "localhost" }}
    - {name: REWRITE_PROBE_LEGACY_LOCALHOST_DESTINATION, value: "true"}
    {{- end }}
    {{- include "environment.identity" . | nindent 4 }}
    {{- include "environment.settings" . | nindent 4 }}
    {{- include "environment.ports" . | nindent 4 }}
    - {name: ISTIO_META_APP_CONTAINERS, value: {{ include "applications" . | quote }}}
    - {name: ISTIO_META_CLUSTER_ID, value: "{{ valueOrDefault $g.multiCluster.clusterName "Kubernetes" }}"}
    {{- include "environment.node" . | nindent 4 }}
    {{- with $g.network }}
    - {name: ISTIO_META_NETWORK, value: {{ quote . }}}
    {{- end }}
    {{- with .DeploymentMeta.Name }}
    - {name: ISTIO_META_WORKLOAD_NAME, value: {{ quote . }}}
    {{- end }}
    {{- include "environment.owner" . | nindent 4 }}
    {{- include "environment.mesh" . | nindent 4 }}
    {{- include "environment.metadata" . | nindent 4 }}
    - {name: ISTIO_META_DNS_CAPTURE, value: "false"}
    - {name: DISABLE_ENVOY, value: "true"}
    {{- if ne (annotation $o "status.sidecar.istio.io/port" $g.proxy.statusPort) "0" }}
    readinessProbe:
      httpGet: {path: /healthz/ready, port: 15020}
      initialDelaySeconds: {{ annotation $o "readiness.status.sidecar.istio.io/initialDelaySeconds" $g.proxy.readinessInitialDelaySeconds }}
      periodSeconds: {{ annotation $o "readiness.status.sidecar.istio.io/periodSeconds" $g.proxy.readinessPeriodSeconds }}
      timeoutSeconds: 3
      failureThreshold: {{ annotation $o "readiness.status.sidecar.istio.io/failureThreshold" $g.proxy.readinessFailureThreshold }}
    {{- end }}
    resources:
      {{- include "resources" . | nindent 6 }}
    volumeMounts:
    - {name: workload-socket, mountPath: /var/run/secrets/workload-spiffe-uds}
    {{- include "mount.certificates" . | nindent 4 }}
    {{- if eq $g.pilotCertProvider "istiod" }}
    - {name: istiod-ca-cert, mountPath: /var/run/secrets/istio}
    {{- end }}
    - {name: istio-data, mountPath: /var/lib/istio/data}
    - {name: istio-xds, mountPath: /etc/istio/proxy}
    - {name: istio-token, mountPath: /var/run/secrets/tokens}
    {{- include "mount.files" . | nindent 4 }}
    - {name: istio-podinfo, mountPath: /etc/istio/pod}
    {{- include "mounts.user" . | nindent 4 }}
  {{- range .Spec.Containers }}
  {{- if ne .Name "istio-proxy" }}
  - name: {{ .Name }}
    env:
    - {name: GRPC_XDS_EXPERIMENTAL_SECURITY_SUPPORT, value: "true"}
    - {name: GRPC_XDS_BOOTSTRAP, value: /etc/istio/proxy/grpc-bootstrap.json}
    volumeMounts:
    - {name: istio-data, mountPath: /var/lib/istio/data}
    - {name: istio-xds, mountPath: /etc/istio/proxy}
    {{- include "mount.certificates" $ | nindent 4 }}
  {{- end }}
  {{- end }}
  volumes:
  - {name: workload-socket, emptyDir: {}}
  {{- include "volume.certificates" . | nindent 2 }}
  {{- include "volume.bootstrap" . | nindent 2 }}
  - {name: istio-xds, emptyDir: {medium: Memory}}
  - {name: istio-data, emptyDir: {}}
  {{- include "volume.podinfo" . | nindent 2 }}
  {{- include "volume.token" . | nindent 2 }}
  {{- if eq $g.pilotCertProvider "istiod" }}
  {{- include "volume.root" . | nindent 2 }}
  {{- end }}
  {{- include "volume.files" . | nindent 2 }}
  {{- include "volumes.user" . | nindent 2 }}
  {{- include "pullSecrets" . | nindent 2 }}
