{{- $o := .ObjectMeta }}{{ $g := .Values.global }}{{ $isWaypoint := contains "waypoint" .ControllerLabel }}
{{- include "deployed.account" . }}
---
{{ include "deployed.head" . }}
  template:
    {{- include "deployed.pod" (dict "of" . "labels" (ternary (strdict "istio.io/dataplane-mode" "none") dict $isWaypoint)) | nindent 4 }}
    spec:
      serviceAccountName: {{ quote .ServiceAccount }}
      {{- if not $isWaypoint }}
      securityContext:
        {{- include "deployed.sysctls" . | nindent 8 }}
      {{- end }}
      containers:
      - name: agentgateway
        {{- $named := annotation $o "gateway.istio.io/agentgatewayImage" $g.agentgateway.image }}
        image: {{ ternary $named .AgentgatewayImage (contains "/" $named) | quote }}
        {{ include "pull" . }}
        {{- with ternary $g.waypoint.resources $g.proxy.resources $isWaypoint }}
        resources:
          {{- toYaml (omitNil .) | nindent 10 }}
        {{- end }}
        securityContext:
          privileged: false
          allowPrivilegeEscalation: false
          capabilities: {drop: [ALL]}
          readOnlyRootFilesystem: true
          runAsNonRoot: true
          runAsUser: {{ .ProxyUID | default 10101 }}
          runAsGroup: {{ .ProxyGID | default 10101 }}
          {{- if $isWaypoint }}
          {{- with .Values.gateways.seccompProfile }}
          seccompProfile: {{ toJson . }}
          {{- end }}
          {{- end }}
        ports:
        - {containerPort: 15020, name: metrics, protocol: TCP}
        - {containerPort: 15021, name: status-port, protocol: TCP}
        args: [--config, "{}"]
        {{- if not $isWaypoint }}
        {{- with $g.proxy.lifecycle }}
        lifecycle: {{ toJson . }}
        {{- end }}
        {{- end }}
        env:
        - {name: POD_NAME, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        - {name: POD_NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: NAMESPACE, valueFrom: {fieldRef: {fieldPath: metadata.namespace}}}
        - {name: INSTANCE_IP, valueFrom: {fieldRef: {fieldPath: status.podIP}}}
        - {name: SERVICE_ACCOUNT, valueFrom: {fieldRef: {fieldPath: spec.serviceAccountName}}}
        - {name: CPU_LIMIT, valueFrom: {resourceFieldRef: {resource: limits.cpu, divisor: "1"}}}
        - {name: GATEWAY, value: {{ quote .Name }}}
        - {name: RUST_BACKTRACE, value: "1"}
        - {name: CLUSTER_ID, value: "{{ valueOrDefault $g.multiCluster.clusterName .ClusterID }}"}
        {{- with valueOrDefault (index .InfrastructureLabels "topology.istio.io/network") $g.network }}
        - {name: NETWORK, value: {{ quote . }}}
        {{- end }}
        {{- with valueOrDefault .MeshConfig.TrustDomain $g.trustDomain }}
        - {name: TRUST_DOMAIN, value: {{ quote . }}}
        {{- end }}
        {{- include "environment.metadata" . | nindent 8 }}
        - {name: XDS_ADDRESS, value: {{ quote .ProxyConfig.DiscoveryAddress }}}
        {{- if $g.caAddress }}
        - {name: CA_ADDRESS, value: {{ quote $g.caAddress }}}
        {{- else }}
        - {name: CA_ADDRESS, value: "istiod{{ if ne .Values.revision "" }}-{{ .Values.revision }}{{ end }}.{{ $g.istioNamespace }}.svc:15012"}
        {{- end }}
        {{- include "deployed.probes" . | nindent 8 }}
        volumeMounts:
        - {name: istiod-ca-cert, mountPath: /var/run/secrets/xds}
        - {name: xds-token, mountPath: /var/run/secrets/xds-tokens}
        - {name: tmp, mountPath: /tmp}
        - {name: istiod-ca-cert, mountPath: /var/run/secrets/istio}
        - {name: istio-token, mountPath: /var/run/secrets/tokens}
      volumes:
      - {name: tmp, emptyDir: {}}
      - name: xds-token
        projected:
          sources:
          - serviceAccountToken: {path: xds-token, expirationSeconds: 43200, audience: "{{ $g.sds.token.aud }}"}
      {{- include "volume.token" . | nindent 6 }}
      {{- if eq $g.pilotCertProvider "istiod" }}
      {{- include "volume.root" . | nindent 6 }}
      {{- end }}
      {{- include "pullSecrets" . | nindent 6 }}
{{ include "deployed.rest" (dict "of" .) }}
