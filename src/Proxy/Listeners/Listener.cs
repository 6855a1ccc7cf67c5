using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Listeners;

/// <summary>What a listener looks at before it chooses a chain, in order.</summary>
public enum InspectorKind : byte
{
    OriginalDestination,
    Tls,
    Http,
    ProxyProtocol,
}

/// <summary>One inspector (Envoy: listener filter).</summary>
/// <param name="Kind">What it looks for.</param>
/// <param name="DisabledPorts">Destination ports for which it is left out, as [from, until).</param>
/// <param name="Values">PROXY protocol: values that become metadata, by their type: (type, namespace, key).</param>
/// <param name="PassedTypes">PROXY protocol: types of values that are kept for upstreams; null keeps none, an empty list all.</param>
/// <param name="Allow">The versions of the PROXY protocol that are taken, as bits (1: version 1, 2: version 2), and whether connections
/// without it are (4).</param>
public sealed record Inspector(InspectorKind Kind, IReadOnlyList<(int From, int Until)> DisabledPorts, int Allow = 3,
    IReadOnlyList<(int Type, string Namespace, string Key)>? Values = null, IReadOnlyList<int>? PassedTypes = null)
{
    /// <summary>True where it is left out for a connection.</summary>
    public bool IsDisabled(int destinationPort)
    {
        foreach ((int from, int until) in DisabledPorts)
        {
            if (destinationPort >= from && destinationPort < until)
                return true;
        }
        return false;
    }
}

/// <summary>What the socket of one address needs.</summary>
/// <param name="BothFamilies">On an IPv6 address, IPv4 is taken too.</param>
/// <param name="Mode">Access bits of a unix socket's file; 0 for the default.</param>
/// <param name="Options">Options by their numbers.</param>
public sealed record DoorOptions(bool BothFamilies, int Mode, IReadOnlyList<SocketOption> Options)
{
    /// <summary>Nothing.</summary>
    public static DoorOptions None { get; } = new(false, 0, []);

    /// <inheritdoc/>
    public bool Equals(DoorOptions? other) =>
        other is not null && BothFamilies == other.BothFamilies && Mode == other.Mode && Options.SequenceEqual(other.Options);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(BothFamilies, Mode, Options.Count);
}

/// <summary>A listener as published (envoy.config.listener.v3.Listener).</summary>
public sealed class Listener
{
    /// <summary>Its name.</summary>
    public required string Name { get; init; }

    /// <summary>Where it listens; further addresses are in <see cref="AdditionalAddresses"/>.</summary>
    public required Address Address { get; init; }

    /// <summary>Further addresses.</summary>
    public IReadOnlyList<Address> AdditionalAddresses { get; init; } = [];

    /// <summary>False for one that only takes what another listener hands to it by original destination.</summary>
    public bool Binds { get; init; } = true;

    /// <summary>Connections are handed to the listener of the address that the client meant, where there is one.</summary>
    public bool HandsOver { get; init; }

    /// <summary>What it looks at.</summary>
    public IReadOnlyList<Inspector> Inspectors { get; init; } = [];

    /// <summary>How long it looks, in microseconds; 0 for ever.</summary>
    public long InspectMicros { get; init; } = 15_000_000;

    /// <summary>When the time is over, the connection goes on with what was found; else it ends.</summary>
    public bool GoOnAfterTimeout { get; init; }

    /// <summary>Its chains.</summary>
    public required ChainTable Chains { get; init; }

    /// <summary>Bytes that wait in a connection before its sender is paused.</summary>
    public int BufferLimit { get; init; } = 1024 * 1024;

    /// <summary>Traffic towards the workload; false for traffic from it and for gateways.</summary>
    public bool IsInbound { get; init; }

    /// <summary>Its connections neither count for the limit of the whole proxy nor are refused by it.</summary>
    public bool IgnoresConnectionLimit { get; init; }

    /// <summary>The overload manager does not refuse its connections.</summary>
    public bool BypassesOverload { get; init; }

    /// <summary>Connections at a time over all workers; 0 for any number.</summary>
    public long ConnectionsMax { get; init; }

    /// <summary>What the sockets of its addresses need beside the address, by address; what is not in here needs nothing.</summary>
    public IReadOnlyDictionary<Address, DoorOptions> Doors { get; init; } = new Dictionary<Address, DoorOptions>();

    /// <summary>Its addresses.</summary>
    public IEnumerable<Address> Addresses => AdditionalAddresses.Prepend(Address);

    /// <summary>Whether it serves on the very sockets of another form of it.</summary>
    public bool SharesSocketsWith(Listener other) =>
        ReferenceEquals(this, other)
        || (Binds == other.Binds && Addresses.SequenceEqual(other.Addresses) && Addresses.All(a => Door(a).Equals(other.Door(a))));

    private DoorOptions Door(in Address address) => Doors.GetValueOrDefault(address) ?? DoorOptions.None;

    /// <summary>How to listen on one of its addresses.</summary>
    public ListenOptions Listening(in Address address)
    {
        DoorOptions door = Door(address);
        return new ListenOptions(address, ReusePort, Transparent, FreeBind, !door.BothFamilies, Backlog, door.Mode, FastOpen, door.Options,
            IsExempt: BypassesOverload);
    }

    /// <summary>SO_REUSEPORT, one socket a worker.</summary>
    public bool ReusePort { get; init; } = true;

    /// <summary>Length of the queue of TCP Fast Open; 0 switches it off.</summary>
    public int FastOpen { get; init; }

    /// <summary>IP_TRANSPARENT.</summary>
    public bool Transparent { get; init; }

    /// <summary>IP_FREEBIND.</summary>
    public bool FreeBind { get; init; }

    /// <summary>Length of the kernel's queue.</summary>
    public int Backlog { get; init; } = 1024;

    /// <summary>Its metadata.</summary>
    public Metadata Metadata { get; init; } = Metadata.Empty;

    /// <summary>Told of connections that found no chain (the listener's access logs). Null for nobody.</summary>
    public ConnectionRecorder? Recorder { get; init; }

    /// <summary>Counters of the listener, by worker.</summary>
    public ListenerCounters Counters { get; init; } = new(1);
}

/// <summary>Writes down connections at their end: those that no chain served, and those that one did.</summary>
public abstract class ConnectionRecorder
{
    /// <summary>A connection ended at station 1 to 4. A failed handshake's reason is in the facts'
    /// <see cref="ConnectionFacts.TransportFailure"/>.</summary>
    public abstract void OnRefused(Worker worker, Listener listener, ConnectionFacts facts, Failure failure, string details);

    /// <summary>A connection that a chain served is over.</summary>
    public virtual void OnEnded(AcceptedConnection connection)
    {
    }
}

/// <summary>Counters of one listener; each worker writes its own row, readers add them up.</summary>
public sealed class ListenerCounters(int workers)
{
    private static readonly StatSchema Lengths = new([("downstream_cx_length_ms", StatKind.Histogram)]);

    /// <summary>How long connections lasted.</summary>
    public StatGroup Lasting { get; private init; } = StatGroup.Unread(Lengths, workers);

    /// <summary>Handshakes; null counts none.</summary>
    public Tls.TlsStats? Tls { get; private init; }

    /// <summary>Counters that are told under <c>listener.PREFIX.</c>; one object for all listeners of a prefix.</summary>
    public static ListenerCounters In(StatStore store, string prefix)
    {
        string front = $"listener.{prefix}.";
        var counters = new ListenerCounters(store.Workers)
        {
            Lasting = store.Group(front, Lengths),
            Tls = new Tls.TlsStats(store.Group(front + "ssl.", Proxy.Tls.TlsStats.Schema), store, () => front + "ssl.", store.Workers),
        };
        var members = new List<(string, StatKind, Func<long?>)>
        {
            ("downstream_cx_total", StatKind.Counter, () => counters.Sum(static r => r.Served)),
            ("downstream_cx_destroy", StatKind.Counter, () => counters.Sum(static r => r.ServedEnded)),
            ("downstream_cx_active", StatKind.Gauge,
                () => counters.Sum(static r => r.Served) is var served && served == 0
                    ? null : served - counters.Sum(static r => r.ServedEnded)),
            ("downstream_cx_overflow", StatKind.Counter, () => counters.Sum(static r => r.Overflow)),
            ("downstream_cx_overload_reject", StatKind.Counter, () => counters.Sum(static r => r.OverloadRefused)),
            ("downstream_global_cx_overflow", StatKind.Counter, () => counters.Sum(static r => r.GlobalOverflow)),
            ("downstream_cx_transport_socket_connect_timeout", StatKind.Counter, () => counters.Sum(static r => r.HandshakeTimeouts)),
            ("downstream_listener_filter_error", StatKind.Counter, () => 0),
            ("downstream_listener_filter_remote_close", StatKind.Counter, () => counters.Sum(static r => r.LeftEarly)),
            ("downstream_pre_cx_timeout", StatKind.Counter, () => counters.Sum(static r => r.InspectTimeouts)),
            ("downstream_pre_cx_active", StatKind.Gauge,
                () => counters.Sum(static r => r.Inspected) == 0 ? null : counters.Sum(static r => r.InspectedNow)),
            ("no_filter_chain_match", StatKind.Counter, () => counters.Sum(static r => r.NoChain)),
            ("network_filter_config_missing", StatKind.Counter, () => 0),
            ("extension_config_missing", StatKind.Counter, () => 0),
        };
        for (int i = 0; i < store.Workers; i++)
        {
            Row row = counters.Of(i);
            members.Add(($"worker_{i}.downstream_cx_total", StatKind.Counter, () => row.Served));
            members.Add(($"worker_{i}.downstream_cx_active", StatKind.Gauge, () => row.Served - row.ServedEnded));
        }
        store.Add(front, new ReadingSource(front, members));
        return counters;
    }

    /// <summary>One worker's row.</summary>
    public sealed class Row
    {
        /// <summary>Accepted connections.</summary>
        public long Accepted;

        /// <summary>Connections that a chain took.</summary>
        public long Served;

        /// <summary>Of those, the ones that are over.</summary>
        public long ServedEnded;

        /// <summary>Connections whose first bytes were looked at, and those that still are.</summary>
        public long Inspected, InspectedNow;

        /// <summary>Connections whose client left before its first bytes told enough.</summary>
        public long LeftEarly;

        /// <summary>Connections that the overload manager refused, and those beyond the process's limit.</summary>
        public long OverloadRefused, GlobalOverflow;

        /// <summary>Handshakes that took too long.</summary>
        public long HandshakeTimeouts;

        /// <summary>Connections that are over.</summary>
        public long Ended;

        /// <summary>Connections that no chain served.</summary>
        public long NoChain;

        /// <summary>Connections refused by a limit.</summary>
        public long Overflow;

        /// <summary>Connections whose first bytes took too long.</summary>
        public long InspectTimeouts;

        /// <summary>Handshakes that failed.</summary>
        public long HandshakeFailures;

        /// <summary>Handshakes that succeeded.</summary>
        public long Handshakes;
    }

    private readonly Row[] _rows = [.. Enumerable.Range(0, workers).Select(_ => new Row())];

    /// <summary>A worker's row.</summary>
    public Row Of(int worker) => _rows[worker];

    /// <summary>The sum over all workers.</summary>
    public long Sum(Func<Row, long> of) => _rows.Sum(of);
}
