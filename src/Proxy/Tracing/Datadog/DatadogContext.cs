// Datadog: its agent takes traces as MessagePack (/v0.4/traces); contexts travel in x-datadog-* headers, with W3C's beside them. Ids are of
// 128 bits, the upper half of a new one being the seconds since 1970 (Datadog's form), and the lower half alone stands in Datadog's own
// headers. Refused: remote configuration (the agent would rule the proxy), and spans of traces that are dropped (the agent would count and
// drop them; nothing is sent for them here).
using System.Buffers.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tracing.Datadog;

/// <summary>Datadog's headers, and W3C's beside them.</summary>
public sealed class DatadogContext : Propagation
{
    /// <inheritdoc/>
    public override bool TellsSpan => false;

    /// <inheritdoc/>
    public override void Begin(HeaderMap head, Span span, bool decision, Chance chance)
    {
        span.Id = NewId(chance);
        if (head.TryGet("tracestate"u8, out ReadOnlySpan<byte> state))
            span.State.Append(state);
        if (Decimal(head, "x-datadog-trace-id"u8, out ulong trace) && trace != 0)
        {
            span.TraceLow = trace;
            span.TraceHigh = Upper(head);
            span.Parent = Decimal(head, "x-datadog-parent-id"u8, out ulong parent) ? parent : 0;
            span.RemoteParent = true;
            span.Sampled = head.TryGet("x-datadog-sampling-priority"u8, out ReadOnlySpan<byte> priority)
                && Utf8Parser.TryParse(priority, out int p, out int n) && n == priority.Length ? p > 0 : decision;
            return;
        }
        if (head.TryGet(KnownHeader.Traceparent, out ReadOnlySpan<byte> context) && TraceParent.Read(context, span, out bool sampled))
        {
            span.RemoteParent = true;
            span.Sampled = sampled;
            return;
        }
        span.TraceLow = NewId(chance);
        span.TraceHigh = (ulong)(span.StartedAt / 1_000_000) << 32;
        span.Sampled = decision;
    }

    /// <inheritdoc/>
    public override void Write(Span span, HeaderMap head, Address host)
    {
        Span<byte> text = stackalloc byte[32];
        Utf8Formatter.TryFormat(span.TraceLow, text, out int n);
        head.Set("x-datadog-trace-id"u8, text[..n]);
        Utf8Formatter.TryFormat(span.Id, text, out n);
        head.Set("x-datadog-parent-id"u8, text[..n]);

        // What came with the context (priority, origin, tags) goes on as it came.
        if (!head.TryGet("x-datadog-sampling-priority"u8, out _))
            head.Set("x-datadog-sampling-priority"u8, span.Sampled ? "1"u8 : "-1"u8);
        if (span.TraceHigh != 0 && !head.TryGet("x-datadog-tags"u8, out _))
        {
            Span<byte> tags = stackalloc byte[48];
            "_dd.p.dm=-0,_dd.p.tid="u8.CopyTo(tags);
            Hex(span.TraceHigh, tags[22..]);
            head.Set("x-datadog-tags"u8, tags[..38]);
        }
        TraceParent.WriteParent(span, head);
        WriteState(span, head);
    }

    // Our own member stands first; those of others follow as they came.
    private static void WriteState(Span span, HeaderMap head)
    {
        ReadOnlySpan<byte> others = span.State.Written;
        Span<byte> text = stackalloc byte[512];
        ReadOnlySpan<byte> start = span.Sampled ? "dd=s:1;p:"u8 : "dd=s:-1;p:"u8;
        start.CopyTo(text);
        int at = start.Length + Hex(span.Id, text[start.Length..]);
        while (!others.IsEmpty)
        {
            int comma = others.IndexOf((byte)',');
            ReadOnlySpan<byte> member = (comma < 0 ? others : others[..comma]).Trim((byte)' ');
            others = comma < 0 ? default : others[(comma + 1)..];
            if (member.IsEmpty || member.StartsWith("dd="u8) || at + 1 + member.Length > text.Length)
                continue;
            text[at++] = (byte)',';
            member.CopyTo(text[at..]);
            at += member.Length;
        }
        head.Set("tracestate"u8, text[..at]);
    }

    private static bool Decimal(HeaderMap head, ReadOnlySpan<byte> name, out ulong value)
    {
        value = 0;
        return head.TryGet(name, out ReadOnlySpan<byte> text) && Utf8Parser.TryParse(text, out value, out int used) && used == text.Length;
    }

    private static ulong Upper(HeaderMap head)
    {
        if (!head.TryGet("x-datadog-tags"u8, out ReadOnlySpan<byte> tags))
            return 0;
        int at = tags.IndexOf("_dd.p.tid="u8);
        return at >= 0 && tags.Length >= at + 26 && Hex(tags.Slice(at + 10, 16), out ulong upper) ? upper : 0;
    }
}
