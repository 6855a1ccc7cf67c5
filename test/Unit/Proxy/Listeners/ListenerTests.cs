using Lateen.Proxy;
using Lateen.Proxy.Listeners;
using Lateen.Proxy.Matching;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Lateen.Test.Unit.Proxy.Net;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Listeners;

public sealed class ListenerTests
{
    private readonly MemoryNetwork _network = new(2);
    private readonly MemoryHost _pod;
    private readonly MemoryLoop _app, _sidecar;
    private readonly ListenerSet _set;
    private readonly List<string> _served = [];

    public ListenerTests()
    {
        _pod = _network.AddHost("pod", Address.V4(0x0a000001, 0));
        _app = _pod.AddLoop("app");
        _sidecar = _pod.AddLoop("sidecar");
        _pod.Capture = q => q.From == _app && !q.IsInbound ? Address.V4(0x7f000001, 15001) : default;
        _set = new ListenerSet(new Worker(0, _sidecar));
    }

    private sealed class Naming(string name, List<string> served) : ChainHandler
    {
        public override void Serve(AcceptedConnection connection, ReadOnlySpan<byte> early)
        {
            served.Add($"{connection.Listener.Name}/{name}{(early.IsEmpty ? "" : ":" + System.Text.Encoding.ASCII.GetString(early))}");
            connection.Transport.Handler = new Probe();
            connection.Transport.Close();
            connection.Ended();
        }
    }

    private ListenerChain Chain(string name, ChainMatch? match = null) =>
        new() { Name = name, Match = match ?? ChainMatch.Any, Handler = new Naming(name, _served), Fingerprint = name };

    private Listener Virtual(params InspectorKind[] inspectors) => Virtual(0, inspectors);

    private Listener Virtual(int connectionsMax, params InspectorKind[] inspectors) => new()
    {
        ConnectionsMax = connectionsMax,
        Name = "virtualOutbound",
        Address = Address.V4(0, 15001),
        HandsOver = true,
        Inspectors = [.. inspectors.Select(k => new Inspector(k, []))],
        InspectMicros = 1_000_000,
        Chains = new ChainTable([], Chain("own")),
    };

    private Listener Bound(Address address, params ListenerChain[] chains) => new()
    {
        Name = address.ToString(),
        Address = address,
        Binds = false,
        Chains = new ChainTable(chains.Length == 0 ? [Chain("chain")] : chains, null),
    };

    private string Call(string to, int port, string first = "")
    {
        Assert.True(Address.TryParse(to, port, out Address address));
        int before = _served.Count;
        var probe = new Probe { WhenConnected = t => t.Send(System.Text.Encoding.ASCII.GetBytes(first)) };
        _app.Connect(new ConnectOptions(address), probe);
        _network.RunUntil(() => _served.Count > before || probe.Closings > 0, 5_000_000);
        return _served.Count > before ? _served[^1] : "closed";
    }

    [Fact]
    public void A_connection_that_was_handed_over_gives_its_place_back_where_it_was_accepted()
    {
        _set.Put(Virtual(connectionsMax: 2));
        _set.Put(Bound(Address.V4(0, 9000)));
        for (int i = 0; i < 5; i++) Assert.Equal("0.0.0.0:9000/chain", Call("10.9.0.1", 9000));
    }

    private sealed class Closing : ChainHandler
    {
        public int Served { get; private set; }

        public override void Serve(AcceptedConnection connection, ReadOnlySpan<byte> early)
        {
            Served++;
            connection.Transport.Handler = new Probe();
            connection.Transport.Close();
            connection.Ended();
        }
    }

    private sealed class ClosingDoor : Acceptor
    {
        public override void OnAccepted(Transport transport)
        {
            transport.Handler = new Probe();
            transport.Close();
        }
    }

    // Idle connections by the ten thousand are mostly this; nothing may be searched or compared anew for each.
    [Fact]
    public void A_door_adds_few_bytes_to_a_connection()
    {
        var handler = new Closing();
        var chain = new ListenerChain { Name = "c", Match = ChainMatch.Any, Handler = handler, Fingerprint = "c" };
        _pod.Capture = null;
        _set.Put(new Listener { Name = "in", Address = Address.V4(0x0a000001, 80), Chains = new ChainTable([chain], null) });
        _sidecar.Listen(new ListenOptions(Address.V4(0x0a000001, 81)), new ClosingDoor());
        AllocatedByCalls(80, 20);
        long bare = AllocatedByCalls(81, 200), served = AllocatedByCalls(80, 200);
        Assert.Equal(220, handler.Served);
        Assert.InRange((served - bare) / 200, 0, 700);
    }

    private long AllocatedByCalls(int port, int count)
    {
        long before = GC.GetAllocatedBytesForCurrentThread();
        for (int i = 0; i < count; i++)
        {
            var probe = new Probe();
            _app.Connect(new ConnectOptions(Address.V4(0x0a000001, port)), probe);
            _network.RunUntil(() => probe.Closings > 0, 5_000_000);
        }
        return GC.GetAllocatedBytesForCurrentThread() - before;
    }

    [Fact]
    public void A_captured_connection_goes_to_the_listener_of_its_address_then_of_its_port_then_stays()
    {
        _set.Put(Virtual());
        _set.Put(Bound(Address.V4(0x0a090001, 9000)));
        _set.Put(Bound(Address.V4(0, 9000)));
        Assert.Equal("10.9.0.1:9000/chain", Call("10.9.0.1", 9000));
        Assert.Equal("0.0.0.0:9000/chain", Call("10.7.7.7", 9000));
        Assert.Equal("virtualOutbound/own", Call("10.7.7.7", 9999));
        _set.Remove("0.0.0.0:9000");
        Assert.Equal("virtualOutbound/own", Call("10.7.7.7", 9000));
    }

    [Fact]
    public void The_first_inspectors_bytes_reach_whoever_serves()
    {
        _set.Put(Virtual(InspectorKind.Http));
        _set.Put(Bound(Address.V4(0, 80), Chain("http", new ChainMatch { ApplicationProtocols = ["http/1.1"] })));
        Assert.Equal("0.0.0.0:80/http:GET / HTTP/1.1\r\n\r\n", Call("10.7.7.7", 80, "GET / HTTP/1.1\r\n\r\n"));
    }

    [Fact]
    public void A_proxy_header_is_believed_and_taken_away()
    {
        _set.Put(new Listener
        {
            Name = "front",
            Address = Address.V4(0x0a000001, 443),
            Inspectors = [new Inspector(InspectorKind.ProxyProtocol, [])],
            InspectMicros = 1_000_000,
            Chains = new ChainTable([Chain("meant", new ChainMatch { DestinationPort = 8443 })], null),
        });
        var probe = new Probe();
        Transport transport = _sidecar.Connect(new ConnectOptions(Address.V4(0x0a000001, 443)), probe);
        transport.Send("PROXY TCP4 192.0.2.9 10.9.9.9 5555 84"u8);
        _network.Advance(1_000);
        transport.Send("43\r\nhello"u8);
        Assert.True(_network.RunUntil(() => _served.Count == 1, 1_000_000));
        Assert.Equal("front/meant:hello", _served[0]);
    }

    [Fact]
    public void Silence_ends_the_looking()
    {
        _set.Put(new Listener
        {
            Name = "strict",
            Address = Address.V4(0x0a000001, 1),
            Inspectors = [new Inspector(InspectorKind.Tls, [])],
            InspectMicros = 500_000,
            Chains = new ChainTable([], Chain("c")),
        });
        _set.Put(new Listener
        {
            Name = "kind",
            Address = Address.V4(0x0a000001, 2),
            Inspectors = [new Inspector(InspectorKind.Tls, [])],
            InspectMicros = 500_000,
            GoOnAfterTimeout = true,
            Chains = new ChainTable([], Chain("c")),
        });
        var strict = new Probe();
        _sidecar.Connect(new ConnectOptions(Address.V4(0x0a000001, 1)), strict);
        _sidecar.Connect(new ConnectOptions(Address.V4(0x0a000001, 2)), new Probe());
        _network.Advance(600_000);
        Assert.Equal(1, strict.Closings);
        Assert.Equal(["kind/c"], _served);
    }

    [Fact]
    public void No_chain_is_left_for_a_less_specific_one()
    {
        var table = new ChainTable(
            [
                Chain("port+sni", new ChainMatch { DestinationPort = 443, ServerNames = ["a.com"] }),
                Chain("sni", new ChainMatch { ServerNames = ["*.b.com"] }),
                Chain("deep", new ChainMatch { ServerNames = ["*.c.b.com"] }),
                Chain("net", new ChainMatch { DestinationPrefixes = [new Prefix(Address.V4(0x0a000000, 0), 8)] }),
                Chain("tls", new ChainMatch { TransportProtocol = "tls" }),
            ],
            Chain("other"));
        Assert.Equal("port+sni", Find(443, "a.com"));
        Assert.Equal("other", Find(443, "x.b.com"));
        Assert.Equal("sni", Find(80, "x.b.com"));
        Assert.Equal("deep", Find(80, "y.c.b.com"));
        Assert.Equal("tls", Find(80, "b.com"));
        Assert.Equal("net", Find(80, "", "10.1.1.1"));
        Assert.Null(table.Conflict);
        Assert.NotNull(new ChainTable([Chain("one"), Chain("two")], null).Conflict);

        string Find(int port, string name, string ip = "192.0.2.1")
        {
            Assert.True(Address.TryParse(ip, port, out Address local));
            return table.Find(new ConnectionFacts
            {
                Local = local,
                Remote = Address.V4(0x01010101, 5),
                DirectRemote = Address.V4(0x01010101, 5),
                ServerName = name,
                TransportProtocol = name.Length > 0 ? "tls" : "raw_buffer",
            })!.Name;
        }
    }

    [Fact]
    public void A_tree_chooses_by_name()
    {
        MatchOutcome<ConnectionFacts, string> To(string chain) => new(chain, null);
        var inner = new RangeTree<ConnectionFacts, string>(new ConnectionInput(ChainInput.DestinationIp),
            [(new Prefix(Address.V4(0x0a000000, 0), 8), To("wide"), false),
                (new Prefix(Address.V4(0x0a010000, 0), 16), To("narrow"), false)]);
        var table = new ChainTable([Chain("wide"), Chain("narrow"), Chain("exact")], Chain("other"),
            new MapTree<ConnectionFacts, string>(new ConnectionInput(ChainInput.DestinationPort),
                new Dictionary<string, MatchOutcome<ConnectionFacts, string>>
                {
                    ["80"] = new(null, inner),
                    ["81"] = To("exact"),
                    ["82"] = To("absent"),
                }, byPrefix: false));
        string? Find(uint ip, int port) => table.Find(new ConnectionFacts { Local = Address.V4(ip, port) })?.Name;
        Assert.Equal(("wide", "narrow", "exact"), (Find(0x0a020304, 80), Find(0x0a010304, 80), Find(1, 81)));
        Assert.Equal(("other", null), (Find(0x0b000000, 80), Find(1, 82)));
        Assert.Equal("other", Find(1, 90));
    }

    [Fact]
    public void An_update_drains_only_the_chains_that_are_gone()
    {
        var kept = new Draining();
        var gone = new Draining();
        Listener Of(params (string Name, ChainHandler Handler)[] chains) => new()
        {
            Name = "l",
            Address = Address.V4(0x0a000001, 80),
            Chains =
                new ChainTable(
                    [
                        .. chains.Select((c, i) =>
                            new ListenerChain
                            {
                                Name = c.Name,
                                Handler = c.Handler,
                                Fingerprint = c.Name,
                                Match = new ChainMatch { DestinationPort = 80 + i },
                            })], null),
        };
        _set.Put(Of(("kept", kept), ("gone", gone)));
        _set.Put(Of(("kept", kept), ("new", new Draining())));
        Assert.Equal((0, 1), (kept.Drains, gone.Drains));
        _set.Remove("l");
        Assert.Equal((1, 1), (kept.Drains, gone.Drains));
        _set.Put(Of(("kept", kept)));
    }

    private sealed class Draining : ChainHandler
    {
        public int Drains;

        public override void Serve(AcceptedConnection connection, ReadOnlySpan<byte> early)
        {
        }

        public override void Drain(Worker worker, DrainPace pace) => Drains++;
    }
}
