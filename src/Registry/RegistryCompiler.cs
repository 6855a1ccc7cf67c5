using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;
using Lateen.Registry.Compile;
using Lateen.Registry.Entries;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry;

/// <summary>Makes views out of resources, one after another, and takes over from the last what did not change.</summary>
/// <remarks>
/// Whether something changed is asked of objects, not of events: a service's endpoints are made of certain slices, workloads and
/// the service itself, and while these are the same objects so is the result. The order of events can't matter, because there is none.
///
/// Most changes are of a few services, pods and slices: those are worked into the last view (<see cref="CompiledRegistry"/>). Everything
/// else, and what concerns more than single services, is compiled whole, here.
/// </remarks>
public sealed class RegistryCompiler(RegistryOptions options)
{
    private Memory _memory = new();
    private CompiledRegistry? _last;

    /// <summary>The view of these resources; the first cluster is the one that configuration is read from.</summary>
    public RegistryView Compile(IReadOnlyList<ClusterResources> clusters)
    {
        // What is left of it after a change that it can't follow is not used again.
        if (_last?.Next(clusters) is { } next) return next;
        _last = null;
        var networks = SystemNetworks(clusters);
        // Every workload and every address may be in another network then.
        if (networks.Count != _memory.Networks.Count || networks.Except(_memory.Networks).Any()) _memory = new() { Networks = networks };
        _memory.Begin();
        _last = Whole(clusters, new Networks(options.Networks, networks));
        _memory.End();
        return _last.View;
    }

    private CompiledRegistry Whole(IReadOnlyList<ClusterResources> clusters, Networks networks)
    {
        var parts = clusters.Select(cluster => new ClusterPart(cluster, networks, _memory, options)).ToList();
        var entryEndpoints = new EntryEndpoints(clusters[0].ClusterId, networks, options);
        var entryWorkloads = EntryWorkloads(clusters[0], entryEndpoints);
        var services = Services(clusters, parts);
        var endpoints = new EndpointParts(parts, entryWorkloads.ToLookup(workload => workload.Namespace), entryEndpoints, _memory, options);
        var workloads = parts.Select(part => part.Workloads.OldestFirst()).ToList();
        var byAddress = ByAddress(workloads.SelectMany(of => of).Concat(entryWorkloads));
        foreach (var part in parts) part.Workloads.ByAddress = byAddress;
        var view = new RegistryView
        {
            Services = [.. services],
            ByHost = ByHost(services),
            Endpoints = Endpoints(services, clusters[0], endpoints, workloads[0], entryWorkloads),
            WorkloadsByAddress = byAddress,
            NetworkGateways = NetworkEntrances.Of(options.Networks, [.. parts.SelectMany(part => part.Services.Values)]),
            Namespaces = clusters[0].Namespaces.ToFrozenDictionary(ns => ns.Metadata.Name, ns => ns.Metadata.Labels),
            Sources = [.. clusters],
            Nodes = parts.SelectMany(part => part.Nodes.Select(node => ((part.ClusterId, node.Key), node.Value)))
                .ToFrozenDictionary(pair => pair.Item1, pair => pair.Value),
        };
        return new CompiledRegistry(view, parts, endpoints, _memory, options);
    }

    private static Dictionary<string, string> SystemNetworksOf(ClusterResources cluster, string systemNamespace) => cluster.Namespaces
        .Where(ns => ns.Metadata.Name == systemNamespace && ns.Metadata.Labels.ContainsKey(Networks.Label))
        .ToDictionary(_ => cluster.ClusterId, ns => ns.Metadata.Labels[Networks.Label]);

    private Dictionary<string, string> SystemNetworks(IReadOnlyList<ClusterResources> clusters) =>
        clusters.SelectMany(cluster => SystemNetworksOf(cluster, options.SystemNamespace)).ToDictionary();

    private List<Service> Services(IReadOnlyList<ClusterResources> clusters, List<ClusterPart> parts)
    {
        var kubernetes = parts.Count == 1 ? parts[0].Services.Values : parts.SelectMany(part => part.Services.Keys).Distinct()
            .Select(key => CompiledRegistry.Declared(key, parts, _memory)!);
        var distributions = ClusterPart.DistributionsOf(clusters[0]);
        var entries = clusters[0].ServiceEntries.SelectMany(
            entry => EntryServicesOf(entry, distributions.GetValueOrDefault(entry.Metadata.Namespace, "")));
        // A host may be declared by several entries: who imports them adds up their ports. Stable: what one entry declares in an order
        // stays in it.
        var all = kubernetes.Concat(entries).Order(Service.OldestFirst).ToList();
        return Aliases.Resolve(all, (service, aliases) => _memory.Aliased.Of((service.Key, service.EntryName),
            [service, string.Join(',', aliases)], () => service.WithAliases(aliases)));
    }

    private IEnumerable<Service> EntryServicesOf(Resource<ServiceEntry> entry, string distribution)
    {
        var index = 0;
        foreach (var service in EntryServices.Of(entry, distribution))
        {
            yield return _memory.Entries.Of((entry.Namespace, entry.Name, index++), [entry, distribution], () => service);
        }
    }

    private List<Workload> EntryWorkloads(ClusterResources cluster, EntryEndpoints endpoints)
    {
        var made = cluster.WorkloadEntries.Select(entry => _memory.WorkloadEntries.Of((entry.Namespace, entry.Name), [entry],
            () => endpoints.WorkloadOf(entry.Metadata.Name, entry.Metadata.Namespace, entry.Metadata.CreationTime.GetValueOrDefault(),
                entry.Spec, entry.Metadata.Labels))).ToList();
        made.Sort(Workload.ByAge);
        return made;
    }

    private static LayeredMap<ServiceKey, ServiceEndpoints> Endpoints(List<Service> services, ClusterResources config,
        EndpointParts endpoints, List<Workload> pods, List<Workload> entryWorkloads)
    {
        var entries = config.ServiceEntries.ToDictionary(entry => (entry.Metadata.Namespace, entry.Metadata.Name));
        var selectable = entries.Count == 0 ? Enumerable.Empty<Workload>().ToLookup(workload => workload.Namespace)
            : pods.Where(workload => workload.Health != EndpointHealth.Terminating).Concat(entryWorkloads)
                .ToLookup(workload => workload.Namespace);
        var made = new Dictionary<ServiceKey, ServiceEndpoints>(services.Count);
        foreach (var service in services)
        {
            if (service.Resolution == ServiceResolution.Alias) continue;
            var of = service.Source == ServiceSource.Kubernetes ? endpoints.OfKubernetes(service)
                : endpoints.OfEntry(service, entries[(service.Namespace, service.EntryName)], selectable[service.Namespace]);
            if (of.All.IsEmpty) continue;
            if (!made.TryAdd(service.Key, of))
                made[service.Key] = EndpointParts.Combined(service.Key, [.. made[service.Key].All, .. of.All]);
        }
        return new(made);
    }

    private static LayeredMap<string, ImmutableArray<Service>> ByHost(List<Service> services)
    {
        var byHost = new Dictionary<string, ImmutableArray<Service>>(services.Count);
        foreach (var service in services)
            byHost[service.Hostname] = byHost.TryGetValue(service.Hostname, out var others) ? others.Add(service) : [service];
        return new(byHost);
    }

    private static LayeredMap<string, ImmutableArray<Workload>> ByAddress(IEnumerable<Workload> workloads)
    {
        var byAddress = new Dictionary<string, ImmutableArray<Workload>>();
        foreach (var workload in workloads)
        {
            foreach (var address in workload.Addresses)
            {
                if (!byAddress.TryGetValue(address, out var others)) byAddress.Add(address, [workload]);
                else if (!others.Contains(workload)) byAddress[address] = others.Add(workload);
            }
        }
        return new(byAddress);
    }
}
