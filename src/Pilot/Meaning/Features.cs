using Lateen.Api.Documents;

namespace Lateen.Pilot.Meaning;

/// <summary>Settings of the control plane that istiod takes from its environment, under the same names and with the same
/// defaults.</summary>
public sealed record Features
{
    private static readonly string[] True = ["true", "1", "t", "T", "TRUE", "True"], False = ["false", "0", "f", "F", "FALSE", "False"];

    /// <summary>All defaults.</summary>
    public static readonly Features Default = new(new Dictionary<string, string>());

    private readonly IReadOnlyDictionary<string, string> _environment;

    /// <summary>Reads the variables that are known from <paramref name="environment"/>.</summary>
    public Features(IReadOnlyDictionary<string, string> environment) => _environment = environment;

    /// <summary>PILOT_ENABLE_AMBIENT.</summary>
    public bool Ambient => Flag("PILOT_ENABLE_AMBIENT", false);

    /// <summary>PILOT_ENABLE_METADATA_EXCHANGE: the TCP peer metadata exchange filters.</summary>
    public bool MetadataExchange => Flag("PILOT_ENABLE_METADATA_EXCHANGE", true);

    /// <summary>PILOT_DISABLE_MX_ALPN: no peer-exchange ALPN.</summary>
    public bool DisableMetadataExchangeAlpn => Flag("PILOT_DISABLE_MX_ALPN", false);

    /// <summary>PILOT_ENABLE_ALPN_FILTER.</summary>
    public bool AlpnFilter => Flag("PILOT_ENABLE_ALPN_FILTER", true);

    /// <summary>Gateways ask the endpoint pickers of inference pools.</summary>
    public bool InferencePools => Flag("ENABLE_GATEWAY_API_INFERENCE_EXTENSION", false);

    /// <summary>PILOT_ENABLE_TELEMETRY_LABEL: clusters and endpoints carry the names that telemetry reports.</summary>
    public bool TelemetryLabels => Flag("PILOT_ENABLE_TELEMETRY_LABEL", true);

    /// <summary>PILOT_ENDPOINT_TELEMETRY_LABEL: endpoints do, too.</summary>
    public bool EndpointTelemetryLabels => TelemetryLabels && Flag("PILOT_ENDPOINT_TELEMETRY_LABEL", true);

    /// <summary>PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS: unhealthy endpoints are sent unless minHealthPercent is set.</summary>
    public bool AutoSendUnhealthy => Flag("PILOT_AUTO_SEND_UNHEALTHY_ENDPOINTS", true);

    /// <summary>PILOT_SEND_UNHEALTHY_ENDPOINTS: always send them.</summary>
    public bool SendUnhealthy => Flag("PILOT_SEND_UNHEALTHY_ENDPOINTS", false);

    /// <summary>PILOT_ENABLE_MYSQL_FILTER.</summary>
    public bool MySqlFilter => Flag("PILOT_ENABLE_MYSQL_FILTER", false);

    /// <summary>PILOT_ENABLE_REDIS_FILTER.</summary>
    public bool RedisFilter => Flag("PILOT_ENABLE_REDIS_FILTER", false);

    /// <summary>PILOT_ENABLE_MONGO_FILTER.</summary>
    public bool MongoFilter => Flag("PILOT_ENABLE_MONGO_FILTER", true);

    /// <summary>PILOT_HTTP10.</summary>
    public bool Http10 => Flag("PILOT_HTTP10", false);

    /// <summary>PILOT_FILTER_GATEWAY_CLUSTER_CONFIG: gateways get only clusters that their routes name.</summary>
    public bool FilterGatewayClusters => Flag("PILOT_FILTER_GATEWAY_CLUSTER_CONFIG", false);

    /// <summary>PILOT_ENABLE_PERSISTENT_SESSION_FILTER.</summary>
    public bool PersistentSessions => Flag("PILOT_ENABLE_PERSISTENT_SESSION_FILTER", false);

    /// <summary>PILOT_ENABLE_QUIC_LISTENERS.</summary>
    public bool QuicListeners => Flag("PILOT_ENABLE_QUIC_LISTENERS", false);

    /// <summary>PILOT_ALLOW_SIDECAR_SERVICE_INBOUND_LISTENER_MERGE.</summary>
    public bool MergeServiceInbound => Flag("PILOT_ALLOW_SIDECAR_SERVICE_INBOUND_LISTENER_MERGE", false);

    /// <summary>PILOT_ENABLE_HEADLESS_FILTER_CHAIN_LISTENER.</summary>
    public bool HeadlessFilterChains => Flag("PILOT_ENABLE_HEADLESS_FILTER_CHAIN_LISTENER", false);

    /// <summary>PILOT_ENABLE_EDS_FOR_HEADLESS_SERVICES.</summary>
    public bool EdsForHeadless => Flag("PILOT_ENABLE_EDS_FOR_HEADLESS_SERVICES", false);

    /// <summary>PILOT_SIDECAR_USE_REMOTE_ADDRESS.</summary>
    public bool UseRemoteAddress => Flag("PILOT_SIDECAR_USE_REMOTE_ADDRESS", false);

    /// <summary>ISTIO_DUAL_STACK.</summary>
    public bool DualStack => Flag("ISTIO_DUAL_STACK", false);

    /// <summary>ENABLE_TLS_ON_SIDECAR_INGRESS.</summary>
    public bool TlsOnSidecarIngress => Flag("ENABLE_TLS_ON_SIDECAR_INGRESS", false);

    /// <summary>ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS.</summary>
    public bool WildcardTlsEntries => Flag("ENABLE_WILDCARD_HOST_SERVICE_ENTRIES_FOR_TLS", false);

    /// <summary>COMPLIANCE_POLICY, empty when none.</summary>
    public string CompliancePolicy => Text("COMPLIANCE_POLICY", "");

    /// <summary>PILOT_JWT_ENABLE_REMOTE_JWKS: <c>false</c>, <c>hybrid</c>, <c>true</c>, <c>envoy</c>.</summary>
    public string RemoteJwks => Text("PILOT_JWT_ENABLE_REMOTE_JWKS", "false");

    /// <summary>PILOT_ENABLE_STRICT_GATEWAY_MERGING: Gateways that were generated with their deployment share it with hand-written ones of
    /// their namespace alone.</summary>
    public bool StrictGatewayMerging => Flag("PILOT_ENABLE_STRICT_GATEWAY_MERGING", true);

    /// <summary>PILOT_SCOPE_GATEWAY_TO_NAMESPACE: a Gateway selects workloads of its own namespace alone.</summary>
    public bool ScopesGatewaysToNamespace => Flag("PILOT_SCOPE_GATEWAY_TO_NAMESPACE", false);

    /// <summary>DISABLE_SHADOW_HOST_SUFFIX: mirrored requests keep their host.</summary>
    public bool DisableShadowHostSuffix => Flag("DISABLE_SHADOW_HOST_SUFFIX", true);

    /// <summary>PILOT_ALLOW_ANY_DYNAMIC_DNS_MAX_HOSTS.</summary>
    public uint DynamicDnsHostsMax => (uint)Number("PILOT_ALLOW_ANY_DYNAMIC_DNS_MAX_HOSTS", 1024);

    /// <summary>A boolean in Go's spellings; null for anything else.</summary>
    public static bool? ParseFlag(string text) =>
        Array.IndexOf(True, text) >= 0 ? true : Array.IndexOf(False, text) >= 0 ? false : null;

    /// <summary>Any other boolean variable; one that is none counts as not set, as in istiod.</summary>
    public bool Flag(string name, bool otherwise) =>
        _environment.TryGetValue(name, out var value) ? ParseFlag(value) ?? otherwise : otherwise;

    /// <summary>Any other duration, in Go's notation; one that is none, or below zero, counts as not set.</summary>
    public TimeSpan Duration(string name, TimeSpan otherwise) =>
        _environment.TryGetValue(name, out var value) && Durations.TryParse(value, out var span) && span is { Seconds: >= 0, Nanos: >= 0 }
            ? span.ToTimeSpan() : otherwise;

    /// <summary>Any other text variable.</summary>
    public string Text(string name, string otherwise) =>
        _environment.TryGetValue(name, out var value) && value.Length > 0 ? value : otherwise;

    /// <summary>Any other number.</summary>
    public long Number(string name, long otherwise) =>
        _environment.TryGetValue(name, out var value) && long.TryParse(value, out var number) ? number : otherwise;
}
