using System.Text;
using Lateen.Proxy.Http;
using Lateen.Test.Rigs.Codecs;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Http;

/// <summary>Heads of HTTP/1 are read by vectors, and lines that nobody changes leave as they came: it must look as if each byte had been
/// read and each line written anew.</summary>
public sealed class HeadLinesTests
{
    private static readonly string[] Names =
    [
        "accept", "X-A", "Content-Type", "x-request-id", "a-name-that-is-quite-a-bit-longer-than-one-vector",
        "X-Envoy-Upstream-Rq-Per-Try-Timeout-Ms", "date", "Accept", "COOKIE", "X-a",
    ];

    private static readonly string[] Values = ["", "1", "text/plain", "a, b", "tab\there", "10:42:35", new('v', 90), "\u00fcber"];

    private readonly RecordingAcceptor _acceptor = new(whenEnd: r => r.Answer(204, ""));
    private readonly Wire _client;
    private readonly (Wire Wire, UpstreamConnection Connection) _upstream = Wire.ToClient(new RecordingOwner(), new CodecOptions());

    public HeadLinesTests() => _client = Wire.ToServer(_acceptor, new CodecOptions());

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    public void Lines_are_taken_and_leave_as_one_by_one(int seed)
    {
        var random = new Random(seed);
        for (int round = 0; round < 500; round++)
        {
            (string head, HeaderMap built) = Head(random);
            int cut = random.Next(2) == 0 ? head.Length : random.Next(1, head.Length);
            _client.Send(head[..cut]);
            if (cut < head.Length)
                _client.Send(head[cut..]);
            HeaderMap taken = _acceptor.Requests[round].RequestHead;
            Assert.True(RecordedRequest.Show(built) == RecordedRequest.Show(taken), head);
            for (int i = random.Next(0, 6); i > 0; i--)
                Change(random.Next(), taken, built);
            Assert.Equal(RecordedRequest.Show(built), RecordedRequest.Show(taken));
            Assert.Equal(built.ByteSize, taken.ByteSize);
            Assert.Equal(Sent(built), Sent(taken));
        }
    }

    // A head, and what it says.
    private static (string Text, HeaderMap Map) Head(Random random)
    {
        var text = new StringBuilder("GET /p HTTP/1.1\r\n");
        var map = new HeaderMap();
        map.Add(KnownHeader.Method, "GET"u8);
        int host = random.Next(0, 5), lines = random.Next(host + 1, 14);
        for (int i = 0; i < lines; i++)
        {
            string name = i == host ? "hOst" : Names[random.Next(Names.Length)], value = i == host
                ? "a.example:80" : Values[random.Next(Values.Length)];
            text.Append(name).Append(random.Next(6) switch { 0 => ":", 1 => ": \t", _ => ": " }).Append(value);
            text.Append(random.Next(9) == 0 ? " " : "").Append(random.Next(9) == 0 ? "\n" : "\r\n");
            if (i == host)
                map.Add(KnownHeader.Authority, Encoding.Latin1.GetBytes(value));
            else
                map.Add(Encoding.Latin1.GetBytes(name.ToLowerInvariant()), Encoding.Latin1.GetBytes(value));
            if (random.Next(20) == 0)
                text.Append("Connection: keep-alive\r\n");
        }
        // The target is read behind the lines.
        map.Add(KnownHeader.Path, "/p"u8);
        return (text.Append("\r\n").ToString(), map);
    }

    private static void Change(int what, HeaderMap one, HeaderMap other)
    {
        string word = Names[what / 8 % Names.Length].ToLowerInvariant();
        byte[] name = Encoding.Latin1.GetBytes(word == "date" ? ":authority" : word),
            value = Encoding.Latin1.GetBytes(Values[what / 128 % Values.Length]);
        foreach (HeaderMap map in new[] { one, other })
        {
            int at = map.IndexOf(name, 0);
            if (what % 8 == 0)
                map.Add(name, value);
            else if (what % 8 == 1)
                map.Remove(name);
            else if (what % 8 == 2)
                map.Set(name, value);
            else if (what % 8 == 3 && at >= 0)
                map.RemoveAt(at);
            else if (what % 8 == 4 && at >= 0)
                map.SetAt(at, [.. Enumerable.Repeat((byte)'z', LengthAt(map, at))]);
            else if (at >= 0)
                map.SetAt(at, value);
        }
    }

    private static int LengthAt(HeaderMap map, int at)
    {
        map.At(at, out _, out ReadOnlySpan<byte> value);
        return value.Length;
    }

    private string Sent(HeaderMap head)
    {
        int before = _upstream.Wire.Text.Length;
        _upstream.Connection.Begin(new RecordedResponse()).SendHead(head, true);
        _upstream.Wire.Run();
        string sent = _upstream.Wire.Text[before..];
        _upstream.Wire.Send("HTTP/1.1 204 No Content\r\n\r\n");
        return sent;
    }
}
