using Lateen.Pilot.Generation.Workloads;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>Cuts a scope down to what the endpoints of one cluster depend on.</summary>
internal static class EndpointClients
{
    public static EndpointInputs Inputs(ProxyScope scope, Service service, int port, string subset, string clusterName, bool isSni)
    {
        var snapshot = scope.Snapshot;
        var rule = scope.Imports.DestinationRule(service.Hostname, scope.Labels);
        return new EndpointInputs
        {
            ClusterName = clusterName,
            Service = service,
            Port = port,
            Subset = subset,
            IsSni = isSni,
            Rule = rule,
            Endpoints = snapshot.Registry.EndpointsOf(service.Key),
            Settings = snapshot.Settings,
            Policies = snapshot.Policies,
            Client = ClientOf(scope, service, port, subset, rule),
        };
    }

    private static EndpointClient ClientOf(ProxyScope scope, Service service, int port, string subset, MergedDestinationRule? rule)
    {
        var node = scope.Node;
        var mesh = scope.Snapshot.Settings.Mesh;
        var spec = rule?.Rule.Spec;
        var policy = TrafficPolicies.ForSubset(spec?.TrafficPolicy, TrafficPolicies.SubsetOf(spec, subset)?.TrafficPolicy, port);
        var preference = LocalityPreference.Of(mesh, policy?.LoadBalancer, service, node.Metadata.EnableSelfDiscovery);
        var failsOver = preference.ForcesFailover || policy?.OutlierDetection is not null
            || mesh.DefaultTrafficPolicy?.OutlierDetection is not null;
        var usesLocality = failsOver || preference.Locality?.Distribute.Count > 0;
        var priorities = preference.ZoneAware?.FailoverPriority ?? preference.Locality?.FailoverPriority;
        return new EndpointClient
        {
            ClusterId = node.ClusterId,
            Network = scope.Network,
            Gateways = scope.Snapshot.Registry.NetworkGateways,
            NetworkView = string.Join('\n', node.Metadata.NetworkView.Order(StringComparer.Ordinal)),
            NodeName = service.NodeLocal ? node.Metadata.NodeName : "",
            Locality = usesLocality ? scope.Locality : default,
            PriorityLabels = failsOver && priorities?.Count > 0 ? LocalityPriorities.ValuesOf(priorities, scope.Labels) : null,
            SendsHbone = (scope.Snapshot.Settings.Features.Ambient || node.Type == ProxyType.Waypoint) && !node.Metadata.DisableHboneSend
                && node.Metadata.Generator != "grpc",
            IsWaypoint = node.Type == ProxyType.Waypoint,
            KnowsItself = node.Metadata.EnableSelfDiscovery,
            StaysInCluster = StaysInCluster(node, scope.Snapshot.Settings.Features,
                () => AmbientView.Of(scope.Snapshot).Shared.Contains($"{service.Namespace}/{service.Hostname}")),
        };
    }

    /// <summary>Whether a client gets the endpoints of its own cluster only: a waypoint in a mesh of several networks, for what the
    /// clusters don't share.</summary>
    public static bool StaysInCluster(ProxyNode node, Features features, Func<bool> isShared) => node.Type == ProxyType.Waypoint
        && features.Flag("AMBIENT_ENABLE_MULTI_NETWORK", false) && features.Flag("AMBIENT_ENABLE_MULTI_NETWORK_WAYPOINT", true)
        && !isShared();
}
