using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Upstream;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp.Watching;

/// <summary>A client, a proxy with one network filter in front of its TCP proxy, and a server, on an in-memory network.</summary>
internal sealed class WatchRig
{
    private static readonly Address ProxyAt = Address.V4(2, 15001), ServerAt = Address.V4(3, 9000);

    private readonly MemoryNetwork _network = new(5);
    private readonly ProbeAcceptor _servers = new(() => new Probe { KeepOpenAtEnd = true });
    private readonly Probe _client = new();
    private readonly Ends _ends = new();

    public WatchRig(Func<StatStore, NetworkFilterFactory> filter)
    {
        MemoryLoop client = _network.AddHost("client", Address.V4(1, 0)).AddLoop(),
            proxy = _network.AddHost("proxy", Address.V4(2, 0)).AddLoop(), server = _network.AddHost("server", Address.V4(3, 0)).AddLoop();
        server.Listen(new ListenOptions(ServerAt), _servers);
        var worker = new Worker(0, proxy);
        var directory = new ClusterDirectory(proxy, 1);
        directory.Publish(new Cluster { Name = "db", StatName = "db" },
            new EndpointSet { Localities = [LocalityEndpoints.Of([new Endpoint { Address = ServerAt }])] });
        var options = new TcpOptions
        {
            StatPrefix = "t",
            Targets = [new TcpTarget(directory.Handle("db"), 1)],
            Counters = new TcpCounters(1),
        };
        var set = new ListenerSet(worker);
        set.Put(new Listener
        {
            Name = "tcp",
            Address = ProxyAt,
            Chains = new ChainTable([],
                new ListenerChain
                {
                    Name = "chain",
                    Handler = new TcpChainHandler(new Upstreams(directory, [worker]), options, [filter(Stats), _ends], 1),
                }),
        });
        _client.Transport = client.Connect(new ConnectOptions(ProxyAt), _client);
    }

    public StatStore Stats { get; } = new(1);

    /// <summary>The session; null before it is there.</summary>
    public TcpSession? Session => _ends.Session;

    /// <summary>Virtual time.</summary>
    public long Now => _network.Now;

    /// <summary>The client sends bytes in pieces, and the server gets them as they are.</summary>
    public void Ask(byte[] bytes, int piece = int.MaxValue)
    {
        int before = Heard;
        for (int at = 0; at < bytes.Length; at = at + piece < 0 ? bytes.Length : at + piece)
        {
            _client.Transport!.Send(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
            int until = before + Math.Min(bytes.Length, at + Math.Min(piece, bytes.Length - at));
            Assert.True(_network.RunUntil(() => Heard == until, 20_000_000));
        }
    }

    /// <summary>The server sends bytes in pieces.</summary>
    public void Answer(byte[] bytes, int piece = int.MaxValue)
    {
        Assert.True(_network.RunUntil(() => _servers.Accepted.Count > 0, 20_000_000));
        int before = (int)_client.Received.Length;
        for (int at = 0; at < bytes.Length; at = at + piece < 0 ? bytes.Length : at + piece)
        {
            _servers.Accepted[0].Transport!.Send(bytes.AsSpan(at, Math.Min(piece, bytes.Length - at)));
            int until = before + Math.Min(bytes.Length, at + Math.Min(piece, bytes.Length - at));
            Assert.True(_network.RunUntil(() => (int)_client.Received.Length == until, 20_000_000));
        }
    }

    /// <summary>The client goes.</summary>
    public void Leave()
    {
        _client.Transport!.Close(abort: true);
        Assert.True(_network.RunUntil(() => _ends.IsOver, 20_000_000));
    }

    /// <summary>What is counted under a name; 0 for a name that there is not.</summary>
    public long this[string name]
    {
        get
        {
            Stats.Flush();
            foreach (StatSeries series in Stats.All())
            {
                if (series.Name == name)
                    return series.Value;
            }
            return 0;
        }
    }

    private int Heard => _servers.Accepted.Count == 0 ? 0 : (int)_servers.Accepted[0].Received.Length;

    private sealed class Ends : NetworkFilterFactory
    {
        public TcpSession? Session { get; private set; }

        public bool IsOver { get; private set; }

        public override NetworkFilter Create(TcpSession session)
        {
            Session = session;
            return new End(this);
        }

        private sealed class End(Ends ends) : NetworkFilter
        {
            public override void OnEnd(TcpSession session) => ends.IsOver = true;
        }
    }
}
