using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>What is said about near and far endpoints: by the rule, else by the service, else by the mesh; zones before localities at each
/// level.</summary>
/// <param name="Locality">Locality settings; null when off.</param>
/// <param name="ZoneAware">Zone-aware settings, which beat locality settings; null when off.</param>
/// <param name="ForcesFailover">Priorities hold even without outlier detection.</param>
internal readonly record struct LocalityPreference(
    LocalityLoadBalancerSetting? Locality, ZoneAwareLoadBalancerSetting? ZoneAware, bool ForcesFailover)
{
    private const string Network = "topology.istio.io/network";
    private const string Region = "topology.kubernetes.io/region";
    private const string Zone = "topology.kubernetes.io/zone";
    private const string Subzone = "topology.istio.io/subzone";
    private const string Hostname = "kubernetes.io/hostname";

    private static readonly LocalityLoadBalancerSetting SameZone = new() { Enabled = true, FailoverPriority = { Network, Region, Zone } };
    private static readonly LocalityLoadBalancerSetting Close = new()
    {
        Enabled = true,
        FailoverPriority = { Network, Region, Zone, Subzone },
    };
    private static readonly LocalityLoadBalancerSetting SameNode = new()
    {
        Enabled = true,
        FailoverPriority = { Network, Region, Zone, Subzone, Hostname },
    };

    /// <summary>The settings that hold for a service.</summary>
    /// <param name="mesh">Mesh configuration.</param>
    /// <param name="rule">Settings of the DestinationRule.</param>
    /// <param name="service">Service.</param>
    /// <param name="knowsItself">The client discovers its own cluster: zone-aware balancing needs to know its share.</param>
    public static LocalityPreference Of(MeshConfig mesh, LoadBalancerSettings? rule, Service? service, bool knowsItself)
    {
        // A consistent hash must reach the same endpoint from every zone.
        var allowsZones = knowsItself && rule?.ConsistentHash is null;
        if (allowsZones && rule?.ZoneAwareLbSetting is { } ownZones) return OfZones(ownZones);
        if (rule?.LocalityLbSetting is { } own) return own.Enabled == false ? default : new(own, null, false);
        switch (service?.TrafficDistribution)
        {
            case TrafficDistribution.PreferClose:
                return new(Close, null, true);
            case TrafficDistribution.PreferSameZone:
                return new(SameZone, null, true);
            case TrafficDistribution.PreferSameNode:
                return new(SameNode, null, true);
        }
        if (allowsZones && mesh.ZoneAwareLbSetting is { } zonesOfMesh) return OfZones(zonesOfMesh);
        return mesh.LocalityLbSetting is { } ofMesh && ofMesh.Enabled != false ? new(ofMesh, null, false) : default;
    }

    // Whoever turns zones off at a level means that nothing below that level counts.
    private static LocalityPreference OfZones(ZoneAwareLoadBalancerSetting settings) =>
        settings.Enabled == false ? default : new(null, settings, true);
}
