using System.Buffers.Binary;
using System.Text;
using Lateen.Proxy.Routing;
using Lateen.Proxy.Tcp.Watching;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp.Watching;

/// <summary>mongo_proxy: what is counted of OP_QUERY and its relatives, and what ends the watch.</summary>
public sealed class MongoTests
{
    private static byte[] Int(int value)
    {
        byte[] bytes = new byte[4];
        BinaryPrimitives.WriteInt32LittleEndian(bytes, value);
        return bytes;
    }

    private static byte[] Name(string text) => [.. Encoding.UTF8.GetBytes(text), 0];

    private static byte[] Document(params byte[][] elements)
    {
        byte[] inside = [.. elements.SelectMany(static e => e)];
        return [.. Int(inside.Length + 5), .. inside, 0];
    }

    private static byte[] Number(string key, int value) => [16, .. Name(key), .. Int(value)];

    private static byte[] Text(string key, string value) => [2, .. Name(key), .. Int(value.Length + 1), .. Name(value)];

    private static byte[] Inner(string key, byte[] document) => [3, .. Name(key), .. document];

    private static byte[] Message(int id, int answers, int op, byte[] body) =>
        [.. Int(16 + body.Length), .. Int(id), .. Int(answers), .. Int(op), .. body];

    private static byte[] Query(int id, string name, byte[] document, int flags = 0) =>
        Message(id, 0, 2004, [.. Int(flags), .. Name(name), .. Int(0), .. Int(1), .. document]);

    private static byte[] Reply(int answers, int flags, long cursor, params byte[][] documents) =>
        Message(900, answers, 1,
            [.. Int(flags), .. BitConverter.GetBytes(cursor), .. Int(0), .. Int(documents.Length), .. documents.SelectMany(static d => d)]);

    private static WatchRig Rig(Func<MongoFilter, MongoFilter>? change = null) => new(stats =>
    {
        var filter = new MongoFilter(new MongoSeries(stats, "p", []));
        return change is null ? filter : change(filter);
    });

    [Theory]
    [InlineData(int.MaxValue)]
    [InlineData(7)]
    public void Queries_are_counted_by_collection_and_kind_however_they_are_cut(int piece)
    {
        WatchRig rig = Rig();
        rig.Ask(Query(1, "db.users", Document(Number("_id", 5))), piece);
        rig.Ask([.. Query(2, "db.users", Document(Inner("_id", Document(Number("$in", 1))))),
            .. Query(3, "db.users", Document(Text("name", "x"), Number("$maxTimeMS", 10)), 0b1110010)], piece);
        Assert.Equal((3, 3, 2, 1, 1),
            (rig["mongo.p.op_query"], rig["mongo.p.op_query_active"], rig["mongo.p.op_query_no_max_time"],
                rig["mongo.p.op_query_scatter_get"], rig["mongo.p.op_query_multi_get"]));
        Assert.Equal((1, 1, 1, 1),
            (rig["mongo.p.op_query_tailable_cursor"], rig["mongo.p.op_query_no_cursor_timeout"], rig["mongo.p.op_query_await_data"],
                rig["mongo.p.op_query_exhaust"]));
        Assert.Equal((3, 1, 1), (rig["mongo.p.collection.users.query.total"], rig["mongo.p.collection.users.query.scatter_get"],
            rig["mongo.p.collection.users.query.multi_get"]));
        rig.Answer([.. Reply(1, 0, 0, Document(Number("a", 1)), Document()), .. Reply(2, 3, 77)], piece);
        Assert.Equal((2, 1, 1, 1, 1),
            (rig["mongo.p.op_reply"], rig["mongo.p.op_reply_valid_cursor"], rig["mongo.p.op_reply_cursor_not_found"],
                rig["mongo.p.op_reply_query_failure"], rig["mongo.p.op_query_active"]));
        Assert.Equal((2, 2, 2), (rig["mongo.p.collection.users.query.reply_num_docs"], rig["mongo.p.collection.users.query.reply_size"],
            rig["mongo.p.collection.users.query.reply_time_ms"]));
        rig.Leave();
        Assert.Equal((1, 0, 0),
            (rig["mongo.p.cx_destroy_remote_with_active_rq"], rig["mongo.p.op_query_active"], rig["mongo.p.decoding_error"]));
    }

    [Fact]
    public void Commands_have_series_of_their_own_where_they_are_known()
    {
        WatchRig rig = Rig();
        rig.Ask(Query(1, "db.$cmd", Document(Text("insert", "users"))));
        rig.Ask(Query(2, "db.$cmd", Document(Inner("$query", Document(Number("ismaster", 1))))));
        rig.Ask(Query(3, "db.$cmd",
            Document(Text("find", "users"), Inner("filter", Document(Number("age", 3))),
                Text("comment", "{\"callingFunction\":\"list\"}"))));
        rig.Answer(Reply(1, 0, 0, Document(Number("ok", 1))));
        Assert.Equal((1, 1, 1),
            (rig["mongo.p.cmd.insert.total"], rig["mongo.p.cmd.unknown_command.total"], rig["mongo.p.cmd.insert.reply_num_docs"]));
        Assert.Equal((1, 1),
            (rig["mongo.p.collection.users.query.scatter_get"], rig["mongo.p.collection.users.callsite.list.query.scatter_get"]));
    }

    [Fact]
    public void Other_operations_are_counted_and_told()
    {
        WatchRig rig = Rig(static f => new MongoFilter(f.Series) { TellsOperations = true });
        rig.Ask(Message(1, 0, 2002, [.. Int(0), .. Name("db.users"), .. Document(Number("_id", 1))]));
        Assert.Equal("""{"db.users":["insert"]}""", rig.Session!.Facts.DynamicMetadata!["envoy.filters.network.mongo_proxy"].GetRawText());
        rig.Ask([.. Message(2, 0, 2005, [.. Int(0), .. Name("db.users"), .. Int(1), .. new byte[8]]),
            .. Message(3, 0, 2007, [.. Int(0), .. Int(0)])]);
        Assert.Equal((1, 1, 1), (rig["mongo.p.op_insert"], rig["mongo.p.op_get_more"], rig["mongo.p.op_kill_cursors"]));
    }

    [Theory]
    [InlineData("080000000100000000000000d4070000")]
    [InlineData("10000000010000000000000000000000")]
    [InlineData("1400000001000000000000000100000000000000")]
    public void What_is_no_message_passes_and_ends_the_watch(string hex)
    {
        WatchRig rig = Rig();
        rig.Ask(Convert.FromHexString(hex));
        rig.Ask(Query(2, "db.users", Document()));
        Assert.Equal((1, 0), (rig["mongo.p.decoding_error"], rig["mongo.p.op_query"]));
    }

    [Fact]
    public void A_message_of_the_client_may_be_delayed()
    {
        WatchRig rig = Rig(static f => new MongoFilter(f.Series) { DelayMicros = 200_000, DelayShare = Fraction.All });
        long before = rig.Now;
        rig.Ask(Query(1, "db.users", Document(Number("_id", 5))));
        Assert.InRange(rig.Now - before, 200_000, 400_000);
        Assert.Equal(1, rig["mongo.p.delays_injected"]);
    }

    [Fact]
    public void Names_that_peers_choose_are_bounded()
    {
        WatchRig rig = Rig();
        for (int i = 0; i < 1_200; i++)
            rig.Ask(Query(i, $"db.c{i}", Document(Number("_id", i))));
        Assert.Equal((200, 1), (rig["mongo.p.collection.stats_overflow.query.total"], rig["mongo.p.collection.c999.query.total"]));
    }
}
