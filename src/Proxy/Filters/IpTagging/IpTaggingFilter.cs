// IpTagging: tells the upstream which named networks the client belongs to (envoy.extensions.filters.http.ip_tagging.v3), in
// x-envoy-ip-tags. The networks are published with the filter; the client is the one that the connection manager believes in. Owns no state
// but counters. Never denies.
using System.Text;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;
using Lateen.Proxy.Net;

namespace Lateen.Proxy.Filters.IpTagging;

/// <summary>A name for networks.</summary>
/// <param name="Name">The name.</param>
/// <param name="Networks">The networks.</param>
public sealed record IpTag(string Name, IReadOnlyList<Prefix> Networks)
{
    /// <summary>The name's bytes.</summary>
    public byte[] Text { get; } = Encoding.Latin1.GetBytes(Name);
}

/// <summary>Which requests are tagged and how.</summary>
public sealed record IpTaggingOptions
{
    /// <summary>Requests of internal clients are tagged.</summary>
    public bool Internal { get; init; } = true;

    /// <summary>Requests of external clients are tagged.</summary>
    public bool External { get; init; } = true;

    /// <summary>The tags, in the order of their writing.</summary>
    public IReadOnlyList<IpTag> Tags { get; init; } = [];

    /// <summary>The header in place of x-envoy-ip-tags; empty for that.</summary>
    public byte[] Header { get; init; } = [];

    /// <summary>With a header of its own: what the client sent stays, and ours is added.</summary>
    public bool AppendsToHeader { get; init; }
}

/// <summary>The filter.</summary>
public sealed class IpTaggingFilter(string name, IpTaggingOptions options) : HttpFilter(name)
{
    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Exchange exchange = slot.Exchange;
        if (exchange.IsInternal ? !options.Internal : !options.External)
            return FilterVerdict.Continue;
        HeaderMap head = exchange.RequestHead;
        bool own = options.Header.Length > 0;
        if (own && !options.AppendsToHeader)
            head.Remove(options.Header);
        Span<byte> text = stackalloc byte[512];
        int length = 0;
        foreach (IpTag tag in options.Tags)
        {
            if (!Holds(tag, exchange.ClientAddress) || length + tag.Text.Length + 1 > text.Length)
                continue;
            if (length > 0)
                text[length++] = (byte)',';
            tag.Text.CopyTo(text[length..]);
            length += tag.Text.Length;
        }
        if (length > 0)
            Append(head, own ? options.Header : "x-envoy-ip-tags"u8, text[..length]);
        return FilterVerdict.Continue;
    }

    private static bool Holds(IpTag tag, Address client)
    {
        foreach (Prefix network in tag.Networks)
        {
            if (network.Contains(client))
                return true;
        }
        return false;
    }

    private static void Append(HeaderMap head, ReadOnlySpan<byte> header, ReadOnlySpan<byte> tags)
    {
        if (head.TryGet(header, out ReadOnlySpan<byte> before) && !before.IsEmpty)
            head.Set(header, (byte[])[.. before, (byte)',', .. tags]);
        else
            head.Set(header, tags);
    }
}
