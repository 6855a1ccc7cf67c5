using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.Edits;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.ExtAuthz;

/// <summary>What an authorization filter counts, under <c>http.NAME.ext_authz.</c>; the first four also under
/// <c>cluster.NAME.ext_authz.</c>.</summary>
public enum AuthzCounter : byte
{
    Denied,
    Error,
    FailureModeAllowed,
    Ok,
    Disabled,
    FilterStateNameCollision,
    IgnoredDynamicMetadata,
    Invalid,
    OmittedResponseHeaders,
    RequestHeaderLimitsReached,
    ResponseHeaderLimitsReached,
    ShadowDenied,
    ShadowError,
}

/// <summary>Where they are counted.</summary>
/// <param name="Filter">By connection manager.</param>
/// <param name="Clusters">By cluster; null for not.</param>
public sealed record AuthzStats(StatGroup Filter, ClusterFilterStats? Clusters)
{
    /// <summary>The counters of a filter.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<AuthzCounter>();

    /// <summary>Those of a cluster.</summary>
    public static readonly StatSchema OfCluster = StatSchema.Counters("denied", "error", "failure_mode_allowed", "ok");

    /// <summary>Counters that nobody reads.</summary>
    public static AuthzStats Unread(int workers) => new(StatGroup.Unread(Schema, workers), null);

    internal void Count(Exchange exchange, AuthzCounter counter)
    {
        Filter.Of(exchange.Worker.Index).Count((int)counter);
        if (counter <= AuthzCounter.Ok)
            Clusters?.Count(exchange, (int)counter);
    }
}

/// <summary>How much of a body the server is sent.</summary>
/// <param name="BytesMax">At most so much.</param>
/// <param name="AllowPartial">A larger body is cut rather than refused.</param>
/// <param name="AsBytes">It goes as bytes, not as text (gRPC).</param>
public sealed record AuthzBody(int BytesMax, bool AllowPartial, bool AsBytes);

/// <summary>A filter's settings.</summary>
public sealed record ExtAuthzSettings
{
    /// <summary>The server.</summary>
    public required AuthzService Service { get; init; }

    /// <summary>Where the server fails, requests go on.</summary>
    public bool FailureModeAllow { get; init; }

    /// <summary>Such requests are marked for the upstream.</summary>
    public bool MarkFailureMode { get; init; }

    /// <summary>The answer where the server fails.</summary>
    public int StatusOnError { get; init; } = 403;

    /// <summary>The body goes along; null for not.</summary>
    public AuthzBody? Body { get; init; }

    /// <summary>The route is taken anew where the server changed the request.</summary>
    public bool ClearRoute { get; init; }

    /// <summary>Share of requests that are judged.</summary>
    public Fraction Enabled { get; init; } = Fraction.All;

    /// <summary>Only requests with this dynamic metadata are judged; null for all.</summary>
    public MetadataMatch? EnabledMetadata { get; init; }

    /// <summary>What is not judged is denied.</summary>
    public bool DenyAtDisable { get; init; }

    /// <summary>Headers that could not stand in a head make the answer an error.</summary>
    public bool ValidateMutations { get; init; }

    /// <summary>Which headers the server may change; null for all.</summary>
    public HeaderMutationRules? MutationRules { get; init; }

    /// <summary>A denial counts as an answer of the route's cluster.</summary>
    public bool ChargesCluster { get; init; } = true;

    /// <summary>Dynamic metadata of the server is taken.</summary>
    public bool TakesMetadata { get; init; } = true;
}

/// <summary>A route's settings.</summary>
public sealed record ExtAuthzRouteSettings : LayeredSettings
{
    /// <summary>Not judged here.</summary>
    public bool Disabled { get; init; }

    /// <summary>Words for the server.</summary>
    public IReadOnlyDictionary<string, string> Extensions { get; init; } = new Dictionary<string, string>();

    /// <summary>No body goes along.</summary>
    public bool NoBody { get; init; }

    /// <summary>In place of the filter's; null for that.</summary>
    public AuthzBody? Body { get; init; }

    /// <summary>Words of all levels go to the server; where two say the same one, the more specific counts.</summary>
    public override LayeredSettings Over(LayeredSettings above)
    {
        if (above is not ExtAuthzRouteSettings { Extensions.Count: > 0 } under)
            return this;
        var words = new Dictionary<string, string>(under.Extensions);
        foreach ((string key, string value) in Extensions)
            words[key] = value;
        return this with { Extensions = words };
    }
}
