// SkyWalking: an exchange is a segment with an entry span (number 0) and, where attempts have spans, exit spans below it; a trace is a
// chain of segments. The context travels in one header, sw8, whose fields are the sender's own: what came is kept as it is in Span.State
// and taken apart where it is needed; our segment's id lies in the span's trace halves. A segment is sent when its exchange is over.
// Refused: segments of exchanges that are not sampled (Envoy sends them with the mark that nobody shall analyze them).
using System.Buffers.Text;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Tracing.SkyWalking;

/// <summary>The header sw8.</summary>
/// <param name="service">Our service's name.</param>
/// <param name="instance">Our instance's name.</param>
public sealed class SkyWalkingContext(string service, string instance) : Propagation
{
    private readonly byte[] _service = System.Text.Encoding.UTF8.GetBytes(service),
        _instance = System.Text.Encoding.UTF8.GetBytes(instance);

    [ThreadStatic]
    private static ByteBuffer? t_text;

    /// <inheritdoc/>
    public override bool TellsSpan => false;

    /// <inheritdoc/>
    public override void Begin(HeaderMap head, Span span, bool decision, Chance chance)
    {
        span.TraceHigh = NewId(chance);
        span.TraceLow = NewId(chance);
        span.Sampled = decision;
        if (!head.TryGet("sw8"u8, out ReadOnlySpan<byte> context))
            return;
        if (!Sw8.TryRead(context, out Sw8 came))
        {
            span.IsNull = true;
            return;
        }
        span.State.Append(context);
        span.RemoteParent = true;
        span.Sampled = came.Sampled;
    }

    /// <inheritdoc/>
    public override void Write(Span span, HeaderMap head, Address host)
    {
        ByteBuffer text = t_text ??= new ByteBuffer(512);
        text.Clear();
        text.Append(span.Sampled ? "1-"u8 : "0-"u8);
        Span outer = span.Outer ?? span;
        Span<byte> segment = stackalloc byte[32];
        Trace(outer, segment, full: true);
        if (Sw8.TryRead(outer.State.Written, out Sw8 came))
            text.Append(came.Trace);
        else
            Sw8.Encode(segment, text);
        text.Append((byte)'-');
        Sw8.Encode(segment, text);
        text.Append((byte)'-');
        text.Append(span.Place);
        text.Append((byte)'-');
        Sw8.Encode(_service, text);
        text.Append((byte)'-');
        Sw8.Encode(_instance, text);
        text.Append((byte)'-');
        Sw8.Encode(outer.Name, text);
        text.Append((byte)'-');
        if (host.IsIp)
            Sw8.Encode(System.Text.Encoding.UTF8.GetBytes(host.ToString()), text);
        else
            Sw8.Encode(head[KnownHeader.Authority], text);
        head.Set("sw8"u8, text.Written);
    }
}

/// <summary>A header sw8 in its parts; texts are still in Base64.</summary>
internal readonly ref struct Sw8
{
    private const int Parts = 8;

    public bool Sampled { get; private init; }

    public ReadOnlySpan<byte> Trace { get; private init; }

    public ReadOnlySpan<byte> Segment { get; private init; }

    public int Span { get; private init; }

    public ReadOnlySpan<byte> Service { get; private init; }

    public ReadOnlySpan<byte> Instance { get; private init; }

    public ReadOnlySpan<byte> Endpoint { get; private init; }

    public ReadOnlySpan<byte> Host { get; private init; }

    /// <summary>Takes a header apart; false where it is none.</summary>
    public static bool TryRead(ReadOnlySpan<byte> text, out Sw8 context)
    {
        context = default;
        Span<Range> parts = stackalloc Range[Parts + 1];
        int count = 0;
        foreach (Range part in text.Split((byte)'-'))
        {
            if (count == Parts)
                return false;
            parts[count++] = part;
        }
        if (count != Parts || text[parts[0]] is not [(byte)'0' or (byte)'1']
            || !Utf8Parser.TryParse(text[parts[3]], out int span, out int used) || used != text[parts[3]].Length || span < 0)
            return false;
        for (int i = 1; i < Parts; i++)
        {
            if (i != 3 && (text[parts[i]].IsEmpty || !Base64.IsValid(text[parts[i]])))
                return false;
        }
        context = new Sw8
        {
            Sampled = text[0] == '1',
            Trace = text[parts[1]],
            Segment = text[parts[2]],
            Span = span,
            Service = text[parts[4]],
            Instance = text[parts[5]],
            Endpoint = text[parts[6]],
            Host = text[parts[7]],
        };
        return true;
    }

    /// <summary>Adds a text in Base64.</summary>
    public static void Encode(ReadOnlySpan<byte> text, ByteBuffer to)
    {
        Base64.EncodeToUtf8(text, to.Room(Base64.GetMaxEncodedToUtf8Length(text.Length)), out _, out int written);
        to.Advance(written);
    }

    /// <summary>Adds a text out of Base64.</summary>
    public static void Decode(ReadOnlySpan<byte> text, ByteBuffer to)
    {
        Base64.DecodeFromUtf8(text, to.Room(Base64.GetMaxDecodedFromUtf8Length(text.Length)), out _, out int written);
        to.Advance(written);
    }
}
