using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Registry.Entries;

namespace Lateen.Registry.Compile;

/// <summary>Makes the endpoints of services: again only of those whose service, slices or workloads are others.</summary>
internal sealed class EndpointParts(List<ClusterPart> parts, ILookup<string, Workload> entries, EntryEndpoints ofEntries, Memory memory,
    RegistryOptions options)
{
    private readonly List<ClusterPart> _byName = [.. parts.OrderBy(part => part.ClusterId, StringComparer.Ordinal)];

    /// <summary>Those of a Kubernetes service in all clusters, and of WorkloadEntries that it selects.</summary>
    public ServiceEndpoints OfKubernetes(Service service)
    {
        var selected = service.Selector.Count == 0
            ? [] : entries[service.Namespace].Where(entry => LabelSelection.IsSubset(service.Selector, entry.Labels)).ToList();
        var made = new List<object> { service };
        made.AddRange(selected);
        foreach (var part in parts) part.AddFootprint(service, made);
        return memory.Endpoints.Of((service.Key, ""), [.. made], () =>
        {
            var all = new List<Endpoint>();
            foreach (var part in _byName) all.AddRange(part.EndpointsOf(service));
            foreach (var workload in selected)
            {
                foreach (var port in service.Ports)
                {
                    var number = WorkloadEndpoints.PortOf(workload, port);
                    if (number > 0) all.Add(WorkloadEndpoints.Of(workload, port.Name, number, workload.Health, options));
                }
            }
            return Combined(service.Key, all);
        });
    }

    /// <summary>Those of one host of a ServiceEntry.</summary>
    /// <param name="service">The host.</param>
    /// <param name="entry">The entry.</param>
    /// <param name="selectable">What it may select from.</param>
    public ServiceEndpoints OfEntry(Service service, Resource<ServiceEntry> entry, IEnumerable<Workload> selectable)
    {
        var selected = entry.Spec.WorkloadSelector is null
            ? [] : selectable.Where(workload => LabelSelection.IsSubset(service.Selector, workload.Labels)).ToList();
        return memory.Endpoints.Of((service.Key, service.EntryName), [service, entry, .. selected],
            () => Combined(service.Key, [.. ofEntries.Of(service, entry, selected)]));
    }

    /// <summary>Endpoints as those of one service.</summary>
    public static ServiceEndpoints Combined(ServiceKey key, List<Endpoint> all) => new(key, [.. all],
        [.. all.Select(endpoint => endpoint.Identity).Where(identity => identity.Length > 0).Distinct().Order(StringComparer.Ordinal)]);
}
