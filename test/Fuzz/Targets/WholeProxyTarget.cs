using System.Text;
using Lateen.Proxy.Net;
using Lateen.Test.Fuzz.Frame;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>
/// Bytes of a client through a whole proxy to an upstream that reads as strictly as it can: whatever the client sends, what arrives there
/// is well-formed, each request is one that the proxy made (smuggled ones lack its mark), and the next client is served.
/// </summary>
internal sealed class WholeProxyTarget(string name, bool http2) : FuzzTarget
{
    private MemoryProxy? _proxy;
    private Upstream? _upstream;
    private string _seen = "";

    public override string Name => name;

    public override IReadOnlyList<byte[]> Words => http2 ? [] : Http1Words.All;

    public override IEnumerable<byte[]> Seeds => http2 ? FrameMaker.Sound() : [];

    public override string Seen => _seen;

    public override byte[]? Make(Chance chance, InputPool pool) => http2 ? FrameMaker.Frames(chance, ofClient: true) : null;

    public override void Renew()
    {
        _proxy?.Dispose();
        _proxy = MemoryProxy.StartPlain();
        _upstream = new Upstream();
        _proxy.Upstream.Listen(new ListenOptions(MemoryProxy.UpstreamAt), _upstream);
    }

    public override string Play(byte[] input, Chance? cuts)
    {
        List<string> requests = _upstream!.Requests;
        requests.Clear();
        var client = new Listening();
        Transport connection = _proxy!.Client.Connect(new ConnectOptions(MemoryProxy.ProxyAt), client);
        _proxy.Network.Advance(500);
        Chance? larger = cuts is null ? null : new Chance(cuts.NextULong());
        for (int at = 0; at < input.Length && !client.Closed;)
        {
            int n = larger is null ? input.Length : (int)Math.Min(input.Length - at, 1 + larger.Below(80));
            connection.Send(input.AsSpan(at, n));
            _proxy.Network.Advance(1_000);
            at += n;
        }
        _proxy.Network.Advance(20_000);
        connection.Close(abort: true);
        _proxy.Network.Advance(5_000);
        if (http2)
            _seen = string.Join('\n', [.. Http2Kinds(client.Received), .. requests]);
        // What HTTP/2 had under way when an error ended the connection depends on when it came.
        string seen = http2 ? "" : string.Join('\n', requests);
        requests.Clear();
        Serve();
        return seen;
    }

    // The kinds of frames that the client got, and the errors in them: what happened, without its numbers.
    private static IEnumerable<string> Http2Kinds(List<byte> bytes)
    {
        for (int at = 0; at + 9 <= bytes.Count; at += 9 + (bytes[at] << 16 | bytes[at + 1] << 8 | bytes[at + 2]))
        {
            int code = at + (bytes[at + 3] == 7 ? 16 : 12);
            yield return bytes[at + 3] switch
            {
                3 or 7 when code < bytes.Count => $"{(bytes[at + 3] == 3 ? "reset" : "goaway")} {(char)('a' + (bytes[code] & 15))}",
                var kind => $"{(char)('a' + (kind & 15))} {((bytes[at + 4] & 1) == 0 ? "more" : "last")}",
            };
        }
    }

    private void Serve()
    {
        var client = new Listening();
        Transport connection = _proxy!.Client.Connect(new ConnectOptions(MemoryProxy.ProxyAt), client);
        _proxy.Network.Advance(500);
        connection.Send("GET /plain HTTP/1.1\r\nhost: a\r\n\r\n"u8);
        if (!_proxy.Network.RunUntil(() => Encoding.Latin1.GetString([.. client.Received]).EndsWith("ok", StringComparison.Ordinal),
            2_000_000))
            throw new InvalidOperationException($"the next client was not served: {Encoding.Latin1.GetString([.. client.Received])}");
        connection.Close(abort: true);
        _proxy.Network.Advance(500);
    }

    public override long AllocationMax(int length) => 20_000_000 + (4_000L * length);

    private sealed class Upstream : Acceptor
    {
        public List<string> Requests { get; } = [];

        public override void OnAccepted(Transport transport) => transport.Handler = new Connection(Requests);

        private sealed class Connection(List<string> requests) : TransportHandler
        {
            private readonly StrictReader _reader = new();

            public override void OnData(Transport transport, ReadOnlySpan<byte> bytes)
            {
                int at = _reader.Requests.Count;
                for (int complete = _reader.Take(bytes); complete > 0; complete--, at++)
                {
                    requests.Add(_reader.Requests[at]);
                    bool bodyless = _reader.Requests[at].StartsWith("HEAD ", StringComparison.Ordinal);
                    transport.Send(bodyless ? "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n"u8
                        : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"u8);
                }
            }

            public override void OnClosed(Transport transport, CloseReason reason)
            {
            }
        }
    }
}
