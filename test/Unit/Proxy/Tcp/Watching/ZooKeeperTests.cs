using System.Buffers.Binary;
using System.Text;
using Lateen.Proxy.Tcp.Watching;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp.Watching;

/// <summary>zookeeper_proxy: requests, answers by their numbers, and errors.</summary>
public sealed class ZooKeeperTests
{
    private static byte[] Int(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32BigEndian(bytes, value);
        return bytes;
    }

    private static byte[] Text(string text) => [.. Int(text.Length), .. Encoding.UTF8.GetBytes(text)];

    private static byte[] Packet(params byte[][] parts)
    {
        byte[] content = [.. parts.SelectMany(static p => p)];
        return [.. Int(content.Length), .. content];
    }

    private static byte[] Answer(int xid, params byte[] more) => Packet(Int(xid), new byte[8], Int(0), more);

    private static readonly byte[] Connect = Packet(Int(0), new byte[8], Int(30_000), new byte[8], Int(16), new byte[16], [0]),
        Connected = Packet(Int(0), Int(30_000), new byte[8], Int(16), new byte[16], [0]);

    private static WatchRig Rig(ZooKeeperOptions? options = null) =>
        new(stats => new ZooKeeperFilter(options ?? new ZooKeeperOptions(), new ZooKeeperSeries(stats, "p")));

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(3)]
    public void A_session_is_counted_however_it_is_cut(int piece)
    {
        WatchRig rig = Rig();
        rig.Ask(Connect, piece);
        rig.Answer(Connected, piece);
        rig.Ask([.. Packet(Int(1), Int(4), Text("/a"), [1]),
            .. Packet(Int(2), Int(1), Text("/b"), Text("x"), Int(1), Int(31), Text("world"), Text("anyone"), Int(0))], piece);
        rig.Ask(Packet(Int(-2), Int(11)), piece);
        rig.Ask(Packet(Int(-4), Int(100), Int(0), Text("digest"), Text("u:p")), piece);
        rig.Answer([.. Answer(2, 0, 0), .. Answer(1, 1, 2, 3), .. Answer(-2),
            .. Packet(Int(-1), new byte[8], Int(0), Int(3), Int(3), Text("/a"))], piece);
        Assert.Equal((1, 1, 1, 1, 1),
            (rig["p.zookeeper.connect_rq"], rig["p.zookeeper.getdata_rq"], rig["p.zookeeper.create_rq"], rig["p.zookeeper.ping_rq"],
                rig["p.zookeeper.auth.digest_rq"]));
        Assert.Equal((1, 1, 1, 1, 1),
            (rig["p.zookeeper.connect_resp"], rig["p.zookeeper.getdata_resp"], rig["p.zookeeper.create_resp"], rig["p.zookeeper.ping_resp"],
                rig["p.zookeeper.watch_event"]));
        Assert.Equal((1, 1, 0),
            (rig["p.zookeeper.getdata_resp_latency"], rig["p.zookeeper.ping_response_latency"], rig["p.zookeeper.decoder_error"]));
    }

    [Fact]
    public void What_was_asked_is_told()
    {
        WatchRig rig = Rig();
        rig.Ask(Packet(Int(1), Int(3), Text("/node"), [0]));
        Assert.Equal("""{"bytes":"22","opname":"exists","path":"/node"}""",
            rig.Session!.Facts.DynamicMetadata!["envoy.filters.network.zookeeper_proxy"].GetRawText());
    }

    [Fact]
    public void Answers_are_fast_or_slow_and_bytes_have_operations()
    {
        WatchRig rig = Rig(new ZooKeeperOptions
        {
            JudgesTime = true,
            FastMicros = 10_000_000,
            FastMicrosOf = new Dictionary<int, long> { [(int)ZooKeeperOp.Sync] = -1 },
            RequestBytes = true,
            ResponseBytes = true,
            Errors = true,
        });
        rig.Ask([.. Packet(Int(1), Int(9), Text("/")), .. Packet(Int(2), Int(12), Text("/"), [0])]);
        rig.Answer([.. Answer(1), .. Answer(2)]);
        Assert.Equal((1, 0, 1, 0),
            (rig["p.zookeeper.sync_resp_slow"], rig["p.zookeeper.sync_resp_fast"], rig["p.zookeeper.getchildren2_resp_fast"],
                rig["p.zookeeper.getchildren2_resp_slow"]));
        Assert.Equal((17, 20), (rig["p.zookeeper.sync_rq_bytes"], rig["p.zookeeper.sync_resp_bytes"]));
    }

    [Fact]
    public void Errors_are_counted_and_the_next_message_is_read()
    {
        WatchRig rig = Rig(new ZooKeeperOptions { Errors = true });
        rig.Ask(Packet(Int(1), Int(4)));
        rig.Ask(Packet(Int(1), Int(77)));
        rig.Ask([0xff, 0xff, 0xff, 0xff]);
        rig.Answer(Answer(55));
        rig.Ask(Packet(Int(2), Int(14), Int(2), [0], Int(-1), Text("/x"), Int(0), Int(-1), [1], Int(-1)));
        Assert.Equal((4, 1), (rig["p.zookeeper.decoder_error"], rig["p.zookeeper.getdata_decoder_error"]));
        Assert.Equal((1, 1), (rig["p.zookeeper.multi_rq"], rig["p.zookeeper.delete_rq"]));
    }
}
