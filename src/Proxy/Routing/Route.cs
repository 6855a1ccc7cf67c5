using Lateen.Proxy.Http;

namespace Lateen.Proxy.Routing;

/// <summary>A share of requests: numerator of denominator (envoy.type.v3.FractionalPercent).</summary>
public readonly record struct Fraction(uint Numerator, uint Denominator)
{
    /// <summary>Every request.</summary>
    public static Fraction All => new(1, 1);

    /// <summary>True where a random number falls into the share.</summary>
    public bool Includes(ulong random) => Numerator >= Denominator || random % Denominator < Numerator;
}

/// <summary>A share of requests that a runtime value may set anew at any time.</summary>
/// <param name="Written">As configuration says it.</param>
/// <param name="Key">The runtime value that says otherwise, in percent; empty for none.</param>
/// <param name="Values">Where it is; null where nothing is asked.</param>
public readonly record struct LiveShare(Fraction Written, string Key = "", RuntimeValues? Values = null)
{
    /// <summary>Every request.</summary>
    public static LiveShare All => new(Fraction.All);

    /// <summary>True where a random number falls into the share as it is now.</summary>
    public bool Includes(ulong random) => (Values is null ? Written : Values.Share(Key, Written)).Includes(random);
}

/// <summary>Settings of HTTP filters for a route, resolved over route configuration, virtual host, route and weighted cluster when the
/// table was published; the most specific won.</summary>
public sealed class FilterSettings
{
    private readonly (string Filter, object Settings)[] _entries;

    /// <summary>From the resolved entries, keyed by the filter's name in its chain.</summary>
    public FilterSettings(IEnumerable<KeyValuePair<string, object>> entries) =>
        _entries = [.. entries.Select(e => (string.Intern(e.Key), e.Value))];

    /// <summary>None at all.</summary>
    public static FilterSettings Empty { get; } = new([]);

    /// <summary>All of them.</summary>
    public IReadOnlyList<(string Filter, object Settings)> Entries => _entries;

    /// <summary>The settings of a filter; <paramref name="filter"/> must be interned, as published chains' names are. Null where there are
    /// none.</summary>
    public object? Find(string filter)
    {
        foreach ((string name, object settings) in _entries)
        {
            if (ReferenceEquals(name, filter))
                return settings;
        }
        return null;
    }
}

/// <summary>Settings of which every level counts, not the most specific alone.</summary>
public abstract record LayeredSettings
{
    /// <summary>The settings of the level above; null for the last.</summary>
    public LayeredSettings? Above { get; init; }

    /// <summary>These settings with those of the level above; what can be made one when configuration is taken, is.</summary>
    public virtual LayeredSettings Over(LayeredSettings above) => this with { Above = above };
}

/// <summary>Turns a filter off for a route (envoy.config.route.v3.FilterConfig.disabled), or on where the chain has it off.</summary>
/// <param name="Disabled">Off.</param>
public sealed record FilterSwitch(bool Disabled);

/// <summary>What a route asks of the client's TLS (envoy.config.route.v3.RouteMatch.TlsContextMatchOptions).</summary>
public readonly record struct TlsMatch(bool? Presented, bool? Validated);

/// <summary>A test of dynamic metadata (envoy.type.matcher.v3.MetadataMatcher), evaluated by who has the metadata.</summary>
/// <param name="Filter">The namespace.</param>
/// <param name="Path">Keys from the top.</param>
/// <param name="Value">The test of the value.</param>
/// <param name="Invert">Turned round.</param>
public sealed record MetadataMatch(string Filter, IReadOnlyList<string> Path, ValueMatch Value, bool Invert);

/// <summary>A test of a structured value (envoy.type.matcher.v3.ValueMatcher).</summary>
public sealed record ValueMatch
{
    /// <summary>A text.</summary>
    public StringMatch? String { get; init; }

    /// <summary>A number, equal.</summary>
    public double? Number { get; init; }

    /// <summary>A number in [start, end).</summary>
    public (double Start, double End)? Range { get; init; }

    /// <summary>A truth value.</summary>
    public bool? Bool { get; init; }

    /// <summary>Is null.</summary>
    public bool Null { get; init; }

    /// <summary>Presence.</summary>
    public bool? Present { get; init; }

    /// <summary>A list with one element that matches.</summary>
    public ValueMatch? ListElement { get; init; }

    /// <summary>Any of these.</summary>
    public IReadOnlyList<ValueMatch>? AnyOf { get; init; }
}

/// <summary>A route (envoy.config.route.v3.Route): when, and then what.</summary>
public sealed class Route
{
    /// <summary>Its name; may be empty.</summary>
    public required string Name { get; init; }

    /// <summary>The resource that asked for it, as Istio writes it to metadata (filter_metadata.istio.config); empty where
    /// unknown.</summary>
    public string Origin { get; init; } = "";

    /// <summary>The path's test.</summary>
    public required PathMatch Path { get; init; }

    /// <summary>All must hold.</summary>
    public IReadOnlyList<HeaderMatch> Headers { get; init; } = [];

    /// <summary>All must hold.</summary>
    public IReadOnlyList<QueryMatch> Query { get; init; } = [];

    /// <summary>All must hold.</summary>
    public IReadOnlyList<MetadataMatch> MetadataMatches { get; init; } = [];

    /// <summary>Only gRPC requests.</summary>
    public bool GrpcOnly { get; init; }

    /// <summary>What the client's TLS must be.</summary>
    public TlsMatch? Tls { get; init; }

    /// <summary>The share of requests that it takes; the others go on to the next route.</summary>
    public LiveShare Share { get; init; } = LiveShare.All;

    /// <summary>What happens.</summary>
    public required RouteAction Action { get; init; }

    /// <summary>Changes of the request's headers: this level's alone; the router walks the levels.</summary>
    public HeaderMutations RequestHeaders { get; init; } = HeaderMutations.None;

    /// <summary>Changes of the response's headers.</summary>
    public HeaderMutations ResponseHeaders { get; init; } = HeaderMutations.None;

    /// <summary>Filters' settings, resolved.</summary>
    public FilterSettings Filters { get; init; } = FilterSettings.Empty;

    /// <summary>The route's metadata for filters, logs and tags; null where there is none.</summary>
    public Metadata? Metadata { get; init; }

    /// <summary>The operation's name for spans; null where the route has none.</summary>
    public Decorator? Decorator { get; init; }

    /// <summary>Sampling and tags that replace the connection's; null where the route has none.</summary>
    public TracingSettings? Tracing { get; init; }

    /// <summary>Bytes of a request that may be buffered (retries, shadows); null for the connection's limit.</summary>
    public uint? BufferBytesMax { get; init; }

    /// <summary>Counters of this route under this prefix; empty for none.</summary>
    public string StatPrefix { get; init; } = "";

    /// <summary>Those counters; null for none.</summary>
    public AnswerStats? Stats { get; init; }

    /// <summary>The virtual host it stands in; set when the table is made.</summary>
    public VirtualHost Host { get; internal set; } = null!;

    /// <summary>True where everything asked holds.</summary>
    public bool Matches(HeaderMap head, ReadOnlySpan<byte> path, bool isConnect, in RouteFacts facts)
    {
        if (!Path.Matches(path, isConnect))
            return false;
        if (!Share.Includes(facts.Random))
            return false;
        if (GrpcOnly && !IsGrpc(head))
            return false;
        for (int i = 0; i < Headers.Count; i++)
        {
            if (!Headers[i].Matches(head))
                return false;
        }
        return MatchesRest(path, facts);
    }

    private bool MatchesRest(ReadOnlySpan<byte> path, in RouteFacts facts)
    {
        if (Query.Count > 0)
        {
            ReadOnlySpan<byte> query = Text.QueryOf(path);
            for (int i = 0; i < Query.Count; i++)
            {
                if (!Query[i].Matches(query))
                    return false;
            }
        }
        if (Tls is { } tls
            && ((tls.Presented is { } p && p != facts.CertificatePresented) || (tls.Validated is { } v && v != facts.CertificateValidated)))
            return false;
        for (int i = 0; i < MetadataMatches.Count; i++)
        {
            MetadataMatch match = MetadataMatches[i];
            if (facts.Metadata is null ? !match.Invert : !facts.Metadata.Matches(match))
                return false;
        }
        return true;
    }

    /// <summary>content-type application/grpc or application/grpc+anything (not grpc-web).</summary>
    public static bool IsGrpc(HeaderMap head)
    {
        ReadOnlySpan<byte> type = head[KnownHeader.ContentType];
        return type.StartsWith("application/grpc"u8) && (type.Length == 16 || type[16] is (byte)'+' or (byte)';');
    }
}

/// <summary>The name of the operation for spans (envoy.config.route.v3.Decorator).</summary>
/// <param name="Operation">The name.</param>
/// <param name="Propagate">Whether it travels in x-envoy-decorator-operation.</param>
public sealed record Decorator(string Operation, bool Propagate);

/// <summary>Sampling in hundredths of a percent of a route (envoy.config.route.v3.Tracing); null leaves the connection's value.</summary>
public sealed record TracingSettings(Fraction? Client, Fraction? Random, Fraction? Overall)
{
    /// <summary>Tags of its spans, over the connection's.</summary>
    public IReadOnlyList<RouteSpanTag> Tags { get; init; } = [];
}

/// <summary>A tag of a span; what it is, the tracer knows.</summary>
public abstract class RouteSpanTag;

/// <summary>Who knows a request's dynamic metadata.</summary>
public abstract class MetadataView
{
    /// <summary>Evaluates a test.</summary>
    public abstract bool Matches(MetadataMatch match);
}

/// <summary>What routing may ask beyond the head.</summary>
/// <param name="Random">The request's stable random number: shares and weights are decided by it.</param>
/// <param name="CertificatePresented">The client showed a certificate.</param>
/// <param name="CertificateValidated">And it held.</param>
/// <param name="Metadata">Dynamic metadata; null where there is none yet.</param>
/// <param name="IsInternal">The request comes from inside (x-envoy-internal).</param>
public readonly record struct RouteFacts(ulong Random, bool CertificatePresented = false, bool CertificateValidated = false,
    MetadataView? Metadata = null, bool IsInternal = false);
