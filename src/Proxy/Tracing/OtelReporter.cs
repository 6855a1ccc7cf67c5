using System.Buffers.Binary;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Tracing;

/// <summary>An OpenTelemetry collector, over HTTP or gRPC. The message is written here, field by field: it is small, and a sampled span
/// makes no objects so.</summary>
public sealed class OtelReporter : SpanReporter
{
    /// <summary>Its counters' names.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<ReportStat>();

    /// <summary>The version of Envoy that this proxy behaves as, in Envoy's own form: collectors tell senders by it.</summary>
    public const string Version = "9e5580933739775e8bce696a57a2e1bc99368f23/1.40.0/Clean/RELEASE/BoringSSL";

    private const int FrameHead = 5;

    private static readonly byte[] Agent = System.Text.Encoding.ASCII.GetBytes("OTel-OTLP-Exporter-Envoy/" + Version);

    private readonly RuntimeValues _runtime;
    private readonly byte[] _host, _path, _resource;
    private readonly IReadOnlyList<KeyValuePair<string, string>> _headers;
    private readonly bool _grpc;

    /// <summary>One for some workers.</summary>
    /// <param name="target">Where to.</param>
    /// <param name="host">The :authority.</param>
    /// <param name="path">The path.</param>
    /// <param name="headers">Further headers.</param>
    /// <param name="grpc">As a unary call.</param>
    /// <param name="resource">Who we are.</param>
    /// <param name="runtime">Values that may change.</param>
    /// <param name="stats">Counters.</param>
    /// <param name="workers">Number of workers.</param>
    public OtelReporter(
        SideTarget target, string host, string path, IReadOnlyList<KeyValuePair<string, string>> headers, bool grpc,
        IReadOnlyList<KeyValuePair<string, string>> resource, RuntimeValues runtime, StatGroup stats, int workers)
        : base(target, stats, workers)
    {
        _runtime = runtime;
        _host = System.Text.Encoding.UTF8.GetBytes(host);
        _path = System.Text.Encoding.UTF8.GetBytes(path);
        _headers = headers;
        _grpc = grpc;
        var inner = new ByteBuffer();
        foreach ((string key, string value) in resource)
            Attribute(1, System.Text.Encoding.UTF8.GetBytes(key), System.Text.Encoding.UTF8.GetBytes(value), inner);
        var outer = new ByteBuffer();
        WireText.Bytes(1, inner.Written, outer);
        _resource = outer.Written.ToArray();
    }

    /// <inheritdoc/>
    protected override int SpansMin => (int)Math.Clamp(_runtime.Number("tracing.opentelemetry.min_flush_spans", 5), 1, 10_000);

    /// <inheritdoc/>
    protected override long IntervalMicros => Math.Max(1, _runtime.Number("tracing.opentelemetry.flush_interval_ms", 5000)) * 1000;

    /// <inheritdoc/>
    protected override bool IsAccepted(SideCall call) => call.Status == 200;

    /// <inheritdoc/>
    protected override void Fill(SideCall call, ReadOnlySpan<byte> spans, int count)
    {
        HeaderMap head = call.RequestHead;
        head.Add(KnownHeader.Method, "POST"u8);
        head.Add(KnownHeader.Path, _path);
        head.Add(KnownHeader.Authority, _host);
        if (_grpc)
            head.Add(KnownHeader.Te, "trailers"u8);
        head.Add(KnownHeader.ContentType, _grpc ? "application/grpc"u8 : "application/x-protobuf"u8);
        head.Add(KnownHeader.UserAgent, Agent);
        foreach ((string name, string value) in _headers)
            head.Add(System.Text.Encoding.Latin1.GetBytes(name), System.Text.Encoding.UTF8.GetBytes(value));

        // ExportTraceServiceRequest{1: ResourceSpans{1: resource, 2: ScopeSpans{1: scope, 2: spans}}}
        ByteBuffer body = call.RequestBody;
        ReadOnlySpan<byte> scope = "\u000a\u000f\u000a\u0005envoy\u0012\u00061.40.0"u8;
        int scoped = scope.Length + spans.Length, resourced = _resource.Length + 1 + WireText.Size(scoped) + scoped;
        if (_grpc)
        {
            Span<byte> frame = body.Room(FrameHead);
            frame[0] = 0;
            BinaryPrimitives.WriteInt32BigEndian(frame[1..], 1 + WireText.Size(resourced) + resourced);
            body.Advance(FrameHead);
        }
        body.Append((byte)0x0a);
        WireText.Number((ulong)resourced, body);
        body.Append(_resource);
        body.Append((byte)0x12);
        WireText.Number((ulong)scoped, body);
        body.Append(scope);
        body.Append(spans);
    }

    [ThreadStatic]
    private static ByteBuffer? t_scratch;

    /// <inheritdoc/>
    protected override void Append(Span span, int before, ByteBuffer to)
    {
        ByteBuffer one = t_scratch ??= new ByteBuffer(1024);
        one.Clear();
        Span<byte> id = stackalloc byte[16];
        BinaryPrimitives.WriteUInt64BigEndian(id, span.TraceHigh);
        BinaryPrimitives.WriteUInt64BigEndian(id[8..], span.TraceLow);
        WireText.Bytes(1, id, one);
        BinaryPrimitives.WriteUInt64BigEndian(id, span.Id);
        WireText.Bytes(2, id[..8], one);
        if (span.State.Length > 0)
            WireText.Bytes(3, span.State.Written, one);
        if (span.Parent != 0)
        {
            BinaryPrimitives.WriteUInt64BigEndian(id, span.Parent);
            WireText.Bytes(4, id[..8], one);
        }
        WireText.Bytes(5, span.Name, one);
        one.Append((byte)(6 << 3));
        one.Append(span.IsClient ? (byte)3 : (byte)2);
        Fixed(7, span.StartedAt * 1000, one);
        Fixed(8, (span.StartedAt + span.Duration) * 1000, one);
        for (int i = 0; i < span.TagCount; i++)
        {
            span.TagAt(i, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value);
            Attribute(9, key, value, one);
        }
        if (span.IsError)
            WireText.Bytes(15, [3 << 3, 2], one);

        // flags: the trace's own, "it is known whether the parent is remote", and whether it is.
        WireText.Number(16 << 3 | 5, one);
        BinaryPrimitives.WriteInt32LittleEndian(one.Room(4), (span.Sampled ? 1 : 0) | 0x100 | (span.RemoteParent ? 0x200 : 0));
        one.Advance(4);
        WireText.Bytes(2, one.Written, to);
    }

    private static void Attribute(int field, ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ByteBuffer to)
    {
        int any = 1 + WireText.Size(value.Length) + value.Length;
        WireText.Number((ulong)(field << 3 | 2), to);
        WireText.Number((ulong)(1 + WireText.Size(key.Length) + key.Length + 1 + WireText.Size(any) + any), to);
        WireText.Bytes(1, key, to);
        to.Append((byte)0x12);
        WireText.Number((ulong)any, to);
        WireText.Bytes(1, value, to);
    }

    private static void Fixed(int field, long value, ByteBuffer to)
    {
        to.Append((byte)(field << 3 | 1));
        BinaryPrimitives.WriteInt64LittleEndian(to.Room(8), value);
        to.Advance(8);
    }
}
