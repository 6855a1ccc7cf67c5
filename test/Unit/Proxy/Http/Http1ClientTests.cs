using System.Text;
using Lateen.Proxy.Http;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

public sealed class Http1ClientTests
{
    private readonly RecordingOwner _owner = new();

    private static HeaderMap Head(string method = "GET", params (string Name, string Value)[] more)
    {
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, Encoding.ASCII.GetBytes(method));
        head.Add(KnownHeader.Path, "/p"u8);
        head.Add(KnownHeader.Authority, "up.example"u8);
        foreach ((string name, string value) in more)
            head.Add(Encoding.ASCII.GetBytes(name), Encoding.ASCII.GetBytes(value));
        return head;
    }

    private (Wire Wire, UpstreamConnection Connection, RecordedResponse Response, UpstreamStream Stream) Begin(HeaderMap head, bool end,
        CodecOptions? options = null)
    {
        (Wire wire, UpstreamConnection connection) =
            Wire.ToClient(_owner, options ?? new CodecOptions { One = new Http1Options { Trailers = true } });
        var response = new RecordedResponse();
        UpstreamStream stream = connection.Begin(response);
        stream.SendHead(head, end);
        wire.Run();
        return (wire, connection, response, stream);
    }

    [Theory]
    [InlineData("GET", "GET /p HTTP/1.1\r\nhost: up.example\r\n\r\n")]
    [InlineData("POST", "POST /p HTTP/1.1\r\nhost: up.example\r\ncontent-length: 0\r\n\r\n")]
    public void A_request_without_body_is_framed_by_its_method(string method, string expected) =>
    Assert.Equal(expected, Begin(Head(method), true).Wire.Text);

    [Fact]
    public void A_body_without_length_is_chunked()
    {
        (Wire wire, _, _, UpstreamStream stream) = Begin(Head("POST"), false);
        stream.SendBody("hello"u8, false);
        stream.SendBody(default, true);
        wire.Run();
        Assert.Equal("POST /p HTTP/1.1\r\nhost: up.example\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n", wire.Text);
    }

    [Theory]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok",
        "head False\n:status=200\ncontent-length=2\nx-a=b\nbody ok\nend\n", 1)]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\nX-T: 1\r\n\r\n",
        "head False\n:status=200\ntrailers\nx-t=1\nbody ok\nend\n", 1)]
    [InlineData("HTTP/1.1 204 No Content\r\n\r\n", "head True\n:status=204\nbody \nend\n", 1)]
    [InlineData("HTTP/1.1 304 Not Modified\r\nContent-Length: 777\r\n\r\n", "head True\n:status=304\ncontent-length=777\nbody \nend\n", 1)]
    [InlineData("HTTP/1.1 103 Early\r\nLink: x\r\n\r\nHTTP/1.1 199 Own\r\n\r\nHTTP/1.1 200\r\nContent-Length: 0\r\n\r\n",
        "informational 103\nhead True\n:status=200\ncontent-length=0\nbody \nend\n", 1)]
    [InlineData("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", "head False\n:status=200\ncontent-length=2\nbody ok\nend\n", 0)]
    [InlineData("HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 2\r\n\r\nok",
        "head False\n:status=200\ncontent-length=2\nbody ok\nend\n", 0)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\nContent-Length: 6\r\n\r\npoison",
        "head False\n:status=200\ncontent-length=2\nbody ok\nend\n", 0)]
    public void A_response_is_read_whole_and_the_connection_kept_only_where_it_may(string answer, string log, int frees)
    {
        for (int cut = 0; cut < answer.Length; cut++)
        {
            var owner = new RecordingOwner();
            (Wire wire, UpstreamConnection connection) =
                Wire.ToClient(owner, new CodecOptions { One = new Http1Options { Trailers = true } });
            var response = new RecordedResponse();
            connection.Begin(response).SendHead(Head(), true);
            wire.Run();
            if (cut > 0)
                wire.Send(answer[..cut]);
            wire.Send(answer[cut..]);
            Assert.Equal(log, response.Log.ToString());
            bool poisoned = frees == 0 && answer.Contains("poison", StringComparison.Ordinal);
            Assert.Equal(frees, poisoned && owner.Frees == 1 ? 0 : owner.Frees);
            Assert.Equal(1 - frees, owner.Closings);
            Assert.Equal(frees, connection.FreeStreams);
        }
    }

    [Theory]
    [InlineData("", ResetReason.ConnectionTerminated)]
    [InlineData("HTTP/1.1 200 OK\r\nConte", ResetReason.ProtocolError)]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabc", ResetReason.ProtocolError)]
    [InlineData("HTTP/1.1 103 Early\r\n\r\n", ResetReason.ConnectionTerminated)]
    public void A_close_in_the_middle_resets(string answer, ResetReason reason)
    {
        (Wire wire, _, RecordedResponse response, _) = Begin(Head(), true);
        if (answer.Length > 0)
            wire.Send(answer);
        wire.Peer.Transport!.Close();
        wire.Run(10_000);
        Assert.Equal(reason, response.Reset);
        Assert.Equal(1, _owner.Closings);
    }

    [Fact]
    public void A_body_until_the_close_ends_with_it()
    {
        (Wire wire, _, RecordedResponse response, _) = Begin(Head(), true);
        wire.Send("HTTP/1.1 200 OK\r\n\r\nuntil ");
        wire.Send("the end");
        wire.Peer.Transport!.Close();
        wire.Run(10_000);
        Assert.True(response.Complete);
        Assert.Equal("until the end", response.Body.ToString());
    }

    [Theory]
    [InlineData("ICY 200 OK\r\n\r\n")]
    [InlineData("\r\nHTTP/1.1 200 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 2x0 OK\r\n\r\n")]
    [InlineData("HTTP/1.1 000 Zero\r\n\r\n")]
    [InlineData("HTTP/1.1 204 No\r\nContent-Length: 5\r\n\r\nhello")]
    [InlineData("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 2\r\n\r\nok")]
    [InlineData("HTTP/1.1 200 OK\r\nTransfer-Encoding: identity\r\n\r\n")]
    [InlineData("HTTP/1.1 200 a\u0000b\r\n\r\n")]
    public void A_malformed_response_is_a_protocol_error(string answer)
    {
        (Wire wire, _, RecordedResponse response, _) = Begin(Head(), true);
        wire.Send(answer);
        Assert.Equal(ResetReason.ProtocolError, response.Reset);
    }

    /// <summary>CVE-2025-64763: bytes behind an upgrade wait until the upstream has agreed.</summary>
    [Fact]
    public void Early_bytes_of_an_upgrade_wait_for_the_101()
    {
        (Wire wire, _, RecordedResponse response, UpstreamStream stream) =
            Begin(Head("GET", ("upgrade", "websocket"), ("connection", "Upgrade")), false);
        stream.SendBody("early"u8, false);
        wire.Run();
        Assert.DoesNotContain("early", wire.Text, StringComparison.Ordinal);
        wire.Send("HTTP/1.1 101 Switching\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nhi");
        Assert.EndsWith("\r\n\r\nearly", wire.Text, StringComparison.Ordinal);
        Assert.Equal("hi", response.Body.ToString());
    }

    [Fact]
    public void Early_bytes_of_a_refused_upgrade_are_never_sent()
    {
        (Wire wire, _, RecordedResponse response, UpstreamStream stream) =
            Begin(Head("GET", ("upgrade", "websocket"), ("connection", "Upgrade")), false);
        stream.SendBody("GET /smuggled HTTP/1.1\r\n\r\n"u8, false);
        wire.Send("HTTP/1.1 403 No\r\nContent-Length: 2\r\n\r\nno");
        Assert.True(response.Complete);
        Assert.DoesNotContain("smuggled", wire.Text, StringComparison.Ordinal);
        Assert.Equal(1, _owner.Closings);
    }

    [Fact]
    public void Unasked_bytes_on_an_idle_connection_end_it()
    {
        (Wire wire, _, _, _) = Begin(Head(), true);
        wire.Send("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
        Assert.Equal(1, _owner.Frees);
        wire.Send("HTTP/1.1 408 Request Timeout\r\n\r\n");
        Assert.Equal(1, _owner.Closings);
    }
}
