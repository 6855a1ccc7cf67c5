// Settings: the environment of an istiod. Users bring a list of variables with them; each of them either works here as it does there, or is
// said at the start to be without effect, by name. Values are read where they are used (Pilot's `Features`, Citadel's `AuthorityOptions`);
// here stands what is known about their names, and a test holds the list against the code.
//
// Refused: to end the process for a variable. istiod warns and takes its default, and a mesh must come up at night, too.
namespace Lateen.ControlPlane.Settings;

/// <summary>How the value of a setting is written.</summary>
public enum SettingForm
{
    /// <summary>true or false, in Go's spellings.</summary>
    Flag,

    /// <summary>A whole number.</summary>
    Number,

    /// <summary>A number with a fraction.</summary>
    Fraction,

    /// <summary>A duration in Go's notation: 100ms, 1m30s.</summary>
    Duration,

    /// <summary>Anything.</summary>
    Text,
}

/// <summary>A variable that istiod reads from its environment.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Form">How its value is written.</param>
/// <param name="Preset">The value that it has when nobody sets it.</param>
/// <param name="Idle">Why another value changes nothing here; null where it works as in istiod.</param>
public sealed record KnownSetting(string Name, SettingForm Form, string Preset, string? Idle = null);

/// <summary>The variables that istiod reads.</summary>
public static class KnownSettings
{
    private const string Kept = "what was generated is always kept by its exact inputs",
        NotBuilt = "it is not built", Fixed = "only its default is served",
        Sharing = "changes are always shared among those whose view is the same";

    /// <summary>All of them, by name.</summary>
    public static IReadOnlyDictionary<string, KnownSetting> All { get; } =
        Served.Concat(Idle).ToDictionary(setting => setting.Name, StringComparer.Ordinal);

    private static IEnumerable<KnownSetting> Served =>
    [
        .. Of(SettingForm.Duration, ("PILOT_DEBOUNCE_AFTER", "100ms"), ("PILOT_DEBOUNCE_MAX", "10s"), ("DEFAULT_WORKLOAD_CERT_TTL", "24h"),
            ("MAX_WORKLOAD_CERT_TTL", "2160h"), ("CITADEL_SELF_SIGNED_CA_CERT_TTL", "87600h"),
            ("CITADEL_SELF_SIGNED_ROOT_CERT_CHECK_INTERVAL", "1h"), ("PILOT_REMOTE_CLUSTER_TIMEOUT", "30s")),
        .. Of(SettingForm.Number, ("PILOT_PUSH_THROTTLE", "0"), ("ISTIO_GPRC_MAXRECVMSGSIZE", "4194304"),
            ("PILOT_ALLOW_ANY_DYNAMIC_DNS_MAX_HOSTS", "1024"), ("CITADEL_SELF_SIGNED_CA_RSA_KEY_SIZE", "2048"),
            ("CITADEL_SELF_SIGNED_ROOT_CERT_GRACE_PERIOD_PERCENTILE", "20"), ("MAX_CONNECTIONS_PER_SOCKET_EVENT_LOOP", "1")),
        .. Of(SettingForm.Fraction, ("PILOT_TRACE_SAMPLING", "1")),
        .. Of(SettingForm.Text, ("COMPLIANCE_POLICY", ""), ("PILOT_JWT_ENABLE_REMOTE_JWKS", "false"), ("TRUSTED_GATEWAY_CIDR", ""),
            ("CA_TRUSTED_NODE_ACCOUNTS", ""), ("BLOCKED_CIDRS_IN_JWKS_URIS", ""), ("DEBUG_ENDPOINT_AUTH_ALLOWED_NAMESPACES", ""),
            ("PILOT_INSECURE_MULTICLUSTER_KUBECONFIG_OPTIONS", ""), ("REVISION", ""), ("POD_NAME", "")),
        .. Of(SettingForm.Flag, ("PILOT_ENABLE_EDS_DEBOUNCE", "true"), ("XDS_AUTH", "true"), ("PILOT_ENABLE_XDS_IDENTITY_CHECK", "true"),
            ("PILOT_ENABLE_WORKLOAD_ENTRY_HEALTHCHECKS", "true"),
            ("ENABLE_CA_SERVER", "true"), ("ENABLE_DEBUG_ENDPOINT_AUTH", "true"), ("ENABLE_DEBUG_ON_HTTP", "true"),
            ("PILOT_SKIP_VALIDATE_TRUST_DOMAIN", "false"), ("PILOT_HTTP10", "false"), ("PILOT_ENABLE_ALPN_FILTER", "true"),
            ("PILOT_DISABLE_MX_ALPN", "false"), ("PILOT_FILTER_GATEWAY_CLUSTER_CONFIG", "false"),
            ("PILOT_SCOPE_GATEWAY_TO_NAMESPACE", "false"), ("PILOT_ENABLE_STRICT_GATEWAY_MERGING", "true"),
            ("PILOT_ENABLE_ABSOLUTE_FQDN_VHOST_DOMAIN", "true"), ("PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS", "true"),
            ("PILOT_SEND_UNHEALTHY_ENDPOINTS", "false"), ("PILOT_ENABLE_PERSISTENT_SESSION_FILTER", "false"),
            ("PILOT_ENABLE_EDS_FOR_HEADLESS_SERVICES", "false"), ("PILOT_ENABLE_HEADLESS_FILTER_CHAIN_LISTENER", "false"),
            ("ENABLE_MULTICLUSTER_HEADLESS", "true"), ("PILOT_ENABLE_MONGO_FILTER", "true"), ("PILOT_ENABLE_MYSQL_FILTER", "false"),
            ("PILOT_ENABLE_REDIS_FILTER", "false"), ("PILOT_SIDECAR_USE_REMOTE_ADDRESS", "false"), ("PILOT_ENABLE_QUIC_LISTENERS", "false"),
            ("ENABLE_TLS_ON_SIDECAR_INGRESS", "false"), ("PILOT_ALLOW_SIDECAR_SERVICE_INBOUND_LISTENER_MERGE", "false"),
            ("ENABLE_HCM_INTERNAL_NETWORKS", "false"), ("ENABLE_100_CONTINUE_HEADERS", "true"),
            ("ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS", "false"), ("ISTIO_DUAL_STACK", "false"),
            ("DISABLE_SHADOW_HOST_SUFFIX", "true"), ("PILOT_ENABLE_IP_AUTOALLOCATE", "true"),
            ("PILOT_ENABLE_GATEWAY_API_DEPLOYMENT_CONTROLLER", "true"), ("PILOT_ENABLE_GATEWAY_API_GATEWAYCLASS_CONTROLLER", "true"),
            ("PILOT_ENABLE_GATEWAY_API_COPY_LABELS_ANNOTATIONS", "true"), ("ENABLE_SELECTOR_BASED_K8S_GATEWAY_POLICY", "true"),
            ("ENABLE_GATEWAY_API_INFERENCE_EXTENSION", "false"), ("PILOT_ENABLE_AMBIENT", "false"),
            ("PILOT_AUTO_ALLOW_WAYPOINT_POLICY", "false"), ("AMBIENT_ENABLE_MULTI_NETWORK", "false"),
            ("AMBIENT_ENABLE_MULTI_NETWORK_WAYPOINT", "true"), ("PILOT_ENABLE_TELEMETRY_LABEL", "true"),
            ("PILOT_ENDPOINT_TELEMETRY_LABEL", "true"), ("PILOT_ENABLE_METADATA_EXCHANGE", "true"),
            ("PILOT_SPAWN_UPSTREAM_SPAN_FOR_GATEWAY", "true"),
            ("PILOT_ENABLE_MULTIPLE_CUSTOM_AUTHZ_PROVIDERS", "false")),
    ];

    private static IEnumerable<KnownSetting> Idle =>
    [
        .. Without(SettingForm.Number, ("PILOT_MAX_REQUESTS_PER_SECOND", "0", "streams are taken as they come"),
            ("ISTIO_GPRC_MAXSTREAMS", "100000", Fixed), ("PILOT_XDS_CACHE_SIZE", "60000", Kept),
            ("PILOT_CONVERT_SIDECAR_SCOPE_CONCURRENCY", "1", Sharing),
            ("PILOT_STATUS_MAX_WORKERS", "100", "status is written one object after the other"),
            ("MUTEX_PROFILE_FRACTION", "1000", "there is no such profile"), ("PILOT_DNS_CARES_UDP_MAX_QUERIES", "100", Fixed),
            ("ISTIO_WASM_MAX_BINARY_SIZE_BYTES", "268435456", "modules of Wasm are not run"),
            ("PILOT_HBONE_INITIAL_STREAM_WINDOW_SIZE", "0", Fixed), ("PILOT_HBONE_INITIAL_CONNECTION_WINDOW_SIZE", "0", Fixed)),
        .. Without(SettingForm.Duration, ("PILOT_XDS_CACHE_INDEX_CLEAR_INTERVAL", "5s", Kept),
            ("PILOT_JWT_PUB_KEY_REFRESH_INTERVAL", "20m", Fixed),
            ("PILOT_GATEWAY_TRANSPORT_SOCKET_CONNECT_TIMEOUT", "15s", Fixed),
            ("PILOT_DNS_JITTER_DURATION", "100ms", Fixed), ("PILOT_WORKLOAD_ENTRY_GRACE_PERIOD", "10s", Fixed),
            ("PILOT_ANALYSIS_INTERVAL", "10s", "findings are written with the change that makes them")),
        .. Without(SettingForm.Text, ("EXTERNAL_CA", "", NotBuilt), ("K8S_SIGNER", "", NotBuilt), ("CERT_SIGNER_DOMAIN", "", NotBuilt),
            ("PILOT_CERT_PROVIDER", "istiod", "certificates are always those of this authority"),
            ("ROOT_CA_DIR", "./etc/cacerts", "the folder is named with --ca-dir"), ("TOKEN_ISSUER", "", Fixed),
            ("AUDIENCE", "", Fixed), ("PILOT_CA_CERT_CONFIGMAP", "istio-ca-root-cert", Fixed),
            ("PILOT_CRL_CONFIGMAP", "istio-ca-crl", Fixed),
            ("BLOCKED_CIDRS_IN_WASM_FETCH", "", "modules of Wasm are not fetched"), ("PILOT_PERSISTENT_SESSION_LABEL",
                "istio.io/persistent-session", Fixed),
            ("PILOT_PERSISTENT_SESSION_HEADER_LABEL", "istio.io/persistent-session-header", Fixed),
            ("PILOT_DRAINING_LABEL", "istio.io/draining", Fixed),
            ("PILOT_IP_AUTOALLOCATE_IPV4_PREFIX", "240.240.0.0/16", Fixed),
            ("PILOT_IP_AUTOALLOCATE_IPV6_PREFIX", "2001:2::/48", Fixed),
            ("PILOT_GATEWAY_API_DEFAULT_GATEWAYCLASS_NAME", "istio", Fixed),
            ("PILOT_GATEWAY_API_CONTROLLER_NAME", "istio.io/gateway-controller", Fixed),
            ("PILOT_MX_ADDITIONAL_LABELS", "", NotBuilt), ("ISTIOD_CUSTOM_HOST", "", NotBuilt), ("SHARED_MESH_CONFIG", "", NotBuilt),
            ("PILOT_MULTICLUSTER_KUBECONFIG_PATH", "", "other clusters are named by secrets"), ("ISTIO_WATCH_NAMESPACE", "", NotBuilt),
            ("ISTIO_KUBE_CLIENT_CONTENT_TYPE", "protobuf", "objects are always read as JSON"),
            ("MCS_API_GROUP", "multicluster.x-k8s.io", Fixed), ("MCS_API_VERSION", "v1alpha1", Fixed),
            ("PILOT_IGNORE_RESOURCES", "", "all kinds of the mesh are read"),
            ("PILOT_INCLUDE_RESOURCES", "", "all kinds of the mesh are read"),
            ("INJECTION_WEBHOOK_CONFIG_NAME", "istio-sidecar-injector", "registrations are found by their label istio.io/rev"),
            ("VALIDATION_WEBHOOK_CONFIG_NAME", "istio-istio-system", "registrations are found by their label istio.io/rev"),
            ("ENABLE_NATIVE_SIDECARS", "auto", "it follows from the versions of the nodes, and from the pod's annotation"),
            ("PILOT_NODE_UNTAINT_CONTROLLERS_TAINT_NAME", "cni.istio.io/not-ready", NotBuilt)),
        .. Without(SettingForm.Flag, ("ISTIO_DELTA_XDS", "true", "proxies choose their form of discovery"),
            ("PILOT_ENABLE_XDS_CACHE", "true", Kept), ("PILOT_ENABLE_CDS_CACHE", "true", Kept), ("PILOT_ENABLE_RDS_CACHE", "true", Kept),
            ("PILOT_XDS_CACHE_STATS", "false", NotBuilt), ("ENABLE_LAZY_SIDECAR_EVALUATION", "true", Sharing),
            ("PILOT_UNIFIED_SIDECAR_SCOPE", "true", Sharing), ("ENABLE_VTPROTOBUF", "true", "messages are written from shared bytes"),
            ("ENABLE_XDS_API_GENERATOR_AUTH", "true", Fixed), ("UNSAFE_ENABLE_ADMIN_ENDPOINTS", "false", NotBuilt),
            ("USE_CACERTS_FOR_SELF_SIGNED_CA", "false", NotBuilt), ("USE_REMOTE_CERTS", "false", NotBuilt),
            ("CITADEL_ENABLE_JITTER_FOR_ROOT_CERT_ROTATOR", "true", Fixed),
            ("ISTIO_MULTIROOT_MESH", "false", "a plugged-in root that changes is always taken up"),
            ("ENABLE_CLUSTER_TRUST_BUNDLE_API", "false", NotBuilt), ("PILOT_ENABLE_CA_CRL", "true", Fixed),
            ("JWKS_RESOLVER_INSECURE_SKIP_VERIFY", "false", "certificates of key servers are always verified"),
            ("PILOT_ENABLE_ROUTE_COLLAPSE_OPTIMIZATION", "true", Fixed), ("ENABLE_ENHANCED_DESTINATIONRULE_MERGE", "true", Fixed),
            ("PREFER_DESTINATIONRULE_TLS_FOR_EXTERNAL_SERVICES", "true", Fixed),
            ("PILOT_SIDECAR_PICK_BEST_SERVICE_NAMESPACE", "true", Fixed), ("ENABLE_LOCALITY_WEIGHTED_LB_CONFIG", "false", NotBuilt),
            ("ISTIO_ENABLE_IPV4_OUTBOUND_LISTENER_FOR_IPV6_CLUSTERS", "false", NotBuilt),
            ("DISABLE_TRACK_REMAINING_CB_METRICS", "true", Fixed), ("ENVOY_STATUS_PORT_ENABLE_PROXY_PROTOCOL", "false", NotBuilt),
            ("PILOT_ENABLE_GATEWAY_API", "true", "it is read where its definitions are installed"),
            ("PILOT_ENABLE_GATEWAY_API_STATUS", "true", Fixed), ("ENABLE_GATEWAY_API_MANUAL_DEPLOYMENT", "true", Fixed),
            ("PILOT_ENABLE_ALPHA_GATEWAY_API", "false", "it is read where its definitions are installed"),
            ("PILOT_ENABLE_AGENTGATEWAY", "false", NotBuilt), ("PILOT_MULTI_NETWORK_DISCOVER_GATEWAY_API", "true", Fixed),
            ("PILOT_ENABLE_AMBIENT_WAYPOINTS", "true", Fixed),
            ("PILOT_ENABLE_SENDING_HBONE", "true", Fixed),
            ("PILOT_ENABLE_SIDECAR_LISTENING_HBONE", "true", Fixed),
            ("PILOT_PREFER_SENDING_HBONE", "false", NotBuilt), ("AMBIENT_ENABLE_STATUS", "true", Fixed),
            ("ENABLE_INGRESS_WAYPOINT_ROUTING", "true", Fixed), ("AMBIENT_ENABLE_MULTI_NETWORK_INGRESS", "false", NotBuilt),
            ("AMBIENT_ENABLE_BAGGAGE", "false", NotBuilt), ("ENABLE_LAYERED_WAYPOINT_AUTHORIZATION_POLICIES", "false", NotBuilt),
            ("AMBIENT_SCOPED_ADDRESS_PUSHES", "true", Fixed), ("AMBIENT_ENABLE_DRY_RUN_AUTHORIZATION_POLICY", "false", NotBuilt),
            ("ISTIO_ENABLE_CONTROLLER_QUEUE_METRICS", "false", "there are no such queues"), ("PILOT_ENVOY_FILTER_STATS", "false", NotBuilt),
            ("LABEL_CANONICAL_SERVICES_FOR_MESH_EXTERNAL_SERVICE_ENTRIES", "false", NotBuilt),
            ("EXTERNAL_ISTIOD", "false", NotBuilt), ("PILOT_ENABLE_SERVICEENTRY_SELECT_PODS", "true", Fixed),
            ("PILOT_ENABLE_K8S_SELECT_WORKLOAD_ENTRIES", "true", Fixed), ("PILOT_ENABLE_WORKLOAD_ENTRY_AUTOREGISTRATION", "true", Fixed),
            ("PILOT_ENABLE_CROSS_CLUSTER_WORKLOAD_ENTRY", "true", Fixed),
            ("ISTIO_WORKLOAD_ENTRY_VALIDATE_IDENTITY", "true", Fixed), ("RESOLVE_HOSTNAME_GATEWAYS", "true", Fixed),
            ("PILOT_ENABLE_REMOTE_CREDENTIALS_CONTROLLER", "true", Fixed), ("LOCAL_CLUSTER_SECRET_WATCHER", "false", NotBuilt),
            ("ENABLE_PROXY_FIND_POD_BY_IP", "false", NotBuilt), ("ENABLE_MCS_AUTO_EXPORT", "false", NotBuilt),
            ("ENABLE_MCS_HOST", "false", NotBuilt), ("ENABLE_MCS_CLUSTER_LOCAL", "false", NotBuilt),
            ("ENABLE_MCS_SERVICE_DISCOVERY", "false", NotBuilt), ("ENABLE_LEADER_ELECTION", "true", Fixed),
            ("PILOT_ENABLE_NODE_UNTAINT_CONTROLLERS", "false", NotBuilt),
            ("PILOT_ENABLE_ANALYSIS", "false", "findings are always written to the status of objects")),
    ];

    private static IEnumerable<KnownSetting> Of(SettingForm form, params (string Name, string Preset)[] settings) =>
        settings.Select(setting => new KnownSetting(setting.Name, form, setting.Preset));

    private static IEnumerable<KnownSetting> Without(SettingForm form, params (string Name, string Preset, string Why)[] settings) =>
        settings.Select(setting => new KnownSetting(setting.Name, form, setting.Preset, setting.Why));
}
