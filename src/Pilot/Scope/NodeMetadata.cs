using System.Collections.Frozen;
using System.Collections.Immutable;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Pilot.Scope;

/// <summary>Node metadata: what the agent says about its proxy (the ISTIO_META_ variables and what it knows of the pod).</summary>
public sealed record NodeMetadata
{
    /// <summary>Nothing said.</summary>
    public static readonly NodeMetadata Empty = new();

    /// <summary>As received.</summary>
    public Struct Raw { get; init; } = new();

    /// <summary>CLUSTER_ID.</summary>
    public string ClusterId { get; init; } = "";

    /// <summary>NAMESPACE.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>NAME.</summary>
    public string Name { get; init; } = "";

    /// <summary>WORKLOAD_NAME.</summary>
    public string WorkloadName { get; init; } = "";

    /// <summary>SERVICE_ACCOUNT.</summary>
    public string ServiceAccount { get; init; } = "";

    /// <summary>NODE_NAME.</summary>
    public string NodeName { get; init; } = "";

    /// <summary>NETWORK.</summary>
    public string Network { get; init; } = "";

    /// <summary>MESH_ID.</summary>
    public string MeshId { get; init; } = "";

    /// <summary>ISTIO_VERSION.</summary>
    public string IstioVersion { get; init; } = "";

    /// <summary>INTERCEPTION_MODE.</summary>
    public InterceptionMode Interception { get; init; }

    /// <summary>GENERATOR: <c>grpc</c> for proxyless clients; empty for Envoy.</summary>
    public string Generator { get; init; } = "";

    /// <summary>DNS_CAPTURE.</summary>
    public bool DnsCapture { get; init; }

    /// <summary>DNS_AUTO_ALLOCATE.</summary>
    public bool DnsAutoAllocate { get; init; }

    /// <summary>ENABLE_HBONE.</summary>
    public bool EnableHbone { get; init; }

    /// <summary>DISABLE_HBONE_SEND.</summary>
    public bool DisableHboneSend { get; init; }

    /// <summary>ENABLE_SELF_DISCOVERY.</summary>
    public bool EnableSelfDiscovery { get; init; }

    /// <summary>UNPRIVILEGED_POD: ports below 1024 can't be bound.</summary>
    public bool UnprivilegedPod { get; init; }

    /// <summary>HTTP10.</summary>
    public bool Http10 { get; init; }

    /// <summary>IDLE_TIMEOUT.</summary>
    public string IdleTimeout { get; init; } = "";

    /// <summary>HTTP_PROXY_PORT.</summary>
    public string HttpProxyPort { get; init; } = "";

    /// <summary>ROUTER_MODE.</summary>
    public string RouterMode { get; init; } = "";

    /// <summary>TLS_CLIENT_CERT_CHAIN, TLS_CLIENT_KEY, TLS_CLIENT_ROOT_CERT.</summary>
    public (string CertChain, string Key, string RootCert) TlsClient { get; init; } = ("", "", "");

    /// <summary>TLS_SERVER_CERT_CHAIN, TLS_SERVER_KEY, TLS_SERVER_ROOT_CERT.</summary>
    public (string CertChain, string Key, string RootCert) TlsServer { get; init; } = ("", "", "");

    /// <summary>REQUESTED_NETWORK_VIEW: networks whose endpoints it wants; empty for all.</summary>
    public FrozenSet<string> NetworkView { get; init; } = FrozenSet<string>.Empty;

    /// <summary>POD_PORTS; empty when nothing readable was sent.</summary>
    public ImmutableArray<PodPort> PodPorts { get; init; } = [];

    /// <summary>ANNOTATIONS of the pod.</summary>
    public FrozenDictionary<string, string> Annotations { get; init; } = FrozenDictionary<string, string>.Empty;

    /// <summary>A text entry of <see cref="Raw"/>; empty when it is not there.</summary>
    public string Text(string key) => Raw.Fields.TryGetValue(key, out var value) ? TextOf(value) : "";

    /// <summary>A flag of <see cref="Raw"/>: a boolean, or a text that reads as one.</summary>
    public bool Flag(string key) => Raw.Fields.TryGetValue(key, out var value) && FlagOf(value) == true;

    /// <summary>A value as a flag: a boolean, or a text that reads as one; null for anything else.</summary>
    public static bool? FlagOf(Value value) => value.KindCase == Value.KindOneofCase.BoolValue
        ? value.BoolValue
        : value.StringValue switch
        {
            "true" or "1" or "t" or "TRUE" or "True" or "T" => true,
            "false" or "0" or "f" or "FALSE" or "False" or "F" => false,
            _ => null,
        };

    /// <summary>A value as text: texts as they are, numbers and booleans in their usual form, anything else empty.</summary>
    public static string TextOf(Value value) => value.KindCase switch
    {
        Value.KindOneofCase.StringValue => value.StringValue,
        Value.KindOneofCase.NumberValue => value.NumberValue.ToString(System.Globalization.CultureInfo.InvariantCulture),
        Value.KindOneofCase.BoolValue => value.BoolValue ? "true" : "false",
        _ => "",
    };
}
