using Google.Protobuf.WellKnownTypes;
using Lateen.ControlPlane.Ads;
using Lateen.Pilot.Generation;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;

namespace Lateen.ControlPlane.Operator;

/// <summary>The connected proxies as the operator sees them.</summary>
public static class ProxyRows
{
    /// <summary>Every proxy that has introduced itself, by name.</summary>
    public static ProxyList Of(ControlLoop loop, DateTimeOffset now) => new(
        loop.Streams.Revision,
        [.. loop.Streams.Open.Where(stream => stream.IsProxy).Select(stream => Row(stream, loop.Hub.Snapshot?.Policies, now))
            .OrderBy(row => row.Name, StringComparer.Ordinal)],
        [.. loop.Streams.Left.Lately(now)
            .Select(left => new LeftRow(left.Key, left.Value.Times, (now - left.Value.Last).TotalSeconds))
            .OrderBy(row => row.Proxy, StringComparer.Ordinal)]);

    /// <summary>Where the admin pages of a proxy are; null when it is not connected or did not say.</summary>
    public static string? AdminOf(ControlLoop loop, string name) =>
        loop.Streams.Open.FirstOrDefault(stream => stream.IsProxy && stream.Session.Node!.WorkloadId == name)?.Session.Node is { } node
            ? Admin(node) : null;

    private static ProxyRow Row(AdsStream stream, PolicyIndex? policies, DateTimeOffset now)
    {
        ProxyNode node = stream.Session.Node!;
        var types = stream.Types.ToDictionary(pair => AdsStreams.ShortName(pair.Key), pair => State(stream, pair.Key, pair.Value, now));
        return new ProxyRow(node.WorkloadId, node.ClusterId, "lateen", node.Metadata.IstioVersion, stream.AcceptedRevision, types,
            Admin(node), stream.Session.ConnectedAt, node.VerifiedIdentity?.ToString(),
            policies is null ? null : PeerPlaces.ModesOf(node, policies));
    }

    private static TypeState State(AdsStream stream, string typeUrl, TypeTrack track, DateTimeOffset now)
    {
        DateTimeOffset since = track.Error is not null ? track.RefusedAt
            : track.AckedNonce == track.SentNonce ? track.AckedAt : track.SentAt;
        return new TypeState(AdsStreams.StateOf(stream, typeUrl), track.SentNonce.Length == 0 ? 0 : Math.Max(0, (now - since).TotalSeconds),
            track.Error, Known(track.SentVersion), Known(track.AckedVersion));
    }

    private static string? Known(string version) => version.Length == 0 ? null : version;

    // LATEEN_ADMIN is what our agent says; an Envoy beside us says the port of its admin address in PROXY_CONFIG and listens on loopback.
    private static string? Admin(ProxyNode node)
    {
        if (node.Metadata.Text("LATEEN_ADMIN") is { Length: > 0 } said) return said;
        bool isHere = node.Addresses.Any(
            address => System.Net.IPAddress.TryParse(address, out var parsed) && System.Net.IPAddress.IsLoopback(parsed));
        return isHere && node.Metadata.Raw.Fields.TryGetValue("PROXY_CONFIG", out Value? config)
            && config.StructValue?.Fields.TryGetValue("proxyAdminPort", out Value? port) == true
            ? $"127.0.0.1:{NodeMetadata.TextOf(port)}" : null;
    }
}
