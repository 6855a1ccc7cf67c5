using System.Buffers.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Buffer;

/// <summary>Settings of a route: another limit, or off.</summary>
/// <param name="RequestBytesMax">The limit.</param>
/// <param name="Disabled">Nothing is buffered.</param>
public sealed record BufferSettings(int RequestBytesMax, bool Disabled = false);

/// <summary>Waits for the whole request before anything goes on, and tells its length (envoy.extensions.filters.http.buffer.v3). More than
/// the limit is 413.</summary>
public sealed class BufferFilter(string name, BufferSettings settings) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.RequestBody | FilterPhases.RequestTrailers;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        BufferSettings s = slot.Settings as BufferSettings ?? settings;
        if (s.Disabled || end)
            return FilterVerdict.Continue;
        slot.Exchange.BufferLimit = s.RequestBytesMax;
        return FilterVerdict.Buffer;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestBody(FilterSlot slot, ref ReadOnlySpan<byte> body, bool end)
    {
        if ((slot.Settings as BufferSettings ?? settings).Disabled)
            return FilterVerdict.Continue;
        if (end)
            TellLength(slot, body.Length);
        return end && !slot.RequestOverflows(body.Length, end) ? FilterVerdict.Continue : FilterVerdict.Buffer;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestTrailers(FilterSlot slot)
    {
        if (!(slot.Settings as BufferSettings ?? settings).Disabled)
            TellLength(slot, 0);
        return FilterVerdict.Continue;
    }

    private static void TellLength(FilterSlot slot, int last)
    {
        HeaderMap head = slot.Exchange.RequestHead;
        if (head.Has(KnownHeader.ContentLength))
            return;
        Span<byte> text = stackalloc byte[11];
        Utf8Formatter.TryFormat(slot.HeldRequest.Length + last, text, out int n);
        head.Add(KnownHeader.ContentLength, text[..n]);
        head.Remove(KnownHeader.TransferEncoding);
    }
}
