using System.Text;
using Lateen.Proxy.Http;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

public sealed class Http1ServerTests
{
    private static readonly CodecOptions Options = new() { Proxy100Continue = true, One = new Http1Options { Trailers = true } };

    private static RecordingAcceptor Answering() => new(r => r.Answer(200, "ok"));

    private static (string Log, string Answer) Play(string input, CodecOptions? options = null)
    {
        RecordingAcceptor acceptor = Answering();
        Wire wire = Wire.ToServer(acceptor, options ?? Options);
        wire.Send(input);
        wire.Run(2_000_000);
        return (acceptor.Log, wire.Text);
    }

    [Fact]
    public void A_request_becomes_a_head_in_lower_case_with_pseudo_headers()
    {
        (string log, string answer) = Play("GET /a?b=c HTTP/1.1\r\nHost: shop.example.com\r\nX-CuStOm:  blue \r\nAccept: */*\r\n\r\n");
        Assert.Equal("head True\n:method=GET\n:authority=shop.example.com\nx-custom=blue\naccept=*/*\n:path=/a?b=c\nbody \nend\n", log);
        Assert.Equal("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", answer);
    }

    private const string Mixed =
        "\r\nPOST /one HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nX-Folded: a\r\n\tb\r\n\r\nhello"
        + "PUT /two HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n4;ext=\"x\"\r\nwiki\r\n5\r\npedia\r\n0\r\nX-Sum: 9\r\n\r\n"
        + "GET http://b.example.com:81/three HTTP/1.1\r\nHost: a\r\nConnection: x-drop\r\nX-Drop: 1\r\n\r\n"
        + "DELETE /four HTTP/1.1\nHost: a\nConnection: close\n\n";

    /// <summary>Where the network cuts changes nothing: every position, and every single byte.</summary>
    [Fact]
    public void Splitting_at_every_position_gives_the_same_requests()
    {
        (string log, string answer) = Play(Mixed);
        Assert.Contains("X-Sum=9".ToLowerInvariant(), log, StringComparison.Ordinal);
        Assert.Contains(":authority=b.example.com:81", log, StringComparison.Ordinal);
        Assert.Contains("x-folded=a\tb", log, StringComparison.Ordinal);
        Assert.DoesNotContain("x-drop", log, StringComparison.Ordinal);
        for (int cut = 1; cut < Mixed.Length; cut++)
        {
            RecordingAcceptor acceptor = Answering();
            Wire wire = Wire.ToServer(acceptor, Options);
            wire.Send(Mixed[..cut]);
            wire.Send(Mixed[cut..]);
            Assert.True(log == acceptor.Log, $"cut at {cut}: {acceptor.Log}");
            Assert.Equal(answer, wire.Text);
        }
        RecordingAcceptor bytewise = Answering();
        Wire slow = Wire.ToServer(bytewise, Options);
        foreach (char c in Mixed)
            slow.Send($"{c}");
        Assert.Equal(log, bytewise.Log);
        Assert.Equal(answer, slow.Text);
    }

    [Fact]
    public void A_pipelined_request_waits_for_the_answer_before_it()
    {
        var acceptor = new RecordingAcceptor();
        Wire wire = Wire.ToServer(acceptor, Options);
        wire.Send("GET /1 HTTP/1.1\r\nHost: a\r\n\r\nGET /2 HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Single(acceptor.Requests);
        acceptor.Requests[0].Answer(200, "one");
        wire.Run();
        Assert.True(acceptor.Requests[0].Done);
        Assert.Equal(2, acceptor.Requests.Count);
        acceptor.Requests[1].Answer(404, "");
        wire.Run();
        Assert.EndsWith("\r\n\r\noneHTTP/1.1 404 Not Found\r\ncontent-length: 0\r\n\r\n", wire.Text, StringComparison.Ordinal);
        Assert.False(wire.Peer.Ended);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", 400,
        "http1.content_length_and_chunked_not_allowed")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n", 501, "http1.invalid_transfer_encoding")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5, 5\r\n\r\n", 400, "http1.codec_error")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nConnection: x-forwarded-for\r\n\r\n", 400, "http1.connection_header_rejected")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX : b\r\n\r\n", 400, "http1.codec_error")]
    [InlineData("GET / HTTP/1.1\r\nHost: a\r\nX: \u0001\r\n\r\n", 400, "http1.invalid_characters")]
    [InlineData("GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400, "http.invalid_authority")]
    [InlineData("GET ftp://a/ HTTP/1.1\r\n\r\n", 400, "http1.invalid_scheme")]
    [InlineData("GET / HTTP/1.0\r\n\r\n", 426, "low_version")]
    [InlineData("\u0016\u0003\u0001\u0002\u0000", 400, "http1.codec_error")]
    [InlineData("NONSENSE\r\n", 400, "http1.codec_error")]
    public void Bad_requests_get_the_status_and_the_detail_and_the_connection_ends(string input, int status, string detail)
    {
        RecordingAcceptor acceptor = Answering();
        Wire wire = Wire.ToServer(acceptor, Options);
        wire.Send(input + "GET /smuggled HTTP/1.1\r\nHost: a\r\n\r\n");
        RecordedRequest request = Assert.Single(acceptor.Requests);
        Assert.Equal((status, detail), (request.BadStatus, request.Detail));
        Assert.Equal(0, request.RequestHead.Count);
        Assert.Contains("connection: close\r\n", wire.Text, StringComparison.Ordinal);
        Assert.Null(acceptor.Closed);
        wire.Run(2_000_000);
        Assert.NotNull(acceptor.Closed);
    }

    [Fact]
    public void Limits_count_bytes_of_the_head_and_lines()
    {
        var small = new CodecOptions { HeadBytesMax = 200, HeaderCountMax = 3 };
        string Fits(int length) => "GET / HTTP/1.1\r\nHost: a\r\nX: ".PadRight(length - 4, 'v') + "\r\n\r\n";
        Assert.Contains("200 OK", Play(Fits(200), small).Answer, StringComparison.Ordinal);
        Assert.Contains("bad 431 http1.headers_too_large", Play(Fits(201), small).Log, StringComparison.Ordinal);
        Assert.Contains("bad 431 http1.headers_too_large", Play("GET /".PadRight(300, 'p'), small).Log, StringComparison.Ordinal);
        Assert.Contains("bad 431 http1.too_many_headers", Play("GET / HTTP/1.1\r\nHost: a\r\nA: 1\r\nB: 1\r\nC: 1\r\n\r\n", small).Log,
            StringComparison.Ordinal);
    }

    [Fact]
    public void An_answer_before_the_end_of_the_request_ends_the_connection_in_order()
    {
        var acceptor = new RecordingAcceptor(null, r => r.Answer(403, "no"));
        Wire wire = Wire.ToServer(acceptor, Options);
        wire.Send("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345");
        Assert.Equal("HTTP/1.1 403 Forbidden\r\ncontent-length: 2\r\nconnection: close\r\n\r\nno", wire.Text);
        Assert.True(acceptor.Requests[0].Done);
        Assert.Null(acceptor.Closed);
        wire.Send("67890 and more that nobody reads");
        wire.Run(1_100_000);
        Assert.NotNull(acceptor.Closed);
    }

    [Fact]
    public void Bodies_without_length_are_chunked_and_trailers_follow()
    {
        var acceptor = new RecordingAcceptor(r =>
        {
            var head = new HeaderMap();
            head.Add(KnownHeader.Status, "200"u8);
            r.Stream.SendHead(head, false);
            r.Stream.SendBody("hello"u8, false);
            var trailers = new HeaderMap();
            trailers.Add("x-sum"u8, "5"u8);
            r.Stream.SendTrailers(trailers);
        });
        Wire wire = Wire.ToServer(acceptor, Options);
        wire.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Equal("HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\nx-sum: 5\r\n\r\n", wire.Text);
    }

    [Fact]
    public void Expect_is_answered_here_where_the_options_say_so()
    {
        RecordingAcceptor acceptor = Answering();
        Wire wire = Wire.ToServer(acceptor, new CodecOptions());
        wire.Send("POST / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 2\r\n\r\n");
        Assert.Equal("HTTP/1.1 100 Continue\r\n\r\n", wire.Text);
        wire.Send("hi");
        Assert.EndsWith("\r\n\r\nok", wire.Text, StringComparison.Ordinal);
        Assert.DoesNotContain("expect", acceptor.Log, StringComparison.Ordinal);
    }

    [Fact]
    public void An_upgrade_that_is_agreed_to_carries_bytes_both_ways()
    {
        var acceptor = new RecordingAcceptor();
        Wire wire = Wire.ToServer(acceptor, Options);
        wire.Send("GET /ws HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\nearly");
        RecordedRequest request = acceptor.Requests[0];
        var head = new HeaderMap();
        head.Add(KnownHeader.Status, "101"u8);
        head.Add(KnownHeader.Upgrade, "websocket"u8);
        head.Add(KnownHeader.Connection, "Upgrade"u8);
        request.Stream.SendHead(head, false);
        request.Stream.SendBody("raw"u8, false);
        wire.Send("GET / HTTP/1.1\r\n\r\n");
        Assert.Equal("HTTP/1.1 101 Switching Protocols\r\nupgrade: websocket\r\nconnection: Upgrade\r\n\r\nraw", wire.Text);
        Assert.Equal("earlyGET / HTTP/1.1\r\n\r\n", request.Body.ToString());
    }

    [Fact]
    public void A_head_that_takes_too_long_is_answered_408()
    {
        RecordingAcceptor acceptor = Answering();
        Wire wire = Wire.ToServer(acceptor, new CodecOptions { HeadTimeoutMicros = 500_000 });
        wire.Send("GET / HTTP/1.1\r\nHost: a\r\n");
        wire.Run(1_000_000);
        Assert.Contains("bad 408 request_header_timeout", acceptor.Log, StringComparison.Ordinal);
    }

    [Fact]
    public void A_client_that_leaves_resets_its_request()
    {
        var acceptor = new RecordingAcceptor();
        Wire wire = Wire.ToServer(acceptor, Options);
        wire.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        wire.Peer.Transport!.EndSend();
        wire.Run();
        Assert.Equal(ResetReason.ConnectionTerminated, acceptor.Requests[0].Reset);
        Assert.Equal("downstream_remote_disconnect", acceptor.Requests[0].Detail);
    }

    [Fact]
    public void A_drained_connection_says_close_and_an_idle_one_ends()
    {
        RecordingAcceptor acceptor = new();
        Wire wire = Wire.ToServer(acceptor, Options);
        wire.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        acceptor.Requests[0].Stream.CloseAfterResponse();
        acceptor.Requests[0].Answer(200, "last");
        wire.Run();
        Assert.Contains("connection: close\r\n", wire.Text, StringComparison.Ordinal);
        Assert.True(wire.Peer.Ended);
    }

    [Fact]
    public void Original_spelling_is_kept_where_asked_for()
    {
        var keep = new CodecOptions { One = new Http1Options { Spelling = HeaderSpelling.Preserve } };
        RecordingAcceptor acceptor = Answering();
        Wire wire = Wire.ToServer(acceptor, keep);
        wire.Send("GET / HTTP/1.1\r\nHOST: a\r\nX-CuStOm: 1\r\n\r\n");
        HeaderCase spelling = acceptor.Requests[0].RequestHead.Case!;
        Assert.Equal("X-CuStOm", Encoding.ASCII.GetString(spelling.Spell("x-custom"u8)));
        Assert.Equal("HOST", Encoding.ASCII.GetString(spelling.Spell("host"u8)));
        Wire proper = Wire.ToServer(Answering(), new CodecOptions { One = new Http1Options { Spelling = HeaderSpelling.ProperCase } });
        proper.Send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
        Assert.Contains("Content-Length: 2\r\n", proper.Text, StringComparison.Ordinal);
    }
}
