using System.Runtime.CompilerServices;
using System.Text.Json;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>From where a proxy tells of traffic.</summary>
public enum IstioReporter : byte
{
    /// <summary>The caller's proxy.</summary>
    Source,

    /// <summary>The proxy of who is called.</summary>
    Destination,

    /// <summary>A proxy in front of who is called.</summary>
    Waypoint,
}

/// <summary>Who talked to whom, and through which service: what all metrics of one stream have in common.</summary>
internal readonly record struct IstioParties(
    WorkloadPeer Source, WorkloadPeer Destination, string SourceNamespace, string DestinationNamespace, string SourcePrincipal,
    string DestinationPrincipal, string Service, string ServiceName,
    string ServiceNamespace, string Security);

/// <summary>Finds the parties of a stream. Rules of Istio's istio.stats: the peer from filter state, else from the endpoint's metadata; the
/// service from the cluster's metadata, else the host header.</summary>
/// <param name="reporter">From where.</param>
/// <param name="own">Ourselves.</param>
/// <param name="hostFallback">The host header names the service where nothing else does.</param>
internal sealed class PartyFinder(IstioReporter reporter, WorkloadPeer own, bool hostFallback)
{
    // Texts that come from peers (hosts, names of certificates) are kept by thread, so that a warm stream makes none.
    private const int TextsMax = 4096;

    private const string Unknown = WorkloadPeer.None;

    // Kept by the metadata object, which lives as long as its configuration.
    private readonly ConditionalWeakTable<Metadata, object> _services = [], _endpoints = [];

    [ThreadStatic]
    private static Dictionary<string, string>? t_namespaces;

    [ThreadStatic]
    private static HashSet<string>? t_hosts;

    private object? PeerOf(IStreamFacts facts) =>
        facts.FilterState(reporter == IstioReporter.Source ? PeerMetadataFilter.UpstreamKey : PeerMetadataFilter.DownstreamKey);

    /// <summary>The parties of a stream.</summary>
    public IstioParties Of(IStreamFacts facts)
    {
        var peer = PeerOf(facts) as WorkloadPeer;
        (string host, string name) = Service(facts);
        if (reporter == IstioReporter.Source)
        {
            peer ??= Endpoint(facts) ?? WorkloadPeer.Unknown;
            string principal = First(facts.UpstreamTls?.PeerUris), ns = NamespaceOf(principal) ?? peer.Namespace;
            return new IstioParties(own, peer, own.Namespace, ns, First(facts.UpstreamTls?.LocalUris), principal, host, name, ns, Unknown);
        }
        peer ??= WorkloadPeer.Unknown;
        string caller = Text(facts, "io.istio.peer_principal") ?? First(facts.DownstreamTls?.PeerUris),
            called = Text(facts, "io.istio.local_principal") ?? First(facts.DownstreamTls?.LocalUris);
        string security = caller != Unknown && called != Unknown
            ? "mutual_tls" : "none", callersNamespace = NamespaceOf(caller) ?? peer.Namespace;
        if (reporter == IstioReporter.Destination)
            return new IstioParties(peer, own, callersNamespace, own.Namespace, caller, called, Or(host, own.CanonicalService),
                Or(name, own.CanonicalService), own.Namespace, security);
        WorkloadPeer behind = facts.FilterState(PeerMetadataFilter.UpstreamKey) as WorkloadPeer ?? Endpoint(facts) ?? WorkloadPeer.Unknown;
        return new IstioParties(peer, behind, callersNamespace, behind.Namespace, caller, behind.Identity,
            Or(host, behind.CanonicalService), Or(name, behind.CanonicalService), own.Namespace, security);
    }

    private static string Or(string text, string other) => text != Unknown ? text : other;

    private static string First(IReadOnlyList<string>? names) => names is { Count: > 0 } ? names[0] : Unknown;

    private static string? Text(IStreamFacts facts, string key) => facts.FilterState(key)?.ToString() is { Length: > 0 } text ? text : null;

    // ---- the service

    private (string Host, string Name) Service(IStreamFacts facts)
    {
        string fallback = hostFallback && facts.RequestHead is { } head && head.TryGet(KnownHeader.Authority, out ReadOnlySpan<byte> host)
            && host.Length > 0 ? Kept(host) : Unknown;
        switch (facts.RouteName)
        {
            case "block_all":
                return (fallback, "BlackHoleCluster");
            case "allow_any":
                return (fallback, "PassthroughCluster");
        }
        string cluster = facts.ClusterName;
        if (cluster is "BlackHoleCluster" or "PassthroughCluster" or "InboundPassthroughCluster" or "InboundPassthroughClusterIpv4"
            or "InboundPassthroughClusterIpv6")
            return (fallback, cluster);
        if (facts.ClusterMetadata is not { IsEmpty: false } metadata)
            return (fallback, fallback);
        if (!_services.TryGetValue(metadata, out object? known))
        {
            known = ServiceOf(metadata) is { } read ? read : new object();
            _services.TryAdd(metadata, known);
        }
        return known is ValueTuple<string, string> service ? service : (fallback, fallback);
    }

    // The first of istio.services; a service without a name has the first label of its host for one.
    private static (string Host, string Name)? ServiceOf(Metadata metadata)
    {
        if (!metadata.TryGet("istio", ["services"], out JsonElement services) || services.ValueKind != JsonValueKind.Array
            || services.GetArrayLength() == 0)
            return null;
        string host = Text(services[0], "host"), name = Text(services[0], "name");
        return (host, name != Unknown ? name : host.Split('.')[0]);
    }

    private static string Text(JsonElement e, string name) =>
        e.ValueKind == JsonValueKind.Object && e.TryGetProperty(name, out JsonElement value) && value.ValueKind == JsonValueKind.String
            && value.GetString() is { Length: > 0 } text ? text : Unknown;

    private static string Kept(ReadOnlySpan<byte> host)
    {
        HashSet<string> known = t_hosts ??= new HashSet<string>(StringComparer.Ordinal);
        Span<char> text = stackalloc char[256];
        text = text[..System.Text.Encoding.Latin1.GetChars(host[..Math.Min(host.Length, 255)], text)];
        if (known.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(text, out string? kept))
            return kept;
        kept = text.ToString();
        if (known.Count < TextsMax)
            known.Add(kept);
        return kept;
    }

    // ---- the peer

    // Endpoints carry istio.workload: "workload;namespace;canonical name;canonical revision;cluster".
    private WorkloadPeer? Endpoint(IStreamFacts facts)
    {
        if (facts.UpstreamHostMetadata is not { IsEmpty: false } metadata)
            return null;
        if (!_endpoints.TryGetValue(metadata, out object? known))
        {
            known = EndpointOf(metadata) ?? new object();
            _endpoints.TryAdd(metadata, known);
        }
        return known as WorkloadPeer;
    }

    private static WorkloadPeer? EndpointOf(Metadata metadata)
    {
        if (metadata.Text("istio", "workload") is not { } text || text.Split(';') is not { Length: >= 5 } parts)
            return null;
        string Part(int i) => parts[i].Length > 0 ? parts[i] : Unknown;
        return new WorkloadPeer
        {
            Workload = Part(0),
            Namespace = Part(1),
            CanonicalService = Part(2),
            CanonicalRevision = parts[3].Length > 0 ? parts[3] : "latest",
            App = Part(2),
            Version = Part(3),
            Cluster = Part(4),
        };
    }

    // spiffe://DOMAIN/ns/NAMESPACE/sa/ACCOUNT
    private static string? NamespaceOf(string principal)
    {
        if (principal == Unknown)
            return null;
        Dictionary<string, string> known = t_namespaces ??= new Dictionary<string, string>(StringComparer.Ordinal);
        if (known.TryGetValue(principal, out string? ns))
            return ns.Length > 0 ? ns : null;
        int at = principal.IndexOf("/ns/", StringComparison.Ordinal);
        ns = at < 0 ? "" : principal[(at + 4)..].Split('/')[0];
        if (known.Count < TextsMax)
            known[principal] = ns;
        return ns.Length > 0 ? ns : null;
    }
}
