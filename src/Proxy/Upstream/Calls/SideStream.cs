// Calls: requests that the proxy makes itself while it serves one: an authorizer, a rate limiter, a key server, a script's call. They run
// on the worker's own loop to a cluster of the directory, through its balancer, pools and breakers like any request, and are counted there.
// Each lives in the slot of the filter that made it, is used again with it, and is cancelled with its stream. SideStream is one try on one
// host; SideCall adds bodies kept whole, time, and retries. No thread, no Task; a call never tells of its end inside the call that began
// it. Refused: sending these through an exchange and the router's slot (they have no client, no route, no filters).
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Upstream.Calls;

/// <summary>One stream to a host of a named cluster: picks the host, waits for a connection, then hands events on. Reused after its
/// end.</summary>
public abstract class SideStream : ResponseReceiver
{
    private readonly Waiter _waiter;
    private readonly Late _late;
    private readonly AnyHost _any = new();
    private PooledConnection? _connection;
    private UpstreamCause? _lateCause;
    private bool _over = true, _opening;

    /// <summary>A stream that is not open yet.</summary>
    protected SideStream()
    {
        _waiter = new Waiter(this);
        _late = new Late(this);
    }

    /// <summary>From <see cref="Open"/> until its end or <see cref="Cancel"/>.</summary>
    public bool IsOpen => !_over || _lateCause is not null;

    /// <summary>The worker that it runs on.</summary>
    protected Worker Worker { get; private set; } = null!;

    /// <summary>Where it goes.</summary>
    protected SideTarget Target { get; private set; } = null!;

    /// <summary>The codec's stream; null before a connection was had.</summary>
    protected UpstreamStream? Stream { get; private set; }

    /// <summary>The cluster of the host; null where there was none.</summary>
    protected WorkerCluster? Cluster { get; private set; }

    /// <summary>The host; null where there was none.</summary>
    protected Host? Host { get; private set; }

    /// <summary>Begins. <see cref="OnReady"/> or <see cref="OnFailed"/> follows; the latter never inside this call.</summary>
    protected void Open(Worker worker, SideTarget target)
    {
        Worker = worker;
        Target = target;
        _over = false;
        _lateCause = null;
        Stream = null;
        _connection = null;
        Cluster = null;
        Host = null;
        ResponseHead.Clear();
        ResponseTrailers.Clear();
        _opening = true;
        Connect();
        _opening = false;
    }

    private void Connect()
    {
        if (Target.Upstreams[Worker].Of(Target.Cluster) is not { } cluster)
        {
            Fail(SideFailures.NoCluster);
            return;
        }
        Cluster = cluster;
        if (cluster.PickHost(_any, default, out WorkerCluster owner) is not { } host)
        {
            cluster.Counters.Count(ClusterCounter.UpstreamCxNoneHealthy);
            Fail(SideFailures.NoHost);
            return;
        }
        Cluster = owner;
        Host = host;
        HttpVersion? version = owner.Cluster.Protocol.Choice switch
        {
            ProtocolChoice.Http2 => HttpVersion.Http2,
            ProtocolChoice.Auto => host.Security is null ? HttpVersion.Http11 : null,
            _ => HttpVersion.Http11,
        };
        if (owner.PoolsOf(host).Of(new PoolKey(version, RoutePriority.Default, default, null)) is { } pool)
            pool.Request(_waiter);
        else
            Fail(SideFailures.NoHost);
    }

    /// <summary>Gives it up; nothing is told any more. Harmless where it is over.</summary>
    protected void Close()
    {
        _lateCause = null;
        if (_over)
            return;
        UpstreamStream? stream = Stream;
        if (stream is null)
            _waiter.Pool?.Cancel(_waiter);
        Finish();
        if (stream is not null)
        {
            Cluster!.Counters.Count(ClusterCounter.UpstreamRqTxReset);
            stream.Reset(ResetReason.Local);
        }
    }

    /// <summary>The response is complete: the connection is free for others.</summary>
    protected void Finish()
    {
        if (_over)
            return;
        _over = true;
        _connection?.OnStreamOver();
        Stream = null;
    }

    /// <summary>A connection is there: send the head on <see cref="Stream"/>.</summary>
    protected abstract void OnReady();

    /// <summary>It ended without a complete answer.</summary>
    protected abstract void OnFailed(UpstreamCause cause);

    /// <summary>Ends it with a failure.</summary>
    protected void Fail(UpstreamCause cause)
    {
        Finish();
        if (!_opening)
        {
            OnFailed(cause);
            return;
        }
        _lateCause = cause;
        Worker.Loop.Defer(_late);
    }

    /// <inheritdoc/>
    public override void OnInformational()
    {
    }

    /// <inheritdoc/>
    public override void OnResponseReset(ResetReason reason, string detail)
    {
        if (_over)
            return;
        Cluster!.Counters.Count(ClusterCounter.UpstreamRqRxReset);
        UpstreamCause cause = SideFailures.Of(reason);
        Cluster.ReportFailure(Host!, cause);
        Fail(cause);
    }

    /// <inheritdoc/>
    public override void OnSendable()
    {
    }

    private sealed class AnyHost : PickInputs
    {
        public override bool Rejects(Host host) => false;
    }

    private sealed class Waiter(SideStream owner) : StreamWaiter
    {
        public override void OnReady(PooledConnection connection)
        {
            owner._connection = connection;
            owner.Stream = connection.Codec.Begin(owner);
            owner.OnReady();
        }

        public override void OnFailed(PoolFailure failure, string transportFailure)
        {
            UpstreamCause cause = SideFailures.Of(failure);
            owner.Cluster!.ReportFailure(owner.Host!, cause);
            owner.Fail(cause);
        }
    }

    private sealed class Late(SideStream owner) : Letter
    {
        protected internal override void Deliver()
        {
            if (owner._lateCause is not { } cause)
                return;
            owner._lateCause = null;
            owner.OnFailed(cause);
        }
    }
}
