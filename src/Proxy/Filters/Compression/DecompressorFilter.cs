using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Formats;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Compression;

/// <summary>Which messages of one direction are made plain.</summary>
/// <param name="Enabled">It is on.</param>
/// <param name="IgnoresNoTransform">Also those with cache-control: no-transform.</param>
public sealed record DecompressedDirection(bool Enabled, bool IgnoresNoTransform);

/// <summary>The decompressor filter.</summary>
/// <param name="name">Its name.</param>
/// <param name="pool">Its transforms.</param>
/// <param name="request">Requests.</param>
/// <param name="response">Responses.</param>
/// <param name="advertises">The coding is offered to the upstream in accept-encoding.</param>
public sealed class DecompressorFilter(string name, TransformPool pool, DecompressedDirection request, DecompressedDirection response,
    bool advertises) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases =>
        FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.ResponseHead | FilterPhases.ResponseBody | FilterPhases.End;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new PlainSlot();

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        HeaderMap head = slot.Exchange.RequestHead;
        if (advertises)
            Advertise(head);
        ((PlainSlot)slot).Request = Begin(slot, request, head, end);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (PlainSlot)slot;
        if (own.Request is { } running)
            body = Run(running, own.Output, body);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        ((PlainSlot)slot).Response = Begin(slot, response, slot.Exchange.ResponseHead, end);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        var own = (PlainSlot)slot;
        if (own.Response is { } running)
            body = Run(running, own.Output, body);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override void OnEnd(FilterSlot slot)
    {
        var own = (PlainSlot)slot;
        if (own.Request is { } request_)
            pool.Return(slot.Exchange.Worker, request_);
        if (own.Response is { } response_)
            pool.Return(slot.Exchange.Worker, response_);
        own.Request = own.Response = null;
    }

    private void Advertise(HeaderMap head)
    {
        ReadOnlySpan<byte> before = head[KnownHeader.AcceptEncoding];
        if (before.IsEmpty)
            head.Set(KnownHeader.AcceptEncoding, pool.EncodingBytes);
        else
            head.Set(KnownHeader.AcceptEncoding, (byte[])[.. before, (byte)',', .. pool.EncodingBytes]);
    }

    // The outermost coding is the first that is named, as Envoy reads it.
    private ByteTransform? Begin(FilterSlot slot, DecompressedDirection direction, HeaderMap head, bool end)
    {
        if (end || !direction.Enabled
            || (!direction.IgnoresNoTransform && HeaderRules.HasToken(head[KnownHeader.CacheControl], "no-transform"u8)))
            return null;
        ReadOnlySpan<byte> codings = HeaderRules.Trim(head[KnownHeader.ContentEncoding]);
        int comma = codings.IndexOf((byte)',');
        if (!HeaderRules.SameText(HeaderRules.Trim(comma < 0 ? codings : codings[..comma]), pool.EncodingBytes))
            return null;
        if (comma < 0)
            head.Remove(KnownHeader.ContentEncoding);
        else
            head.Set(KnownHeader.ContentEncoding, HeaderRules.Trim(codings[(comma + 1)..]).ToArray());
        head.Remove(KnownHeader.ContentLength);
        return pool.Take(slot.Exchange.Worker);
    }

    private static ReadOnlySpan<byte> Run(ByteTransform running, ByteBuffer output, ReadOnlySpan<byte> body)
    {
        output.Clear();
        running.Run(body, output, TransformEnd.Flush);
        return output.Written;
    }

    private sealed class PlainSlot : FilterSlot
    {
        public ByteBuffer Output { get; } = new(0);

        public ByteTransform? Request { get; set; }

        public ByteTransform? Response { get; set; }
    }
}
