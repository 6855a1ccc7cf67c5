using Lateen.Proxy.Formats;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tracing;

/// <summary>What becomes of requests' traces, as it is counted under <c>http.PREFIX.tracing.</c>.</summary>
public enum TracingStat : byte
{
    RandomSampling,
    ServiceForced,
    ClientEnabled,
    NotTraceable,
    HealthCheck,
}

/// <summary>How a connection manager traces.</summary>
public sealed record TracerOptions
{
    /// <summary>Its counters' names.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<TracingStat>();

    /// <summary>Its counters.</summary>
    public required StatGroup Stats { get; init; }

    /// <summary>Of requests with x-client-trace-id.</summary>
    public Fraction Client { get; init; } = Fraction.All;

    /// <summary>Of all requests.</summary>
    public Fraction Random { get; init; } = Fraction.All;

    /// <summary>Of those that would be traced.</summary>
    public Fraction Overall { get; init; } = Fraction.All;

    /// <summary>Values that may change.</summary>
    public required RuntimeValues Runtime { get; init; }

    /// <summary>Requests go out of the mesh's workload rather than into it.</summary>
    public bool IsEgress { get; init; }

    /// <summary>Each attempt has a span of its own.</summary>
    public bool SpawnUpstream { get; init; }

    /// <summary>Points in time are told.</summary>
    public bool Verbose { get; init; }

    /// <summary>A longer path is cut in the tag.</summary>
    public int PathBytesMax { get; init; } = 256;

    /// <summary>Nothing is sent on.</summary>
    public bool NoPropagation { get; init; }

    /// <summary>Of each span.</summary>
    public IReadOnlyList<SpanTag> Tags { get; init; } = [];

    /// <summary>The span's name; null for the tracer's own.</summary>
    public TextFormat? Operation { get; init; }

    /// <summary>The name of attempts' spans; null for the tracer's own.</summary>
    public TextFormat? UpstreamOperation { get; init; }

    /// <summary>Our node's id.</summary>
    public byte[] NodeId { get; init; } = [];
}

/// <summary>A tag with a value from a request.</summary>
public abstract class SpanTag(string name) : RouteSpanTag
{
    /// <summary>Its name.</summary>
    public byte[] Name { get; } = System.Text.Encoding.UTF8.GetBytes(name);

    /// <summary>Adds the value; nothing for no tag.</summary>
    public abstract void Write(IStreamFacts facts, ByteBuffer to);
}

/// <summary>The same for all.</summary>
public sealed class FixedTag(string name, string value) : SpanTag(name)
{
    /// <inheritdoc/>
    public override void Write(IStreamFacts facts, ByteBuffer to) => to.Append(value);
}

/// <summary>By a format.</summary>
public sealed class FormattedTag(string name, TextFormat format) : SpanTag(name)
{
    /// <inheritdoc/>
    public override void Write(IStreamFacts facts, ByteBuffer to) => format.Write(facts, to, true);
}

/// <summary>A request's header.</summary>
public sealed class HeaderTag(string name, string header, string absent) : SpanTag(name)
{
    private readonly byte[] _header = System.Text.Encoding.Latin1.GetBytes(header.ToLowerInvariant());

    /// <inheritdoc/>
    public override void Write(IStreamFacts facts, ByteBuffer to)
    {
        if (facts.RequestHead is { } head && head.TryGet(_header, out ReadOnlySpan<byte> value))
            to.Append(value);
        else
            to.Append(absent);
    }
}

/// <summary>Metadata of the request, its route, cluster or host.</summary>
public sealed class MetadataTag(string name, Func<IStreamFacts, Metadata?> kind, string ns, string[] path, string absent) : SpanTag(name)
{
    /// <inheritdoc/>
    public override void Write(IStreamFacts facts, ByteBuffer to)
    {
        if (kind(facts) is not { } metadata || !metadata.TryGet(ns, path, out System.Text.Json.JsonElement value))
        {
            to.Append(absent);
            return;
        }
        switch (value.ValueKind)
        {
            case System.Text.Json.JsonValueKind.String:
                to.Append(value.GetString()!);
                break;
            case System.Text.Json.JsonValueKind.Null or System.Text.Json.JsonValueKind.Undefined:
                to.Append(absent);
                break;
            default:
                to.Append(value.GetRawText());
                break;
        }
    }
}
