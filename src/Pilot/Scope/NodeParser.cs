using System.Collections.Frozen;
using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using Envoy.Config.Core.V3;
using Google.Protobuf.WellKnownTypes;

namespace Lateen.Pilot.Scope;

/// <summary>Reads the Node of a first request.</summary>
public static class NodeParser
{
    /// <summary>The node, or what is wrong with it.</summary>
    public static (ProxyNode? Node, string? Error) Parse(Node node)
    {
        var parts = node.Id.Split('~');
        if (parts.Length != 4) return (null, $"missing parts in the service node \"{node.Id}\"");
        if (TypeOf(parts[0]) is not { } type)
            return (null, $"invalid node type (valid types: [sidecar router waypoint ztunnel]) in the service node \"{node.Id}\"");

        var metadata = MetadataOf(node.Metadata ?? new Struct());
        var addresses = AddressesOf(metadata, parts[1]);
        if (addresses.IsEmpty) return (null, "no valid IP address in the service node id or metadata");

        return (new ProxyNode
        {
            Id = node.Id,
            Type = type,
            Addresses = addresses,
            WorkloadId = parts[2],
            DnsDomain = parts[3],
            Namespace = metadata.Namespace.Length > 0 ? metadata.Namespace : NamespaceOf(parts[2], parts[3]),
            ServiceCluster = node.Cluster,
            Labels = EntriesOf(metadata.Raw, "LABELS"),
            Locality = new(node.Locality?.Region ?? "", node.Locality?.Zone ?? "", node.Locality?.SubZone ?? ""),
            Metadata = metadata,
            Version = VersionOf(metadata.IstioVersion),
        }, null);
    }

    /// <summary>Reads <c>major.minor[.patch][-suffix]</c>; what can't be read counts as the newest.</summary>
    public static (int Major, int Minor, int Patch) VersionOf(string text)
    {
        const int newest = 65535;
        var dash = text.IndexOf('-', StringComparison.Ordinal);
        var parts = (dash < 0 ? text : text[..dash]).Split('.');
        if (parts.Length < 2 || !int.TryParse(parts[0], NumberStyles.None, CultureInfo.InvariantCulture, out var major)
            || !int.TryParse(parts[1], NumberStyles.None, CultureInfo.InvariantCulture, out var minor))
        {
            return (newest, newest, newest);
        }
        var hasPatch = parts.Length > 2 && int.TryParse(parts[2], NumberStyles.None, CultureInfo.InvariantCulture, out _);
        // Without a patch it is a development build of that minor: newer than each of its patches.
        return (major, minor, hasPatch ? int.Parse(parts[2], CultureInfo.InvariantCulture) : newest);
    }

    private static ProxyType? TypeOf(string word) => word switch
    {
        "sidecar" => ProxyType.Sidecar,
        "router" => ProxyType.Router,
        "waypoint" => ProxyType.Waypoint,
        "ztunnel" => ProxyType.Ztunnel,
        _ => null,
    };

    private static NodeMetadata MetadataOf(Struct raw)
    {
        var read = new NodeMetadata { Raw = raw };
        return read with
        {
            ClusterId = read.Text("CLUSTER_ID"),
            Namespace = read.Text("NAMESPACE"),
            Name = read.Text("NAME"),
            WorkloadName = read.Text("WORKLOAD_NAME"),
            ServiceAccount = read.Text("SERVICE_ACCOUNT"),
            NodeName = read.Text("NODE_NAME"),
            Network = read.Text("NETWORK"),
            MeshId = read.Text("MESH_ID"),
            IstioVersion = read.Text("ISTIO_VERSION"),
            Interception = read.Text("INTERCEPTION_MODE") switch
            {
                "NONE" => InterceptionMode.None,
                "TPROXY" => InterceptionMode.Tproxy,
                _ => InterceptionMode.Redirect,
            },
            Generator = read.Text("GENERATOR"),
            DnsCapture = read.Flag("DNS_CAPTURE"),
            DnsAutoAllocate = read.Flag("DNS_AUTO_ALLOCATE"),
            EnableHbone = read.Flag("ENABLE_HBONE"),
            DisableHboneSend = read.Flag("DISABLE_HBONE_SEND"),
            EnableSelfDiscovery = read.Flag("ENABLE_SELF_DISCOVERY"),
            UnprivilegedPod = read.Flag("UNPRIVILEGED_POD"),
            Http10 = read.Flag("HTTP10"),
            IdleTimeout = read.Text("IDLE_TIMEOUT"),
            HttpProxyPort = read.Text("HTTP_PROXY_PORT"),
            RouterMode = read.Text("ROUTER_MODE"),
            TlsClient = (read.Text("TLS_CLIENT_CERT_CHAIN"), read.Text("TLS_CLIENT_KEY"), read.Text("TLS_CLIENT_ROOT_CERT")),
            TlsServer = (read.Text("TLS_SERVER_CERT_CHAIN"), read.Text("TLS_SERVER_KEY"), read.Text("TLS_SERVER_ROOT_CERT")),
            PodPorts = PodPort.ParseList(read.Text("POD_PORTS")) ?? [],
            Annotations = EntriesOf(raw, "ANNOTATIONS"),
            NetworkView = read.Text("REQUESTED_NETWORK_VIEW")
                .Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries).ToFrozenSet(),
        };
    }

    private static ImmutableArray<string> AddressesOf(NodeMetadata metadata, string ofId)
    {
        var addresses = new List<string>();
        foreach (var candidate in metadata.Text("INSTANCE_IPS").Split(',').Prepend(ofId))
        {
            var address = candidate.Trim();
            if (IPAddress.TryParse(address, out _) && !addresses.Contains(address)) addresses.Add(address);
        }
        return [.. addresses];
    }

    private static FrozenDictionary<string, string> EntriesOf(Struct raw, string name) =>
        raw.Fields.TryGetValue(name, out var labels) && labels.KindCase == Value.KindOneofCase.StructValue
            ? labels.StructValue.Fields.ToFrozenDictionary(pair => pair.Key, pair => NodeMetadata.TextOf(pair.Value))
            : FrozenDictionary<string, string>.Empty;

    // Old agents send no NAMESPACE: it is then the first label of the domain, or the end of the workload id.
    private static string NamespaceOf(string workloadId, string domain)
    {
        var dot = domain.IndexOf('.', StringComparison.Ordinal);
        if (dot > 0 && domain.AsSpan(dot).StartsWith(".svc")) return domain[..dot];
        var end = workloadId.IndexOf('.', StringComparison.Ordinal);
        return end < 0 ? "" : workloadId[(end + 1)..];
    }
}
