// Csrf: refuses requests that change something and come from a page of another origin (envoy.extensions.filters.http.csrf.v3). The origin
// is what the browser says in Origin, else in Referer;
// scheme and path do not count, as in Envoy. Owns no state. Never decides who a user is. Refused: tokens in cookies, which would need the
// application's help.
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Filters.Csrf;

/// <summary>What is asked of requests.</summary>
public sealed record CsrfPolicy
{
    /// <summary>Share of requests for which it is in force.</summary>
    public Fraction Enabled { get; init; }

    /// <summary>Share of requests that are only looked at.</summary>
    public Fraction Shadow { get; init; }

    /// <summary>Further origins (host and port) that are allowed.</summary>
    public IReadOnlyList<StringMatch> Origins { get; init; } = [];
}

/// <summary>The filter.</summary>
public sealed class CsrfFilter(string name, CsrfPolicy policy, StatGroup? stats = null) : HttpFilter(name)
{
    private const int Missing = 0, Invalid = 1, Valid = 2;

    /// <summary>What it counts: requests without an origin, with a foreign one, with a good one.</summary>
    public static readonly StatSchema Counted = StatSchema.Counters("missing_source_origin", "request_invalid", "request_valid");

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        CsrfPolicy own = slot.Settings as CsrfPolicy ?? policy;
        Exchange exchange = slot.Exchange;
        HeaderMap head = exchange.RequestHead;
        bool enabled = own.Enabled.Includes(exchange.Random);
        if ((!enabled && !own.Shadow.Includes(exchange.Random)) || !Changes(head[KnownHeader.Method]))
            return FilterVerdict.Continue;
        ReadOnlySpan<byte> source = HostAndPort(head[KnownHeader.Origin]);
        if (source.IsEmpty)
            source = HostAndPort(head[KnownHeader.Referer]);
        StatCells? counts = stats?.Of(exchange.Worker.Index);
        if (source.IsEmpty)
            counts?.Count(Missing);
        if (!source.IsEmpty && (source.SequenceEqual(HostAndPort(head[KnownHeader.Authority])) || IsListed(own, source)))
        {
            counts?.Count(Valid);
            return FilterVerdict.Continue;
        }
        counts?.Count(Invalid);
        if (!enabled)
            return FilterVerdict.Continue;
        exchange.Reply(new LocalReply(403, "csrf_origin_mismatch") { Body = "Invalid origin"u8 });
        return FilterVerdict.Stop;
    }

    private static bool Changes(ReadOnlySpan<byte> method) =>
        method.SequenceEqual("POST"u8) || method.SequenceEqual("PUT"u8) || method.SequenceEqual("DELETE"u8)
            || method.SequenceEqual("PATCH"u8);

    private static bool IsListed(CsrfPolicy own, ReadOnlySpan<byte> source)
    {
        foreach (StringMatch origin in own.Origins)
        {
            if (origin.Matches(source))
                return true;
        }
        return false;
    }

    // Of a URL its host and port; a text that is none stands for itself.
    private static ReadOnlySpan<byte> HostAndPort(ReadOnlySpan<byte> text)
    {
        int scheme = text.IndexOf("://"u8);
        if (scheme < 0)
            return text;
        ReadOnlySpan<byte> rest = text[(scheme + 3)..];
        int slash = rest.IndexOfAny((byte)'/', (byte)'?', (byte)'#');
        return slash < 0 ? rest : rest[..slash];
    }
}
