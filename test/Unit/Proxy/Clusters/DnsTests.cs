using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Resolution;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

public sealed class DnsTests
{
    private static readonly Address Server = Address.V4(0x0a000035, 53);

    private readonly MemoryNetwork _network = new(1);
    private readonly MemoryLoop _loop;
    private readonly ClusterDirectory _directory;
    private readonly List<string> _asked = [];
    private byte[][] _answers = [[10, 1, 1, 1], [10, 1, 1, 2]];

    public DnsTests()
    {
        _loop = _network.AddHost("proxy", Address.V4(0x0a000001, 0)).AddLoop();
        MemoryLoop dns = _network.AddHost("dns", Server).AddLoop();
        DatagramSocket socket = dns.OpenDatagram(Server);
        socket.Received = (from, question) => Answer(socket, from, question.Span);
        _directory = new ClusterDirectory(_loop, 1) { Names = SystemNames.None with { Servers = [Server] } };
    }

    private void Answer(DatagramSocket socket, Address from, ReadOnlySpan<byte> question)
    {
        ReadOnlySpan<byte> asked = question[12..^11];
        bool a = asked[^3] == 1;
        _asked.Add(a ? "A" : "AAAA");
        var answer = new List<byte>([question[0], question[1], 0x81, 0x80, 0, 1, 0, (byte)(a ? _answers.Length : 0), 0, 0, 0, 0, .. asked]);
        if (a)
        {
            foreach (byte[] ip in _answers)
                answer.AddRange([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, .. ip]);
        }
        socket.Send(from, [.. answer]);
    }

    private void Publish(ClusterType type, DnsOptions options) => _directory.Publish(
        new Cluster { Name = "c", StatName = "c", Type = type, Dns = options },
        new EndpointSet { Localities = [LocalityEndpoints.Of([new Endpoint { Address = default, DnsName = "db.example:5432" }])] });

    private string Hosts => string.Join(' ', _directory.Handle("c").Current!.Hosts.All.Select(h => h.Text));

    [Fact]
    public void A_strict_cluster_has_a_host_for_each_address_and_follows_changes()
    {
        Publish(ClusterType.StrictDns, new DnsOptions { Family = DnsFamily.V4Only, RefreshMicros = 5_000_000 });
        Assert.Equal("", Hosts);
        _network.Advance(100_000);
        Assert.Equal("10.1.1.1:5432 10.1.1.2:5432", Hosts);
        Host kept = _directory.Handle("c").Current!.Hosts.All[0];
        _answers = [[10, 1, 1, 1], [10, 1, 1, 9]];
        _network.Advance(6_000_000);
        Assert.Equal("10.1.1.1:5432 10.1.1.9:5432", Hosts);
        Assert.Same(kept, _directory.Handle("c").Current!.Hosts.All[0]);
    }

    [Fact]
    public void A_logical_cluster_has_one_host()
    {
        Publish(ClusterType.LogicalDns, new DnsOptions { Family = DnsFamily.V4Only });
        _network.Advance(100_000);
        Assert.Equal("10.1.1.1:5432", Hosts);
    }

    [Fact]
    public void Auto_asks_for_IPv6_first_and_then_for_IPv4()
    {
        Publish(ClusterType.StrictDns, new DnsOptions());
        _network.Advance(100_000);
        Assert.Equal(["AAAA", "A"], _asked);
    }

    [Fact]
    public void The_time_to_live_decides_where_it_is_respected()
    {
        Publish(ClusterType.StrictDns, new DnsOptions { Family = DnsFamily.V4Only, RespectTtl = true });
        _network.Advance(29_000_000);
        Assert.Single(_asked);
        _network.Advance(2_000_000);
        Assert.Equal(2, _asked.Count);
    }

    [Fact]
    public void A_message_that_answers_no_question_of_ours_is_ignored()
    {
        byte[] question = new byte[300];
        int n = DnsMessage.WriteQuestion(question, 7, "db.example", DnsMessage.TypeA);
        var found = new List<Address>();
        byte[] echo = question[..n];
        Assert.False(DnsMessage.TryRead(echo, 7, echo, DnsMessage.TypeA, found, out _, out _));
        echo[2] |= 0x80;
        byte[] other = [.. echo];
        other[14] ^= 0x01;
        Assert.False(DnsMessage.TryRead(other, 7, question.AsSpan(0, n), DnsMessage.TypeA, found, out _, out _));
        Assert.False(DnsMessage.TryRead(echo, 8, question.AsSpan(0, n), DnsMessage.TypeA, found, out _, out _));
        Assert.Equal(0, DnsMessage.WriteQuestion(question, 7, "a..b", DnsMessage.TypeA));
    }
}
