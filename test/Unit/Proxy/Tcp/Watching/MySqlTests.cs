using System.Text;
using Lateen.Proxy.Tcp.Watching;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tcp.Watching;

/// <summary>mysql_proxy: logins, queries and what they touch.</summary>
public sealed class MySqlTests
{
    private static byte[] Packet(int number, params byte[] content) =>
        [(byte)content.Length, (byte)(content.Length >> 8), 0, (byte)number, .. content];

    private static byte[] Query(string text) => Packet(0, [3, .. Encoding.UTF8.GetBytes(text)]);

    private static readonly byte[] Greeting = Packet(0, [10, .. "8.0"u8, 0]), Login = Packet(1, [0, 0x02, 0, 0, .. new byte[40]]),
        Fine = Packet(2, 0, 0, 0);

    private static WatchRig Rig(params byte[] loginAnswer)
    {
        var rig = new WatchRig(static stats => new MySqlFilter(stats.Group("mysql.p.", MySqlFilter.Schema)));
        rig.Ask([]);
        rig.Answer(Greeting);
        rig.Ask(Login, 5);
        rig.Answer(loginAnswer.Length > 0 ? loginAnswer : Fine);
        return rig;
    }

    private static string Touched(WatchRig rig) =>
        rig.Session!.Facts.DynamicMetadata is { } told
            && told["envoy.filters.network.mysql_proxy"] is { ValueKind: System.Text.Json.JsonValueKind.Object } tables
            ? tables.GetRawText() : "";

    [Fact]
    public void A_session_with_queries_and_answers()
    {
        WatchRig rig = Rig();
        rig.Ask(Query("SELECT a, b FROM shop.orders o JOIN `customers` c ON o.c = c.id WHERE x = 'from nowhere' -- into\n"), 9);
        Assert.Equal("""{"customers":["select"],"shop.orders":["select"]}""", Touched(rig));
        rig.Answer([.. Packet(1, 2), .. Packet(2, 1, 2, 3), .. Packet(3, 0xfe)]);
        rig.Ask(Query("insert into t (a) select a from u"));
        Assert.Equal("""{"t":["insert"],"u":["select"]}""", Touched(rig));
        rig.Ask(Query("update low_priority t set a = 1"));
        Assert.Equal("""{"t":["update"]}""", Touched(rig));
        rig.Ask(Query("what is this"));
        rig.Ask(Query("select 'open"));
        Assert.Equal((1, 1, 3, 2),
            (rig["mysql.p.sessions"], rig["mysql.p.login_attempts"], rig["mysql.p.queries_parsed"], rig["mysql.p.queries_parse_error"]));
        Assert.Equal((0, 0, 0), (rig["mysql.p.login_failures"], rig["mysql.p.protocol_errors"], rig["mysql.p.decoder_errors"]));
    }

    [Fact]
    public void A_refused_login()
    {
        WatchRig rig = Rig(Packet(2, 0xff, 1, 4));
        rig.Ask(Query("select 1 from t"));
        Assert.Equal((1, 0), (rig["mysql.p.login_failures"], rig["mysql.p.queries_parsed"]));
    }

    [Fact]
    public void Another_way_to_log_in_is_asked_for()
    {
        WatchRig rig = Rig(Packet(2, 0xfe, (byte)'x', 0));
        rig.Ask(Packet(3, 1, 2, 3));
        rig.Answer(Packet(4, 0));
        rig.Ask(Query("delete from t"));
        Assert.Equal((1, 1), (rig["mysql.p.auth_switch_request"], rig["mysql.p.queries_parsed"]));
        Assert.Equal("""{"t":["delete"]}""", Touched(rig));
    }

    [Fact]
    public void Behind_a_request_for_encryption_nothing_is_read()
    {
        var rig = new WatchRig(static stats => new MySqlFilter(stats.Group("mysql.p.", MySqlFilter.Schema)));
        rig.Ask([]);
        rig.Answer(Greeting);
        rig.Ask(Packet(1, [0, 0x0a, .. new byte[30]]));
        rig.Ask([0x16, 3, 1, 0, 200, 1, 2, 3]);
        Assert.Equal((1, 0, 0), (rig["mysql.p.upgraded_to_ssl"], rig["mysql.p.protocol_errors"], rig["mysql.p.decoder_errors"]));
    }

    [Fact]
    public void What_is_out_of_order_is_passed_over()
    {
        WatchRig rig = Rig();
        rig.Ask(Packet(7, 3, 1));
        rig.Ask(Query("select 1"));
        Assert.Equal((1, 1), (rig["mysql.p.protocol_errors"], rig["mysql.p.queries_parsed"]));
    }
}
