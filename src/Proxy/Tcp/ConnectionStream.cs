using System.Numerics;
using System.Text.Json;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tcp;

/// <summary>A client's connection as formats and logs see it, with nothing behind it: refused before a chain served it, or served by
/// something that has records of its own.</summary>
public class ConnectionStream : IStreamFacts
{
    private readonly Worker _worker;
    private readonly Listener _listener;
    private readonly ConnectionFacts _facts;
    private readonly Dictionary<string, object> _state = new(StringComparer.Ordinal);
    private ResponseFlags _flags;
    private int _flagCount;

    /// <summary>Points in its life.</summary>
    public StreamTimes Times;

    /// <summary>A connection that was looked at.</summary>
    public ConnectionStream(Worker worker, Listener listener, ConnectionFacts facts, long acceptedAt)
    {
        _worker = worker;
        _listener = listener;
        _facts = facts;
        EventLoop loop = worker.Loop;
        StartedAt = loop.WallClock - (loop.Now - acceptedAt);
        StreamId = loop.Chance.NextULong();
        Times.DownstreamConnectionBegin = acceptedAt;
        DownstreamTransportFailure = facts.TransportFailure;
        foreach ((string ns, Dictionary<string, string> values) in facts.Metadata ?? [])
            AddMetadata(ns, values);
    }

    /// <summary>A connection that a chain serves.</summary>
    public ConnectionStream(AcceptedConnection connection)
        : this(connection.Worker, connection.Listener, connection.Facts, connection.AcceptedAt)
    {
        ConnectionId = connection.Id;
        DownstreamTls = connection.Tls;
        Times.DownstreamHandshakeEnd = connection.HandshakeAt;
    }

    /// <inheritdoc/>
    public HeaderMap? RequestHead => null;

    /// <inheritdoc/>
    public HeaderMap? ResponseHead => null;

    /// <inheritdoc/>
    public HeaderMap? ResponseTrailers => null;

    /// <inheritdoc/>
    public long StartedAt { get; }

    /// <inheritdoc/>
    public long Now => _worker.Loop.Now;

    /// <inheritdoc/>
    ref readonly StreamTimes IStreamFacts.Times => ref Times;

    /// <inheritdoc/>
    public HttpVersion? Protocol => null;

    /// <inheritdoc/>
    public HttpVersion? UpstreamProtocol => null;

    /// <inheritdoc/>
    public int Status => 0;

    /// <inheritdoc/>
    public ResponseFlags Flags
    {
        get => _flags;
        set
        {
            // Remembered in the order of their coming, as logs write them: a byte each, the first lowest.
            for (uint news = (uint)(value & ~_flags); news != 0; news &= news - 1)
                FlagOrder |= (ulong)(BitOperations.TrailingZeroCount(news) + 1) << (8 * _flagCount++);
            _flags = value;
        }
    }

    /// <inheritdoc/>
    public ulong FlagOrder { get; private set; }

    /// <inheritdoc/>
    public string DownstreamCloseType { get; set; } = "Normal";

    /// <inheritdoc/>
    public string UpstreamCloseType { get; set; } = "Normal";

    /// <inheritdoc/>
    public string Details { get; set; } = "";

    /// <inheritdoc/>
    public string TerminationDetails { get; set; } = "";

    /// <inheritdoc/>
    public string LocalCloseReason { get; set; } = "";

    /// <inheritdoc/>
    public string UpstreamTransportFailure { get; set; } = "";

    /// <inheritdoc/>
    public string DownstreamTransportFailure { get; set; }

    /// <inheritdoc/>
    public long BytesReceived { get; set; }

    /// <inheritdoc/>
    public long BytesSent { get; set; }

    /// <summary>Of <see cref="BytesReceived"/>, what passed the filters; wire counters count no more.</summary>
    public long BytesPassed { get; set; }

    /// <summary>Bytes from the upstream.</summary>
    public long UpstreamReceived { get; set; }

    /// <summary>Bytes to the upstream.</summary>
    public long UpstreamSent { get; set; }

    /// <inheritdoc/>
    public StreamBytes DownstreamBytes => new(0, BytesPassed, 0, BytesSent);

    /// <inheritdoc/>
    public StreamBytes UpstreamBytes => new(0, UpstreamReceived, 0, UpstreamSent);

    /// <inheritdoc/>
    public virtual int Attempts => 0;

    /// <inheritdoc/>
    public string RouteName => "";

    /// <inheritdoc/>
    public string VirtualHostName => "";

    /// <inheritdoc/>
    public virtual string ClusterName => "";

    /// <inheritdoc/>
    public virtual string ClusterStatName => "";

    /// <inheritdoc/>
    public string FilterChainName => _facts.FilterChain;

    /// <inheritdoc/>
    public virtual Address UpstreamHost => default;

    /// <inheritdoc/>
    public virtual string UpstreamHostName => "";

    /// <inheritdoc/>
    public virtual Address UpstreamLocal => default;

    /// <inheritdoc/>
    public Address DownstreamRemote => _facts.Remote;

    /// <inheritdoc/>
    public Address DownstreamDirectRemote => _facts.DirectRemote;

    /// <inheritdoc/>
    public Address DownstreamLocal => _facts.Local;

    /// <inheritdoc/>
    public Address DownstreamDirectLocal => _facts.DirectLocal;

    /// <inheritdoc/>
    public string RequestedServerName => _facts.ServerName;

    /// <inheritdoc/>
    public long ConnectionId { get; }

    /// <inheritdoc/>
    public virtual long UpstreamConnectionId => 0;

    /// <inheritdoc/>
    public ulong StreamId { get; }

    /// <inheritdoc/>
    public TlsFacts? DownstreamTls { get; }

    /// <inheritdoc/>
    public virtual TlsFacts? UpstreamTls => null;

    /// <inheritdoc/>
    public Metadata? DynamicMetadata { get; set; }

    /// <inheritdoc/>
    public virtual Metadata? ClusterMetadata => null;

    /// <inheritdoc/>
    public Metadata? RouteMetadata => null;

    /// <inheritdoc/>
    public virtual Metadata? UpstreamHostMetadata => null;

    /// <inheritdoc/>
    public Metadata? VirtualHostMetadata => null;

    /// <inheritdoc/>
    public Metadata? ListenerMetadata => _listener.Metadata;

    /// <inheritdoc/>
    public (string Trace, string Span) TraceIds => ("", "");

    /// <inheritdoc/>
    public ReadOnlySpan<byte> LocalReplyBody => default;

    /// <inheritdoc/>
    public string LogType { get; set; } = "NotSet";

    /// <inheritdoc/>
    public object? FilterState(string key) => _state.GetValueOrDefault(key);

    /// <summary>All filter state.</summary>
    internal Dictionary<string, object> State => _state;

    /// <summary>Sets filter state.</summary>
    public void SetFilterState(string key, object value) => _state[key] = value;

    /// <summary>Adds texts to a namespace of the dynamic metadata.</summary>
    public void AddMetadata(string ns, IReadOnlyDictionary<string, string> values)
    {
        Dictionary<string, JsonElement> all =
            new(DynamicMetadata?.Namespaces ?? new Dictionary<string, JsonElement>(), StringComparer.Ordinal);
        // Sorted, as a protobuf Struct is printed.
        var merged = new SortedDictionary<string, JsonElement>(StringComparer.Ordinal);
        if (all.TryGetValue(ns, out JsonElement before) && before.ValueKind == JsonValueKind.Object)
        {
            foreach (JsonProperty property in before.EnumerateObject())
                merged[property.Name] = property.Value;
        }
        foreach ((string key, string value) in values)
            merged[key] = JsonSerializer.SerializeToElement(value);
        all[ns] = JsonSerializer.SerializeToElement(merged);
        DynamicMetadata = Metadata.Of(all);
    }

    /// <summary>Adds one more text to the list under a key of a namespace of the dynamic metadata.</summary>
    public void AppendMetadata(string ns, string key, string value)
    {
        string[] list = DynamicMetadata is { } known && known.TryGet(ns, [key], out JsonElement before)
            && before.ValueKind == JsonValueKind.Array
            ? [.. before.EnumerateArray().Select(static e => e.GetString() ?? ""), value] : [value];
        DynamicMetadata = Metadata.With(DynamicMetadata, ns,
            JsonSerializer.SerializeToElement(new Dictionary<string, string[]> { [key] = list }));
    }

    /// <summary>Empties a namespace of the dynamic metadata.</summary>
    public void ClearMetadata(string ns)
    {
        if (DynamicMetadata is { } known && known.Namespaces.ContainsKey(ns))
            DynamicMetadata = Metadata.Of(known.Namespaces.Where(n => n.Key != ns));
    }
}
