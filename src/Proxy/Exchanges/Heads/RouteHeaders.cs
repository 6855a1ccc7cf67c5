using System.Runtime.CompilerServices;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Exchanges.Heads;

/// <summary>Header changes that routes ask for, level by level: the most specific first; where the table says that the most specific wins,
/// the route comes last, a weighted cluster stays first (observed).</summary>
public static class RouteHeaders
{
    [ThreadStatic]
    private static Scratch? t_scratch;

    private sealed class Scratch
    {
        public readonly ByteBuffer Values = new(512);
        public int[] Ends = new int[16];
    }

    /// <summary>Changes of the request's head on its way to the upstream.</summary>
    public static void FinishRequest(Exchange exchange, HeaderMap head)
    {
        RouteDecision decision = exchange.Decision;
        if (decision.Route is not { } route)
            return;
        RouteTable table = route.Host.Table;
        if (table.MostSpecificWins)
        {
            Apply(decision.Target?.RequestHeaders, head, exchange);
            Apply(table.RequestHeaders, head, exchange);
            Apply(route.Host.RequestHeaders, head, exchange);
            Apply(route.RequestHeaders, head, exchange);
            return;
        }
        Apply(decision.Target?.RequestHeaders, head, exchange);
        Apply(route.RequestHeaders, head, exchange);
        Apply(route.Host.RequestHeaders, head, exchange);
        Apply(table.RequestHeaders, head, exchange);
    }

    /// <summary>Changes of the response's head, also of the proxy's own answers.</summary>
    public static void FinishResponse(Exchange exchange, HeaderMap head)
    {
        RouteDecision decision = exchange.Decision;
        if (decision.Route is not { } route)
            return;
        RouteTable table = route.Host.Table;
        if (table.MostSpecificWins)
        {
            Apply(decision.Target?.ResponseHeaders, head, exchange);
            Apply(table.ResponseHeaders, head, exchange);
            Apply(route.Host.ResponseHeaders, head, exchange);
            Apply(route.ResponseHeaders, head, exchange);
            return;
        }
        Apply(decision.Target?.ResponseHeaders, head, exchange);
        Apply(route.ResponseHeaders, head, exchange);
        Apply(route.Host.ResponseHeaders, head, exchange);
        Apply(table.ResponseHeaders, head, exchange);
    }

    /// <summary>One level: removals, then all values are evaluated, then all are written.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static void Apply(HeaderMutations? changes, HeaderMap head, Exchange exchange)
    {
        if (changes is { IsEmpty: false })
            Apply(changes, head, exchange.Facts);
    }

    /// <summary>The same for anything that formats can be asked of.</summary>
    public static void Apply(HeaderMutations? changes, HeaderMap head, IStreamFacts facts)
    {
        if (changes is null || changes.IsEmpty)
            return;
        for (int i = 0; i < changes.Remove.Count; i++)
        {
            byte[] name = changes.Remove[i];
            if (name.Length > 0 && name[0] != ':' && !name.AsSpan().SequenceEqual("host"u8))
                head.Remove(name);
        }
        IReadOnlyList<HeaderAddition> additions = changes.Add;
        if (additions.Count == 0)
            return;
        Scratch scratch = t_scratch ??= new Scratch();
        ByteBuffer values = scratch.Values;
        values.Clear();
        if (scratch.Ends.Length < additions.Count)
            scratch.Ends = new int[additions.Count];
        Span<bool> skip = stackalloc bool[additions.Count];
        for (int i = 0; i < additions.Count; i++)
        {
            HeaderAddition addition = additions[i];
            bool present = head.IndexOf(addition.NameBytes, 0) >= 0;
            skip[i] = addition.Append switch
            {
                HeaderAppend.AddIfAbsent => present,
                HeaderAppend.OverwriteIfExists => !present,
                _ => false,
            };
            int start = values.Length;
            if (!skip[i])
                addition.Value.Write(facts, values, omitEmpty: true);
            skip[i] |= values.Length == start && !addition.KeepEmpty;
            scratch.Ends[i] = values.Length;
        }
        Write(additions, skip, scratch, head);
    }

    private static void Write(IReadOnlyList<HeaderAddition> additions, ReadOnlySpan<bool> skip, Scratch scratch, HeaderMap head)
    {
        for (int i = 0, start = 0; i < additions.Count; start = scratch.Ends[i], i++)
        {
            HeaderAddition addition = additions[i];
            if (!skip[i] && addition.Append is HeaderAppend.OverwriteOrAdd or HeaderAppend.OverwriteIfExists)
                head.Set(NameOf(addition), scratch.Values.Written[start..scratch.Ends[i]]);
        }
        for (int i = 0, start = 0; i < additions.Count; start = scratch.Ends[i], i++)
        {
            HeaderAddition addition = additions[i];
            if (!skip[i] && addition.Append is HeaderAppend.AppendOrAdd or HeaderAppend.AddIfAbsent)
                Add(head, NameOf(addition), scratch.Values.Written[start..scratch.Ends[i]]);
        }
    }

    private static ReadOnlySpan<byte> NameOf(HeaderAddition addition) => addition.Name == "host" ? ":authority"u8 : addition.NameBytes;

    private static void Add(HeaderMap head, ReadOnlySpan<byte> name, ReadOnlySpan<byte> value)
    {
        // Pseudo-headers have one line.
        if (name[0] == ':')
            head.Set(name, value);
        else
            head.Add(name, value);
    }
}
