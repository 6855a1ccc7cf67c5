using System.Buffers.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Filters.Router;

/// <summary>Times of one request, from route and headers, in microseconds; 0 is none.</summary>
internal struct RouteTimeouts
{
    /// <summary>The whole, all attempts.</summary>
    public long Global;

    /// <summary>One attempt.</summary>
    public long PerTry;

    /// <summary>Silence within one attempt.</summary>
    public long PerTryIdle;

    private bool _writesGrpc;

    /// <summary>Decides them, and takes the headers off that told them.</summary>
    public static RouteTimeouts Of(ForwardAction action, HeaderMap head, bool isGrpc, RouterOptions options)
    {
        var times = new RouteTimeouts();
        TimeoutPolicy policy = action.Timeouts;
        if (!policy.ByStreamDuration)
        {
            times.Global = policy.RouteMicros;
            if (isGrpc && policy.GrpcMaxMicros is { } most)
            {
                times.Global = OfGrpc(head, policy, most);
                times._writesGrpc = true;
            }
        }
        times.PerTry = action.Retry?.PerTryMicros ?? 0;
        times.PerTryIdle = action.Retry?.PerTryIdleMicros ?? 0;
        if (options.RespectExpectedTimeout && Millis(head, KnownHeader.XEnvoyExpectedRqTimeoutMs, out long expected))
            times.Global = expected;
        else if (Millis(head, KnownHeader.XEnvoyUpstreamRqTimeoutMs, out long asked))
            times.Global = asked;
        head.Remove(KnownHeader.XEnvoyUpstreamRqTimeoutMs);
        if (Millis(head, KnownHeader.XEnvoyUpstreamRqPerTryTimeoutMs, out long perTry))
            times.PerTry = perTry;
        head.Remove(KnownHeader.XEnvoyUpstreamRqPerTryTimeoutMs);
        if (times.Global != 0 && times.PerTry >= times.Global)
            times.PerTry = 0;
        return times;
    }

    /// <summary>Tells the upstream how long it has.</summary>
    public readonly void Write(HeaderMap head, long elapsed, bool hedging, bool suppress)
    {
        long expected = hedging || PerTry == 0 ? Global : PerTry;
        if (expected <= 0)
            return;
        if (Global > 0)
            expected = elapsed >= Global ? 1000 : Math.Min(expected, Global - elapsed);
        long millis = Math.Max(1, expected / 1000);
        Span<byte> text = stackalloc byte[20];
        if (!suppress)
        {
            Utf8Formatter.TryFormat(millis, text, out int n);
            head.Set(KnownHeader.XEnvoyExpectedRqTimeoutMs, text[..n]);
        }
        if (_writesGrpc)
            head.Set(KnownHeader.GrpcTimeout, text[..GrpcTimeout.Write(text, millis)]);
    }

    // Without a header a gRPC client waits for ever; the cap stands in where there is one.
    private static long OfGrpc(HeaderMap head, TimeoutPolicy policy, long most)
    {
        long asked = GrpcTimeout.Read(head[KnownHeader.GrpcTimeout], out long micros) ? micros : 0;
        if (policy.GrpcOffsetMicros > 0 && policy.GrpcOffsetMicros < asked)
            asked -= policy.GrpcOffsetMicros;
        return most != 0 && (asked == 0 || asked > most) ? most : asked;
    }

    private static bool Millis(HeaderMap head, KnownHeader header, out long micros)
    {
        micros = 0;
        if (!head.TryGet(header, out ReadOnlySpan<byte> text) || !Utf8Parser.TryParse(text, out uint millis, out int used)
            || used != text.Length)
            return false;
        micros = millis * 1000L;
        return true;
    }
}
