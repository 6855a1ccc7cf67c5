using System.Buffers.Binary;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Remote;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Tracing.SkyWalking;

/// <summary>SkyWalking's collector (TraceSegmentReportService.collect): the segments of a while in one client stream.</summary>
public sealed class SkyWalkingReporter : SpanReporter
{
    /// <summary>The method.</summary>
    public const string Path = "/skywalking.v3.TraceSegmentReportService/collect";

    /// <summary>Its counters' names: Envoy's own for this collector, where it has such.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<ReportStat>(rename: static n => n switch
    {
        "spans_sent" => "segments_sent",
        "spans_dropped" => "segments_dropped",
        "timer_flushed" => "cache_flushed",
        _ => n,
    });

    private const int SegmentsAtOnce = 64;
    private const long FlushMicros = 1_000_000;
    private const int FrameHead = 5;

    // SpanType, SpanLayer and the component's number in SkyWalking's tables.
    private const int Exit = 1, Http = 3, Component = 9000;

    private readonly GrpcMethod _method;
    private readonly byte[] _service, _instance;

    /// <summary>One for some workers.</summary>
    public SkyWalkingReporter(GrpcMethod method, string service, string instance, StatGroup stats, int workers)
        : base(method.Side, stats, workers)
    {
        _method = method;
        _service = System.Text.Encoding.UTF8.GetBytes(service);
        _instance = System.Text.Encoding.UTF8.GetBytes(instance);
    }

    /// <inheritdoc/>
    protected override int SpansMin => SegmentsAtOnce;

    /// <inheritdoc/>
    protected override long IntervalMicros => FlushMicros;

    /// <inheritdoc/>
    protected override bool Nests => true;

    /// <inheritdoc/>
    protected override bool IsAccepted(SideCall call) => call.Status == 200;

    /// <inheritdoc/>
    protected override void Fill(SideCall call, ReadOnlySpan<byte> spans, int count)
    {
        _method.WriteHead(call.RequestHead);
        call.RequestBody.Append(spans);
    }

    [ThreadStatic]
    private static ByteBuffer? t_segment, t_part, t_inner;

    // SegmentObject: 1 trace, 2 segment, 3 spans, 4 service, 5 instance.
    /// <inheritdoc/>
    protected override void Append(Span span, int before, ByteBuffer to)
    {
        ByteBuffer segment = t_segment ??= new ByteBuffer(1024);
        segment.Clear();
        Span<byte> own = stackalloc byte[32];
        Propagation.Trace(span, own, full: true);
        bool joined = Sw8.TryRead(span.State.Written, out Sw8 came);
        if (joined)
            Decoded(1, came.Trace, segment);
        else
            WireText.Bytes(1, own, segment);
        WireText.Bytes(2, own, segment);
        WireText.Bytes(3, One(span, joined, came), segment);
        segment.Append(span.Nested.Written);
        WireText.Text(4, _service, segment);
        WireText.Text(5, _instance, segment);
        Span<byte> frame = to.Room(FrameHead);
        frame[0] = 0;
        BinaryPrimitives.WriteInt32BigEndian(frame[1..], segment.Length);
        to.Advance(FrameHead);
        to.Append(segment.Written);
    }

    /// <inheritdoc/>
    protected override void Nest(Span span, Span outer)
    {
        WireText.Bytes(3, One(span, false, default), outer.Nested);
        outer.NestedCount++;
    }

    // SpanObject: 1 number, 2 parent, 3 start, 4 end (milliseconds), 5 refs, 6 operation, 7 peer, 8 type, 9 layer, 10 component, 11 error,
    // 12 tags, 13 logs.
    private static ReadOnlySpan<byte> One(Span span, bool joined, in Sw8 came)
    {
        ByteBuffer one = t_part ??= new ByteBuffer(1024);
        one.Clear();
        WireText.Whole(1, span.Place, one);
        WireText.Whole(2, span.Outer is null ? -1 : 0, one);
        WireText.Whole(3, span.StartedAt / 1000, one);
        WireText.Whole(4, (span.StartedAt + span.Duration) / 1000, one);
        if (joined)
            WireText.Bytes(5, Reference(came), one);
        WireText.Text(6, span.Name, one);
        if (span.Outer is not null)
            WireText.Text(7, TagOf(span, "upstream_address"u8), one);
        WireText.Whole(8, span.Outer is null ? 0 : Exit, one);
        WireText.Whole(9, Http, one);
        WireText.Whole(10, Component, one);
        WireText.Whole(11, span.IsError ? 1 : 0, one);
        for (int i = 0; i < span.TagCount; i++)
        {
            span.TagAt(i, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value);
            WireText.Bytes(12, Pair(Renamed(key), value), one);
        }
        foreach ((long at, string text) in span.Events)
        {
            // Log: 1 time, 2 pairs, of which there is one without a key.
            ByteBuffer inner = t_inner ??= new ByteBuffer(256);
            inner.Clear();
            WireText.Whole(1, at / 1000, inner);
            WireText.Number(2 << 3 | 2, inner);
            WireText.Number((ulong)(1 + WireText.Size(text.Length) + text.Length), inner);
            WireText.Bytes(2, System.Text.Encoding.ASCII.GetBytes(text), inner);
            WireText.Bytes(13, inner.Written, one);
        }
        return one.Written;
    }

    // SegmentReference: 2 trace, 3 segment, 4 span, 5 service, 6 instance, 7 endpoint, 8 address.
    private static ReadOnlySpan<byte> Reference(in Sw8 came)
    {
        ByteBuffer to = t_inner ??= new ByteBuffer(256);
        to.Clear();
        Decoded(2, came.Trace, to);
        Decoded(3, came.Segment, to);
        WireText.Whole(4, came.Span, to);
        Decoded(5, came.Service, to);
        Decoded(6, came.Instance, to);
        Decoded(7, came.Endpoint, to);
        Decoded(8, came.Host, to);
        return to.Written;
    }

    private static void Decoded(int field, ReadOnlySpan<byte> base64, ByteBuffer to)
    {
        Span<byte> room = base64.Length <= 512 ? stackalloc byte[512] : new byte[base64.Length];
        System.Buffers.Text.Base64.DecodeFromUtf8(base64, room, out _, out int written);
        WireText.Bytes(field, room[..written], to);
    }

    private static ReadOnlySpan<byte> Pair(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value)
    {
        ByteBuffer to = t_inner ??= new ByteBuffer(256);
        to.Clear();
        WireText.Text(1, key, to);
        WireText.Text(2, value, to);
        return to.Written;
    }

    // SkyWalking's own names for two tags.
    private static ReadOnlySpan<byte> Renamed(ReadOnlySpan<byte> key) =>
        key.SequenceEqual("http.url"u8) ? "url"u8 : key.SequenceEqual("http.status_code"u8) ? "status_code"u8 : key;

    private static ReadOnlySpan<byte> TagOf(Span span, ReadOnlySpan<byte> wanted)
    {
        for (int i = 0; i < span.TagCount; i++)
        {
            span.TagAt(i, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value);
            if (key.SequenceEqual(wanted))
                return value;
        }
        return default;
    }
}
