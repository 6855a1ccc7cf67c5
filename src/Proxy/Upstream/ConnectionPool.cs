using Lateen.Proxy.Clusters;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Upstream;

/// <summary>Why no stream could be had.</summary>
public enum PoolFailure : byte
{
    Overflow,
    LocalConnectionFailure,
    RemoteConnectionFailure,
    Timeout,
}

/// <summary>Who wants a stream. Embedded in the attempt, so that waiting allocates nothing. It hears exactly one of the two calls, perhaps
/// inside <see cref="ConnectionPool.Request"/>.</summary>
public abstract class StreamWaiter
{
    internal StreamWaiter? Next { get; set; }

    internal StreamWaiter? Previous { get; set; }

    /// <summary>The pool in which it waits; null while it does not.</summary>
    public ConnectionPool? Pool { get; internal set; }

    /// <summary>A connection has a free stream: begin on it now.</summary>
    public abstract void OnReady(PooledConnection connection);

    /// <summary>There will be none.</summary>
    public abstract void OnFailed(PoolFailure failure, string transportFailure);
}

/// <summary>Connections of one worker to one host of one kind, and who waits for them.</summary>
public sealed class ConnectionPool
{
    private readonly WorkerCluster _cluster;
    private readonly PoolKey _key;
    private readonly List<PooledConnection> _connections = [];

    // Those that told of a free stream, the latest on top: it is the warmest, and leaves the others to their idle timeout (Envoy's order).
    // What is no longer free leaves when it is found.
    private readonly List<PooledConnection> _free = [];
    private StreamWaiter? _first, _last;
    private int _waiting, _connecting;

    internal ConnectionPool(WorkerCluster cluster, Host host, in PoolKey key)
    {
        _cluster = cluster;
        Host = host;
        _key = key;
    }

    /// <summary>The host.</summary>
    public Host Host { get; }

    /// <summary>What its connections have in common.</summary>
    public PoolKey Key => _key;

    /// <summary>The cluster.</summary>
    public WorkerCluster Cluster => _cluster;

    private ClusterCounters Counters => _cluster.Counters;

    private Breakers.Use Use => _cluster.Use(_key.Priority);

    private BreakerLimits Limits => _cluster.Limits(_key.Priority);

    internal bool Matches(in PoolKey key) =>
        _key.Version == key.Version && _key.Tunnel == key.Tunnel && _key.Priority == key.Priority && ReferenceEquals(_key.Owner, key.Owner)
        && ReferenceEquals(_key.Wishes.Alpn, key.Wishes.Alpn) && _key.Wishes.ServerName == key.Wishes.ServerName
        && _key.Wishes.SubjectName == key.Wishes.SubjectName;

    /// <summary>There are no connections, and nobody waits.</summary>
    internal bool IsEmpty => _connections.Count == 0 && _first is null;

    /// <summary>Nobody waits, and no connection has work.</summary>
    internal bool IsIdle => _first is null && _connecting == 0 && _connections.TrueForAll(static c => c.Active == 0);

    /// <summary>Wants a stream: at once where one is free, else when a connection has one.</summary>
    public void Request(StreamWaiter waiter)
    {
        if (FindFree() is { } free)
        {
            Give(free, waiter);
            if (_cluster.Cluster.PreconnectRatio > 1)
                ConnectAhead();
            return;
        }
        if (!Use.TryPending(Limits.MaxPending))
        {
            Counters.Count(ClusterCounter.UpstreamRqPendingOverflow);
            waiter.OnFailed(PoolFailure.Overflow, "");
            return;
        }
        if (IsEmpty)
            Use.CountPool(1);
        Counters.Count(ClusterCounter.UpstreamRqPendingTotal);
        Counters.Move(ClusterGauge.UpstreamRqPendingActive, 1);
        Enqueue(waiter);
        ConnectMore();
    }

    /// <summary>The waiter wants no stream any more; harmless where it does not wait.</summary>
    public void Cancel(StreamWaiter waiter)
    {
        if (!ReferenceEquals(waiter.Pool, this))
            return;
        Dequeue(waiter);
        Counters.Count(ClusterCounter.UpstreamRqCancelled);
    }

    /// <summary>Existing connections take no new streams.</summary>
    public void Drain()
    {
        for (int i = _connections.Count - 1; i >= 0; i--)
            _connections[i].Drain();
    }

    private PooledConnection? FindFree()
    {
        while (_free.Count > 0)
        {
            PooledConnection latest = _free[^1];
            if (latest.IsFree)
                return latest;
            Unlist(latest);
        }
        return FindUntold();
    }

    // HTTP/2 may have room again that it does not tell of; it is looked for only where the other way is a new connection.
    private PooledConnection? FindUntold()
    {
        for (int i = _connections.Count - 1; i >= 0; i--)
        {
            if (_connections[i].IsFree)
                return _connections[i];
        }
        return null;
    }

    private void Give(PooledConnection connection, StreamWaiter waiter)
    {
        if (!Use.TryRequest(Limits.MaxRequests))
        {
            waiter.OnFailed(PoolFailure.Overflow, "");
            return;
        }
        connection.OnStreamBegins();
        Unlist(connection);
        waiter.OnReady(connection);
        if (connection.IsFree)
            List(connection);
    }

    private void List(PooledConnection connection)
    {
        if (connection.IsListed)
            return;
        connection.IsListed = true;
        _free.Add(connection);
    }

    private void Unlist(PooledConnection connection)
    {
        if (!connection.IsListed)
            return;
        connection.IsListed = false;
        if (ReferenceEquals(_free[^1], connection))
            _free.RemoveAt(_free.Count - 1);
        else
            _free.Remove(connection);
    }

    private void ConnectMore()
    {
        int coming = 0;
        foreach (PooledConnection c in _connections)
            coming += c.ExpectedStreams;
        while (coming < _waiting)
        {
            PooledConnection? made = Connect();
            if (made is null)
                return;
            coming += made.ExpectedStreams;
        }
        if (_cluster.Cluster.PreconnectRatio > 1)
            ConnectAhead();
    }

    // More connections than are needed now, in proportion to the streams that wait and run (per_upstream_preconnect_ratio); a few at a
    // time, and none to a host in trouble.
    private void ConnectAhead()
    {
        double ratio = _cluster.Cluster.PreconnectRatio;
        for (int made = 0; made < 3 && Host.Health == HostHealth.Healthy; made++)
        {
            long active = 0, capacity = 0;
            foreach (PooledConnection c in _connections)
            {
                active += c.Active;
                capacity += c.Capacity;
            }
            if ((_waiting + active) * ratio <= capacity + active || Connect() is null)
                return;
        }
    }

    private PooledConnection? Connect()
    {
        if (!Use.TryConnection(Limits.MaxConnections))
        {
            Counters.Count(ClusterCounter.UpstreamCxOverflow);
            // A host without any connection may have its first one, or its requests would wait for ever.
            if (_connections.Count > 0)
                return null;
            Use.ForceConnection();
        }
        var connection = new PooledConnection(this);
        _connections.Add(connection);
        _connecting++;
        connection.Connect();
        return connection;
    }

    // ---- what connections tell

    internal void OnConnected(PooledConnection connection)
    {
        _connecting--;
        OnFree(connection);
    }

    internal void OnFree(PooledConnection connection)
    {
        List(connection);
        ServeWaiting();
    }

    private void ServeWaiting()
    {
        while (_first is { } waiter)
        {
            if (FindFree() is not { } free)
            {
                ConnectMore();
                return;
            }
            Dequeue(waiter);
            Give(free, waiter);
        }
    }

    internal void OnConnectFailed(PooledConnection connection, PoolFailure failure, string transportFailure)
    {
        _connecting--;
        Remove(connection);
        // Who waits decides anew: with a host that cannot be reached, waiting on helps nobody.
        StreamWaiter? waiting = _first;
        _first = _last = null;
        for (StreamWaiter? w = waiting; w is not null; w = w.Next)
        {
            w.Pool = null;
            LeaveQueue();
        }
        EndIfIdle();
        while (waiting is not null)
        {
            StreamWaiter? next = waiting.Next;
            waiting.Next = waiting.Previous = null;
            Counters.Count(ClusterCounter.UpstreamRqPendingFailureEject);
            waiting.OnFailed(failure, transportFailure);
            waiting = next;
        }
    }

    internal void OnClosed(PooledConnection connection)
    {
        Remove(connection);
        EndIfIdle();
        ServeWaiting();
    }

    private void Remove(PooledConnection connection)
    {
        Unlist(connection);
        if (!_connections.Remove(connection))
            return;
        Use.FreeConnection();
    }

    private void EndIfIdle()
    {
        if (!IsEmpty)
            return;
        // The host's pools are gone with its last connection, of both priorities.
        Use.CountPool(-1);
        _cluster.Use(_key.Priority == RoutePriority.High ? RoutePriority.Default : RoutePriority.High).CountPool(0);
    }

    // ---- the queue

    private void Enqueue(StreamWaiter waiter)
    {
        waiter.Pool = this;
        waiter.Next = null;
        waiter.Previous = _last;
        if (_last is null)
            _first = waiter;
        else
            _last.Next = waiter;
        _last = waiter;
        _waiting++;
    }

    private void Dequeue(StreamWaiter waiter)
    {
        if (waiter.Previous is null)
            _first = waiter.Next;
        else
            waiter.Previous.Next = waiter.Next;
        if (waiter.Next is null)
            _last = waiter.Previous;
        else
            waiter.Next.Previous = waiter.Previous;
        waiter.Next = waiter.Previous = null;
        waiter.Pool = null;
        LeaveQueue();
    }

    private void LeaveQueue()
    {
        _waiting--;
        Use.FreePending();
        Counters.Move(ClusterGauge.UpstreamRqPendingActive, -1);
    }
}
