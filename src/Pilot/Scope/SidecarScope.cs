using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Scope;

/// <summary>What the proxies of a namespace (under one Sidecar resource, or none) import.</summary>
public sealed class SidecarScope
{
    private bool? _looksAtWorkloads;
    private ImmutableArray<Service>? _dialed;

    /// <summary>Namespace of the proxies.</summary>
    public required string Namespace { get; init; }

    /// <summary>The Sidecar resource; null when there is none.</summary>
    public Meant<Sidecar>? Sidecar { get; init; }

    /// <summary>Its egress listeners; without a Sidecar one that imports everything.</summary>
    public required ImmutableArray<EgressListener> EgressListeners { get; init; }

    /// <summary>Imported services, one for each hostname, in import order.</summary>
    public required ImmutableArray<Service> Services { get; init; }

    /// <summary>The imported service of a hostname.</summary>
    public required IReadOnlyDictionary<string, Service> ByHost { get; init; }

    /// <summary>DestinationRules by hostname of imported services: those with a workload selector and the one without.</summary>
    public required IReadOnlyDictionary<string, ImmutableArray<MergedDestinationRule>> DestinationRules { get; init; }

    /// <summary>What happens to traffic for hosts it does not import.</summary>
    public required OutboundTrafficPolicy? OutboundTrafficPolicy { get; init; }

    /// <summary>The imported service of this hostname, or null.</summary>
    public Service? Service(string hostname) => ByHost.GetValueOrDefault(hostname);

    /// <summary>Imported services whose endpoints are dialed by themselves.</summary>
    public ImmutableArray<Service> Dialed =>
        _dialed ??= [.. Services.Where(service => service.Resolution == ServiceResolution.Passthrough)];

    /// <summary>Whether something imported depends on the client's own labels or node, so that clients must be told apart by
    /// them.</summary>
    public bool LooksAtWorkloads(Istio.Mesh.V1Alpha1.MeshConfig mesh) => _looksAtWorkloads ??=
        Services.Any(service => service.NodeLocal || service.TrafficDistribution != TrafficDistribution.Any)
        || DestinationRules.Values.Any(rules => rules.Any(LooksAtWorkloads))
        || mesh.LocalityLbSetting?.FailoverPriority.Count > 0 || mesh.ZoneAwareLbSetting?.FailoverPriority.Count > 0;

    private static bool LooksAtWorkloads(MergedDestinationRule rule) =>
        rule.Selector is not null || Policies(rule.Rule.Spec).Any(balancer =>
            balancer?.LocalityLbSetting?.FailoverPriority.Count > 0 || balancer?.ZoneAwareLbSetting?.FailoverPriority.Count > 0);

    private static IEnumerable<LoadBalancerSettings?> Policies(DestinationRule rule) =>
        rule.Subsets.Select(subset => subset.TrafficPolicy).Append(rule.TrafficPolicy).Where(policy => policy is not null)
            .SelectMany(policy => policy!.PortLevelSettings.Select(port => port.LoadBalancer).Append(policy.LoadBalancer));

    /// <summary>The rule for traffic of a client with these labels to a hostname, or null.</summary>
    /// <param name="hostname">Service.</param>
    /// <param name="labels">Labels of the client; null for inbound traffic, where selectors do not count.</param>
    public MergedDestinationRule? DestinationRule(string hostname, IReadOnlyDictionary<string, string>? labels)
    {
        if (!DestinationRules.TryGetValue(hostname, out var rules)) return null;
        MergedDestinationRule? forAll = null;
        foreach (var rule in rules)
        {
            if (rule.Selector is not { } selector)
            {
                forAll = rule;
            }
            else if (labels is not null && rule.Rule.Origin.Namespace == Namespace
                     && selector.All(pair => labels.TryGetValue(pair.Key, out var value) && value == pair.Value))
            {
                return rule;
            }
        }
        return forAll;
    }

    /// <summary>The egress listener that serves a port, or a unix path when the port is 0; the one without port otherwise.</summary>
    public EgressListener? EgressFor(int port, string bind)
    {
        foreach (var listener in EgressListeners)
        {
            if (listener.Declared?.Port is not { } declared) return listener;
            if (declared.Number == port && (port != 0 || listener.Declared.Bind == bind)) return listener;
        }
        return null;
    }
}

/// <summary>One egress listener and what it imports.</summary>
public sealed class EgressListener
{
    /// <summary>As declared; null for the implicit one.</summary>
    public required IstioEgressListener? Declared { get; init; }

    /// <summary>Imported services; with a port, cut down to that port.</summary>
    public required ImmutableArray<Service> Services { get; init; }

    /// <summary>Imported VirtualServices of the mesh gateway.</summary>
    public required ImmutableArray<Meant<VirtualService>> VirtualServices { get; init; }
}
