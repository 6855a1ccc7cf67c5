{{- $o := .ObjectMeta }}{{ $g := .Values.global }}
{{- include "deployed.account" . }}
---
{{ include "deployed.head" . }}
  template:
    {{- include "deployed.pod" (dict "of" . "labels" (strdict "istio.io/dataplane-mode" "none")) | nindent 4 }}
    spec:
      serviceAccountName: {{ quote .ServiceAccount }}
      {{- range $part := list "affinity" "topologySpreadConstraints" "nodeSelector" "tolerations" }}
      {{- with index $g.waypoint $part }}
      {{ $part }}: {{ toJson . }}
      {{- end }}
      {{- end }}
      containers:
      - name: istio-proxy
        image: {{ include "image" . }}
        {{ include "pull" . }}
        ports:
        - {containerPort: 15020, name: metrics, protocol: TCP}
        - {containerPort: 15021, name: status-port, protocol: TCP}
        - {containerPort: 15090, name: http-envoy-prom, protocol: TCP}
        args:
        - proxy
        - waypoint
        - --domain
        - $(POD_NAMESPACE).svc.{{ $g.proxy.clusterDomain }}
        - --serviceCluster
        - {{ .ServiceAccount }}.$(POD_NAMESPACE)
        - --proxyLogLevel
        - {{ annotation $o "sidecar.istio.io/logLevel" $g.proxy.logLevel | quote }}
        - --proxyComponentLogLevel
        - {{ annotation $o "sidecar.istio.io/componentLogLevel" $g.proxy.componentLogLevel | quote }}
        - --log_output_level
        - {{ annotation $o "sidecar.istio.io/agentLogLevel" $g.logging.level | quote }}
        {{- if $g.logAsJson }}
        - --log_as_json
        {{- end }}
        {{- with $g.proxy.outlierLogPath }}
        - --outlierLogPath={{ . }}
        {{- end }}
        env:
        - {name: ISTIO_META_SERVICE_ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
        {{- include "environment.node" . | nindent 8 }}
        {{- include "environment.identity" . | nindent 8 }}
        {{- include "environment.processors" . | nindent 8 }}
        {{- include "environment.settings" . | nindent 8 }}
        {{- include "environment.metadata" . | nindent 8 }}
        {{- include "environment.memory" . | nindent 8 }}
        {{- include "environment.compliance" . | nindent 8 }}
        - {name: ISTIO_META_CLUSTER_ID, value: "{{ valueOrDefault $g.multiCluster.clusterName "Kubernetes" }}"}
        {{- with valueOrDefault (index .InfrastructureLabels "topology.istio.io/network") $g.network }}
        - {name: ISTIO_META_NETWORK, value: {{ quote . }}}
        {{- if $.IsEastWestGateway }}
        - {name: ISTIO_META_REQUESTED_NETWORK_VIEW, value: {{ quote . }}}
        {{- end }}
        {{- end }}
        - {name: ISTIO_META_INTERCEPTION_MODE, value: REDIRECT}
        {{- include "deployed.identity" . | nindent 8 }}
        {{- include "environment.mesh" . | nindent 8 }}
        {{- with $g.waypoint.resources }}
        resources:
          {{- toYaml (omitNil .) | nindent 10 }}
        {{- end }}
        {{- include "deployed.probes" . | nindent 8 }}
        securityContext:
          privileged: false
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          readOnlyRootFilesystem: true
          runAsNonRoot: true
          {{- if ne $g.platform "openshift" }}
          runAsUser: 1337
          runAsGroup: 1337
          {{- end }}
          {{- with .Values.gateways.seccompProfile }}
          seccompProfile: {{ toJson . }}
          {{- end }}
        volumeMounts:
        - {name: workload-socket, mountPath: /var/run/secrets/workload-spiffe-uds}
        - {name: istiod-ca-cert, mountPath: /var/run/secrets/istio}
        - {name: istio-data, mountPath: /var/lib/istio/data}
        - {name: istio-envoy, mountPath: /etc/istio/proxy}
        - {name: istio-token, mountPath: /var/run/secrets/tokens}
        - {name: istio-podinfo, mountPath: /etc/istio/pod}
      volumes:
      - {name: workload-socket, emptyDir: {}}
      - {name: istio-envoy, emptyDir: {medium: Memory}}
      - {name: go-proxy-envoy, emptyDir: {medium: Memory}}
      - {name: istio-data, emptyDir: {}}
      - {name: go-proxy-data, emptyDir: {}}
      {{- include "volume.podinfo" . | nindent 6 }}
      - name: istio-token
        projected:
          sources:
          - serviceAccountToken: {path: istio-token, expirationSeconds: 43200, audience: istio-ca}
      {{- include "volume.root" . | nindent 6 }}
      {{- include "pullSecrets" . | nindent 6 }}
{{ include "deployed.rest" (dict "of" . "annotations" (strdict "networking.istio.io/traffic-distribution" "PreferClose")) }}
