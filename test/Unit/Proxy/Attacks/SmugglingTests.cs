using System.Text;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Attacks;

/// <summary>
/// Request smuggling in its forms, through a whole proxy to an upstream: each attack carries a second request, <c>/smuggled</c>, where one
/// reader ends a message and another does not. It must be refused and the connection ended; the hidden one is seen nowhere, and nobody
/// else's answer moves.
/// </summary>
public sealed class SmugglingTests
{
    private const string Hidden = "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n";

    /// <summary>Name, head behind the request line, body, and the status of the refusal.</summary>
    public static TheoryData<string, string, string, int> Attacks() => new()
    {
        { "CL.TE", "Content-Length: 6\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\nG" + Hidden, 400 },
        { "TE.CL", "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n", "5c\r\n" + Hidden + "\r\n0\r\n\r\n", 400 },
        { "TE.TE identity second", "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE.TE identity first", "Transfer-Encoding: identity\r\nTransfer-Encoding: chunked\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE list, chunked last", "Transfer-Encoding: gzip, chunked\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE list, chunked first", "Transfer-Encoding: chunked, identity\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE chunked twice", "Transfer-Encoding: chunked, chunked\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE xchunked", "Transfer-Encoding: xchunked\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE with a tab and text", "Transfer-Encoding:\tchunked x\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE in quotes", "Transfer-Encoding: \"chunked\"\r\n", "0\r\n\r\n" + Hidden, 501 },
        { "TE with a vertical tab", "Transfer-Encoding: \u000bchunked\r\n", "0\r\n\r\n" + Hidden, 400 },
        { "space before the colon", "Transfer-Encoding : chunked\r\n", "0\r\n\r\n" + Hidden, 400 },
        { "space before the name", " Transfer-Encoding: chunked\r\n", "0\r\n\r\n" + Hidden, 400 },
        { "NUL in the name", "Transfer\0-Encoding: chunked\r\n", "0\r\n\r\n" + Hidden, 400 },
        { "empty name", ": chunked\r\n", Hidden, 400 },
        { "line without a colon", "Transfer-Encoding\r\n", Hidden, 400 },
        { "CL +5", "Content-Length: +5\r\n", "hello" + Hidden, 400 },
        { "CL 0x5", "Content-Length: 0x5\r\n", "hello" + Hidden, 400 },
        { "CL 5,5", "Content-Length: 5,5\r\n", "hello" + Hidden, 400 },
        { "CL 5 5", "Content-Length: 5 5\r\n", "hello" + Hidden, 400 },
        { "CL -1", "Content-Length: -1\r\n", "hello" + Hidden, 400 },
        { "CL twice, different", "Content-Length: 5\r\nContent-Length: 6\r\n", "hello" + Hidden, 400 },
        { "CL twice, the same", "Content-Length: 5\r\nContent-Length: 5\r\n", "hello" + Hidden, 400 },
        { "CL above 2^64", "Content-Length: 18446744073709551621\r\n", "hello" + Hidden, 400 },
        { "CL empty", "Content-Length:\r\n", "hello" + Hidden, 400 },
        { "CL with letters behind", "Content-Length: 5a\r\n", "hello" + Hidden, 400 },
        { "chunk size with 0x", "Transfer-Encoding: chunked\r\n", "0x5\r\nhello\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunk size with a sign", "Transfer-Encoding: chunked\r\n", "+5\r\nhello\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunk size of 17 digits", "Transfer-Encoding: chunked\r\n", "10000000000000005\r\nhello\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunk size empty", "Transfer-Encoding: chunked\r\n", "\r\nhello\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunk without CRLF behind its data", "Transfer-Encoding: chunked\r\n", "5\r\nhello0\r\n\r\n" + Hidden, 400 },
        { "chunk extension with LF", "Transfer-Encoding: chunked\r\n", "5;\nhello\r\n0\r\n\r\n" + Hidden, 400 },
        { "chunk extension with CR", "Transfer-Encoding: chunked\r\n", "5;a\rX\nhello\r\n0\r\n\r\n" + Hidden, 400 },
        { "version 1.2", "", Hidden, 426 },
    };

    [Theory]
    [MemberData(nameof(Attacks))]
    public void A_hidden_request_reaches_nobody(string name, string fields, string body, int status)
    {
        var rig = new ProxyRig();
        ScriptedUpstream upstream = rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        RawClient client = rig.Connect();
        string version = name == "version 1.2" ? "HTTP/1.2" : "HTTP/1.1";
        client.Send($"POST /first {version}\r\nHost: a\r\n{fields}\r\n{body}");
        rig.Network.Advance(3_000_000);
        Assert.All(upstream.Requests,
            r => Assert.DoesNotContain("/smuggled", r[..r.IndexOf("\r\n", StringComparison.Ordinal)], StringComparison.Ordinal));
        Assert.StartsWith($"HTTP/1.1 {status} ", client.Text, StringComparison.Ordinal);
        Assert.True(client.Closed || client.Ended, "the connection goes on");
        Assert.Equal(1, client.Text.Split("HTTP/1.1 ").Length - 1);
    }

    [Fact]
    public void An_answer_that_nobody_asked_for_ends_the_upstreams_connection_and_is_given_to_nobody()
    {
        var rig = new ProxyRig();
        ScriptedUpstream upstream =
            rig.AddUpstream(80, (n, _) => n == 1
                ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nokHTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\npoison"
                : "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine");
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        Assert.EndsWith("ok", rig.Ask("GET /1 HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.EndsWith("mine", rig.Ask("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
        Assert.Equal(2, upstream.Connections);
    }

    [Theory]
    [InlineData("HEAD", "HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello")]
    [InlineData("GET", "HTTP/1.1 204 No Content\r\n\r\nhello")]
    [InlineData("GET", "HTTP/1.1 304 Not Modified\r\n\r\nhello")]
    public void A_body_where_none_may_be_is_never_the_next_answer(string method, string answer)
    {
        var rig = new ProxyRig();
        rig.AddUpstream(80, (n, _) => n == 1 ? answer : "HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nmine");
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        rig.Ask($"{method} /1 HTTP/1.1\r\nHost: a\r\n\r\n", 200_000);
        Assert.EndsWith("mine", rig.Ask("GET /2 HTTP/1.1\r\nHost: a\r\n\r\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x-a: b\u0000c")]
    [InlineData("x-a: b\u007fc")]
    [InlineData("x-a: b\u0001c")]
    public void Control_characters_in_values_are_refused(string field)
    {
        var rig = new ProxyRig();
        rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        Assert.StartsWith("HTTP/1.1 400 ", rig.Ask($"GET / HTTP/1.1\r\nHost: a\r\n{field}\r\n\r\n"), StringComparison.Ordinal);
    }

    [Theory]
    [InlineData("x-forwarded-for")]
    [InlineData("x-forwarded-proto")]
    public void A_client_can_not_name_our_headers_for_removal(string header)
    {
        var rig = new ProxyRig();
        ScriptedUpstream upstream = rig.AddUpstream(80, (_, _) => "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        string answer = rig.Ask($"GET / HTTP/1.1\r\nHost: a\r\nConnection: {header}\r\n\r\n");
        Assert.True(answer.StartsWith("HTTP/1.1 400 ", StringComparison.Ordinal)
            || upstream.Requests[0].Contains(header, StringComparison.Ordinal), answer);
    }

    [Fact]
    public void Floods_of_fields_are_431()
    {
        var rig = new ProxyRig();
        rig.Start();
        string many = string.Concat(Enumerable.Range(0, 101).Select(i => $"x-{i}: 1\r\n"));
        Assert.StartsWith("HTTP/1.1 431 ", rig.Ask($"GET / HTTP/1.1\r\nHost: a\r\n{many}\r\n"), StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", rig.Ask($"GET / HTTP/1.1\r\nHost: a\r\nx: {new string('b', 61 * 1024)}\r\n\r\n"),
            StringComparison.Ordinal);
        Assert.StartsWith("HTTP/1.1 431 ", rig.Ask($"GET /{new string('p', 61 * 1024)} HTTP/1.1\r\nHost: a\r\n\r\n"),
            StringComparison.Ordinal);
    }

    [Fact]
    public void Bytes_behind_an_upgrade_wait_for_the_upstreams_consent()
    {
        var rig = new ProxyRig { Tune = o => o with { Upgrades = new Dictionary<string, bool> { ["websocket"] = true } } };
        var seen = new StringBuilder();
        rig.AddUpstream(80, (_, request) =>
        {
            seen.Append(request);
            return "HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\n\r\nno";
        });
        rig.Start(ProxyRig.Forward("/", rig.AddCluster("web", 80)));
        RawClient client = rig.Connect();
        client.Send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + Hidden);
        rig.Network.Advance(3_000_000);
        Assert.DoesNotContain("/smuggled", seen.ToString(), StringComparison.Ordinal);
        Assert.Contains("403", client.Text, StringComparison.Ordinal);
    }
}
