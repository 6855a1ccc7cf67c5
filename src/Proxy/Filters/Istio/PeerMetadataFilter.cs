using Lateen.Proxy.Exchanges;
using Lateen.Proxy.Http;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>How peers are discovered and told, by direction (io.istio.http.peer_metadata.Config).</summary>
/// <param name="DiscoverDownstream">Reads the client's headers.</param>
/// <param name="DiscoverUpstream">Reads the upstream's headers.</param>
/// <param name="TellUpstream">Writes ours to requests.</param>
/// <param name="TellDownstream">Writes ours to responses, where the client told us its own.</param>
/// <param name="SkipExternal">Clusters outside of the mesh hear nothing.</param>
public sealed record PeerMetadataOptions(bool DiscoverDownstream, bool DiscoverUpstream, bool TellUpstream, bool TellDownstream,
    bool SkipExternal);

/// <summary>Exchanges who is who in x-envoy-peer-metadata(-id) and leaves the peers as filter state downstream_peer and
/// upstream_peer.</summary>
public sealed class PeerMetadataFilter(string name, PeerMetadataOptions options, PeerCodec codec) : HttpFilter(name)
{
    /// <summary>The filter state of the client's workload.</summary>
    public const string DownstreamKey = "downstream_peer";

    /// <summary>The filter state of the upstream's workload.</summary>
    public const string UpstreamKey = "upstream_peer";

    /// <inheritdoc/>
    public override FilterPhases Phases => FilterPhases.RequestHead | FilterPhases.ResponseHead;

    /// <inheritdoc/>
    public override FilterSlot NewSlot() => new Slot();

    private sealed class Slot : FilterSlot
    {
        public bool Told { get; set; }

        protected internal override void Reset() => Told = false;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnRequestHead(FilterSlot slot, bool end)
    {
        HeaderMap head = slot.Exchange.RequestHead;
        if (options.DiscoverDownstream)
        {
            ((Slot)slot).Told = head.Has(KnownHeader.XEnvoyPeerMetadataId);
            if (Read(head) is { } peer)
                slot.Exchange.SetFilterState(DownstreamKey, peer);
        }
        if (options.TellUpstream && !(options.SkipExternal && IsExternal(slot.Exchange)))
            Write(head);
        return FilterVerdict.Continue;
    }

    /// <inheritdoc/>
    public override FilterVerdict OnResponseHead(FilterSlot slot, bool end)
    {
        HeaderMap head = slot.Exchange.ResponseHead;
        if (options.DiscoverUpstream && Read(head) is { } peer)
            slot.Exchange.SetFilterState(UpstreamKey, peer);
        if (options.TellDownstream && ((Slot)slot).Told)
            Write(head);
        return FilterVerdict.Continue;
    }

    // What was read is not passed on: it was meant for this proxy.
    private WorkloadPeer? Read(HeaderMap head)
    {
        if (!head.TryGet(KnownHeader.XEnvoyPeerMetadataId, out ReadOnlySpan<byte> id))
            return null;
        WorkloadPeer peer = codec.Find(id, head[KnownHeader.XEnvoyPeerMetadata]);
        head.Remove(KnownHeader.XEnvoyPeerMetadataId);
        head.Remove(KnownHeader.XEnvoyPeerMetadata);
        return peer;
    }

    private void Write(HeaderMap head)
    {
        head.Set(KnownHeader.XEnvoyPeerMetadataId, codec.OwnId);
        head.Set(KnownHeader.XEnvoyPeerMetadata, codec.OwnText);
    }

    private static bool IsExternal(Exchange exchange)
    {
        if (exchange.Decision.Cluster?.Current?.Cluster is not { } cluster)
            return false;
        return cluster.Name == "PassthroughCluster"
            || (cluster.Metadata.TryGet("istio", ["external"], out System.Text.Json.JsonElement external)
                && external.ValueKind == System.Text.Json.JsonValueKind.True)
            || (cluster.Metadata.TryGet("istio", ["disable_mx"], out System.Text.Json.JsonElement off)
                && off.ValueKind == System.Text.Json.JsonValueKind.True);
    }
}
