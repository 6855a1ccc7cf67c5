using System.Text;
using System.Text.Json;
using Lateen.Proxy;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Test.Fuzz.Targets;

/// <summary>A stream of which everything is known, or nothing: what expressions and formats are asked of.</summary>
internal sealed class SampleStream : IStreamFacts
{
    private readonly bool _rich;
    private readonly Metadata? _metadata;
    private readonly StreamTimes _times;
    private readonly HeaderMap? _request, _response, _trailers;

    /// <summary>With values of every kind, some of them hostile.</summary>
    public static readonly SampleStream Rich = new(true);

    /// <summary>A connection that came to nothing.</summary>
    public static readonly SampleStream Bare = new(false);

    private SampleStream(bool rich)
    {
        _rich = rich;
        if (!rich)
            return;
        _metadata = Metadata.Of([KeyValuePair.Create("istio.demo", JsonSerializer.SerializeToElement(
            new { key = new { inner = 1.5, list = new object[] { 1, "x\n", true } }, a = "b", text = "\u0000\u001b[1m" }))]);
        _request = Head((":method", "GET"), (":path", "/a/b.js?a=1&b=%41&a=2#f"), (":authority", "a.example:80"), (":scheme", "https"),
            ("x-n", "7"), ("x-twice", "1"), ("x-twice", "2"), ("x-line", "a\x1b\x7f\xff"), ("x-request-id", "r"), ("a", ""));
        _response = Head((":status", "503"), ("content-type", "application/grpc"), ("grpc-status", "14"), ("a", "\""));
        _trailers = Head(("grpc-status", "99999999999"), ("grpc-message", "a%20b"));
        _times = new StreamTimes
        {
            DownstreamConnectionBegin = 1, RequestBegin = 5_000_000, RequestEnd = 5_000_100, UpstreamConnectBegin = 5_000_200,
            UpstreamSendBegin = 5_000_300, UpstreamSendEnd = 5_000_400, UpstreamReceiveBegin = 5_000_500, ResponseEnd = 5_000_450,
            End = 5_100_000,
        };
    }

    private static HeaderMap Head(params (string Name, string Value)[] fields)
    {
        var head = new HeaderMap();
        foreach ((string name, string value) in fields)
            head.Add(Encoding.Latin1.GetBytes(name), Encoding.Latin1.GetBytes(value));
        return head;
    }

    private string Text(string text) => _rich ? text : "";

    public HeaderMap? RequestHead => _request;

    public HeaderMap? ResponseHead => _response;

    public HeaderMap? ResponseTrailers => _trailers;

    public long StartedAt => _rich ? 1_767_323_045_678_901 : 0;

    public long Now => 6_000_000;

    public ref readonly StreamTimes Times => ref _times;

    public HttpVersion? Protocol => _rich ? HttpVersion.Http2 : null;

    public HttpVersion? UpstreamProtocol => _rich ? HttpVersion.Http11 : null;

    public int Status => _rich ? 503 : 0;

    public ResponseFlags Flags => _rich ? (ResponseFlags)0x0500_0005 : ResponseFlags.None;

    public string Details => Text("via upstream\n{x}");

    public string TerminationDetails => Text("rbac access denied");

    public string UpstreamTransportFailure => Text("TLS_error: a b");

    public string DownstreamTransportFailure => "";

    public long BytesReceived => _rich ? long.MaxValue : 0;

    public long BytesSent => 0;

    public StreamBytes DownstreamBytes => _rich ? new StreamBytes(1, 2, 3, 4) : default;

    public StreamBytes UpstreamBytes => default;

    public int Attempts => _rich ? 2 : 0;

    public string RouteName => Text("r");

    public string VirtualHostName => Text("a.example:80");

    public string ClusterName => Text("outbound|80||a.example");

    public string ClusterStatName => "";

    public string FilterChainName => Text("0.0.0.0_80");

    public Address UpstreamHost => _rich ? Address.V6(1, 2, 443) : default;

    public string UpstreamHostName => Text("host.example:443");

    public Address UpstreamLocal => default;

    public Address DownstreamRemote => _rich ? Address.V4(0x0a000001, 80) : default;

    public Address DownstreamDirectRemote => _rich ? Address.Unix("/tmp/a b") : default;

    public Address DownstreamLocal => _rich ? Address.Internal("inner", "1") : default;

    public Address DownstreamDirectLocal => default;

    public string RequestedServerName => Text("sni.example");

    public long ConnectionId => 3;

    public long UpstreamConnectionId => 0;

    public ulong StreamId => ulong.MaxValue;

    public TlsFacts? DownstreamTls => null;

    public TlsFacts? UpstreamTls => null;

    public Metadata? DynamicMetadata => _metadata;

    public Metadata? ClusterMetadata => null;

    public Metadata? RouteMetadata => _metadata;

    public Metadata? UpstreamHostMetadata => null;

    public Metadata? VirtualHostMetadata => null;

    public Metadata? ListenerMetadata => null;

    public object? FilterState(string key) => !_rich || key.Length == 0 ? null : key == "k" ? "v" : key.Length > 3 ? 7L : null;

    public (string Trace, string Span) TraceIds => _rich ? ("0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331") : ("", "");

    public ReadOnlySpan<byte> LocalReplyBody => _rich ? "a\nb"u8 : default;

    public string LogType => "DownstreamEnd";
}
