using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Google.Protobuf;
using Lateen.Proxy;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Tracing;
using Lateen.Proxy.Tracing.Datadog;
using Lateen.Proxy.Tracing.SkyWalking;
using Lateen.Proxy.Upstream.Calls;
using Lateen.Test.Unit.Proxy.Exchanges;
using Xunit;

namespace Lateen.Test.Unit.Proxy.Tracing;

/// <summary>What collectors get: a request with an attempt, read back from the bytes.</summary>
public sealed class ReportTests
{
    private readonly ProxyRig _rig = new();
    private ScriptedUpstream _collector = null!;

    private SideTarget Collector()
    {
        // The head is one "request" of the script, the chunks of the body the next.
        _collector = _rig.AddUpstream(8126, (n, _) => n % 2 == 1 ? "" : "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}");
        _rig.AddCluster("collector", 8126);
        return new SideTarget(_rig.Upstreams, _rig.Directory.Handle("collector")) { TimeoutMicros = 1_000_000 };
    }

    private byte[] Play(Tracer tracer)
    {
        _rig.AddUpstream(80, (_, _) => "HTTP/1.1 503 No\r\ncontent-length: 0\r\n\r\n");
        _rig.Tune = o => o with { Tracer = tracer };
        _rig.Start(ProxyRig.Forward("/", _rig.AddCluster("web", 80)));
        _rig.Ask("GET /buy HTTP/1.1\r\nHost: shop.test\r\nX-Request-Id: 4b2f1e0a-77aa-4c5e-9a10-1f2e3d4c5b6a\r\n\r\n");
        Assert.True(_rig.Network.RunUntil(() => _collector.Requests.Count == 2, 10_000_000));
        var body = new List<byte>();
        string text = _collector.Requests[1];
        for (int at = 0; ;)
        {
            int end = text.IndexOf('\r', at),
                size = int.Parse(text.AsSpan(at, end - at), NumberStyles.HexNumber, CultureInfo.InvariantCulture);
            if (size == 0)
                return [.. body];
            body.AddRange(Encoding.Latin1.GetBytes(text.Substring(end + 2, size)));
            at = end + 2 + size + 2;
        }
    }

    private static TracerOptions Options =>
        new() { Stats = StatGroup.Unread(TracerOptions.Schema, 1), Runtime = RuntimeValues.None, SpawnUpstream = true };

    [Fact]
    public void Datadogs_agent_gets_a_trace_of_two_spans()
    {
        var reporter = new DatadogReporter(Collector(), "agent", "shop", StatGroup.Unread(DatadogReporter.Schema, 1), 1);
        byte[] body = Play(new Tracer(Options, new DatadogContext(), reporter, namesHost: false, null, 1));
        Assert.StartsWith("POST /v0.4/traces", _collector.Requests[0], StringComparison.Ordinal);
        Assert.Contains("x-datadog-trace-count: 1\r\n", _collector.Requests[0], StringComparison.Ordinal);
        int read = 0;
        object[] traces = (object[])Packed(body, ref read), trace = (object[])Assert.Single(traces);
        Assert.Equal(body.Length, read);
        Assert.Equal(2, trace.Length);
        var own = (Dictionary<string, object>)trace[0];
        var attempt = (Dictionary<string, object>)trace[1];
        Assert.Equal(("shop", "envoy.proxy", "ingress", 1ul), (own["service"], own["name"], own["resource"], own["error"]));
        Assert.Equal((own["trace_id"], own["span_id"]), (attempt["trace_id"], attempt["parent_id"]));
        Assert.Equal("router web egress", attempt["resource"]);
        var meta = (Dictionary<string, object>)own["meta"];
        Assert.Equal(("server", "503", "GET"), (meta["span.kind"], meta["http.status_code"], meta["http.method"]));
        Assert.Equal(1.0, ((Dictionary<string, object>)own["metrics"])["_sampling_priority_v1"]);
    }

    [Fact]
    public void SkyWalking_gets_a_segment_of_two_spans()
    {
        var method = new GrpcMethod(Collector(), "oap", SkyWalkingReporter.Path, []);
        var reporter = new SkyWalkingReporter(method, "shop", "shop-1", StatGroup.Unread(SkyWalkingReporter.Schema, 1), 1);
        byte[] body = Play(new Tracer(Options, new SkyWalkingContext("shop", "shop-1"), reporter, namesHost: false, null, 1));
        Assert.StartsWith("POST /skywalking.v3.TraceSegmentReportService/collect", _collector.Requests[0], StringComparison.Ordinal);
        Assert.Equal((0, body.Length - 5), (body[0], BinaryPrimitives.ReadInt32BigEndian(body.AsSpan(1))));
        ILookup<int, byte[]> segment = Fields(body[5..]);
        Assert.Equal(("shop", "shop-1"), (Text(segment[4]), Text(segment[5])));
        Assert.Equal(Text(segment[1]), Text(segment[2]));
        Assert.Equal(2, segment[3].Count());
        ILookup<int, byte[]> own = Fields(segment[3].First()), attempt = Fields(segment[3].Last());
        Assert.Equal("ingress", Text(own[6]));
        Assert.Equal(("router web egress", "10.0.0.3:80"), (Text(attempt[6]), Text(attempt[7])));
        Assert.Equal((0ul, 1ul), (Number(own[8]), Number(attempt[8])));
        Assert.Equal((0ul, 1ul), (Number(own[1]), Number(attempt[1])));
        Assert.Equal((ulong.MaxValue, 0ul), (Number(own[2]), Number(attempt[2])));
        Assert.Equal((3ul, 9000ul, 1ul), (Number(own[9]), Number(own[10]), Number(own[11])));
        Dictionary<string, string> tags = own[12].Select(Fields).ToDictionary(t => Text(t[1]), t => Text(t[2]));
        Assert.Equal(("503", "http://shop.test/buy"),
            (tags["status_code"], tags["url"].Replace("https", "http", StringComparison.Ordinal)));
    }

    private static string Text(IEnumerable<byte[]> field) => Encoding.UTF8.GetString(field.Single());

    private static ulong Number(IEnumerable<byte[]> field) =>
        field.SingleOrDefault() is { } bytes ? BinaryPrimitives.ReadUInt64LittleEndian(bytes) : 0;

    private static ILookup<int, byte[]> Fields(byte[] message)
    {
        var fields = new List<(int Field, byte[] Value)>();
        var input = new CodedInputStream(message);
        for (uint tag = input.ReadTag(); tag != 0; tag = input.ReadTag())
        {
            byte[] value = (tag & 7) == 2 ? input.ReadBytes().ToByteArray() : BitConverter.GetBytes(input.ReadUInt64());
            fields.Add(((int)(tag >> 3), value));
        }
        return fields.ToLookup(static f => f.Field, static f => f.Value);
    }

    private static object Packed(byte[] bytes, ref int at)
    {
        byte kind = bytes[at++];
        switch (kind)
        {
            case >= 0x80 and < 0x90:
                return Map(bytes, ref at, kind & 15);
            case >= 0x90 and < 0xa0:
                return List(bytes, ref at, kind & 15);
            case >= 0xa0 and < 0xc0:
                return Word(bytes, ref at, kind & 31);
            case 0xcb:
                at += 8;
                return BinaryPrimitives.ReadDoubleBigEndian(bytes.AsSpan(at - 8));
            case 0xcf:
                at += 8;
                return BinaryPrimitives.ReadUInt64BigEndian(bytes.AsSpan(at - 8));
            default:
                at += 4;
                int length = BinaryPrimitives.ReadInt32BigEndian(bytes.AsSpan(at - 4));
                return kind switch { 0xdb => Word(bytes, ref at, length), 0xdf => Map(bytes, ref at, length),
                    0xdd => List(bytes, ref at, length), _ => throw new InvalidDataException($"{kind:x}") };
        }
    }

    private static string Word(byte[] bytes, ref int at, int length)
    {
        at += length;
        return Encoding.UTF8.GetString(bytes, at - length, length);
    }

    private static object[] List(byte[] bytes, ref int at, int length)
    {
        var list = new object[length];
        for (int i = 0; i < length; i++)
            list[i] = Packed(bytes, ref at);
        return list;
    }

    private static Dictionary<string, object> Map(byte[] bytes, ref int at, int pairs)
    {
        var map = new Dictionary<string, object>();
        for (int i = 0; i < pairs; i++)
        {
            string key = (string)Packed(bytes, ref at);
            map[key] = Packed(bytes, ref at);
        }
        return map;
    }
}
