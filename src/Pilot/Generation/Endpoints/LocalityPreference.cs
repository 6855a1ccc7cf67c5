using Istio.Mesh.V1Alpha1;
using Istio.Networking.V1Alpha3;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>What is said about near and far endpoints: by the rule, else by the service, else by the mesh.</summary>
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
    private static readonly LocalityLoadBalancerSetting Close = new() { Enabled = true, FailoverPriority = { Network, Region, Zone, Subzone } };
    private static readonly LocalityLoadBalancerSetting SameNode = new() { Enabled = true, FailoverPriority = { Network, Region, Zone, Subzone, Hostname } };

    /// <summary>The settings that hold for a service.</summary>
    /// <param name="mesh">Mesh configuration.</param>
    /// <param name="rule">Settings of the DestinationRule.</param>
    /// <param name="service">Service.</param>
    /// <param name="knowsItself">The client discovers its own cluster: zone-aware balancing needs to know its share.</param>
    public static LocalityPreference Of(MeshConfig mesh, LoadBalancerSettings? rule, Service? service, bool knowsItself)
    {
        if (knowsItself && ZoneAwareOf(mesh, rule) is { } zoneAware) return new(null, zoneAware, false);
        if (rule?.LocalityLbSetting is { } own) return own.Enabled == false ? default : new(own, null, false);
        switch (service?.TrafficDistribution)
        {
            case TrafficDistribution.PreferClose:
                return new(Close, null, true);
            case TrafficDistribution.PreferSameZone:
                return new(SameZone, null, true);
            case TrafficDistribution.PreferSameNode:
                return new(SameNode, null, true);
            default:
                return mesh.LocalityLbSetting is { } ofMesh && ofMesh.Enabled != false ? new(ofMesh, null, false) : default;
        }
    }

    private static ZoneAwareLoadBalancerSetting? ZoneAwareOf(MeshConfig mesh, LoadBalancerSettings? rule)
    {
        // A consistent hash must reach the same endpoint from every zone.
        if (rule?.ConsistentHash is not null) return null;
        var settings = rule?.ZoneAwareLbSetting ?? (rule?.LocalityLbSetting is null ? mesh.ZoneAwareLbSetting : null);
        return settings is not null && settings.Enabled != false ? settings : null;
    }
}
