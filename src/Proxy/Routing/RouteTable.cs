using System.Buffers.Text;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Routing;

/// <summary>When a virtual host wants TLS.</summary>
public enum TlsRequirement : byte
{
    None,
    ExternalOnly,
    All,
}

/// <summary>A virtual host: domains, and routes in order (envoy.config.route.v3.VirtualHost).</summary>
public sealed class VirtualHost
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Its domains.</summary>
    public required IReadOnlyList<string> Domains { get; init; }

    /// <summary>Its routes, in order.</summary>
    public required IReadOnlyList<Route> Routes { get; init; }

    /// <summary>Whether plain requests are redirected to https.</summary>
    public TlsRequirement RequireTls { get; init; }

    /// <summary>Header changes at this level.</summary>
    public HeaderMutations RequestHeaders { get; init; } = HeaderMutations.None;

    /// <summary>Header changes at this level.</summary>
    public HeaderMutations ResponseHeaders { get; init; } = HeaderMutations.None;

    /// <summary>x-envoy-attempt-count goes upstream.</summary>
    public bool AttemptCountInRequest { get; init; }

    /// <summary>x-envoy-attempt-count goes downstream.</summary>
    public bool AttemptCountInResponse { get; init; }

    /// <summary>x-envoy-is-timeout-retry goes upstream.</summary>
    public bool TimeoutRetryHeader { get; init; }

    /// <summary>Rate limit descriptors of the host, in the translator's form.</summary>
    public object? RateLimits { get; init; }

    /// <summary>Metadata of the host; null where there is none.</summary>
    public Metadata? Metadata { get; init; }

    /// <summary>Classes of requests that are counted apart, in order; the last takes what belongs to no other.</summary>
    public IReadOnlyList<VirtualCluster> VirtualClusters { get; init; } = [];

    /// <summary>The table it stands in; set when the table is made.</summary>
    public RouteTable Table { get; internal set; } = null!;
}

/// <summary>What routing came to.</summary>
public enum RouteOutcome : byte
{
    NoVirtualHost,
    NoRoute,
    TlsRedirect,
    Matched,
}

/// <summary>Routing's result: a value.</summary>
/// <param name="Outcome">What it came to.</param>
/// <param name="Host">The virtual host; null for <see cref="RouteOutcome.NoVirtualHost"/>.</param>
/// <param name="Route">The route; null where none matched.</param>
/// <param name="Target">The weighted target that chance took; null where the route has none.</param>
/// <param name="Cluster">The cluster's handle; null where the action is no forward, or where a header names none (or an unknown
/// one).</param>
public readonly record struct RouteDecision(RouteOutcome Outcome, VirtualHost? Host = null, Route? Route = null,
    WeightedTarget? Target = null, ClusterHandle? Cluster = null);

/// <summary>A whole route configuration (envoy.config.route.v3.RouteConfiguration), published and never changed.</summary>
public sealed class RouteTable
{
    private readonly HostTable<VirtualHost> _hosts = new();

    /// <summary>Builds the table. Domains that stand twice keep their first host; the translator has refused them before.</summary>
    public RouteTable(string name, IReadOnlyList<VirtualHost> hosts)
    {
        Name = name;
        Hosts = hosts;
        foreach (VirtualHost host in hosts)
        {
            host.Table = this;
            foreach (Route route in host.Routes)
                route.Host = host;
            foreach (string domain in host.Domains)
                _hosts.TryAdd(domain, host);
        }
    }

    /// <summary>Its name.</summary>
    public string Name { get; }

    /// <summary>Its virtual hosts as they came.</summary>
    public IReadOnlyList<VirtualHost> Hosts { get; }

    /// <summary>The clusters that its routes name, some several times.</summary>
    public IEnumerable<ClusterHandle> Clusters => Hosts.SelectMany(host => host.Routes).Select(route => route.Action)
        .OfType<ForwardAction>().SelectMany(forward => forward.Weighted.Select(target => target.Cluster)
            .Concat(forward.Mirrors.Select(mirror => mirror.Cluster)).Append(forward.Cluster)).OfType<ClusterHandle>();

    /// <summary>A port in the host header takes no part in the search.</summary>
    public bool IgnorePort { get; init; }

    /// <summary>Header changes at this level.</summary>
    public HeaderMutations RequestHeaders { get; init; } = HeaderMutations.None;

    /// <summary>Header changes at this level.</summary>
    public HeaderMutations ResponseHeaders { get; init; } = HeaderMutations.None;

    /// <summary>The most specific level's header changes are made last, and win.</summary>
    public bool MostSpecificWins { get; init; }

    /// <summary>Headers that never leave from here (internal_only_headers).</summary>
    public IReadOnlyList<byte[]> InternalOnlyHeaders { get; init; } = [];

    /// <summary>Shadows of the table's level are in each route's policy already.</summary>
    public string Version { get; init; } = "";

    /// <summary>The virtual host of an authority; null where none matches.</summary>
    public VirtualHost? FindHost(ReadOnlySpan<byte> authority) => _hosts.Find(IgnorePort ? WithoutPort(authority) : authority);

    /// <summary>Station 7: decides.</summary>
    public RouteDecision Find(HeaderMap head, in RouteFacts facts)
    {
        ReadOnlySpan<byte> authority = head[KnownHeader.Authority];
        // Without the scheme a request can't be told to be secure; Envoy takes no route then (observed: an empty x-forwarded-proto gives
        // 404).
        if (head.TryGet(KnownHeader.XForwardedProto, out ReadOnlySpan<byte> proto) && proto.IsEmpty)
            return new RouteDecision(RouteOutcome.NoRoute);
        VirtualHost? host = FindHost(authority);
        if (host is null)
            return new RouteDecision(RouteOutcome.NoVirtualHost);
        if (host.RequireTls != TlsRequirement.None && !proto.SequenceEqual("https"u8)
            && (host.RequireTls == TlsRequirement.All || !facts.IsInternal))
            return new RouteDecision(RouteOutcome.TlsRedirect, host);
        ReadOnlySpan<byte> path = head[KnownHeader.Path];
        bool isConnect = head[KnownHeader.Method].SequenceEqual("CONNECT"u8);
        for (int i = 0; i < host.Routes.Count; i++)
        {
            Route route = host.Routes[i];
            if (route.Matches(head, path, isConnect, facts))
                return Decide(host, route, head, facts);
        }
        return new RouteDecision(RouteOutcome.NoRoute, host);
    }

    private static RouteDecision Decide(VirtualHost host, Route route, HeaderMap head, in RouteFacts facts)
    {
        if (route.Action is not ForwardAction forward)
            return new RouteDecision(RouteOutcome.Matched, host, route);
        if (forward.Weighted.Count > 0)
        {
            WeightedTarget target = Pick(forward, head, facts.Random);
            return new RouteDecision(RouteOutcome.Matched, host, route, target,
                target.Cluster ?? ByHeader(target.ClusterHeader, forward, head));
        }
        return new RouteDecision(RouteOutcome.Matched, host, route, null,
            forward.Cluster ?? ByHeader(forward.ClusterHeader, forward, head));
    }

    private static WeightedTarget Pick(ForwardAction forward, HeaderMap head, ulong random)
    {
        if (forward.WeightHeader.Length > 0 && head.TryGet(forward.WeightHeader, out ReadOnlySpan<byte> text)
            && Utf8Parser.TryParse(text, out ulong given, out int used) && used == text.Length)
            random = given;
        ulong at = forward.TotalWeight == 0 ? 0 : random % forward.TotalWeight;
        for (int i = 0; i < forward.Weighted.Count; i++)
        {
            WeightedTarget target = forward.Weighted[i];
            if (at < target.Weight)
                return target;
            at -= target.Weight;
        }
        return forward.Weighted[^1];
    }

    private static ClusterHandle? ByHeader(byte[] header, ForwardAction forward, HeaderMap head) =>
        header.Length > 0 && head.TryGet(header, out ReadOnlySpan<byte> name) && !name.IsEmpty
            ? forward.FindCluster?.Invoke(System.Text.Encoding.UTF8.GetString(name))
            : null;

    private static ReadOnlySpan<byte> WithoutPort(ReadOnlySpan<byte> authority)
    {
        int colon = authority.LastIndexOf((byte)':');
        // [::1] has colons of its own; whatever stands behind the last colon outside brackets counts as a port (observed).
        return colon < 0 || authority[colon..].Contains((byte)']') ? authority : authority[..colon];
    }
}
