using Lateen.Proxy.Clusters;
using Lateen.Proxy.Clusters.Resolution;
using Lateen.Proxy.Net;
using Lateen.Proxy.Net.Memory;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Clusters;

/// <summary>DNS that lies: whatever is said in place of an answer, what was known is kept, and the truth is taken up when it
/// comes.</summary>
public sealed class DnsLieTests
{
    private static readonly Address Server = Address.V4(0x0a000035, 53);

    private readonly MemoryNetwork _network = new(1);
    private readonly ClusterDirectory _directory;
    private readonly DatagramSocket _socket, _stranger;
    private Func<byte[], byte[]> _lie = static a => a;
    private byte _last = 1;
    private bool _fromElsewhere;

    public DnsLieTests()
    {
        MemoryLoop loop = _network.AddHost("proxy", Address.V4(0x0a000001, 0)).AddLoop();
        _socket = _network.AddHost("dns", Server).AddLoop().OpenDatagram(Server);
        _stranger = _network.AddHost("stranger", Address.V4(0x0a000036, 0)).AddLoop().OpenDatagram(Address.V4(0x0a000036, 53));
        _socket.Received = (from, question) => (_fromElsewhere ? _stranger : _socket).Send(from, _lie(Truth(question.Span)));
        _directory = new ClusterDirectory(loop, 1) { Names = SystemNames.None with { Servers = [Server] } };
        _directory.Publish(
            new Cluster
            {
                Name = "c",
                StatName = "c",
                Type = ClusterType.StrictDns,
                Dns = new DnsOptions { Family = DnsFamily.V4Only, RefreshMicros = 5_000_000 },
            },
            new EndpointSet { Localities = [LocalityEndpoints.Of([new Endpoint { Address = default, DnsName = "db.example:5432" }])] });
        _network.Advance(100_000);
    }

    private string Hosts => string.Join(' ', _directory.Handle("c").Current!.Hosts.All.Select(h => h.Text));

    // One A record: 10.1.1.LAST, for 30 s.
    private byte[] Truth(ReadOnlySpan<byte> question) =>
        [question[0], question[1], 0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0, .. question[12..^11], 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 1,
            1, _last];

    public static TheoryData<string> Lies() =>
        ["another id", "from another address", "another name", "no answer but a question", "server failure", "refused",
            "bytes without sense", "nothing", "one byte", "a name that points to itself", "a length beyond the end"];

    [Theory]
    [MemberData(nameof(Lies))]
    public void What_is_no_answer_changes_nothing(string lie)
    {
        Assert.Equal("10.1.1.1:5432", Hosts);
        _last = 66;
        _fromElsewhere = lie == "from another address";
        _lie = answer =>
        {
            switch (lie)
            {
                case "another id": answer[0] ^= 0xff; break;
                case "another name": answer[13] ^= 0x01; break;
                case "no answer but a question": answer[2] = 0x01; break;
                case "server failure": answer[3] = 0x82; answer[7] = 0; break;
                case "refused": answer[3] = 0x85; answer[7] = 0; break;
                case "bytes without sense": answer.AsSpan(2).Fill(0xa5); break;
                case "nothing": return [];
                case "one byte": return [answer[0]];
                case "a name that points to itself": answer[3] = 0x82; answer[^16] = 0xc0; answer[^15] = (byte)(answer.Length - 16); break;
                case "a length beyond the end": answer[3] = 0x82; answer[^5] = 0xff; break;
            }
            return answer;
        };
        _network.Advance(60_000_000);
        Assert.Equal("10.1.1.1:5432", Hosts);
        (_lie, _last, _fromElsewhere) = (static a => a, 2, false);
        _network.Advance(60_000_000);
        Assert.Equal("10.1.1.2:5432", Hosts);
    }

    [Fact]
    public void Thousands_of_addresses_are_bounded()
    {
        _lie = answer =>
        {
            byte[] record = answer[^16..];
            var many = new List<byte>(answer[..^16]);
            for (int i = 0; i < 2000; i++)
            {
                (record[^2], record[^1]) = ((byte)(i >> 8), (byte)i);
                many.AddRange(record);
            }
            (many[6], many[7]) = (2000 >> 8, 2000 & 0xff);
            return [.. many];
        };
        _network.Advance(10_000_000);
        Assert.InRange(_directory.Handle("c").Current!.Hosts.All.Length, 1, 256);
    }
}
