using Google.Protobuf;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.Two;
using Lateen.Proxy.Net;
using Lateen.Proxy.Xds;

namespace Lateen.Proxy.Remote;

/// <summary>
/// Keeps a discovery stream to a management server alive: connects to a host of its cluster, opens the stream, and begins anew after a
/// failure with a growing, jittered wait (Envoy's 500 ms to 30 s). What was accepted stays in effect for as long as the server is away.
/// </summary>
public sealed class ManagementServer : GrpcReceiver
{
    private const long FirstWaitMicros = 500_000;
    private const long LongestWaitMicros = 30_000_000;

    private readonly EventLoop _loop;
    private readonly ClusterHandle _cluster;
    private readonly AdsStream _stream;
    private readonly string _path;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _metadata;
    private readonly Again _again;
    private UpstreamConnection? _connection;
    private GrpcCall? _call;
    private long _wait = FirstWaitMicros;
    private uint _turn;
    private bool _stopped;

    /// <summary>A client of a server; <see cref="Start"/> begins.</summary>
    public ManagementServer(EventLoop loop, ClusterHandle cluster, string path, IReadOnlyList<KeyValuePair<string, string>> metadata,
        AdsStream stream)
    {
        _loop = loop;
        _cluster = cluster;
        _path = path;
        _metadata = metadata;
        _stream = stream;
        _again = new Again(this);
        _turn = loop.Chance.Below(int.MaxValue);
    }

    /// <summary>The stream is open.</summary>
    public bool IsConnected => _call is not null;

    /// <summary>Why the last stream or connect ended; empty for never.</summary>
    public string LastFailure { get; private set; } = "";

    /// <summary>Begins to connect.</summary>
    public void Start() => Connect();

    /// <summary>Ends the stream for good.</summary>
    public void Stop()
    {
        _stopped = true;
        _loop.Disarm(_again);
        _call?.Cancel();
        _connection?.Transport.Close();
    }

    /// <inheritdoc/>
    public override void OnMessage(ReadOnlySpan<byte> message)
    {
        _wait = FirstWaitMicros;
        if (_stream.Receive(message))
            return;
        _call?.Cancel();
        Lost("the server sent what is no discovery response");
    }

    /// <inheritdoc/>
    public override void OnEnd(int status, string message) => Lost($"the stream ended with gRPC status {status}: {message}");

    private void Connect()
    {
        if (_stopped)
            return;
        if (_cluster.Current?.Hosts.All is not { Length: > 0 } hosts)
        {
            Lost($"cluster {_cluster.Name} has no host");
            return;
        }
        // Each in its turn, from a first one by chance: of several that are away none is tried twice before the next.
        Host host = hosts[(int)(_turn++ % (uint)hosts.Length)];
        Cluster cluster = _cluster.Current!.Cluster;
        ConnectOptions options = cluster.Bind.To(host.Address, cluster.ConnectTimeoutMicros);
        if (host.Security is { } security)
            security.Connect(_loop, options, default, new Opening(this));
        else
            _loop.Connect(options, new Opening(this));
    }

    private void Opened(Transport transport)
    {
        _connection = new Http2ClientConnection(transport, new Owner(this), new CodecOptions());
        _call = new GrpcCall(_connection, _cluster.Name, _path, _metadata, this);
        _stream.Open(Send);
    }

    private void Send(IMessage message) => _call?.Send(message);

    private void Lost(string why)
    {
        LastFailure = why;
        _stream.Close();
        _call = null;
        Transport? transport = _connection?.Transport;
        _connection = null;
        transport?.Close();
        if (_stopped || _again.IsArmed)
            return;
        // Full jitter: a control plane that comes back must not meet all of its proxies at once.
        _loop.Arm(_again, 1 + _loop.Chance.Below((uint)_wait));
        _wait = Math.Min(_wait * 2, LongestWaitMicros);
    }

    private sealed class Again(ManagementServer server) : Deadline
    {
        protected internal override void OnDue(long now) => server.Connect();
    }

    private sealed class Opening(ManagementServer server) : TransportHandler
    {
        public override void OnConnected(Transport transport) => server.Opened(transport);

        public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
        {
        }

        public override void OnClosed(Transport transport, CloseReason reason) => server.Lost($"connecting failed ({reason})");
    }

    private sealed class Owner(ManagementServer server) : UpstreamConnectionOwner
    {
        public override void OnFree(UpstreamConnection connection)
        {
        }

        public override void OnDraining(UpstreamConnection connection)
        {
        }

        public override void OnClosed(UpstreamConnection connection, CloseReason reason, string detail)
        {
            if (ReferenceEquals(server._connection, connection))
                server.Lost($"the connection ended ({reason}) {detail}".TrimEnd());
        }
    }
}
