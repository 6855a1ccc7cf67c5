// GrpcWeb: browsers' gRPC (grpc-web, binary and text) as gRPC towards the upstream, and back (gRPC-Web protocol;
// envoy.extensions.filters.http.grpc_web.v3). Trailers become a last frame of the body; text is base64. What is no gRPC answer (an error
// page, a local reply) becomes grpc-status and grpc-message in the head. Owns no state but its slots. Never looks into messages. Refused:
// other message formats than protobuf's, as in Envoy.
using System.Buffers;
using System.Buffers.Binary;
using System.Buffers.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Filters.GrpcStats;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.GrpcWeb;

/// <summary>The filter.</summary>
/// <param name="name">Its name.</param>
/// <param name="table">Where calls are counted by method; null for nowhere.</param>
public sealed class GrpcWebFilter(string name, GrpcCounterTable? table = null) : HttpFilter(name)
{
    private const byte TrailersFrame = 0x80;
    private const int FrameHeadBytes = 5;

    // What is taken of a body that is not gRPC as the message.
    private const int MessageBytesMax = 16 * 1024;

    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.ResponseHead | FilterPhases.ResponseBody
            | FilterPhases.ResponseTrailers;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new WebSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        var own = (WebSlot)slot;
        own.Begin();
        HeaderMap head = slot.Exchange.RequestHead;
        ReadOnlySpan<byte> type = head[KnownHeader.ContentType];
        bool text = IsText(type);
        if (!text && !type.SequenceEqual("application/grpc-web"u8) && !type.SequenceEqual("application/grpc-web+proto"u8))
            return FilterVerdict.Continue;
        own.IsWeb = true;
        own.TextRequest = text;
        own.TextResponse = IsText(head[KnownHeader.Accept]);
        own.Counters = table?.Of(slot.Exchange, byMethod: true);
        head.Remove(KnownHeader.ContentLength);
        head.Set(KnownHeader.ContentType, "application/grpc"u8);
        head.Set(KnownHeader.Te, "trailers"u8);
        if (!head.Has(KnownHeader.GrpcAcceptEncoding))
            head.Add(KnownHeader.GrpcAcceptEncoding, "identity"u8);
        return FilterVerdict.Continue;
    }

    private static bool IsText(ReadOnlySpan<byte> type) =>
        type.SequenceEqual("application/grpc-web-text"u8) || type.SequenceEqual("application/grpc-web-text+proto"u8);

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (WebSlot)slot;
        if (!own.TextRequest)
            return FilterVerdict.Continue;
        own.Pending.Append(body);
        int whole = own.Pending.Length / 4 * 4;
        own.Output.Clear();
        if (end && whole != own.Pending.Length)
            return Refuse(slot, "grpc_base_64_decode_failed_bad_size");
        if (whole > 0 && !Decode(own, whole))
            return Refuse(slot, "grpc_base_64_decode_failed");
        body = own.Output.Written;
        return FilterVerdict.Continue;
    }

    private static bool Decode(WebSlot own, int whole)
    {
        Span<byte> room = own.Output.Room(Base64.GetMaxDecodedFromUtf8Length(whole));
        if (Base64.DecodeFromUtf8(own.Pending.Written[..whole], room, out _, out int written) != OperationStatus.Done || written == 0)
            return false;
        own.Output.Advance(written);
        own.DropPending(whole);
        return true;
    }

    private static FilterVerdict Refuse(FilterSlot slot, string details)
    {
        slot.Exchange.Reply(new LocalReply(400, details) { Body = "Bad gRPC-web request, invalid base64 data."u8 });
        return FilterVerdict.Stop;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        var own = (WebSlot)slot;
        if (!own.IsWeb)
            return FilterVerdict.Continue;
        own.Pending.Clear();
        HeaderMap head = slot.Exchange.ResponseHead;
        CountStatus(own, head);
        own.Foreign = !IsGrpc(head, slot.Exchange.Status, end);
        head.Remove(KnownHeader.ContentLength);
        head.Set(KnownHeader.ContentType, own.TextResponse ? "application/grpc-web-text+proto"u8 : "application/grpc-web+proto"u8);
        return own.Foreign && !end ? FilterVerdict.Buffer : FilterVerdict.Continue;
    }

    private static bool IsGrpc(HeaderMap head, int status, bool end)
    {
        ReadOnlySpan<byte> type = head[KnownHeader.ContentType];
        int semicolon = type.IndexOf((byte)';');
        type = HeaderRules.Trim(semicolon < 0 ? type : type[..semicolon]);
        bool web = HeaderRules.SameText(type, "application/grpc-web"u8) || HeaderRules.SameText(type, "application/grpc-web+proto"u8);
        bool plain = type.SequenceEqual("application/grpc"u8) || type.StartsWith("application/grpc+"u8);
        return end ? head.Has(KnownHeader.GrpcStatus) : status == 200 && (plain || web);
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (WebSlot)slot;
        if (!own.IsWeb)
            return FilterVerdict.Continue;
        if (own.Foreign)
        {
            own.Pending.Append(body[..Math.Min(body.Length,
                own.Pending.Length == 0 && end ? body.Length : Math.Max(0, MessageBytesMax - own.Pending.Length))]);
            body = default;
            if (end)
                TellForeign(slot);
            return end ? FilterVerdict.Continue : FilterVerdict.Buffer;
        }
        if (!own.TextResponse)
            return FilterVerdict.Continue;
        own.Pending.Append(body);
        own.Output.Clear();
        EncodeFrames(own);
        body = own.Output.Written;
        return FilterVerdict.Continue;
    }

    private static void TellForeign(FilterSlot slot)
    {
        var own = (WebSlot)slot;
        own.Foreign = false;
        HeaderMap head = slot.Exchange.ResponseHead;
        own.Output.Clear();
        foreach (byte b in own.Pending.Written)
        {
            if (b is >= 0x20 and <= 0x7e and not (byte)'%')
                own.Output.Append(b);
            else
                own.Output.Append($"%{b:X2}");
        }
        head.Set(KnownHeader.GrpcMessage, own.Output.Written);
        Span<byte> number = stackalloc byte[11];
        Utf8Formatter.TryFormat(GrpcStatus.FromHttp(slot.Exchange.Status), number, out int n);
        head.Set(KnownHeader.GrpcStatus, number[..n]);
        head.Set(KnownHeader.ContentLength, "0"u8);
    }

    // Each frame is encoded by itself, so that a reader can decode it when it has come.
    private static void EncodeFrames(WebSlot own)
    {
        int at = 0;
        ReadOnlySpan<byte> all = own.Pending.Written;
        while (all.Length - at >= FrameHeadBytes)
        {
            long length = FrameHeadBytes + (long)BinaryPrimitives.ReadUInt32BigEndian(all[(at + 1)..]);
            if (all.Length - at < length)
                break;
            Encode(own.Output, all.Slice(at, (int)length));
            at += (int)length;
        }
        own.DropPending(at);
    }

    private static void Encode(ByteBuffer to, ReadOnlySpan<byte> bytes)
    {
        Base64.EncodeToUtf8(bytes, to.Room(Base64.GetMaxEncodedToUtf8Length(bytes.Length)), out _, out int written);
        to.Advance(written);
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot)
    {
        var own = (WebSlot)slot;
        if (!own.IsWeb)
            return FilterVerdict.Continue;
        if (own.Foreign)
        {
            TellForeign(slot);
            slot.ReplaceHeldResponse(default);
            return FilterVerdict.Continue;
        }
        ByteBuffer frame = own.Pending;
        frame.Clear();
        frame.Append([TrailersFrame, 0, 0, 0, 0]);
        HeaderMap trailers = slot.Exchange.ResponseTrailers!;
        CountStatus(own, trailers);
        for (int i = 0; i < trailers.End; i++)
        {
            if (!trailers.At(i, out _, out ReadOnlySpan<byte> name, out ReadOnlySpan<byte> value))
                continue;
            frame.Append(name);
            frame.Append((byte)':');
            frame.Append(value);
            frame.Append("\r\n"u8);
        }
        trailers.Clear();
        own.Output.Clear();
        own.Output.Append(frame.Written);
        BinaryPrimitives.WriteUInt32BigEndian(own.Output.At(1, 4), (uint)(frame.Length - FrameHeadBytes));
        if (own.TextResponse)
        {
            frame.Clear();
            Encode(frame, own.Output.Written);
            slot.EndResponseWith(frame.Written);
        }
        else
        {
            slot.EndResponseWith(own.Output.Written);
        }
        return FilterVerdict.Continue;
    }

    private static void CountStatus(WebSlot own, HeaderMap map)
    {
        if (own.Counters is { } counters && map.Has(KnownHeader.GrpcStatus))
            counters.CountStatus(own.Exchange.Worker, GrpcStatus.Read(map, out int code) ? code : 2);
    }

    private sealed class WebSlot : FilterSlot
    {
        public bool IsWeb { get; set; }

        public bool TextRequest { get; set; }

        public bool TextResponse { get; set; }

        public GrpcCounters? Counters { get; set; }

        /// <summary>The answer is not gRPC: its body becomes the message.</summary>
        public bool Foreign { get; set; }

        /// <summary>What is not whole yet.</summary>
        public ByteBuffer Pending { get; } = new(0);

        public ByteBuffer Output { get; } = new(0);

        public void Begin()
        {
            Counters = null;
            IsWeb = TextRequest = TextResponse = Foreign = false;
            Pending.Clear();
        }

        public void DropPending(int count)
        {
            if (count == 0)
                return;
            byte[] rest = Pending.Written[count..].ToArray();
            Pending.Clear();
            Pending.Append(rest);
        }

        protected internal override void Reset() => Begin();
    }
}
