{{- $o := .ObjectMeta }}{{ $g := .Values.global }}
{{- include "deployed.account" . }}
---
{{ include "deployed.head" . }}
  template:
    {{- include "deployed.pod" (dict "of" .) | nindent 4 }}
    spec:
      serviceAccountName: {{ quote .ServiceAccount }}
      securityContext:
        {{- include "deployed.sysctls" . | nindent 8 }}
      containers:
      - name: istio-proxy
        image: {{ include "image" . }}
        {{ include "pull" . }}
        {{- with $g.proxy.resources }}
        resources:
          {{- toYaml (omitNil .) | nindent 10 }}
        {{- end }}
        securityContext:
          privileged: false
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          readOnlyRootFilesystem: true
          runAsNonRoot: true
          runAsUser: {{ .ProxyUID | default 1337 }}
          runAsGroup: {{ .ProxyGID | default 1337 }}
        ports:
        - {containerPort: 15020, name: metrics, protocol: TCP}
        - {containerPort: 15021, name: status-port, protocol: TCP}
        - {containerPort: 15090, name: http-envoy-prom, protocol: TCP}
        args:
        - proxy
        - router
        - --domain
        - $(POD_NAMESPACE).svc.{{ $g.proxy.clusterDomain }}
        - --proxyLogLevel
        - {{ annotation $o "sidecar.istio.io/logLevel" $g.proxy.logLevel | quote }}
        - --proxyComponentLogLevel
        - {{ annotation $o "sidecar.istio.io/componentLogLevel" $g.proxy.componentLogLevel | quote }}
        - --log_output_level
        - {{ annotation $o "sidecar.istio.io/agentLogLevel" $g.logging.level | quote }}
        {{- include "arguments.common" . | nindent 8 }}
        {{- with $g.proxy.lifecycle }}
        lifecycle: {{ toJson . }}
        {{- end }}
        env:
        {{- include "environment.identity" . | nindent 8 }}
        {{- include "environment.processors" . | nindent 8 }}
        {{- include "environment.settings" . | nindent 8 }}
        - {name: ISTIO_META_POD_PORTS, value: "[]"}
        - {name: ISTIO_META_APP_CONTAINERS, value: ""}
        {{- include "environment.memory" . | nindent 8 }}
        {{- include "environment.compliance" . | nindent 8 }}
        - {name: ISTIO_META_CLUSTER_ID, value: "{{ valueOrDefault $g.multiCluster.clusterName .ClusterID }}"}
        {{- include "environment.node" . | nindent 8 }}
        - {name: ISTIO_META_INTERCEPTION_MODE, value: "{{ .ProxyConfig.InterceptionMode.String }}"}
        {{- $network := index .InfrastructureLabels "topology.istio.io/network" }}
        {{- with valueOrDefault $network $g.network }}
        - {name: ISTIO_META_NETWORK, value: {{ quote . }}}
        {{- end }}
        {{- include "deployed.identity" . | nindent 8 }}
        {{- include "environment.mesh" . | nindent 8 }}
        {{- include "environment.metadata" . | nindent 8 }}
        {{- with $network }}
        - {name: ISTIO_META_REQUESTED_NETWORK_VIEW, value: {{ quote . }}}
        {{- end }}
        {{- include "deployed.probes" . | nindent 8 }}
        volumeMounts:
        - {name: workload-socket, mountPath: /var/run/secrets/workload-spiffe-uds}
        - {name: credential-socket, mountPath: /var/run/secrets/credential-uds}
        {{- include "mount.certificates" . | nindent 8 }}
        {{- if eq $g.pilotCertProvider "istiod" }}
        - {name: istiod-ca-cert, mountPath: /var/run/secrets/istio}
        {{- end }}
        - {name: istio-data, mountPath: /var/lib/istio/data}
        - {name: istio-envoy, mountPath: /etc/istio/proxy}
        - {name: istio-token, mountPath: /var/run/secrets/tokens}
        - {name: istio-podinfo, mountPath: /etc/istio/pod}
      volumes:
      - {name: workload-socket, emptyDir: {}}
      - {name: credential-socket, emptyDir: {}}
      {{- include "volume.certificates" . | nindent 6 }}
      - {name: istio-envoy, emptyDir: {medium: Memory}}
      - {name: istio-data, emptyDir: {}}
      {{- include "volume.podinfo" . | nindent 6 }}
      {{- include "volume.token" . | nindent 6 }}
      {{- if eq $g.pilotCertProvider "istiod" }}
      {{- include "volume.root" . | nindent 6 }}
      {{- end }}
      {{- include "pullSecrets" . | nindent 6 }}
{{ include "deployed.rest" (dict "of" .) }}
