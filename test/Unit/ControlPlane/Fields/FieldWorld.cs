namespace Lateen.Test.Unit.ControlPlane.Fields;

/// <summary>One sound object of every kind in the namespace shop, and in the namespace canary a service that must not notice what becomes
/// of them.</summary>
internal static class FieldWorld
{
    public const string Canary = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: canary}
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: web, namespace: canary}
        spec: {clusterIP: 10.2.0.1, selector: {app: web}, ports: [{name: http, port: 80, targetPort: 8080}]}
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: web-1, namespace: canary, labels: {kubernetes.io/service-name: web} }
        addressType: IPv4
        endpoints: [{addresses: [10.2.1.1], conditions: {ready: true} }]
        ports: [{name: http, port: 8080, protocol: TCP}]
        ---
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: web, namespace: canary}
        spec: {host: web, subsets: [{name: v1, labels: {version: v1} }] }
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: web, namespace: canary}
        spec: {hosts: [web], http: [{timeout: 3s, route: [{destination: {host: web} }] }] }
        """;

    /// <summary>In namespace shop; what is added beside an object makes it mean something.</summary>
    public const string Sound = """
        apiVersion: v1
        kind: Namespace
        metadata: {name: shop, labels: {team: a} }
        ---
        apiVersion: v1
        kind: Node
        metadata: {name: n1, labels: {topology.kubernetes.io/region: r1, topology.kubernetes.io/zone: z1} }
        status: {nodeInfo: {kubeletVersion: v1.33.0} }
        ---
        apiVersion: v1
        kind: Pod
        metadata: {name: reviews-1, namespace: shop, labels: {app: reviews, version: v1} }
        spec: {nodeName: n1, serviceAccountName: reviews, containers: [{name: app, ports: [{containerPort: 9080, name: http}] }] }
        status: {phase: Running, podIP: 10.1.1.1, podIPs: [{ip: 10.1.1.1}], conditions: [{type: Ready, status: "True"}] }
        ---
        apiVersion: v1
        kind: Service
        metadata: {name: reviews, namespace: shop}
        spec: {clusterIP: 10.1.0.1, clusterIPs: [10.1.0.1], selector: {app: reviews}, ports: [{name: http, port: 9080, targetPort: 9080, protocol: TCP}, {name: tcp, port: 9000}] }
        ---
        apiVersion: discovery.k8s.io/v1
        kind: EndpointSlice
        metadata: {name: reviews-1, namespace: shop, labels: {kubernetes.io/service-name: reviews} }
        addressType: IPv4
        endpoints: [{addresses: [10.1.1.1], nodeName: n1, zone: z1, conditions: {ready: true, serving: true, terminating: false}, targetRef: {kind: Pod, name: reviews-1, namespace: shop} }]
        ports: [{name: http, port: 9080, protocol: TCP}, {name: tcp, port: 9000, protocol: TCP}]
        ---
        apiVersion: networking.istio.io/v1
        kind: VirtualService
        metadata: {name: odd, namespace: shop}
        spec:
          hosts: [reviews.shop.svc.cluster.local]
          http:
          - name: first
            match: [{uri: {prefix: /a}, headers: {x-user: {exact: a} }, queryParams: {q: {exact: b} } }]
            rewrite: {uri: /b}
            retries: {attempts: 2, perTryTimeout: 1s, retryOn: 5xx}
            fault: {abort: {httpStatus: 500, percentage: {value: 1} }, delay: {fixedDelay: 1s, percentage: {value: 1} } }
            mirror: {host: reviews, subset: v1}
            corsPolicy: {allowOrigins: [{exact: "http://a"}], allowMethods: [GET], maxAge: 24h}
            headers: {request: {set: {x-a: b} } }
            route: [{destination: {host: reviews, subset: v1, port: {number: 9080} }, weight: 100}]
          - route: [{destination: {host: reviews} }]
          tcp: [{match: [{port: 9000}], route: [{destination: {host: reviews, port: {number: 9000} } }] }]
        ---
        apiVersion: networking.istio.io/v1
        kind: DestinationRule
        metadata: {name: odd, namespace: shop}
        spec:
          host: reviews
          trafficPolicy:
            loadBalancer: {consistentHash: {httpCookie: {name: c, ttl: 1s} }, localityLbSetting: {enabled: true, failover: [{from: r1, to: r2}] } }
            connectionPool: {tcp: {maxConnections: 10, connectTimeout: 1s, tcpKeepalive: {time: 7200s, probes: 3} }, http: {http1MaxPendingRequests: 1, maxRetries: 2, idleTimeout: 5s} }
            outlierDetection: {consecutive5xxErrors: 3, interval: 5s, baseEjectionTime: 10s, maxEjectionPercent: 50}
            portLevelSettings: [{port: {number: 9080}, tls: {mode: SIMPLE, sni: a.example} }]
          subsets: [{name: v1, labels: {version: v1}, trafficPolicy: {loadBalancer: {simple: RANDOM} } }]
        ---
        apiVersion: networking.istio.io/v1
        kind: Gateway
        metadata: {name: odd, namespace: shop}
        spec: {selector: {istio: ingressgateway}, servers: [{port: {number: 8443, name: https, protocol: HTTPS}, hosts: [a.example], tls: {mode: SIMPLE, credentialName: cert} }, {port: {number: 8080, name: http, protocol: HTTP}, hosts: [b.example] }] }
        ---
        apiVersion: networking.istio.io/v1
        kind: ServiceEntry
        metadata: {name: odd, namespace: shop}
        spec: {hosts: [ext.example], addresses: [10.9.9.9], ports: [{number: 443, name: tls, protocol: TLS}, {number: 80, name: http, protocol: HTTP, targetPort: 81}], location: MESH_EXTERNAL, resolution: STATIC, endpoints: [{address: 192.0.2.1, ports: {http: 81}, labels: {a: b}, locality: r1/z1, weight: 2}] }
        ---
        apiVersion: networking.istio.io/v1
        kind: WorkloadEntry
        metadata: {name: odd, namespace: shop}
        spec: {address: 10.1.1.9, labels: {app: reviews}, serviceAccount: reviews, ports: {http: 9080}, weight: 1, locality: r1/z1}
        ---
        apiVersion: networking.istio.io/v1
        kind: WorkloadGroup
        metadata: {name: odd, namespace: shop}
        spec: {template: {serviceAccount: reviews, ports: {http: 80} }, probe: {initialDelaySeconds: 1, httpGet: {port: 80, path: /} } }
        ---
        apiVersion: networking.istio.io/v1
        kind: Sidecar
        metadata: {name: odd, namespace: shop}
        spec: {workloadSelector: {labels: {app: client} }, ingress: [{port: {number: 9080, protocol: HTTP, name: in}, defaultEndpoint: "127.0.0.1:8080"}], egress: [{port: {number: 9080, protocol: HTTP, name: out}, hosts: ["./*"] }, {hosts: ["*/*"] }], outboundTrafficPolicy: {mode: REGISTRY_ONLY} }
        ---
        apiVersion: networking.istio.io/v1alpha3
        kind: EnvoyFilter
        metadata: {name: odd, namespace: shop}
        spec:
          workloadSelector: {labels: {app: client} }
          configPatches:
          - {applyTo: HTTP_FILTER, match: {context: SIDECAR_OUTBOUND, listener: {portNumber: 9080, filterChain: {filter: {name: envoy.filters.network.http_connection_manager} } } }, patch: {operation: INSERT_BEFORE, value: {name: a, typed_config: {"@type": type.googleapis.com/envoy.extensions.filters.http.lua.v3.Lua, inline_code: "x=1"} } } }
          - {applyTo: CLUSTER, match: {context: SIDECAR_OUTBOUND, cluster: {service: reviews.shop.svc.cluster.local} }, patch: {operation: MERGE, value: {connect_timeout: 1s} } }
        ---
        apiVersion: networking.istio.io/v1beta1
        kind: ProxyConfig
        metadata: {name: odd, namespace: shop}
        spec: {selector: {matchLabels: {app: client} }, concurrency: 1, environmentVariables: {A: b}, image: {imageType: distroless} }
        ---
        apiVersion: security.istio.io/v1
        kind: PeerAuthentication
        metadata: {name: odd, namespace: shop}
        spec: {selector: {matchLabels: {app: client} }, mtls: {mode: STRICT}, portLevelMtls: {"9080": {mode: PERMISSIVE} } }
        ---
        apiVersion: security.istio.io/v1
        kind: RequestAuthentication
        metadata: {name: odd, namespace: shop}
        spec: {selector: {matchLabels: {app: client} }, jwtRules: [{issuer: a, jwks: '{"keys":[]}', audiences: [b], fromHeaders: [{name: x, prefix: "y "}], outputClaimToHeaders: [{header: h, claim: c}], timeout: 1s}] }
        ---
        apiVersion: security.istio.io/v1
        kind: AuthorizationPolicy
        metadata: {name: odd, namespace: shop}
        spec: {selector: {matchLabels: {app: client} }, action: ALLOW, rules: [{from: [{source: {principals: [cluster.local/ns/a/sa/b], ipBlocks: [10.0.0.0/8], namespaces: [a] } }], to: [{operation: {methods: [GET], paths: ["/a*"], ports: ["80"], hosts: [a.example] } }], when: [{key: "request.headers[x]", values: [a], notValues: [b] }] }] }
        ---
        apiVersion: telemetry.istio.io/v1
        kind: Telemetry
        metadata: {name: odd, namespace: shop}
        spec: {selector: {matchLabels: {app: client} }, tracing: [{randomSamplingPercentage: 5, customTags: {a: {literal: {value: b} } } }], metrics: [{overrides: [{match: {metric: REQUEST_COUNT, mode: CLIENT}, tagOverrides: {a: {operation: REMOVE} } }] }], accessLogging: [{filter: {expression: "response.code >= 400"} }] }
        ---
        apiVersion: extensions.istio.io/v1alpha1
        kind: WasmPlugin
        metadata: {name: odd, namespace: shop}
        spec: {selector: {matchLabels: {app: client} }, url: "oci://a.example/b:1", phase: AUTHN, priority: 1, pluginConfig: {a: b}, vmConfig: {env: [{name: A, value: b}] }, match: [{mode: CLIENT, ports: [{number: 80}] }] }
        ---
        apiVersion: networking.k8s.io/v1
        kind: Ingress
        metadata: {name: odd, namespace: shop, annotations: {kubernetes.io/ingress.class: istio} }
        spec: {tls: [{hosts: [i.example], secretName: cert}], rules: [{host: i.example, http: {paths: [{path: /a, pathType: Prefix, backend: {service: {name: reviews, port: {number: 9080} } } }] } }] }
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: GatewayClass
        metadata: {name: own}
        spec: {controllerName: istio.io/gateway-controller}
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: Gateway
        metadata: {name: edge, namespace: shop, uid: u}
        spec: {gatewayClassName: own, listeners: [{name: http, port: 80, protocol: HTTP, hostname: "*.example", allowedRoutes: {namespaces: {from: All} } }, {name: https, port: 443, protocol: HTTPS, tls: {mode: Terminate, certificateRefs: [{name: cert}] } }] }
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: HTTPRoute
        metadata: {name: odd, namespace: shop}
        spec:
          parentRefs: [{name: edge}, {group: "", kind: Service, name: reviews}]
          hostnames: [a.example]
          rules:
          - matches: [{path: {type: PathPrefix, value: /a}, headers: [{name: x, value: y}], queryParams: [{name: q, value: r}], method: GET}]
            filters: [{type: RequestHeaderModifier, requestHeaderModifier: {set: [{name: a, value: b}] } }, {type: RequestMirror, requestMirror: {backendRef: {name: reviews, port: 9080} } }]
            timeouts: {request: 2s, backendRequest: 1s}
            backendRefs: [{name: reviews, port: 9080, weight: 1}]
          - filters: [{type: RequestRedirect, requestRedirect: {scheme: https, hostname: b.example, port: 443, statusCode: 301, path: {type: ReplaceFullPath, replaceFullPath: /c} } }]
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: GRPCRoute
        metadata: {name: odd, namespace: shop}
        spec: {parentRefs: [{name: edge}], hostnames: [g.example], rules: [{matches: [{method: {service: a.B, method: C} }], backendRefs: [{name: reviews, port: 9080}] }] }
        ---
        apiVersion: gateway.networking.k8s.io/v1alpha2
        kind: TCPRoute
        metadata: {name: odd, namespace: shop}
        spec: {parentRefs: [{name: edge}], rules: [{backendRefs: [{name: reviews, port: 9000}] }] }
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: TLSRoute
        metadata: {name: odd, namespace: shop}
        spec: {parentRefs: [{name: edge}], hostnames: [t.example], rules: [{backendRefs: [{name: reviews, port: 9000}] }] }
        ---
        apiVersion: gateway.networking.k8s.io/v1beta1
        kind: ReferenceGrant
        metadata: {name: odd, namespace: shop}
        spec: {from: [{group: gateway.networking.k8s.io, kind: HTTPRoute, namespace: other}], to: [{group: "", kind: Service}] }
        ---
        apiVersion: gateway.networking.k8s.io/v1
        kind: BackendTLSPolicy
        metadata: {name: odd, namespace: shop}
        spec: {targetRefs: [{group: "", kind: Service, name: reviews}], validation: {hostname: a.example, caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}] } }
        ---
        apiVersion: v1
        kind: ConfigMap
        metadata: {name: ca, namespace: shop}
        data: {ca.crt: x}
        ---
        apiVersion: v1
        kind: Secret
        metadata: {name: cert, namespace: shop}
        type: kubernetes.io/tls
        data: {tls.crt: eA==, tls.key: eA==}
        """;
}
