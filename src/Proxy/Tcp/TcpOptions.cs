// Tcp: opaque connections (stations 8 to 11 without HTTP): network filters look at a client's connection, then its bytes go to one host of
// a cluster and back. A TcpSession owns both transports for their life; it keeps no bytes but those that came before the upstream was
// there. Pressure is passed on by pausing the other side, a FIN as a FIN, a reset as a reset. Clusters and hosts come from Clusters/ and
// Upstream/; TLS of either side is inside the transports. Nothing here parses a protocol.
// Refused: a buffer between the sides (the transports have one each), splice(2) (TLS and counting bytes need them in user space).
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Telemetry;

namespace Lateen.Proxy.Tcp;

/// <summary>When the upstream is connected.</summary>
public enum TcpConnectMode : byte
{
    /// <summary>At once; the client is not read before it is there.</summary>
    AtOnce,

    /// <summary>With the client's first bytes.</summary>
    OnData,

    /// <summary>When the client's TLS is ready; a plain connection at once.</summary>
    OnHandshake,
}

/// <summary>One of several clusters by weight.</summary>
/// <param name="Cluster">The cluster.</param>
/// <param name="Weight">Its share of the sum.</param>
/// <param name="Subset">Hosts by metadata; null for all.</param>
public sealed record TcpTarget(ClusterHandle Cluster, uint Weight, SubsetCriteria? Subset = null);

/// <summary>A TCP proxy's running configuration (envoy.extensions.filters.network.tcp_proxy.v3.TcpProxy).</summary>
public sealed record TcpOptions
{
    /// <summary>For statistics.</summary>
    public required string StatPrefix { get; init; }

    /// <summary>Where to: one or several by weight.</summary>
    public required IReadOnlyList<TcpTarget> Targets { get; init; }

    /// <summary>Silence of both sides after which the connection ends, in microseconds; 0 for never.</summary>
    public long IdleMicros { get; init; } = 3_600_000_000;

    /// <summary>Longest life of a connection, in microseconds; 0 for any.</summary>
    public long MaxDurationMicros { get; init; }

    /// <summary>Connects tried before giving up.</summary>
    public int MaxConnectAttempts { get; init; } = 1;

    /// <summary>Hosts are chosen by the client's address, where the balancer hashes.</summary>
    public bool HashSource { get; init; }

    /// <summary>When the upstream is connected.</summary>
    public TcpConnectMode Connect { get; init; }

    /// <summary>Bytes of the client that may wait for the upstream; only with <see cref="TcpConnectMode.OnData"/> are any read
    /// before.</summary>
    public int EarlyBytesMax { get; init; }

    /// <summary>The upstream is reached inside HTTP; null for plain bytes.</summary>
    public Tunnel.TunnelOptions? Tunnel { get; init; }

    /// <summary>Logs of connections.</summary>
    public IReadOnlyList<AccessLog> Logs { get; init; } = [];

    /// <summary>A line when the connection begins, too.</summary>
    public bool LogAtStart { get; init; }

    /// <summary>A line when the upstream is connected, too.</summary>
    public bool LogWhenConnected { get; init; }

    /// <summary>A line each so many microseconds, too; 0 for none.</summary>
    public long LogIntervalMicros { get; init; }

    /// <summary>Names the downstream's own counters; one object for all chains of a prefix.</summary>
    public TcpCounters Counters { get; init; } = new(1);
}

/// <summary>Counters of a TCP proxy, by worker.</summary>
public sealed class TcpCounters(int workers)
{
    private readonly Row[] _rows = [.. Enumerable.Range(0, workers).Select(_ => new Row())];

    /// <summary>Counters that are told under <c>tcp.PREFIX.</c>.</summary>
    public static TcpCounters In(StatStore store, string prefix)
    {
        var counters = new TcpCounters(store.Workers);
        store.Add($"tcp.{prefix}.", new ReadingSource($"tcp.{prefix}.",
        [
            ("downstream_cx_no_route", StatKind.Counter, () => counters.Sum(static r => r.NoRoute)),
            ("downstream_cx_rx_bytes_total", StatKind.Counter, () => counters.Sum(static r => r.Received)),
            ("downstream_cx_total", StatKind.Counter, () => counters.Sum(static r => r.Total)),
            ("downstream_cx_tx_bytes_total", StatKind.Counter, () => counters.Sum(static r => r.Sent)),
            ("downstream_flow_control_paused_reading_total", StatKind.Counter, () => counters.Sum(static r => r.Paused)),
            ("downstream_flow_control_resumed_reading_total", StatKind.Counter, () => counters.Sum(static r => r.Resumed)),
            ("early_data_received_count_total", StatKind.Counter, () => 0),
            ("idle_timeout", StatKind.Counter, () => counters.Sum(static r => r.Idle)),
            ("max_downstream_connection_duration", StatKind.Counter, () => counters.Sum(static r => r.MaxDuration)),
            ("upstream_flush_total", StatKind.Counter, () => 0),
            ("downstream_cx_rx_bytes_buffered", StatKind.Gauge, () => null),
            ("downstream_cx_tx_bytes_buffered", StatKind.Gauge, () => null),
            ("upstream_flush_active", StatKind.Gauge, () => null),
        ]));
        return counters;
    }

    /// <summary>One worker's row; names as Envoy's (<c>tcp.PREFIX.</c>).</summary>
    public sealed class Row
    {
        /// <summary>downstream_cx_total.</summary>
        public long Total;

        /// <summary>downstream_cx_active, a gauge.</summary>
        public long Active;

        /// <summary>downstream_cx_no_route.</summary>
        public long NoRoute;

        /// <summary>downstream_cx_rx_bytes_total.</summary>
        public long Received;

        /// <summary>downstream_cx_tx_bytes_total.</summary>
        public long Sent;

        /// <summary>downstream_flow_control_paused_reading_total.</summary>
        public long Paused;

        /// <summary>downstream_flow_control_resumed_reading_total.</summary>
        public long Resumed;

        /// <summary>idle_timeout.</summary>
        public long Idle;

        /// <summary>max_downstream_connection_duration.</summary>
        public long MaxDuration;
    }

    /// <summary>A worker's row.</summary>
    public Row Of(int worker) => _rows[worker];

    /// <summary>The sum over all workers.</summary>
    public long Sum(Func<Row, long> of) => _rows.Sum(of);
}
