using System.Text;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Config.Store;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.ControlPlane.Metrics;

/// <summary>What is odd in the mesh as it is now, under istiod's names. Counted when somebody looks, from one snapshot.</summary>
public sealed class MeshMetrics
{
    private const string MeshGateway = "mesh";

    private readonly GaugeFamily _noPod = new("endpoint_no_pod", "Endpoints whose pod is not known.");
    private readonly GaugeFamily _pendingPod = new("pilot_k8s_endpoints_pending_pod", "Endpoints that wait for their pod.");
    private readonly GaugeFamily _notReady = new("pilot_endpoint_not_ready", "Endpoints that are not ready.");
    private readonly GaugeFamily _noInstances = new("pilot_eds_no_instances", "Ports of services without an endpoint.");
    private readonly GaugeFamily _noNames =
        new("pilot_dns_cluster_without_endpoints", "Ports of services that are found by DNS, and name nobody to ask for.");
    private readonly GaugeFamily _twiceHosts = new("pilot_vservice_dup_domain", "Hosts that more than one VirtualService routes.");
    private readonly GaugeFamily _twiceSubsets =
        new("pilot_destrule_subsets", "Subsets that more than one DestinationRule of a host names.");
    private readonly GaugeFamily _clusters = new("istiod_managed_clusters", "Clusters that are read, by kind.", "cluster_type");
    private MeshSnapshot? _counted;

    /// <summary>Appends everything in Prometheus' text form.</summary>
    /// <param name="text">To be appended to.</param>
    /// <param name="snapshot">The mesh; null before the first.</param>
    /// <param name="view">The resources that it was compiled from.</param>
    /// <param name="remoteClusters">How many other clusters are read.</param>
    public void WriteTo(StringBuilder text, MeshSnapshot? snapshot, ResourceView view, int remoteClusters)
    {
        if (snapshot is not null && !ReferenceEquals(snapshot, _counted)) Count(snapshot, view);
        _counted = snapshot;
        _clusters.Set(1, "local");
        _clusters.Set(remoteClusters, "remote");
        foreach (MetricFamily family in (MetricFamily[])[_noPod, _clusters, _twiceSubsets, _noNames, _noInstances, _notReady, _pendingPod,
            _twiceHosts]) family.WriteTo(text);
    }

    private void Count(MeshSnapshot snapshot, ResourceView view)
    {
        (int idle, int unnamed, int notReady) = (0, 0, 0);
        foreach (Service service in snapshot.Registry.Services)
        {
            ServiceEndpoints endpoints = snapshot.Registry.EndpointsOf(service.Key);
            notReady += endpoints.All.Count(endpoint => endpoint.Health == EndpointHealth.Unhealthy);
            int empty = service.Ports.Count(port => endpoints.All.All(endpoint => endpoint.PortName != port.Name));
            if (service.Resolution == ServiceResolution.ClientSide) idle += empty;
            else if (service.Resolution is ServiceResolution.Dns or ServiceResolution.DnsRoundRobin) unnamed += empty;
        }
        int podless = Podless(view);
        _noInstances.Set(idle);
        _noNames.Set(unnamed);
        _notReady.Set(notReady);
        _noPod.Set(podless);
        _pendingPod.Set(podless);
        _twiceHosts.Set(Repeated(view.All(Kinds.VirtualService)
            .Where(service => service.Spec.Gateways.Count == 0 || service.Spec.Gateways.Contains(MeshGateway))
            .SelectMany(service => service.Spec.Hosts.Select(host => Full(host, service.Namespace)).Distinct())));
        _twiceSubsets.Set(view.All(Kinds.DestinationRule).GroupBy(rule => Full(rule.Spec.Host, rule.Namespace))
            .Sum(rules => Repeated(rules.SelectMany(Subsets))));
    }

    private static IEnumerable<string> Subsets(Resource<DestinationRule> rule) => rule.Spec.Subsets.Select(subset => subset.Name);

    private static int Podless(ResourceView view) => view.All(Kinds.EndpointSlice).Sum(slice => slice.Spec.Endpoints.Count(endpoint =>
        endpoint.TargetRef is { Kind: "Pod" } pod
            && view.Find(Kinds.Pod, pod.Namespace.Length > 0 ? pod.Namespace : slice.Namespace, pod.Name) is null));

    private static int Repeated(IEnumerable<string> names) => names.GroupBy(name => name).Sum(group => group.Count() - 1);

    // A short name is one of its own namespace.
    private static string Full(string host, string ns) => host.Contains('.', StringComparison.Ordinal) ? host : $"{host}.{ns}";
}
