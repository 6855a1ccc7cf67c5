using System.Buffers.Binary;
using System.Buffers.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Tracing.Datadog;

/// <summary>Datadog's agent: traces as MessagePack, each an exchange's span with those of its attempts.</summary>
public sealed class DatadogReporter(SideTarget target, string host, string service, StatGroup stats, int workers)
    : SpanReporter(target, stats, workers)
{
    /// <summary>Its counters' names.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<ReportStat>();

    private const int SpansAtOnce = 1000;
    private const long FlushMicros = 2_000_000;

    private readonly byte[] _host = System.Text.Encoding.UTF8.GetBytes(host), _service = System.Text.Encoding.UTF8.GetBytes(service);

    /// <inheritdoc/>
    protected override int SpansMin => SpansAtOnce;

    /// <inheritdoc/>
    protected override long IntervalMicros => FlushMicros;

    /// <inheritdoc/>
    protected override bool Nests => true;

    /// <inheritdoc/>
    protected override bool IsAccepted(SideCall call) => call.Status == 200;

    /// <inheritdoc/>
    protected override void Fill(SideCall call, ReadOnlySpan<byte> spans, int count)
    {
        HeaderMap head = call.RequestHead;
        head.Add(KnownHeader.Method, "POST"u8);
        head.Add(KnownHeader.Path, "/v0.4/traces"u8);
        head.Add(KnownHeader.Authority, _host);
        head.Add(KnownHeader.ContentType, "application/msgpack"u8);
        head.Add("datadog-meta-lang"u8, "dotnet"u8);
        Span<byte> number = stackalloc byte[12];
        Utf8Formatter.TryFormat(count, number, out int n);
        head.Add("x-datadog-trace-count"u8, number[..n]);
        Array(count, call.RequestBody);
        call.RequestBody.Append(spans);
    }

    /// <inheritdoc/>
    protected override void Append(Span span, int before, ByteBuffer to)
    {
        Array(1 + span.NestedCount, to);
        One(span, to);
        to.Append(span.Nested.Written);
    }

    /// <inheritdoc/>
    protected override void Nest(Span span, Span outer)
    {
        One(span, outer.Nested);
        outer.NestedCount++;
    }

    private void One(Span span, ByteBuffer to)
    {
        Map(12, to);
        Pair("service"u8, _service, to);
        Pair("name"u8, "envoy.proxy"u8, to);
        Pair("resource"u8, ResourceOf(span), to);
        Pair("type"u8, "web"u8, to);
        Pair("trace_id"u8, span.TraceLow, to);
        Pair("span_id"u8, span.Id, to);
        Pair("parent_id"u8, span.Parent, to);
        Pair("start"u8, (ulong)span.StartedAt * 1000, to);
        Pair("duration"u8, (ulong)Math.Max(1, span.Duration) * 1000, to);
        Pair("error"u8, span.IsError ? 1ul : 0, to);
        Meta(span, to);
        Text("metrics"u8, to);
        Map(1, to);
        Text("_sampling_priority_v1"u8, to);
        to.Append((byte)0xcb);
        BinaryPrimitives.WriteDoubleBigEndian(to.Room(8), 1);
        to.Advance(8);
    }

    // "error" is a field of its own, and the tag resource.name is the resource (as Envoy).
    private static bool IsMeta(ReadOnlySpan<byte> key) => !key.SequenceEqual("error"u8) && !key.SequenceEqual("resource.name"u8);

    private static void Meta(Span span, ByteBuffer to)
    {
        Text("meta"u8, to);
        int count = span.TraceHigh != 0 ? 2 : 1;
        for (int i = 0; i < span.TagCount; i++)
        {
            span.TagAt(i, out ReadOnlySpan<byte> key, out _);
            count += IsMeta(key) ? 1 : 0;
        }
        Map(count, to);
        Pair("span.kind"u8, span.IsClient ? "client"u8 : "server"u8, to);
        if (span.TraceHigh != 0)
        {
            Span<byte> hex = stackalloc byte[16];
            Propagation.Hex(span.TraceHigh, hex);
            Pair("_dd.p.tid"u8, hex, to);
        }
        for (int i = 0; i < span.TagCount; i++)
        {
            span.TagAt(i, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value);
            if (IsMeta(key))
                Pair(key, value, to);
        }
    }

    private static ReadOnlySpan<byte> ResourceOf(Span span)
    {
        for (int i = 0; i < span.TagCount; i++)
        {
            span.TagAt(i, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value);
            if (key.SequenceEqual("resource.name"u8))
                return value;
        }
        return span.Name;
    }

    // ---- MessagePack

    private static void Pair(ReadOnlySpan<byte> key, ReadOnlySpan<byte> value, ByteBuffer to)
    {
        Text(key, to);
        Text(value, to);
    }

    private static void Pair(ReadOnlySpan<byte> key, ulong value, ByteBuffer to)
    {
        Text(key, to);
        to.Append((byte)0xcf);
        BinaryPrimitives.WriteUInt64BigEndian(to.Room(8), value);
        to.Advance(8);
    }

    private static void Text(ReadOnlySpan<byte> text, ByteBuffer to)
    {
        if (text.Length < 32)
            to.Append((byte)(0xa0 | text.Length));
        else
            Length(0xdb, text.Length, to);
        to.Append(text);
    }

    private static void Map(int pairs, ByteBuffer to)
    {
        if (pairs < 16)
            to.Append((byte)(0x80 | pairs));
        else
            Length(0xdf, pairs, to);
    }

    private static void Array(int items, ByteBuffer to)
    {
        if (items < 16)
            to.Append((byte)(0x90 | items));
        else
            Length(0xdd, items, to);
    }

    private static void Length(byte kind, int length, ByteBuffer to)
    {
        to.Append(kind);
        BinaryPrimitives.WriteInt32BigEndian(to.Room(4), length);
        to.Advance(4);
    }
}
