using System.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Http.One;
using Lateen.Proxy.Net;
using Lateen.Test.Fuzz.Frame;
using Lateen.Test.Rigs.Codecs;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>Heads and bodies of HTTP/1 requests. The options follow from the input's length, so that each is met.</summary>
internal sealed class Http1ServerTarget : FuzzTarget
{
    public override string Name => "h1-server";

    public override IReadOnlyList<byte[]> Words => Http1Words.All;

    public override string Play(byte[] input, Chance? cuts)
    {
        var transport = new StillTransport { Keeps = true };
        var acceptor = new RecordingAcceptor(r => r.Answer(200, "ok"));
        _ = new Http1ServerConnection(transport, acceptor, Options(input.Length));
        Feed(input, cuts, transport.Show);
        transport.Finish(inOrder: (input.Length & 1) == 0);
        return $"{acceptor.Log}sent {Encoding.Latin1.GetString([.. transport.Sent])}\nclosed {transport.IsClosed}";
    }

    private static CodecOptions Options(int length) => new()
    {
        HeadBytesMax = 4096,
        HeaderCountMax = 20,
        BufferLimit = 16 * 1024,
        One = new Http1Options { Trailers = (length & 2) != 0, AcceptHttp10 = (length & 4) != 0, AllowChunkedLength = (length & 24) == 24 },
        StreamErrorOnInvalidMessage = (length & 32) != 0,
    };
}

/// <summary>Answers of an HTTP/1 upstream.</summary>
internal sealed class Http1ClientTarget : FuzzTarget
{
    public override string Name => "h1-client";

    public override IReadOnlyList<byte[]> Words => Http1Words.All;

    public override string Play(byte[] input, Chance? cuts)
    {
        var transport = new StillTransport { Keeps = true };
        var owner = new RecordingOwner();
        var connection = new Http1ClientConnection(transport, owner,
            new CodecOptions
            {
                HeadBytesMax = 4096,
                HeaderCountMax = 20,
                BufferLimit = 16 * 1024,
                One = new Http1Options { Trailers = true },
            });
        var head = new HeaderMap();
        head.Add(KnownHeader.Method, (input.Length & 7) == 7 ? "HEAD"u8 : "GET"u8);
        head.Add(KnownHeader.Path, "/"u8);
        head.Add(KnownHeader.Authority, "a"u8);
        var response = new RecordedResponse();
        connection.Begin(response).SendHead(head, true);
        Feed(input, cuts, transport.Show);
        transport.Finish(inOrder: (input.Length & 1) == 0);
        string outcome = $"{response.Log}body {response.Body}\nreset {response.Reset}\nclosed {transport.IsClosed}";

        // What lies in front of a malformed chunk is told or not, as it came before or with it (as Envoy).
        return response.Reset == ResetReason.ProtocolError
            ? string.Join('\n', outcome.Split('\n').Where(static l => !l.StartsWith("body ", StringComparison.Ordinal))) : outcome;
    }
}

internal static class Http1Words
{
    public static readonly IReadOnlyList<byte[]> All =
    [
        .. new[]
        {
            "Transfer-Encoding: chunked\r\n", "transfer-encoding: identity\r\n", "Content-Length: 5\r\n",
            "Content-Length: 5\r\nContent-Length: 6\r\n", "Content-Length: +5\r\n",
            "Content-Length: 18446744073709551616\r\n", "Expect: 100-continue\r\n", "Connection: close\r\n",
            "Connection: keep-alive, x-a\r\n", "Upgrade: websocket\r\nConnection: upgrade\r\n", "Host: b\r\n", "Trailer: x\r\n",
            "\r\n\r\n", "\n\n", "\r\n ", "0\r\n\r\n", "0\r\nx-sum: 1\r\n\r\n", "5;a=\"b\"\r\nhello\r\n", "ffffffffffffffff\r\n",
            "7fffffff\r\n", "HTTP/1.0", "HTTP/1.1", "HTTP/2.0", "CONNECT a:1 ", "OPTIONS * ",
            "GET http://u@b:99/ HTTP/1.1\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", "HTTP/1.1 100 Continue\r\n\r\n",
            "HTTP/1.1 101 Switching\r\n\r\n", "HTTP/1.1 103 Early Hints\r\nlink: a\r\n\r\n", "HTTP/1.1 204 No Content\r\n\r\n",
        }.Select(Encoding.ASCII.GetBytes),
        new byte[5000],
    ];
}
