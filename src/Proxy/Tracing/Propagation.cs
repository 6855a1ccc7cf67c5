using System.Buffers.Text;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tracing;

/// <summary>Headers that carry a trace's context.</summary>
public abstract class Propagation
{
    /// <summary>Takes up what came, or begins anew: ids and whether it is sampled.</summary>
    /// <param name="head">The request's head.</param>
    /// <param name="span">To fill.</param>
    /// <param name="decision">What the tracer would do by itself.</param>
    /// <param name="chance">For ids.</param>
    public abstract void Begin(HeaderMap head, Span span, bool decision, Chance chance);

    /// <summary>Writes what goes on, to a host of this address.</summary>
    public abstract void Write(Span span, HeaderMap head, Address host);

    /// <summary>A span's id is told in logs.</summary>
    public virtual bool TellsSpan => true;

    /// <summary>A new id, never 0.</summary>
    internal static ulong NewId(Chance chance)
    {
        ulong id = chance.NextULong();
        return id != 0 ? id : 1;
    }

    /// <summary>Reads 16 hex digits.</summary>
    internal static bool Hex(ReadOnlySpan<byte> text, out ulong value)
    {
        value = 0;
        return text.Length == 16 && Utf8Parser.TryParse(text, out value, out int used, 'x') && used == 16;
    }

    /// <summary>Writes 16 hex digits.</summary>
    internal static int Hex(ulong value, Span<byte> to)
    {
        Utf8Formatter.TryFormat(value, to, out int n, new System.Buffers.StandardFormat('x', 16));
        return n;
    }

    /// <summary>Writes a trace's id.</summary>
    internal static int Trace(Span span, Span<byte> to, bool full)
    {
        int n = span.TraceHigh != 0 || full ? Hex(span.TraceHigh, to) : 0;
        return n + Hex(span.TraceLow, to[n..]);
    }
}

/// <summary>W3C's traceparent and tracestate.</summary>
public sealed class TraceParent : Propagation
{
    /// <inheritdoc/>
    public override void Begin(HeaderMap head, Span span, bool decision, Chance chance)
    {
        if (!head.TryGet(KnownHeader.Traceparent, out ReadOnlySpan<byte> text))
        {
            span.TraceHigh = NewId(chance);
            span.TraceLow = NewId(chance);
            span.Id = NewId(chance);
            span.Sampled = decision;
            return;
        }
        if (!Read(text, span, out bool sampled))
        {
            span.IsNull = true;
            return;
        }
        span.Id = NewId(chance);
        span.Sampled = sampled && decision;
        span.RemoteParent = true;
        if (head.TryGet("tracestate"u8, out ReadOnlySpan<byte> state))
            span.State.Append(state);
    }

    /// <summary>Reads a context: the trace's id and the parent's; false where it is none.</summary>
    internal static bool Read(ReadOnlySpan<byte> text, Span span, out bool sampled)
    {
        sampled = false;
        if (text.Length != 55 || text[2] != '-' || text[35] != '-' || text[52] != '-'
            || !Utf8Parser.TryParse(text[53..], out byte flags, out int n, 'x') || n != 2
            || !Utf8Parser.TryParse(text[..2], out byte version, out n, 'x') || n != 2 || version == 255
            || !Hex(text[3..19], out ulong high) || !Hex(text[19..35], out ulong low) || !Hex(text[36..52], out ulong parent)
            || (high | low) == 0 || parent == 0)
            return false;
        span.TraceHigh = high;
        span.TraceLow = low;
        span.Parent = parent;
        sampled = (flags & 1) != 0;
        return true;
    }

    /// <inheritdoc/>
    public override void Write(Span span, HeaderMap head, Address host)
    {
        WriteParent(span, head);
        head.Set("tracestate"u8, span.State.Written);
    }

    internal static void WriteParent(Span span, HeaderMap head)
    {
        Span<byte> text = stackalloc byte[55];
        "00-"u8.CopyTo(text);
        Trace(span, text[3..], full: true);
        text[35] = (byte)'-';
        Hex(span.Id, text[36..]);
        text[52] = (byte)'-';
        text[53] = (byte)'0';
        text[54] = span.Sampled ? (byte)'1' : (byte)'0';
        head.Set(KnownHeader.Traceparent, text);
    }
}

/// <summary>Zipkin's B3 headers, several or the single one; beside them W3C's where asked for.</summary>
/// <param name="wide">New traces have ids of 128 bits.</param>
/// <param name="shared">A span has the id of its caller's.</param>
/// <param name="w3c">W3C's too.</param>
public sealed class B3(bool wide, bool shared, bool w3c) : Propagation
{
    /// <inheritdoc/>
    public override bool TellsSpan => false;

    /// <inheritdoc/>
    public override void Begin(HeaderMap head, Span span, bool decision, Chance chance)
    {
        span.Sampled = decision;
        if (head.TryGet(KnownHeader.B3, out ReadOnlySpan<byte> single))
        {
            Single(single, span, chance);
            return;
        }
        if (head.TryGet(KnownHeader.XB3Sampled, out ReadOnlySpan<byte> sampled))
            span.Sampled = sampled.SequenceEqual("1"u8) || sampled.SequenceEqual("true"u8);
        if (head.TryGet(KnownHeader.XB3Traceid, out ReadOnlySpan<byte> trace)
            && head.TryGet(KnownHeader.XB3Spanid, out ReadOnlySpan<byte> id))
        {
            if (!Trace(trace, span) || !Hex(id, out ulong own) || own == 0)
            {
                span.IsNull = true;
                return;
            }
            ulong parent = head.TryGet(KnownHeader.XB3Parentspanid, out ReadOnlySpan<byte> text) && Hex(text, out ulong p) ? p : 0;
            Join(span, own, parent, chance);
            return;
        }
        if (w3c && head.TryGet(KnownHeader.Traceparent, out ReadOnlySpan<byte> context) && TraceParent.Read(context, span, out bool wanted))
        {
            span.Sampled = wanted;
            Join(span, span.Parent, 0, chance);
            return;
        }
        New(span, chance);
    }

    private void New(Span span, Chance chance)
    {
        span.Id = span.TraceLow = NewId(chance);
        span.TraceHigh = wide ? NewId(chance) : 0;
        span.Parent = 0;
        span.Shared = shared && !span.IsClient;
    }

    private void Join(Span span, ulong caller, ulong callersParent, Chance chance)
    {
        span.RemoteParent = true;
        if (shared && !span.IsClient)
        {
            span.Id = caller;
            span.Parent = callersParent;
            span.Shared = true;
            return;
        }
        span.Id = NewId(chance);
        span.Parent = caller;
    }

    private static bool Trace(ReadOnlySpan<byte> text, Span span)
    {
        ulong high = 0;
        if (text.Length == 32 ? !Hex(text[..16], out high) : text.Length != 16)
            return false;
        if (!Hex(text[^16..], out ulong low) || (low | high) == 0)
            return false;
        span.TraceHigh = high;
        span.TraceLow = low;
        return true;
    }

    // trace-span[-sampled[-parent]], or the word about sampling alone.
    private void Single(ReadOnlySpan<byte> text, Span span, Chance chance)
    {
        span.SingleHeader = true;
        if (text.Length == 1)
        {
            if (text[0] is not ((byte)'0' or (byte)'1' or (byte)'d'))
            {
                span.IsNull = true;
                return;
            }
            span.Sampled = text[0] != '0';
            New(span, chance);
            return;
        }
        int dash = text.IndexOf((byte)'-');
        if (dash is not (16 or 32) || text.Length < dash + 17 || !Trace(text[..dash], span) || !Hex(text.Slice(dash + 1, 16), out ulong id)
            || id == 0)
        {
            span.IsNull = true;
            return;
        }
        ReadOnlySpan<byte> rest = text[(dash + 17)..];
        ulong parent = 0;
        if (rest.Length > 0)
        {
            if (rest.Length < 2 || rest[0] != '-' || rest[1] is not ((byte)'0' or (byte)'1' or (byte)'d')
                || (rest.Length > 2 && (rest.Length != 19 || rest[2] != '-' || !Hex(rest[3..], out parent))))
            {
                span.IsNull = true;
                return;
            }
            span.Sampled = rest[1] != '0';
        }
        Join(span, id, parent, chance);
    }

    /// <inheritdoc/>
    public override void Write(Span span, HeaderMap head, Address host)
    {
        Span<byte> text = stackalloc byte[70];
        if (span.SingleHeader)
        {
            int at = Trace(span, text, full: false);
            text[at++] = (byte)'-';
            at += Hex(span.Id, text[at..]);
            text[at++] = (byte)'-';
            text[at++] = span.Sampled ? (byte)'1' : (byte)'0';
            if (span.Parent != 0)
            {
                text[at++] = (byte)'-';
                at += Hex(span.Parent, text[at..]);
            }
            head.Set(KnownHeader.B3, text[..at]);
        }
        else
        {
            head.Set(KnownHeader.XB3Traceid, text[..Trace(span, text, full: false)]);
            head.Set(KnownHeader.XB3Spanid, text[..Hex(span.Id, text)]);
            if (span.Parent != 0)
                head.Set(KnownHeader.XB3Parentspanid, text[..Hex(span.Parent, text)]);
            head.Set(KnownHeader.XB3Sampled, span.Sampled ? "1"u8 : "0"u8);
        }
        if (w3c)
            TraceParent.WriteParent(span, head);
    }
}
