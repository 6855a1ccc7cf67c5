using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Routing;

/// <summary>What a route does with a request.</summary>
public abstract class RouteAction
{
}

/// <summary>Answers by itself (envoy.config.route.v3.DirectResponseAction).</summary>
/// <param name="status">The status.</param>
/// <param name="body">The body; empty for none.</param>
/// <param name="bodyFormat">A format that makes the body instead; null for none.</param>
public sealed class DirectResponseAction(int status, byte[] body, ReplyBody? bodyFormat = null) : RouteAction
{
    /// <summary>The status.</summary>
    public int Status { get; } = status;

    /// <summary>The body.</summary>
    public byte[] Body { get; } = body;

    /// <summary>A format that makes the body instead; null for none.</summary>
    public ReplyBody? BodyFormat { get; } = bodyFormat;
}

/// <summary>Matches, and forwards nothing: the answer is 404 (only a proxyless client uses it otherwise).</summary>
public sealed class NonForwardingAction : RouteAction
{
}

/// <summary>Sends the client elsewhere (envoy.config.route.v3.RedirectAction).</summary>
public sealed class RedirectAction : RouteAction
{
    /// <summary>301, 302, 303, 307 or 308.</summary>
    public required int Status { get; init; }

    /// <summary>The scheme to go to; null keeps it.</summary>
    public string? Scheme { get; init; }

    /// <summary>True where the scheme was asked as https_redirect: only then a port :80 is cut.</summary>
    public bool HttpsRedirect { get; init; }

    /// <summary>The host to go to; empty keeps it.</summary>
    public string Host { get; init; } = "";

    /// <summary>The port to go to; 0 keeps it.</summary>
    public int Port { get; init; }

    /// <summary>The path in place of the old one; null where it is not replaced.</summary>
    public string? Path { get; init; }

    /// <summary>In place of the matched prefix; null where it is not replaced.</summary>
    public string? PrefixRewrite { get; init; }

    /// <summary>A rewrite of the path by expression.</summary>
    public RegexRewrite? RegexRewrite { get; init; }

    /// <summary>The query is cut.</summary>
    public bool StripQuery { get; init; }
}

/// <summary>Replaces what an expression matches (envoy.type.matcher.v3.RegexMatchAndSubstitute).</summary>
/// <param name="Pattern">The expression.</param>
/// <param name="Substitution">With \0 to \9 for groups.</param>
public sealed record RegexRewrite(SafeRegex Pattern, string Substitution);

/// <summary>How the host header is rewritten.</summary>
public enum HostRewriteKind : byte
{
    None,
    Literal,
    Auto,
    Header,
    PathRegex,
}

/// <summary>The rewrite of the host (envoy.config.route.v3.RouteAction.host_rewrite_specifier).</summary>
/// <param name="Kind">How.</param>
/// <param name="Text">The literal, or the header's name.</param>
/// <param name="Regex">For <see cref="HostRewriteKind.PathRegex"/>.</param>
public sealed record HostRewrite(HostRewriteKind Kind, byte[] Text, RegexRewrite? Regex = null);

/// <summary>One of several clusters by weight (envoy.config.route.v3.WeightedCluster.ClusterWeight).</summary>
public sealed class WeightedTarget
{
    /// <summary>The cluster; null where a header names it.</summary>
    public ClusterHandle? Cluster { get; init; }

    /// <summary>The header that names the cluster; empty where it is fixed.</summary>
    public byte[] ClusterHeader { get; init; } = [];

    /// <summary>Its share of the sum.</summary>
    public required uint Weight { get; init; }

    /// <summary>Changes of the request's headers at this level.</summary>
    public HeaderMutations RequestHeaders { get; init; } = HeaderMutations.None;

    /// <summary>Changes of the response's headers at this level.</summary>
    public HeaderMutations ResponseHeaders { get; init; } = HeaderMutations.None;

    /// <summary>Filters' settings, resolved with the route's.</summary>
    public FilterSettings Filters { get; init; } = FilterSettings.Empty;

    /// <summary>The host rewrite of this target; empty for the route's.</summary>
    public byte[] HostRewrite { get; init; } = [];

    /// <summary>Endpoint metadata that the load balancer must match, with the route's.</summary>
    public SubsetCriteria? Subset { get; init; }
}

/// <summary>Sends the request to a cluster (envoy.config.route.v3.RouteAction).</summary>
public sealed class ForwardAction : RouteAction
{
    /// <summary>The cluster; null where weights or a header decide.</summary>
    public ClusterHandle? Cluster { get; init; }

    /// <summary>The header that names the cluster; empty where it is fixed.</summary>
    public byte[] ClusterHeader { get; init; } = [];

    /// <summary>Clusters by weight; empty where one is fixed.</summary>
    public IReadOnlyList<WeightedTarget> Weighted { get; init; } = [];

    /// <summary>The sum that weights are shares of.</summary>
    public ulong TotalWeight { get; init; }

    /// <summary>A header whose number takes the place of chance for weights; empty for none.</summary>
    public byte[] WeightHeader { get; init; } = [];

    /// <summary>Finds clusters that headers name.</summary>
    public Func<string, ClusterHandle?>? FindCluster { get; init; }

    /// <summary>The answer where the cluster is unknown: 503, 404 or 500.</summary>
    public int ClusterNotFoundStatus { get; init; } = 503;

    /// <summary>In place of the matched prefix; null where it is not replaced.</summary>
    public string? PrefixRewrite { get; init; }

    /// <summary>A rewrite of the path by expression.</summary>
    public RegexRewrite? PathRewrite { get; init; }

    /// <summary>A rewrite of the path by the route's template; null for none.</summary>
    public string? TemplateRewrite { get; init; }

    /// <summary>The rewrite of the host.</summary>
    public HostRewrite? HostRewrite { get; init; }

    /// <summary>The old host goes to x-forwarded-host when the host is rewritten.</summary>
    public bool AppendForwardedHost { get; init; }

    /// <summary>Times.</summary>
    public required TimeoutPolicy Timeouts { get; init; }

    /// <summary>Retries; null where the route and its virtual host ask for none (headers may still).</summary>
    public RetryPolicy? Retry { get; init; }

    /// <summary>Hedging on a slow try.</summary>
    public bool HedgeOnPerTryTimeout { get; init; }

    /// <summary>Shadows.</summary>
    public IReadOnlyList<MirrorPolicy> Mirrors { get; init; } = [];

    /// <summary>What the load balancer hashes, in order.</summary>
    public IReadOnlyList<HashPolicy> Hash { get; init; } = [];

    /// <summary>High priority: its own circuit breakers.</summary>
    public bool HighPriority { get; init; }

    /// <summary>Upgrades by type that the route switches on or off against the connection's setting.</summary>
    public IReadOnlyDictionary<string, bool> Upgrades { get; init; } = new Dictionary<string, bool>();

    /// <summary>CONNECT requests are ended here and their payload is relayed as TCP.</summary>
    public bool TerminateConnect { get; init; }

    /// <summary>With <see cref="TerminateConnect"/>: POST, too.</summary>
    public bool TerminatePost { get; init; }

    /// <summary>Redirects that are followed here; null for none.</summary>
    public InternalRedirectPolicy? InternalRedirect { get; init; }

    /// <summary>Endpoint metadata asked of the load balancer; null for none.</summary>
    public SubsetCriteria? Subset { get; init; }

    /// <summary>Global and local rate limit descriptors of the route, in the translator's form; see the rate limit filters.</summary>
    public object? RateLimits { get; init; }

    /// <summary>The virtual host's rate limits count besides.</summary>
    public bool IncludeHostRateLimits { get; init; }
}
