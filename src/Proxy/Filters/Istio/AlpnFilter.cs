using Lateen.Proxy.Clusters;
using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>ALPN words for the upstream's handshake by its protocol (istio.alpn): with these a sidecar on the other side knows a peer of
/// the mesh.</summary>
public sealed class AlpnFilter(string name, IReadOnlyList<string>? http10, IReadOnlyList<string>? http11, IReadOnlyList<string>? http2)
    : HttpFilter(name)
{
    /// <summary>The filter state that the upstream's handshake reads (Envoy's own key).</summary>
    public const string StateKey = "envoy.network.application_protocols";

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead;

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        Cluster? cluster = slot.Exchange.Decision.Cluster?.Current?.Cluster;
        if (cluster is null || cluster.Metadata.Text("istio", "alpn_override") == "false")
            return FilterVerdict.Continue;
        HttpVersion version = cluster.Protocol.Choice switch
        {
            ProtocolChoice.Http2 => HttpVersion.Http2,
            ProtocolChoice.Downstream => slot.Exchange.Stream.Version,
            _ => HttpVersion.Http11,
        };
        IReadOnlyList<string>? words = version switch
        {
            HttpVersion.Http10 => http10,
            HttpVersion.Http11 => http11,
            _ => http2,
        };
        if (words is not null)
            slot.Exchange.SetFilterState(StateKey, words);
        return FilterVerdict.Continue;
    }
}
