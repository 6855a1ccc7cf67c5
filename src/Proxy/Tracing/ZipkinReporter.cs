using Lateen.Proxy.Exchanges.Heads;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;
using Lateen.Proxy.Statistics;
using Lateen.Proxy.Upstream.Calls;

namespace Lateen.Proxy.Tracing;

/// <summary>A Zipkin collector: JSON of its second version.</summary>
public sealed class ZipkinReporter(SideTarget target, string host, string path, string service, RuntimeValues runtime, StatGroup stats,
    int workers) : SpanReporter(target, stats, workers)
{
    /// <summary>Headers of each report.</summary>
    public IReadOnlyList<KeyValuePair<string, string>> Headers { get; init; } = [];

    /// <summary>Its counters' names.</summary>
    public static readonly StatSchema Schema = StatSchema.Of<ReportStat>();

    private readonly byte[] _host = System.Text.Encoding.UTF8.GetBytes(host), _path = System.Text.Encoding.UTF8.GetBytes(path),
        _service = System.Text.Encoding.UTF8.GetBytes(service);

    /// <inheritdoc/>
    protected override int SpansMin => (int)Math.Clamp(runtime.Number("tracing.zipkin.min_flush_spans", 5), 1, 10_000);

    /// <inheritdoc/>
    protected override long IntervalMicros => Math.Max(1, runtime.Number("tracing.zipkin.flush_interval_ms", 5000)) * 1000;

    /// <inheritdoc/>
    protected override bool IsAccepted(SideCall call) => call.Status == 202;

    /// <inheritdoc/>
    protected override void Fill(SideCall call, ReadOnlySpan<byte> spans, int count)
    {
        HeaderMap head = call.RequestHead;
        head.Add(KnownHeader.Method, "POST"u8);
        head.Add(KnownHeader.Path, _path);
        head.Add(KnownHeader.Authority, _host);
        head.Add(KnownHeader.ContentType, "application/json"u8);
        foreach ((string name, string value) in Headers)
            head.Add(System.Text.Encoding.Latin1.GetBytes(name), System.Text.Encoding.UTF8.GetBytes(value));
        call.RequestBody.Append(spans);
        call.RequestBody.Append((byte)']');
    }

    /// <inheritdoc/>
    protected override void Append(Span span, int before, ByteBuffer to)
    {
        Span<byte> hex = stackalloc byte[32];
        to.Append(before == 0 ? (byte)'[' : (byte)',');
        to.Append("{\"traceId\":\""u8);
        to.Append(hex[..Propagation.Trace(span, hex, full: false)]);
        to.Append("\",\"name\":"u8);
        Text(span.Name, to);
        to.Append(",\"id\":\""u8);
        to.Append(hex[..Propagation.Hex(span.Id, hex)]);
        to.Append((byte)'"');
        if (span.Parent != 0)
        {
            to.Append(",\"parentId\":\""u8);
            to.Append(hex[..Propagation.Hex(span.Parent, hex)]);
            to.Append((byte)'"');
        }
        to.Append(",\"kind\":\""u8);
        to.Append(span.IsClient ? "CLIENT"u8 : "SERVER"u8);
        to.Append("\",\"timestamp\":"u8);
        to.Append(span.StartedAt);
        to.Append(",\"duration\":"u8);
        to.Append(Math.Max(1, span.Duration));
        to.Append(",\"localEndpoint\":{\"serviceName\":"u8);
        Text(_service, to);
        Address own = Target.OwnAddress;
        if (own.IsIp)
        {
            Span<byte> ip = stackalloc byte[46];
            to.Append(own.Kind == AddressKind.V4 ? ",\"ipv4\":\""u8 : ",\"ipv6\":\""u8);
            to.Append(ip[..IpText.Write(own, ip)]);
            to.Append((byte)'"');
        }
        to.Append(",\"port\":0},\"annotations\":["u8);
        foreach ((long at, string text) in span.Events)
            Annotation(at, System.Text.Encoding.ASCII.GetBytes(text), to, more: true);
        Annotation(span.StartedAt + span.Duration, span.IsClient ? "cr"u8 : "ss"u8, to, more: false);
        to.Append("],\"tags\":{"u8);
        for (int i = 0; i < span.TagCount; i++)
        {
            span.TagAt(i, out ReadOnlySpan<byte> key, out ReadOnlySpan<byte> value);
            if (i > 0)
                to.Append((byte)',');
            Text(key, to);
            to.Append((byte)':');
            Text(value, to);
        }
        to.Append(span.Shared ? "},\"shared\":true}"u8 : "}}"u8);
    }

    private static void Annotation(long at, ReadOnlySpan<byte> text, ByteBuffer to, bool more)
    {
        to.Append("{\"timestamp\":"u8);
        to.Append(at);
        to.Append(",\"value\":\""u8);
        to.Append(text);
        to.Append(more ? "\"},"u8 : "\"}"u8);
    }

    private static void Text(ReadOnlySpan<byte> text, ByteBuffer to)
    {
        to.Append((byte)'"');
        foreach (byte b in text)
        {
            if (b is (byte)'"' or (byte)'\\')
            {
                to.Append((byte)'\\');
                to.Append(b);
            }
            else if (b < 0x20)
            {
                to.Append("\\u00"u8);
                to.Append("0123456789abcdef"u8[b >> 4]);
                to.Append("0123456789abcdef"u8[b & 15]);
            }
            else
            {
                to.Append(b);
            }
        }
        to.Append((byte)'"');
    }
}
