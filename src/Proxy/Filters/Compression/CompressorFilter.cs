using System.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Compression;

/// <summary>Which messages of one direction are compressed.</summary>
public sealed record CompressedDirection
{
    /// <summary>It is on.</summary>
    public bool Enabled { get; init; }

    /// <summary>Shorter bodies are let pass.</summary>
    public long LengthMin { get; init; } = 30;

    /// <summary>Content types; empty for any.</summary>
    public IReadOnlyList<byte[]> Types { get; init; } = [];

    /// <summary>Responses with an ETag are let pass; else a strong ETag is taken off, since the bytes are others.</summary>
    public bool NotWithETag { get; init; }

    /// <summary>accept-encoding does not go on to the upstream.</summary>
    public bool RemoveAcceptEncoding { get; init; }

    /// <summary>Statuses whose bodies are let pass.</summary>
    public IReadOnlyList<int> NotStatuses { get; init; } = [];
}

/// <summary>A route's changes.</summary>
/// <param name="Disabled">Off for responses.</param>
/// <param name="RemoveAcceptEncoding">In place of the filter's; null keeps that.</param>
public sealed record CompressorSettings(bool Disabled, bool? RemoveAcceptEncoding);

/// <summary>The compressor filter.</summary>
public sealed class CompressorFilter(string name, TransformPool pool, CompressedDirection request, CompressedDirection response,
    bool isFirstChoice) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers | FilterPhases.ResponseHead
            | FilterPhases.ResponseBody | FilterPhases.ResponseTrailers | FilterPhases.End;

    /// <summary>Where its transforms come from.</summary>
    public TransformPool Pool => pool;

    /// <summary>It wins among codings that the client likes equally.</summary>
    public bool IsFirstChoice => isFirstChoice;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new CompressorSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        var own = (CompressorSlot)slot;
        HeaderMap head = slot.Exchange.RequestHead;
        own.HasAccept = head.Has(KnownHeader.AcceptEncoding);
        own.Accept.Clear();
        own.Accept.Append(head[KnownHeader.AcceptEncoding]);
        var settings = slot.Settings as CompressorSettings;
        own.IsOn = settings is null ? response.Enabled : !settings.Disabled;
        if (own.IsOn && (settings?.RemoveAcceptEncoding ?? response.RemoveAcceptEncoding))
            head.Remove(KnownHeader.AcceptEncoding);
        if (!end && request.Enabled && IsLong(request, head) && HasType(request, head) && !head.Has(KnownHeader.ContentEncoding)
            && IsPlainTransfer(head))
            own.Request = Begin(slot, head);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (CompressorSlot)slot;
        if (own.Request is { } running)
            body = Run(running, own.Output, body, end, slot.Exchange.Stream.Version);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot)
    {
        var own = (CompressorSlot)slot;
        if (own.Request is { } running)
            slot.InsertRequestBody(Run(running, own.Output, default, true, HttpVersion.Http2));
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        var own = (CompressorSlot)slot;
        HeaderMap head = slot.Exchange.ResponseHead;
        bool could = own.IsOn && IsLong(response, head) && slot.Exchange.Upgrade.Length == 0 && HasType(response, head)
            && !HeaderRules.HasToken(head[KnownHeader.CacheControl], "no-transform"u8)
            && !(response.NotWithETag && head.Has(KnownHeader.ETag)) && !head.Has(KnownHeader.ContentEncoding)
            && !response.NotStatuses.Contains(slot.Exchange.Status);
        if (!end && could && own.HasAccept && IsPlainTransfer(head) && Choose(slot.Exchange, own.Accept.Written) == pool.Encoding)
        {
            if (head.TryGet(KnownHeader.ETag, out ReadOnlySpan<byte> tag) && !tag.StartsWith("W/"u8) && !tag.StartsWith("w/"u8))
                head.Remove(KnownHeader.ETag);
            own.Response = Begin(slot, head);
        }

        // A cache in front must know that the answer depends on what the client accepts, also where this one was not compressed.
        if (could)
            AddVary(head);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (CompressorSlot)slot;
        if (own.Response is { } running)
            body = Run(running, own.Output, body, end, slot.Exchange.Upstream.Connection?.Version ?? HttpVersion.Http11);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseTrailers(FilterSlot slot)
    {
        var own = (CompressorSlot)slot;
        if (own.Response is { } running)
            slot.InsertResponseBody(Run(running, own.Output, default, true, HttpVersion.Http2));
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        var own = (CompressorSlot)slot;
        if (own.Request is { } request_)
            pool.Return(slot.Exchange.Worker, request_);
        if (own.Response is { } response_)
            pool.Return(slot.Exchange.Worker, response_);
        own.Request = own.Response = null;
        own.HasAccept = own.IsOn = false;
    }

    private ByteTransform Begin(FilterSlot slot, HeaderMap head)
    {
        head.Remove(KnownHeader.ContentLength);
        head.Set(KnownHeader.ContentEncoding, pool.EncodingBytes);
        return pool.Take(slot.Exchange.Worker);
    }

    // Over HTTP/1 Envoy's codec tells a body's end by itself, so that the last bytes have been flushed before.
    private static ReadOnlySpan<byte> Run(ByteTransform running, ByteBuffer output, ReadOnlySpan<byte> body, bool end, HttpVersion version)
    {
        output.Clear();
        if (!end || (version != HttpVersion.Http2 && !body.IsEmpty))
        {
            running.Run(body, output, TransformEnd.Flush);
            body = default;
        }
        if (end)
            running.Run(body, output, TransformEnd.Finish);
        return output.Written;
    }

    private static string? Choose(Exchange exchange, ReadOnlySpan<byte> accept)
    {
        var offered = new List<CompressorFilter>();
        foreach (HttpFilter filter in exchange.Options.Filters.Filters)
        {
            if (filter is CompressorFilter other && exchange.SlotOf(filter.Name) is CompressorSlot { IsOn: true, HasAccept: true }
                && other.HasType(exchange.ResponseHead))
                offered.Add(other);
        }
        return EncodingChoice.Choose(accept, offered);
    }

    private bool HasType(HeaderMap head) => HasType(response, head);

    private static bool HasType(CompressedDirection direction, HeaderMap head)
    {
        ReadOnlySpan<byte> type = head[KnownHeader.ContentType];
        if (direction.Types.Count == 0 || type.IsEmpty)
            return true;
        int semicolon = type.IndexOf((byte)';');
        type = HeaderRules.Trim(semicolon < 0 ? type : type[..semicolon]);
        foreach (byte[] one in direction.Types)
        {
            if (HeaderRules.SameText(type, one))
                return true;
        }
        return false;
    }

    private static bool IsLong(CompressedDirection direction, HeaderMap head) =>
        !head.TryGet(KnownHeader.ContentLength, out ReadOnlySpan<byte> text)
            || (HeaderRules.TryParseLength(text, out ulong length) && length >= (ulong)direction.LengthMin);

    private static bool IsPlainTransfer(HeaderMap head)
    {
        ReadOnlySpan<byte> coding = head[KnownHeader.TransferEncoding];
        return !HeaderRules.HasToken(coding, "gzip"u8) && !HeaderRules.HasToken(coding, "deflate"u8)
            && !HeaderRules.HasToken(coding, "br"u8) && !HeaderRules.HasToken(coding, "zstd"u8)
            && !HeaderRules.HasToken(coding, "compress"u8);
    }

    private static void AddVary(HeaderMap head)
    {
        ReadOnlySpan<byte> vary = head[KnownHeader.Vary];
        if (vary.IsEmpty)
            head.Set(KnownHeader.Vary, "Accept-Encoding"u8);
        else if (!HeaderRules.HasToken(vary, "accept-encoding"u8))
            head.Set(KnownHeader.Vary, (byte[])[.. vary, .. ", Accept-Encoding"u8]);
    }

    private sealed class CompressorSlot : FilterSlot
    {
        public bool HasAccept { get; set; }

        public bool IsOn { get; set; }

        public ByteBuffer Accept { get; } = new(0);

        public ByteBuffer Output { get; } = new(0);

        public ByteTransform? Request { get; set; }

        public ByteTransform? Response { get; set; }
    }
}
