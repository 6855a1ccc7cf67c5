using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Telemetry;

/// <summary>Which records a log keeps (envoy.config.accesslog.v3.AccessLogFilter).</summary>
public abstract class LogFilter
{
    /// <summary>True where the record is kept.</summary>
    public abstract bool Keeps(IStreamFacts facts, ulong random);
}

/// <summary>How a value is compared.</summary>
public enum Comparison : byte
{
    Equal,
    GreaterOrEqual,
    LessOrEqual,
    NotEqual,
}

/// <summary>By a number of the record.</summary>
/// <param name="number">The number.</param>
/// <param name="comparison">How it is compared.</param>
/// <param name="otherwise">With what, where no key says otherwise.</param>
/// <param name="runtime">Values that may change.</param>
/// <param name="key">The key that may say with what; empty for none.</param>
public sealed class NumberFilter(Func<IStreamFacts, long> number, Comparison comparison, long otherwise, RuntimeValues runtime, string key)
    : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random)
    {
        long bound = runtime.Number(key, otherwise), value = number(facts);
        return comparison switch
        {
            Comparison.Equal => value == bound,
            Comparison.GreaterOrEqual => value >= bound,
            Comparison.LessOrEqual => value <= bound,
            _ => value != bound,
        };
    }
}

/// <summary>Requests that no health checker made.</summary>
public sealed class NotHealthCheckFilter : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random) => !facts.IsHealthCheck;
}

/// <summary>All of some, or one of them.</summary>
public sealed class CombinedFilter(IReadOnlyList<LogFilter> parts, bool all) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random)
    {
        for (int i = 0; i < parts.Count; i++)
        {
            if (parts[i].Keeps(facts, random) != all)
                return !all;
        }
        return all;
    }
}

/// <summary>By response flags; without a list, any flag will do.</summary>
public sealed class FlagFilter(ResponseFlags any) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random) =>
        any == ResponseFlags.None ? facts.Flags != ResponseFlags.None : (facts.Flags & any) != 0;
}

/// <summary>By a request header.</summary>
public sealed class HeaderFilter(HeaderMatch match) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random) => facts.RequestHead is { } head && match.Matches(head);
}

/// <summary>A share of records: by the request id where it is a UUID (so that all proxies of a request agree), else by chance.</summary>
public sealed class ShareFilter(Fraction share, bool independent, RuntimeValues runtime, string key) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random)
    {
        // Envoy takes the UUID's first 8 hex digits modulo the denominator.
        if (!independent && facts.RequestHead is { } head && head.TryGet(KnownHeader.XRequestId, out ReadOnlySpan<byte> id)
            && id.Length == 36
            && System.Buffers.Text.Utf8Parser.TryParse(id[..8], out uint stable, out int used, 'X') && used == 8)
            random = stable;
        return runtime.Share(key, share).Includes(random);
    }
}

/// <summary>By gRPC status; with <paramref name="exclude"/> all but those.</summary>
public sealed class GrpcStatusFilter(IReadOnlySet<int> codes, bool exclude) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random)
    {
        if (!GrpcStatus.Find(facts, out int code))
            code = GrpcStatus.FromHttp(facts.Status);
        return codes.Contains(code) != exclude;
    }
}

/// <summary>By the moment; with <paramref name="exclude"/> all but those.</summary>
public sealed class LogTypeFilter(IReadOnlySet<string> types, bool exclude) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random) => types.Contains(facts.LogType) != exclude;
}

/// <summary>Requests that are traced.</summary>
public sealed class TraceableFilter : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random) =>
        facts.IsTraced;
}

/// <summary>By dynamic metadata.</summary>
public sealed class MetadataFilter(MetadataMatch match, bool keepMissing) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random)
    {
        if (facts.DynamicMetadata is not { } metadata
            || !metadata.TryGet(match.Filter, [.. match.Path], out System.Text.Json.JsonElement value))
            return keepMissing;
        return ValueMatching.Matches(match.Value, value) != match.Invert;
    }
}

/// <summary>By an expression: kept where it comes to the truth.</summary>
public sealed class CelFilter(Cel.CelProgram program) : LogFilter
{
    /// <inheritdoc/>
    public override bool Keeps(IStreamFacts facts, ulong random) => program.Matches(facts);
}
