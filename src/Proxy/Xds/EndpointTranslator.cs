using Envoy.Config.Endpoint.V3;
using Lateen.Proxy.Clusters;
using Core = Envoy.Config.Core.V3;

namespace Lateen.Proxy.Xds;

/// <summary>Endpoints (EDS, and those in clusters).</summary>
internal static class EndpointTranslator
{
    /// <summary>The endpoints; names are allowed (to be resolved) where <paramref name="names"/> is true.</summary>
    public static EndpointSet Endpoints(ClusterLoadAssignment assignment, bool names, Rejections rejections)
    {
        var localities = new List<LocalityEndpoints>();
        for (int i = 0; i < assignment.Endpoints.Count; i++)
        {
            using Rejections.Scope scope = rejections.In($"endpoints[{i}]");
            localities.Add(Locality(assignment.Endpoints[i], names, rejections));
        }
        CheckPriorities(assignment, rejections);
        ClusterLoadAssignment.Types.Policy? policy = assignment.Policy;
        return new EndpointSet
        {
            Localities = localities,
            OverprovisioningFactor = policy?.OverprovisioningFactor ?? 140,
            WeightedPriorityHealth = policy?.WeightedPriorityHealth ?? false,
            Drops = [.. policy?.DropOverloads.Select(Drop) ?? []],
            StaleAfterMicros = ValueTranslator.Micros(policy?.EndpointStaleAfter),
        };
    }

    private static DropOverload Drop(ClusterLoadAssignment.Types.Policy.Types.DropOverload drop)
    {
        Routing.Fraction share = ValueTranslator.Fraction(drop.DropPercentage, default);
        return new DropOverload(drop.Category, share.Numerator, share.Denominator);
    }

    private static void CheckPriorities(ClusterLoadAssignment assignment, Rejections rejections)
    {
        foreach (LocalityLbEndpoints locality in assignment.Endpoints)
        {
            if (locality.Priority > 128)
                rejections.Add($"priority {locality.Priority} is above 128");
        }
    }

    private static LocalityEndpoints Locality(LocalityLbEndpoints locality, bool names, Rejections rejections)
    {
        var endpoints = new List<Clusters.Endpoint>();
        foreach (LbEndpoint endpoint in locality.LbEndpoints)
        {
            if (endpoint.Endpoint is null)
                rejections.Add("endpoint_name (a name in place of an endpoint) is not served");
            else
                endpoints.Add(Endpoint(endpoint, names, rejections));
        }
        Locality place = locality.Locality is { } l ? new Locality(l.Region, l.Zone, l.SubZone) : Clusters.Locality.None;
        return new LocalityEndpoints(place, (int)locality.Priority, locality.LoadBalancingWeight ?? 0, endpoints,
            ValueTranslator.Metadata(locality.Metadata));
    }

    private static Clusters.Endpoint Endpoint(LbEndpoint endpoint, bool names, Rejections rejections)
    {
        Envoy.Config.Endpoint.V3.Endpoint e = endpoint.Endpoint;
        string name = names && e.Address?.SocketAddress is { } socket && !Net.Address.TryParse(socket.Address, 0, out _)
            ? $"{socket.Address}:{socket.PortValue}" : "";
        Net.Address address = name.Length > 0 ? default : ValueTranslator.Address(e.Address, rejections);
        return new Clusters.Endpoint
        {
            Address = address,
            DnsName = name,
            AdditionalAddresses = Clusters.Resolution.HappyEyeballs.Order(
                [address, .. e.AdditionalAddresses.Select(a => ValueTranslator.Address(a.Address, rejections))])[1..],
            Hostname = e.Hostname.Length > 0 || !names ? e.Hostname : e.Address?.SocketAddress?.Address ?? "",
            Weight = endpoint.LoadBalancingWeight ?? 1,
            Health = (EndpointHealth)endpoint.HealthStatus,
            Metadata = ValueTranslator.Metadata(endpoint.Metadata),
            HealthAddress = HealthAddress(e, rejections),
            HealthHostname = e.HealthCheckConfig?.Hostname ?? "",
            NoHealthCheck = e.HealthCheckConfig?.DisableActiveHealthCheck ?? false,
        };
    }

    private static Net.Address HealthAddress(Envoy.Config.Endpoint.V3.Endpoint endpoint, Rejections rejections)
    {
        Envoy.Config.Endpoint.V3.Endpoint.Types.HealthCheckConfig? config = endpoint.HealthCheckConfig;
        if (config?.Address is not null)
            return ValueTranslator.Address(config.Address, rejections);
        return config is { PortValue: > 0 } && endpoint.Address?.SocketAddress is { } s
            && Net.Address.TryParse(s.Address, (int)config.PortValue, out Net.Address at) ? at : default;
    }
}
