using System.Text;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Net;

public class MemoryTransportTests : TransportContract
{
    private readonly MemoryNetwork _network;
    private readonly MemoryLoop _client, _server;

    public MemoryTransportTests()
        : this(null)
    {
    }

    private protected MemoryTransportTests(MemoryFaults? faults)
    {
        _network = new MemoryNetwork(7, faults);
        _client = _network.AddHost("client", Address.V4(0x0a000001, 0)).AddLoop();
        _server = _network.AddHost("server", Address.V4(0x0a000002, 0)).AddLoop();
    }

    protected override EventLoop Client => _client;

    protected override EventLoop Server => _server;

    protected override Address ListenAt => Address.V4(0x0a000002, 0);

    protected override bool Run(Func<bool> condition) => _network.RunUntil(condition, 20_000_000);
}

/// <summary>The same contract on a bad day: late, cut and coalesced segments change nothing that a handler may rely on.</summary>
public sealed class MemoryTransportWithDelaysTests()
    : MemoryTransportTests(new MemoryFaults { DelayPerMille = 100, DelayMaxMicros = 2_000, SplitPerMille = 100 });

public sealed class MemoryNetworkTests
{
    private static readonly Address ServerAt = Address.V4(0x0a000002, 80);

    [Fact]
    public void The_same_seed_gives_the_same_history_and_another_seed_another()
    {
        Assert.Equal(History(1), History(1));
        Assert.NotEqual(History(1), History(2));
    }

    private static string History(ulong seed)
    {
        var network = new MemoryNetwork(seed, new MemoryFaults { DelayPerMille = 200, SplitPerMille = 200, ResetPerMille = 5 });
        MemoryLoop server = network.AddHost("server", ServerAt).AddLoop();
        var story = new StringBuilder();
        server.Listen(new ListenOptions(ServerAt), new ProbeAcceptor(() => new Probe { Echo = true }));
        for (int i = 0; i < 20; i++)
        {
            int number = i;
            MemoryLoop loop = network.AddHost("c" + i, Address.V4(0x0a000100 + (uint)i, 0)).AddLoop();
            var client = new Probe
            {
                WhenConnected = t => t.Send(new byte[3_000]),
                WhenData = (_, bytes) => story.Append(number).Append('<').Append(bytes.Length).Append('@').Append(network.Now).Append(' '),
            };
            loop.Connect(new ConnectOptions(ServerAt), client);
        }
        network.Advance(10_000_000);
        return story.ToString();
    }

    [Fact]
    public void A_host_that_does_not_exist_never_answers()
    {
        var network = new MemoryNetwork(1);
        MemoryLoop loop = network.AddHost("a", Address.V4(0x0a000001, 0)).AddLoop();
        var client = new Probe();
        loop.Connect(new ConnectOptions(ServerAt, TimeoutMicros: 3_000_000), client);
        Assert.False(network.RunUntil(() => client.Closings > 0, 2_900_000));
        Assert.True(network.RunUntil(() => client.Closings > 0, 200_000));
        Assert.Equal(CloseReason.Timeout, client.Reason);
    }

    [Fact]
    public void What_is_sent_into_a_partition_arrives_when_it_heals()
    {
        var network = new MemoryNetwork(1);
        MemoryHost a = network.AddHost("a", Address.V4(0x0a000001, 0)), b = network.AddHost("b", ServerAt);
        var acceptor = new ProbeAcceptor(() => new Probe());
        b.AddLoop().Listen(new ListenOptions(ServerAt), acceptor);
        var client = new Probe();
        Transport transport = a.AddLoop().Connect(new ConnectOptions(ServerAt), client);
        Assert.True(network.RunUntil(() => client.Connected, 1_000));
        network.Partition(a, b);
        transport.Send("late"u8);
        network.Advance(60_000_000);
        Assert.Equal("", acceptor.Accepted[0].Text);
        network.Heal(a, b);
        Assert.True(network.RunUntil(() => acceptor.Accepted[0].Text == "late", 1_000));
    }

    [Fact]
    public void A_captured_connection_knows_where_it_meant_to_go()
    {
        var network = new MemoryNetwork(1);
        MemoryHost pod = network.AddHost("pod", Address.V4(0x0a000001, 0)), peer = network.AddHost("peer", ServerAt);
        MemoryLoop app = pod.AddLoop("app"), sidecar = pod.AddLoop("sidecar");
        var outbound = Address.V4(0x7f000001, 15001);
        var inbound = Address.V4(0x0a000002, 15006);
        pod.Capture = q => !q.IsInbound && q.From == app ? outbound : default;
        peer.Capture = q => q.IsInbound ? inbound : default;
        var captured = new ProbeAcceptor(() => new Probe());
        sidecar.Listen(new ListenOptions(outbound), captured);
        var arrived = new ProbeAcceptor(() => new Probe());
        peer.AddLoop().Listen(new ListenOptions(Address.V4(0, 15006)), arrived);

        app.Connect(new ConnectOptions(ServerAt), new Probe());
        sidecar.Connect(new ConnectOptions(ServerAt), new Probe());
        Assert.True(network.RunUntil(() => captured.Accepted.Count == 1 && arrived.Accepted.Count == 1, 1_000_000));
        Assert.Equal(ServerAt, captured.Accepted[0].Transport!.OriginalDestination);
        Assert.Equal(outbound, captured.Accepted[0].Transport!.Local);
        Assert.Equal(ServerAt, arrived.Accepted[0].Transport!.OriginalDestination);
        Assert.Equal(pod.Ip, arrived.Accepted[0].Transport!.Remote.WithPort(0));
    }

    [Fact]
    public void A_killed_process_resets_its_peers_and_stops_listening()
    {
        var network = new MemoryNetwork(1);
        MemoryLoop server = network.AddHost("b", ServerAt).AddLoop(), client = network.AddHost("a", Address.V4(0x0a000001, 0)).AddLoop();
        server.Listen(new ListenOptions(ServerAt), new ProbeAcceptor(() => new Probe()));
        var probe = new Probe();
        client.Connect(new ConnectOptions(ServerAt), probe);
        network.Advance(1_000);
        server.Kill();
        Assert.True(network.RunUntil(() => probe.Closings == 1, 1_000));
        Assert.Equal(CloseReason.Reset, probe.Reason);
        var late = new Probe();
        client.Connect(new ConnectOptions(ServerAt), late);
        Assert.True(network.RunUntil(() => late.Closings == 1, 1_000));
        Assert.Equal(CloseReason.Refused, late.Reason);
    }

    [Fact]
    public void Closing_with_unread_bytes_resets_the_peer()
    {
        var network = new MemoryNetwork(1);
        MemoryLoop server = network.AddHost("b", ServerAt).AddLoop(), client = network.AddHost("a", Address.V4(0x0a000001, 0)).AddLoop();
        var acceptor = new ProbeAcceptor(() => new Probe());
        server.Listen(new ListenOptions(ServerAt), acceptor);
        var probe = new Probe { WhenConnected = t => t.Send("unread"u8) };
        client.Connect(new ConnectOptions(ServerAt), probe);
        Assert.True(network.RunUntil(() => acceptor.Accepted.Count == 1, 1_000));
        acceptor.Accepted[0].Transport!.Reading = false;
        network.Advance(1_000);
        acceptor.Accepted[0].Transport!.Close();
        Assert.True(network.RunUntil(() => probe.Closings == 1, 1_000));
        Assert.Equal(CloseReason.Reset, probe.Reason);
    }

    [Fact]
    public void A_day_passes_in_an_instant()
    {
        var network = new MemoryNetwork(1);
        MemoryLoop loop = network.AddHost("a", Address.V4(0x0a000001, 0)).AddLoop();
        long due = 0, began = network.Now;
        loop.Arm(new Alarm(now => due = now), 86_400_000_000);
        network.Advance(100_000_000_000);
        Assert.Equal(began + 86_400_000_000, due);
    }
}
