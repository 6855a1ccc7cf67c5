using System.Text;
using Lateen.Proxy;
using Lateen.Proxy.Clusters;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tcp;
using Lateen.Proxy.Tcp.Tunnel;
using Lateen.Proxy.Upstream;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp;

public sealed class TunnelTests
{
    private static readonly Address ProxyAt = Address.V4(2, 15001), BackendAt = Address.V4(3, 9000);

    private readonly MemoryNetwork _network = new(5);
    private readonly MemoryLoop _client;
    private readonly ClusterDirectory _directory;
    private readonly ProbeAcceptor _backends = new(() => new Probe { KeepOpenAtEnd = true });
    private readonly Keeping _keeping = new();

    public TunnelTests()
    {
        _client = _network.AddHost("client", Address.V4(1, 0)).AddLoop();
        MemoryLoop proxy = _network.AddHost("proxy", Address.V4(2, 0)).AddLoop();
        _network.AddHost("backend", Address.V4(3, 0)).AddLoop().Listen(new ListenOptions(BackendAt), _backends);
        var worker = new Worker(0, proxy);
        _directory = new ClusterDirectory(proxy, 1);
        var upstreams = new Upstreams(_directory, [worker]);
        _directory.Publish(new Cluster { Name = "tunnel", StatName = "tunnel" },
            new EndpointSet { Localities = [LocalityEndpoints.Of([new Endpoint { Address = BackendAt }])] });
        var options = new TcpOptions
        {
            StatPrefix = "test",
            Targets = [new TcpTarget(_directory.Handle("tunnel"), 1)],
            Tunnel = new TunnelOptions(TextFormat.Parse("dest.test:443"), null,
                new HeaderMutations([],
                    [new HeaderAddition("x-from", TextFormat.Parse("%DOWNSTREAM_REMOTE_ADDRESS_WITHOUT_PORT%"), HeaderAppend.AppendOrAdd,
                        false)]), true, false),
        };
        new ListenerSet(worker).Put(
            new Listener
            {
                Name = "tcp",
                Address = ProxyAt,
                Chains = new ChainTable([],
                    new ListenerChain { Name = "chain", Handler = new TcpChainHandler(upstreams, options, [_keeping], 1) }),
            });
    }

    private sealed class Keeping : NetworkFilterFactory
    {
        public TcpSession? Last;

        public override NetworkFilter? Create(TcpSession session)
        {
            Last = session;
            return null;
        }
    }

    private Probe Call(string first)
    {
        var probe = new Probe();
        probe.Transport = _client.Connect(new ConnectOptions(ProxyAt), probe);
        probe.Transport.Send(Encoding.ASCII.GetBytes(first));
        return probe;
    }

    private bool Run(Func<bool> condition) => _network.RunUntil(condition, 20_000_000);

    [Fact]
    public void Bytes_wait_for_the_tunnel_and_then_go_both_ways()
    {
        Probe client = Call("hello");
        Assert.True(Run(() => _backends.Accepted is [{ Text.Length: > 20 }]));
        Probe backend = _backends.Accepted[0];
        Assert.Equal("CONNECT dest.test:443 HTTP/1.1\r\nhost: dest.test:443\r\nx-from: 0.0.0.1\r\n\r\n", backend.Text);
        backend.Received.Clear();
        backend.Transport!.Send("HTTP/1.1 200 OK\r\nx-told: 1\r\n\r\nfirst"u8);
        Assert.True(Run(() => backend.Text == "hello" && client.Text == "first"));
        Assert.Equal("1",
            Encoding.ASCII.GetString(
                ((Lateen.Proxy.Http.HeaderMap)_keeping.Last!.Facts.FilterState(TunnelOptions.ResponseHeadKey)!).TryGet("x-told"u8,
                    out ReadOnlySpan<byte> told) ? told : default));
        client.Transport!.EndSend();
        Assert.True(Run(() => backend.Ended));
        backend.Transport.Send("last"u8);
        backend.Transport.EndSend();
        Assert.True(Run(() => client.Closings == 1));
        Assert.Equal("firstlast", client.Text);
        Assert.Equal((5, 9), (_keeping.Last.Facts.UpstreamSent, _keeping.Last.Facts.UpstreamReceived));
    }

    [Fact]
    public void A_refused_tunnel_ends_the_client_and_says_why()
    {
        Probe client = Call("hello");
        Assert.True(Run(() => _backends.Accepted is [{ Text.Length: > 20 }]));
        _backends.Accepted[0].Transport!.Send("HTTP/1.1 403 Forbidden\r\ncontent-length: 0\r\n\r\n"u8);
        Assert.True(Run(() => client.Closings == 1));
        Assert.Equal("tunnel_response:403", _keeping.Last!.Facts.UpstreamTransportFailure);
        Assert.Equal(ResponseFlags.UpstreamConnectionFailure | ResponseFlags.UpstreamRetryLimitExceeded, _keeping.Last.Facts.Flags);
        Assert.Equal(0, _directory.Handle("tunnel").Counters[0][ClusterGauge.UpstreamRqActive]);
    }

    [Fact]
    public void A_client_that_leaves_early_takes_its_tunnel_along()
    {
        Probe client = Call("hello");
        Assert.True(Run(() => _backends.Accepted is [{ Text.Length: > 20 }]));
        client.Transport!.Close(abort: true);
        Assert.True(Run(() => _backends.Accepted[0].Closings == 1 || _backends.Accepted[0].Ended));
        Assert.Equal(0, _directory.Handle("tunnel").Counters[0][ClusterGauge.UpstreamRqActive]);
    }
}
