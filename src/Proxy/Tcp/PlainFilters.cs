using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;

namespace Lateen.Proxy.Tcp;

/// <summary>The client's server name is the cluster's name (sni_cluster), as between networks of a mesh.</summary>
public sealed class SniClusterFilter : NetworkFilterFactory
{
    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session)
    {
        if (session.Connection.Facts.ServerName is { Length: > 0 } name)
            session.ClusterName = name;
        return null;
    }
}

/// <summary>Sends a fixed text and ends the connection.</summary>
public sealed class DirectResponseFilter(byte[] text) : NetworkFilterFactory
{
    /// <inheritdoc/>
    public override NetworkFilter Create(TcpSession session) => new Answer(text);

    private sealed class Answer(byte[] text) : NetworkFilter
    {
        public override NetworkVerdict OnConnection(TcpSession session)
        {
            session.Facts.Details = "direct_response";
            session.SendDownstream(text);
            return NetworkVerdict.Close;
        }
    }
}

/// <summary>Sends back what comes.</summary>
public sealed class EchoFilter : NetworkFilterFactory
{
    private static readonly Echo Only = new();

    /// <inheritdoc/>
    public override NetworkFilter Create(TcpSession session) => Only;

    private sealed class Echo : NetworkFilter
    {
        public override NetworkVerdict OnData(TcpSession session, ref ReadOnlySpan<byte> bytes)
        {
            session.SendDownstream(bytes);
            bytes = default;
            return NetworkVerdict.Continue;
        }
    }
}

/// <summary>So many connections at a time, over all workers (connection_limit).</summary>
/// <param name="max">How many.</param>
/// <param name="delayMicros">How long one too many is held before it is closed.</param>
/// <param name="stats">Its counters, <see cref="Schema"/>; null for none.</param>
public sealed class ConnectionLimitFilter(long max, long delayMicros, StatGroup? stats = null) : NetworkFilterFactory
{
    /// <summary>What is counted, under <c>connection_limit.PREFIX.</c>.</summary>
    public static readonly StatSchema Schema = new([("active_connections", StatKind.Gauge), ("limited_connections", StatKind.Counter)]);

    private readonly long _max = max, _delayMicros = delayMicros;
    private readonly StatGroup? _stats = stats;
    private long _active, _limited;

    /// <summary>active_connections.</summary>
    public long Active => Volatile.Read(ref _active);

    /// <summary>limited_connections.</summary>
    public long Limited => Volatile.Read(ref _limited);

    /// <summary>Asked for each connection: a runtime value may switch it off.</summary>
    public Func<bool> Enabled { get; init; } = static () => true;

    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session) => Enabled() ? new Counted(this) : null;

    private sealed class Counted(ConnectionLimitFilter limit) : NetworkFilter
    {
        private Refusal? _refusal;
        private bool _counts;

        public override NetworkVerdict OnConnection(TcpSession session)
        {
            if (Interlocked.Increment(ref limit._active) <= limit._max)
            {
                _counts = true;
                limit._stats?.Of(session.Connection.Worker.Index).Move(0, 1);
                return NetworkVerdict.Continue;
            }
            Interlocked.Decrement(ref limit._active);
            Interlocked.Increment(ref limit._limited);
            limit._stats?.Of(session.Connection.Worker.Index).Count(1);
            if (limit._delayMicros <= 0)
            {
                session.Deny("", "over_connection_limit");
                return NetworkVerdict.Close;
            }
            session.Connection.Worker.Loop.Arm(_refusal = new Refusal(session), limit._delayMicros);
            return NetworkVerdict.Wait;
        }

        public override void OnEnd(TcpSession session)
        {
            if (_refusal is not null)
                session.Connection.Worker.Loop.Disarm(_refusal);
            if (!_counts)
                return;
            Interlocked.Decrement(ref limit._active);
            limit._stats?.Of(session.Connection.Worker.Index).Move(0, -1);
        }
    }

    private sealed class Refusal(TcpSession session) : Deadline
    {
        protected internal override void OnDue(long now) => session.Deny("", "over_connection_limit");
    }
}

/// <summary>Tokens for new connections: filled in steps, shared by all workers, and by filters that name the same key.</summary>
/// <param name="max">Tokens of a full bucket.</param>
/// <param name="fill">Tokens a step.</param>
/// <param name="stepMicros">Time between steps.</param>
public sealed class ConnectionBucket(uint max, uint fill, long stepMicros)
{
    private readonly Lock _lock = new();
    private long _tokens = max, _filledAt = -1;

    // Once a connection, not a request: a lock is cheaper here than being wrong.
    /// <summary>Takes one; false where there is none.</summary>
    public bool Take(long now)
    {
        lock (_lock)
        {
            if (_filledAt < 0)
                _filledAt = now;
            long steps = Math.Max(0, (now - _filledAt) / stepMicros);
            _tokens = Math.Min(max, _tokens + (steps * fill));
            _filledAt += steps * stepMicros;
            return _tokens > 0 && _tokens-- > 0;
        }
    }
}

/// <summary>So many new connections in a time (local_ratelimit of connections).</summary>
/// <param name="bucket">Their tokens.</param>
/// <param name="stats">Its counters, <see cref="Schema"/>; null for none.</param>
public sealed class ConnectionRateFilter(ConnectionBucket bucket, StatGroup? stats = null) : NetworkFilterFactory
{
    /// <summary>What is counted, under <c>local_rate_limit.PREFIX.</c>.</summary>
    public static readonly StatSchema Schema = StatSchema.Counters("rate_limited");

    private readonly StatGroup? _stats = stats;
    private long _limited;

    /// <summary>rate_limited.</summary>
    public long Limited => Volatile.Read(ref _limited);

    /// <summary>Asked for each connection: a runtime value may switch it off.</summary>
    public Func<bool> Enabled { get; init; } = static () => true;

    /// <inheritdoc/>
    public override NetworkFilter? Create(TcpSession session) =>
        !Enabled() || bucket.Take(session.Connection.Worker.Loop.Now) ? null : new Refused(this);

    private sealed class Refused(ConnectionRateFilter rate) : NetworkFilter
    {
        public override NetworkVerdict OnConnection(TcpSession session)
        {
            Interlocked.Increment(ref rate._limited);
            rate._stats?.Of(session.Connection.Worker.Index).Count(0);
            session.Deny("", "local_ratelimit_close_over_limit", ResponseFlags.UpstreamRetryLimitExceeded);
            return NetworkVerdict.Close;
        }
    }
}
