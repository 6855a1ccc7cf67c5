using System.Collections.Immutable;
using Envoy.Config.Endpoint.V3;
using Lateen.Registry;
using Endpoint = Lateen.Registry.Endpoint;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>Endpoints of another network are reached by that network's gateways, over mTLS (the SNI tells the gateway where to).</summary>
internal static class NetworkGateways
{
    /// <summary>An endpoint without network, or a client without, counts as near.</summary>
    public static bool IsSame(string network, string other) => network.Length == 0 || other.Length == 0 || network == other;

    public static List<LocalityGroup> Replace(List<LocalityGroup> groups, EndpointClient client)
    {
        if (client.Gateways.IsEmpty) return groups;
        // Weights are multiplied so that each can be divided among the gateways of its network without remainder.
        var scale = ScaleOf(client.Gateways);
        var replaced = new List<LocalityGroup>(groups.Count);
        foreach (var group in groups)
        {
            var own = new LocalityGroup(group.Locality) { Priority = group.Priority };
            var shares = new SortedDictionary<NetworkGateway, uint>(ByAddress);
            foreach (var (source, wire) in group.Members)
            {
                var weight = (uint)Math.Min((ulong)Math.Max(wire.LoadBalancingWeight ?? 1, 1) * scale, uint.MaxValue);
                wire.LoadBalancingWeight = weight;
                var gateways = Serving(client.Gateways, source);
                if (IsSame(client.Network, source.Network) || gateways.Count == 0)
                {
                    if (source.Address.Length > 0) own.Members.Add((source, wire));
                    continue;
                }
                if (!WireEndpoints.TakesMtls(wire)) continue;
                foreach (var gateway in gateways)
                {
                    shares[gateway] = shares.GetValueOrDefault(gateway) + (weight / (uint)gateways.Count);
                }
            }
            foreach (var (gateway, weight) in shares) own.Members.Add(WireEndpoints.OfGateway(gateway, Math.Max(weight, 1)));
            if (own.Members.Count > 0) own.SumWeights();
            replaced.Add(own);
        }
        return replaced;
    }

    /// <summary>Order of gateways wherever they are listed.</summary>
    public static readonly Comparer<NetworkGateway> ByAddress = Comparer<NetworkGateway>.Create((left, right) =>
    {
        var byAddress = string.CompareOrdinal(left.Address, right.Address);
        if (byAddress != 0) return byAddress;
        var byPort = left.Port.CompareTo(right.Port);
        if (byPort != 0) return byPort;
        var byNetwork = string.CompareOrdinal(left.Network, right.Network);
        return byNetwork != 0 ? byNetwork : string.CompareOrdinal(left.ClusterId, right.ClusterId);
    });

    private static List<NetworkGateway> Serving(ImmutableArray<NetworkGateway> gateways, Endpoint endpoint)
    {
        var ofCluster = gateways.Where(gateway => gateway.Network == endpoint.Network && gateway.ClusterId == endpoint.ClusterId).ToList();
        return ofCluster.Count > 0 ? ofCluster : gateways.Where(gateway => gateway.Network == endpoint.Network).ToList();
    }

    private static uint ScaleOf(ImmutableArray<NetworkGateway> gateways)
    {
        uint scale = 1;
        foreach (var group in gateways.GroupBy(gateway => gateway.Network)) scale = LeastCommonMultiple(scale, (uint)group.Count());
        foreach (var group in gateways.GroupBy(gateway => (gateway.Network, gateway.ClusterId)))
            scale = LeastCommonMultiple(scale, (uint)group.Count());
        return scale;
    }

    private static uint LeastCommonMultiple(uint left, uint right)
    {
        var (a, b) = (left, right);
        while (b != 0) (a, b) = (b, a % b);
        return left / a * right;
    }
}
