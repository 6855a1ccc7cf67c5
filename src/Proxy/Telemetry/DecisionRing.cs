using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Routing;

namespace Lateen.Proxy.Telemetry;

/// <summary>What became of one exchange, station by station, as it was decided: references to what decided it, and a short copy of what
/// identifies it. No header but these is kept.</summary>
public sealed class Decision
{
    private const int MethodMax = 16, IdMax = 64, AuthorityMax = 96, PathMax = 160;

    // Method, id, authority and path behind one another, in the record itself: a record is written for every request and seldom read, so it
    // shall touch few lines of the cache.
    private Texts _texts;
    private byte _methodLength, _idLength, _authorityLength, _pathLength;

    /// <summary>Odd while it is being written: a reader on another thread tries again.</summary>
    internal int Sequence;

    /// <summary>When it began, microseconds since 1970.</summary>
    public long StartedAt { get; private set; }

    /// <summary>How long it took, in microseconds.</summary>
    public long Micros { get; private set; }

    /// <summary>The listener's name.</summary>
    public string Listener { get; private set => Keep(ref field, value); } = "";

    /// <summary>The filter chain's name.</summary>
    public string Chain { get; private set => Keep(ref field, value); } = "";

    /// <summary>The resource that asked for the chain; empty where none did.</summary>
    public string ChainOrigin { get; private set => Keep(ref field, value); } = "";

    /// <summary>The client's identity; empty without one.</summary>
    public string Peer { get; private set => Keep(ref field, value); } = "";

    /// <summary>The virtual host; null for none.</summary>
    public VirtualHost? Host { get; private set => Keep(ref field, value); }

    /// <summary>The route; null for none.</summary>
    public Route? Route { get; private set => Keep(ref field, value); }

    /// <summary>The cluster; null for none.</summary>
    public ClusterHandle? Cluster { get; private set => Keep(ref field, value); }

    /// <summary>The last host tried; null for none.</summary>
    public Host? Endpoint { get; private set => Keep(ref field, value); }

    /// <summary>Tries.</summary>
    public int Attempts { get; private set; }

    /// <summary>The status.</summary>
    public int Status { get; private set; }

    /// <summary>Flags.</summary>
    public ResponseFlags Flags { get; private set; }

    /// <summary>Response code details.</summary>
    public string Details { get; private set => Keep(ref field, value); } = "";

    /// <summary>Why the last connection to the upstream failed; empty where none did.</summary>
    public string TransportFailure { get; private set => Keep(ref field, value); } = "";

    /// <summary>x-request-id.</summary>
    public string Id => Text(_methodLength, _idLength);

    /// <summary>The method.</summary>
    public string Method => Text(0, _methodLength);

    /// <summary>The authority, cut where it is long.</summary>
    public string Authority => Text(_methodLength + _idLength, _authorityLength);

    /// <summary>The path without its query, cut where it is long.</summary>
    public string Path => Text(_methodLength + _idLength + _authorityLength, _pathLength);

    internal bool HasId(ReadOnlySpan<byte> id) => ((ReadOnlySpan<byte>)_texts).Slice(_methodLength, _idLength).SequenceEqual(id);

    internal void Take(Exchange x)
    {
        HeaderMap head = x.RequestHead;
        Span<byte> free = _texts;
        _methodLength = Copy(head[KnownHeader.Method], ref free, MethodMax);
        _idLength = Copy(head[KnownHeader.XRequestId], ref free, IdMax);
        _authorityLength = Copy(head[KnownHeader.Authority], ref free, AuthorityMax);
        _pathLength = Copy(Routing.Text.WithoutQuery(head[KnownHeader.Path]), ref free, PathMax);
        StartedAt = x.StartedAt;
        Micros = x.Worker.Loop.Now - x.Times.RequestBegin;
        Listener = x.Connection.Context.Listener;
        Chain = x.Connection.Context.FilterChain;
        ChainOrigin = x.Connection.Context.ChainOrigin;
        Peer = x.Connection.Context.Tls is { PeerPresented: true, PeerUris: [string first, ..] } ? first : "";
        Host = x.Decision.Host;
        Route = x.Route;
        Cluster = x.Decision.Cluster;
        Endpoint = x.Upstream.Host;
        Attempts = x.Upstream.Attempts;
        Status = x.Status;
        Flags = x.Flags;
        Details = x.Details;
        TransportFailure = x.Upstream.TransportFailure ?? "";
    }

    // Storing a reference tells the collector, which costs more than a look: most of what stood here stays.
    private static void Keep<T>(ref T place, T value)
        where T : class?
    {
        if (!ReferenceEquals(place, value))
            place = value;
    }

    private static byte Copy(ReadOnlySpan<byte> from, ref Span<byte> to, int most)
    {
        int n = Math.Min(from.Length, most);
        from[..n].To(to);
        to = to[n..];
        return (byte)n;
    }

    private string Text(int from, int length) => System.Text.Encoding.Latin1.GetString(((ReadOnlySpan<byte>)_texts).Slice(from, length));

    [System.Runtime.CompilerServices.InlineArray(MethodMax + IdMax + AuthorityMax + PathMax)]
    private struct Texts
    {
        private byte _first;
    }
}

/// <summary>The last decisions of each worker, in rings of fixed size: written on the worker without a lock, read from the admin page by
/// trying until a record held still.</summary>
public sealed class DecisionRing : ExchangeRecorder
{
    // A record's references and numbers, and its texts as long as they usually are.
    private const int LinesWritten = 4;

    private readonly Decision[][] _rings;
    private readonly int[] _next;

    /// <summary>Rings for some workers.</summary>
    public DecisionRing(int workers, int size = 512)
    {
        _rings = [.. Enumerable.Range(0, workers).Select(_ => Enumerable.Range(0, size).Select(_ => new Decision()).ToArray())];
        _next = new int[workers];
    }

    /// <inheritdoc/>
    public override void OnEnd(Exchange exchange)
    {
        int worker = exchange.Worker.Index;
        Decision[] ring = _rings[worker];
        ref int next = ref _next[worker];
        Decision decision = ring[next];
        next = next + 1 == ring.Length ? 0 : next + 1;
        Volatile.Write(ref decision.Sequence, decision.Sequence + 1);
        decision.Take(exchange);
        Volatile.Write(ref decision.Sequence, decision.Sequence + 1);
        // The record of the next exchange was written so long ago that no cache has it.
        Prefetch.Of(ring[next], LinesWritten);
    }

    /// <summary>What <paramref name="read"/> makes of each record kept, the newest first. A record that is overwritten while it is read is
    /// left out.</summary>
    public IReadOnlyList<T> Read<T>(Func<Decision, bool> wanted, Func<Decision, T> read)
    {
        var found = new List<(long At, T Value)>();
        foreach (Decision decision in _rings.SelectMany(r => r))
        {
            int before = Volatile.Read(ref decision.Sequence);
            if (before == 0 || (before & 1) == 1 || !wanted(decision))
                continue;
            T value = read(decision);
            long at = decision.StartedAt;
            if (Volatile.Read(ref decision.Sequence) == before)
                found.Add((at, value));
        }
        return [.. found.OrderByDescending(f => f.At).Select(f => f.Value)];
    }
}
