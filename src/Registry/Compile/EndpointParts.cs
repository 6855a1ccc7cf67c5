using System.Collections.Immutable;
using Lateen.Registry.Entries;

namespace Lateen.Registry.Compile;

/// <summary>Makes the endpoints of services: again only of those whose service, slices, entry or workloads are others.</summary>
internal sealed class EndpointParts(List<ClusterPart> parts, EntryPart entries, EntryEndpoints ofEntries, Memory memory,
    RegistryOptions options)
{
    private readonly List<ClusterPart> _byName = [.. parts.OrderBy(part => part.ClusterId, StringComparer.Ordinal)];

    /// <summary>Those of a key; what several services of one key have is added up. Null where there are none.</summary>
    /// <param name="key">Key.</param>
    /// <param name="ofHost">All services of its host, oldest first.</param>
    public ServiceEndpoints? Of(ServiceKey key, ImmutableArray<Service> ofHost)
    {
        ServiceEndpoints? only = null;
        List<ServiceEndpoints>? several = null;
        foreach (var service in ofHost)
        {
            if (service.Namespace != key.Namespace || service.Resolution == ServiceResolution.Alias) continue;
            var of = service.Source == ServiceSource.Kubernetes ? OfKubernetes(service) : OfEntry(service);
            if (of.All.IsEmpty) continue;
            if (only is null) only = of;
            else (several ??= [only]).Add(of);
        }
        if (several is not null)
            return memory.Combined.Of(key, [.. several], () => Combined(key, [.. several.SelectMany(of => of.All)]));
        memory.Combined.Remove(key);
        return only;
    }

    // In all clusters, and of WorkloadEntries that it selects.
    private ServiceEndpoints OfKubernetes(Service service)
    {
        var selected = service.Selector.Count == 0
            ? [] : entries.Workloads.In(service.Namespace).Where(entry => LabelSelection.IsSubset(service.Selector, entry.Labels)).ToList();
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

    private ServiceEndpoints OfEntry(Service service)
    {
        var entry = entries.EntryOf(service);
        var owner = (service.Key, service.EntryName);
        if (entry.Spec.WorkloadSelector is null)
            return memory.Endpoints.Of(owner, [service, entry], () => Combined(service.Key, [.. ofEntries.Of(service, entry, [])]));
        // Pods before WorkloadEntries.
        var selected = parts[0].Workloads.In(service.Namespace).Where(pod => pod.Health != EndpointHealth.Terminating)
            .Concat(entries.Workloads.In(service.Namespace))
            .Where(workload => LabelSelection.IsSubset(service.Selector, workload.Labels)).ToList();
        return memory.Endpoints.Of(owner, [service, .. selected],
            () => Combined(service.Key, [.. ofEntries.Of(service, entry, selected)]));
    }

    private static ServiceEndpoints Combined(ServiceKey key, List<Endpoint> all) => new(key, [.. all],
        [.. all.Select(endpoint => endpoint.Identity).Where(identity => identity.Length > 0).Distinct().Order(StringComparer.Ordinal)]);
}
