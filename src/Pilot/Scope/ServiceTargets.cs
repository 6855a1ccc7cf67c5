using System.Collections.Immutable;
using Lateen.Pilot.Meaning;
using Lateen.Registry;

namespace Lateen.Pilot.Scope;

/// <summary>The services that a proxy itself serves.</summary>
internal static class ServiceTargets
{
    /// <summary>Ports of services that lead to the proxy, datagram ports included; the oldest service first.</summary>
    public static ImmutableArray<ServiceTarget> Of(MeshSnapshot snapshot, TargetIndex index, ProxyNode node, Workload? workload,
        IReadOnlyDictionary<string, string> labels)
    {
        var targets = new List<ServiceTarget>();
        foreach (var service in index.Candidates(snapshot.Registry, node, workload?.Labels ?? labels))
        {
            if (service.Resolution == ServiceResolution.Alias || service.Namespace != node.Namespace && service.Selector.Count > 0)
                continue;
            // A pod belongs to what selects it, whether or not it is ready yet; everything else is known by its endpoints.
            if (service.IsFoundBySelector)
                BySelector(targets, service, node, workload, labels);
            else ByEndpoints(targets, snapshot, service, node);
        }
        return [.. targets];
    }

    private static void BySelector(List<ServiceTarget> targets, Service service, ProxyNode node, Workload? workload,
        IReadOnlyDictionary<string, string> labels)
    {
        if (!service.Clusters.Contains(node.ClusterId) && workload is not { IsEntry: true }) return;
        if (!LabelSelection.IsSubset(service.Selector, workload?.Labels ?? labels)) return;
        foreach (var port in service.Ports)
        {
            var number = TargetPort(port, node, workload);
            if (number > 0) targets.Add(new ServiceTarget(service, port, number));
        }
    }

    private static int TargetPort(ServicePort port, ProxyNode node, Workload? workload)
    {
        if (workload is { IsEntry: true } && workload.Ports.TryGetValue(port.Name, out var mapped)) return mapped;
        if (int.TryParse(port.WorkloadPort, out var number)) return number;
        if (workload is not null) return workload.Ports.GetValueOrDefault(port.WorkloadPort);
        // Before the pod is known: what its agent was told about it.
        return node.Metadata.PodPorts.FirstOrDefault(known => known.Name == port.WorkloadPort)?.ContainerPort ?? 0;
    }

    private static void ByEndpoints(List<ServiceTarget> targets, MeshSnapshot snapshot, Service service, ProxyNode node)
    {
        foreach (var port in service.Ports)
        {
            foreach (var endpoint in snapshot.Registry.EndpointsOf(service.Key).All)
            {
                if (endpoint.PortName != port.Name || !endpoint.Addresses.Any(node.Addresses.Contains)) continue;
                if (endpoint.ClusterId != node.ClusterId) continue;
                targets.Add(new ServiceTarget(service, port, endpoint.Port));
                break;
            }
        }
    }
}

/// <summary>Services by what selects their workloads, so that a proxy finds its own without looking at all of them. Those that select none
/// are found by the addresses of their endpoints.</summary>
internal sealed class TargetIndex
{
    private readonly Dictionary<(string Namespace, string Key, string Value), List<Service>> _bySelector = [];
    private readonly ImmutableArray<Service> _services;

    public TargetIndex(ImmutableArray<Service> services)
    {
        _services = services;
        foreach (var service in services)
        {
            if (service.Resolution == ServiceResolution.Alias || !service.IsFoundBySelector) continue;
            // One pair of the selector is enough to find it by; the rest is compared then.
            var (key, value) = service.Selector.MinBy(pair => pair.Key, StringComparer.Ordinal);
            if (!_bySelector.TryGetValue((service.Namespace, key, value), out var found))
                _bySelector.Add((service.Namespace, key, value), found = []);
            found.Add(service);
        }
    }

    /// <summary>Whether it is the index of these services.</summary>
    public bool IsOf(ImmutableArray<Service> services) => _services == services || _services.AsSpan().SequenceEqual(services.AsSpan());

    /// <summary>Services that may have this proxy behind them, oldest first.</summary>
    /// <param name="registry">Endpoints as they are now; its services are those of the index.</param>
    /// <param name="node">The proxy.</param>
    /// <param name="labels">Labels of its workload.</param>
    public IEnumerable<Service> Candidates(RegistryView registry, ProxyNode node, IReadOnlyDictionary<string, string> labels)
    {
        var found = new HashSet<Service>();
        foreach (var (key, value) in labels)
        {
            if (_bySelector.TryGetValue((node.Namespace, key, value), out var selecting)) found.UnionWith(selecting);
        }
        foreach (var address in node.Addresses)
        {
            foreach (var key in registry.ServedAt.TryGetValue(address, out var keys) ? keys : [])
                found.UnionWith(registry.ByHost[key.Hostname].Where(service => service.Namespace == key.Namespace));
        }
        return found.Order(Service.OldestFirst);
    }
}
