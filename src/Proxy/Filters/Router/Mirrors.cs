using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Balancing;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Upstream;

namespace Lateen.Proxy.Filters.Router;

/// <summary>Sends copies of complete requests elsewhere. Nobody waits for them: what comes back is thrown away, failures count only in the
/// shadow's cluster.</summary>
internal static class Mirrors
{
    /// <summary>Sends a copy to each mirror whose share takes this request.</summary>
    public static void Send(Exchange exchange, ForwardAction action, Upstreams upstreams, ReadOnlySpan<byte> body, bool hasTrailers)
    {
        if (exchange.Upgrade.Length > 0)
            return;
        foreach (MirrorPolicy policy in action.Mirrors)
        {
            if (!policy.Share.Includes(exchange.Worker.Loop.Chance.NextULong()))
                continue;
            ClusterHandle? handle = policy.Cluster;
            if (handle is null && policy.ClusterHeader.Length > 0
                && exchange.RequestHead.TryGet(policy.ClusterHeader, out ReadOnlySpan<byte> name))
                handle = upstreams.Directory.Find(name);
            if (handle is null || upstreams[exchange.Worker].Of(handle) is not { } cluster)
                continue;
            var shadow = new Shadow(exchange, cluster, action.Timeouts.RouteMicros);
            if (cluster.PickHost(shadow.Choice, exchange.Connection.Context.Local, out WorkerCluster owner) is not { } host)
                continue;
            shadow.Begin(owner, host, policy, body, hasTrailers ? exchange.RequestTrailers : null);
        }
    }

    private sealed class Shadow : ResponseReceiver
    {
        private readonly Exchange _exchange;
        private readonly long _timeoutMicros;
        private readonly EventLoop _loop;
        private readonly HeaderMap _head = new();
        private readonly ByteBuffer _body = new(0);
        private readonly Waiter _waiter;
        private readonly Clock _clock;
        private readonly WorkerCluster _cluster;
        private HeaderMap? _trailers;
        private PooledConnection? _connection;
        private UpstreamStream? _stream;
        private bool _over;

        public Shadow(Exchange exchange, WorkerCluster cluster, long timeoutMicros)
        {
            _exchange = exchange;
            _loop = exchange.Worker.Loop;
            _cluster = cluster;
            _timeoutMicros = timeoutMicros;
            _waiter = new Waiter(this);
            _clock = new Clock(this);
            Choice = new AnyHost();
        }

        public PickInputs Choice { get; }

        public void Begin(WorkerCluster owner, Host host, MirrorPolicy policy, ReadOnlySpan<byte> body, HeaderMap? trailers)
        {
            _head.AddAll(_exchange.RequestHead);
            _head.Set(KnownHeader.XEnvoyInternal, "true"u8);
            if (policy.HostRewrite.Length > 0)
                _head.Set(KnownHeader.Authority, policy.HostRewrite);
            else if (!policy.KeepHost)
                RenameHost();
            foreach (HeaderMutations change in policy.Headers)
                RouteHeaders.Apply(change, _head, _exchange);
            AppendForwardedFor();
            _body.Append(body);
            if (trailers is not null)
                (_trailers = new HeaderMap()).AddAll(trailers);
            if (_timeoutMicros > 0)
                _loop.Arm(_clock, _timeoutMicros);
            HttpVersion version = owner.Cluster.Protocol.Choice == ProtocolChoice.Http2
                || (owner.Cluster.Protocol.Choice == ProtocolChoice.Downstream && _exchange.Stream.Version == HttpVersion.Http2)
                ? HttpVersion.Http2 : HttpVersion.Http11;
            if (owner.PoolsOf(host).Of(new PoolKey(version, RoutePriority.Default, default, null)) is { } pool)
                pool.Request(_waiter);
            else
                _waiter.OnFailed(PoolFailure.Overflow, "");
        }

        private void RenameHost()
        {
            ReadOnlySpan<byte> host = _head[KnownHeader.Authority];
            int colon = Authority.PortColon(host);
            ReadOnlySpan<byte> name = colon < 0 ? host : host[..colon], port = host[name.Length..];
            Span<byte> renamed = stackalloc byte[host.Length + 7];
            name.CopyTo(renamed);
            "-shadow"u8.CopyTo(renamed[name.Length..]);
            port.CopyTo(renamed[(name.Length + 7)..]);
            _head.Set(KnownHeader.Authority, renamed);
        }

        private void AppendForwardedFor()
        {
            Address own = _exchange.Options.LocalAddress.IsIp ? _exchange.Options.LocalAddress : _exchange.Connection.Context.Local;
            if (!own.IsIp)
                return;
            Span<byte> ip = stackalloc byte[46];
            int n = IpText.Write(own, ip);
            ReadOnlySpan<byte> before = _head[KnownHeader.XForwardedFor];
            if (before.IsEmpty)
            {
                _head.Set(KnownHeader.XForwardedFor, ip[..n]);
                return;
            }
            byte[] joined = [.. before, (byte)',', .. ip[..n]];
            _head.Set(KnownHeader.XForwardedFor, joined);
        }

        private void OnReady(PooledConnection connection)
        {
            if (_over)
                return;
            _connection = connection;
            _stream = connection.Codec.Begin(this);
            _stream.SendHead(_head, _body.Length == 0 && _trailers is null);
            if (!_over && _body.Length > 0)
                _stream.SendBody(_body.Written, _trailers is null);
            if (!_over && _trailers is not null)
                _stream.SendTrailers(_trailers);
        }

        private void End()
        {
            if (_over)
                return;
            _over = true;
            _loop.Disarm(_clock);
            _connection?.OnStreamOver();
        }

        private void GiveUp()
        {
            if (_over)
                return;
            _waiter.Pool?.Cancel(_waiter);
            UpstreamStream? stream = _stream;
            End();
            stream?.Reset(ResetReason.Local);
        }

        public override void OnInformational()
        {
        }

        public override void OnResponseHead(bool end)
        {
            if (System.Buffers.Text.Utf8Parser.TryParse(ResponseHead[KnownHeader.Status], out int status, out _))
                _cluster.Handle.Stats.CountAnswer(_cluster.Upstreams.Worker.Index, status, false, false);
            if (end)
                End();
        }

        public override void OnResponseBody(ReadOnlySpan<byte> body, bool end)
        {
            if (end)
                End();
        }

        public override void OnResponseTrailers() => End();

        public override void OnResponseReset(ResetReason reason, string detail) => End();

        public override void OnSendable()
        {
        }

        private sealed class AnyHost : PickInputs
        {
            public override bool Rejects(Host host) => false;
        }

        private sealed class Waiter(Shadow shadow) : StreamWaiter
        {
            public override void OnReady(PooledConnection connection) => shadow.OnReady(connection);

            public override void OnFailed(PoolFailure failure, string transportFailure) => shadow.End();
        }

        private sealed class Clock(Shadow shadow) : Deadline
        {
            protected internal override void OnDue(long now) => shadow.GiveUp();
        }
    }
}
