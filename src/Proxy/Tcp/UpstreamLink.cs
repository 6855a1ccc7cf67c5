using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Filters.ForwardProxy;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Tcp.Tunnel;
using Lateen.Proxy.Tls;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Tcp;

/// <summary>The upstream's side of one session: chooses cluster and host, counts against limits, connects, and gives everything back at the
/// end.</summary>
internal sealed class UpstreamLink : PickInputs
{
    private static long s_lastId;

    private readonly TcpSession _session;
    private readonly ConnectClock _clock;
    private WorkerCluster? _owner;
    private bool _counted, _ready;
    private long _readyAt;

    public UpstreamLink(TcpSession session)
    {
        _session = session;
        _clock = new ConnectClock(session);
    }

    /// <summary>The cluster that was chosen; null before, and where it is unknown.</summary>
    public WorkerCluster? Cluster { get; private set; }

    public Host? Host { get; private set; }

    public Transport? Transport { get; private set; }

    public TlsFacts? Tls { get; private set; }

    public long Id { get; private set; }

    public int Attempts { get; private set; }

    private Worker Worker => _session.Connection.Worker;

    /// <summary>The upstream's prologue is being read; null where none is expected (any more).</summary>
    public PrologueReader? Prologue { get; set; }

    /// <inheritdoc/>
    public override bool Rejects(Host host) => false;

    /// <inheritdoc/>
    public override string ForwardName(bool secure, out int port)
    {
        port = ForwardTarget.Port(_session.Facts.FilterState(ForwardTarget.PortKey) as string, secure ? 443 : 80);
        return _session.Facts.FilterState(ForwardTarget.HostKey) as string ?? _session.Connection.Facts.ServerName;
    }

    /// <summary>Begins a connect. Returns the flag that tells why none was begun; none where one was.</summary>
    public ResponseFlags Connect(Upstreams upstreams, TcpOptions options, TransportHandler handler)
    {
        WorkerUpstreams mine = upstreams[Worker];
        if (Cluster is null && !Choose(mine, options))
            return ResponseFlags.NoClusterFound;
        ConnectionFacts facts = _session.Connection.Facts;
        Host = Cluster!.PickHost(this, Destination(facts), out WorkerCluster owner);
        _owner = owner;
        if (Host is null)
        {
            Cluster.Counters.Count(ClusterCounter.UpstreamCxNoneHealthy);
            return ResponseFlags.NoHealthyUpstream;
        }
        if (TunnelOf(options) is { } tunnel)
        {
            OpenTunnel(tunnel, owner, Host, handler);
            return ResponseFlags.None;
        }
        if (!owner.Use(RoutePriority.Default).TryConnection(owner.Limits(RoutePriority.Default).MaxConnections))
        {
            Host = null;
            owner.Counters.Count(ClusterCounter.UpstreamCxOverflow);
            owner.Counters.Count(ClusterCounter.UpstreamRqPendingOverflow);
            return ResponseFlags.UpstreamOverflow;
        }
        Open(owner, Host, handler);
        return ResponseFlags.None;
    }

    private Address Destination(ConnectionFacts facts)
    {
        if (_session.Facts.FilterState(TcpFacts.DestinationKey) is string text && IpText.TryParse(text, out Address wanted))
            return wanted;
        Address meant = facts.LocalRestored ? facts.Local : default;
        int port = Cluster!.Cluster.OriginalDestination.PortOverride;
        return port > 0 && meant.IsIp ? meant.WithPort(port) : meant;
    }

    private TunnelOptions? TunnelOf(TcpOptions options) =>
        options.Tunnel is null || _session.Facts.FilterState(TunnelOptions.DisableKey) is string { Length: > 0 } off && off is "true" or "1"
            ? null : options.Tunnel;

    // Connections and their limits are the HTTP pools' here.
    private void OpenTunnel(TunnelOptions options, WorkerCluster owner, Host host, TransportHandler handler)
    {
        Attempts++;
        Worker.Loop.Arm(_clock, Math.Max(1, owner.Cluster.ConnectTimeoutMicros));
        Transport = HttpTunnel.Connect(_session, options, owner, host, handler);
        Transport.HighWatermark = owner.Cluster.BufferLimit;
    }

    private bool Choose(WorkerUpstreams mine, TcpOptions options)
    {
        TcpTarget? target = null;
        ClusterHandle? handle = null;
        if ((_session.Facts.FilterState(TcpFacts.ClusterKey) as string ?? _session.ClusterName) is { } name)
            handle = mine.Directory.Find(name);
        else if ((target = Weigh(options.Targets)) is not null)
            handle = target.Cluster;
        Cluster = handle is null ? null : mine.Of(handle);
        Criteria = target?.Subset;
        if (options.HashSource)
        {
            HasHash = true;
            Hash = Hashing.XxHash64(System.Text.Encoding.ASCII.GetBytes(_session.Connection.Facts.Remote.Host));
        }
        return Cluster is not null;
    }

    private TcpTarget? Weigh(IReadOnlyList<TcpTarget> targets)
    {
        if (targets.Count == 1)
            return targets[0];
        uint sum = 0;
        for (int i = 0; i < targets.Count; i++)
            sum += targets[i].Weight;
        uint at = sum == 0 ? 0 : Worker.Loop.Chance.Below(sum);
        for (int i = 0; i < targets.Count; i++)
        {
            if (at < targets[i].Weight)
                return targets[i];
            at -= targets[i].Weight;
        }
        return null;
    }

    private void Open(WorkerCluster owner, Host host, TransportHandler handler)
    {
        Cluster cluster = owner.Cluster;
        Attempts++;
        Id = Interlocked.Increment(ref s_lastId);
        _counted = true;
        owner.Counters.Count(ClusterCounter.UpstreamCxTotal);
        owner.Counters.Count(ClusterCounter.UpstreamRqPendingTotal);
        owner.Counters.Move(ClusterGauge.UpstreamCxActive, 1);
        host.CountConnection(1);
        host.Counters.CountConnection();
        Address to = host.Address;
        ConnectOptions connect = cluster.Bind.To(to);
        Worker.Loop.Arm(_clock, Math.Max(1, cluster.ConnectTimeoutMicros));
        Transport = host.Security is { } security
            ? security.Connect(Worker.Loop, connect,
                new SecurityWishes(_session.ServerName, _session.Alpn, null, HostName: host.Endpoint.Hostname,
                    HostMetadata: host.Endpoint.Metadata, ClusterMetadata: cluster.Metadata), handler)
            : Worker.Loop.Connect(connect, handler);
        Transport.HighWatermark = cluster.BufferLimit;
        if (cluster.ProxyHeader is { } header)
            SendProxyHeader(header);
    }

    // In front of TLS, too: below it the bytes leave as soon as the connection is there.
    private void SendProxyHeader(ProxyHeaderOptions options)
    {
        ConnectionFacts facts = _session.Connection.Facts;
        IEnumerable<(byte, byte[])> passed = options.PassedTypes is not { } types
            ? [] : facts.PassedValues.Where(v => types.Count == 0 || types.Contains(v.Type));
        ((Transport as TlsTransport)?.Inner
            ?? Transport!).Send(ProxyHeader.Write(options.Version, facts.Remote, facts.Local, [.. options.Added, .. passed]));
    }

    /// <summary>It is there.</summary>
    public void OnConnected()
    {
        Worker.Loop.Disarm(_clock);
        if (Transport is HttpTunnel tunnel)
        {
            Tls = tunnel.Tls;
            Id = tunnel.ConnectionId;
            Report(success: true);
            return;
        }
        Tls = Host!.Security?.FactsOf(Transport!);
        _ready = true;
        _readyAt = Worker.Loop.Now;
        _owner!.Counters.Count(ClusterCounter.UpstreamRqTotal);
        _owner.Counters.Move(ClusterGauge.UpstreamRqActive, 1);
        if (Tls is not null)
            _owner.TlsStats.Succeeded(Worker, Tls);
        Report(success: true);
        foreach (object filter in _owner.Cluster.NetworkFilters)
        {
            if (filter is not PeerExchange exchange || Host.Security?.AgreedProtocol(Transport!) != exchange.Protocol)
                continue;
            Transport!.Send(exchange.Prologue);
            Prologue = new PrologueReader(exchange);
        }
    }

    /// <summary>It failed. Returns why, in Envoy's words.</summary>
    public string OnFailed(CloseReason reason)
    {
        Worker.Loop.Disarm(_clock);
        if (Transport is HttpTunnel tunnel)
        {
            Report(success: false);
            return tunnel.Failure;
        }
        _owner!.Counters.Count(ClusterCounter.UpstreamCxConnectFail);
        if (reason == CloseReason.Timeout)
            _owner.Counters.Count(ClusterCounter.UpstreamCxConnectTimeout);
        if (reason == CloseReason.Tls)
            _owner.TlsStats.Failed(Worker, Host!.Security?.FailureOf(Transport!) ?? "");
        Host!.Counters.CountConnectFail();
        Report(success: false);
        _owner.Counters.Count(ClusterCounter.UpstreamRqPendingFailureEject);
        Release(remote: reason != CloseReason.Timeout);
        return reason switch
        {
            CloseReason.Tls => Host.Security?.FailureOf(Transport!) ?? "",
            not CloseReason.Timeout when Transport!.ConnectFailure.Length > 0 => Transport.ConnectFailure,
            CloseReason.Refused => "delayed connect error: Connection refused",
            CloseReason.Reset => "delayed connect error: Connection reset by peer",
            CloseReason.Environment => "immediate connect error: Network is unreachable",
            _ => "",
        };
    }

    private void Report(bool success)
    {
        if (_owner!.Cluster.Outlier is { } options)
            _owner.Upstreams.Directory.Outliers?.OnLocal(_owner.Handle, options, Host!, success, 503);
    }

    /// <summary>Every attempt that was allowed has failed.</summary>
    public void CountExhausted() => _owner?.Counters.Count(ClusterCounter.UpstreamCxConnectAttemptsExceeded);

    public void CountBytes(long received, long sent)
    {
        _owner?.Counters.Add(ClusterCounter.UpstreamCxRxBytesTotal, received);
        _owner?.Counters.Add(ClusterCounter.UpstreamCxTxBytesTotal, sent);
    }

    /// <summary>Gives back what was counted; once for each connect.</summary>
    /// <param name="remote">The host ended it.</param>
    public void Release(bool remote)
    {
        Worker.Loop.Disarm(_clock);
        if (!_counted)
            return;
        _counted = false;
        ClusterCounters counters = _owner!.Counters;
        counters.Move(ClusterGauge.UpstreamCxActive, -1);
        counters.Count(ClusterCounter.UpstreamCxDestroy);
        counters.Count(remote ? ClusterCounter.UpstreamCxDestroyRemote : ClusterCounter.UpstreamCxDestroyLocal);
        if (_ready)
        {
            // A connection of TCP is its own request.
            counters.Count(ClusterCounter.UpstreamCxDestroyWithActiveRq);
            counters.Count(remote ? ClusterCounter.UpstreamCxDestroyRemoteWithActiveRq : ClusterCounter.UpstreamCxDestroyLocalWithActiveRq);
            counters.Move(ClusterGauge.UpstreamRqActive, -1);
            counters.Record(ClusterHistogram.UpstreamCxLengthMs, (Worker.Loop.Now - _readyAt) / 1000);
        }
        _ready = false;
        Host!.CountConnection(-1);
        _owner.Use(RoutePriority.Default).FreeConnection();
    }

    private sealed class ConnectClock(TcpSession session) : Deadline
    {
        protected internal override void OnDue(long now) => session.OnConnectTimeout();
    }
}
