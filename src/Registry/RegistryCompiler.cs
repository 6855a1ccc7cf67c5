using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Registry.Compile;
using Lateen.Registry.Entries;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry;

/// <summary>Makes views out of resources, one after another, and takes over from the last what did not change.</summary>
/// <remarks>
/// Whether something changed is asked of objects, not of events: a service's endpoints are made of certain slices, workloads and
/// the service itself, and while these are the same objects so is the result. The order of events can't matter, because there is none.
///
/// Most changes are of a few services, pods, slices and entries: those are worked into the last view (<see cref="CompiledRegistry"/>).
/// Everything else, and what concerns more than single services, is compiled whole, here.
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
        var ofEntries = new EntryEndpoints(clusters[0].ClusterId, networks, options);
        var entries = new EntryPart(clusters[0], ofEntries, _memory);
        var services = Services(parts, entries);
        var endpoints = new EndpointParts(parts, entries, ofEntries, _memory, options);
        var byAddress = ByAddress(parts.SelectMany(part => part.Workloads.OldestFirst()).Concat(entries.Workloads.OldestFirst()));
        foreach (var part in parts) part.Workloads.ByAddress = byAddress;
        var byHost = ByHost(services);
        var served = Endpoints(byHost, endpoints);
        var view = new RegistryView
        {
            Services = [.. services],
            ByHost = byHost,
            Endpoints = served,
            ServedAt = ServedAddresses.Of(served, byHost),
            WorkloadsByAddress = byAddress,
            NetworkGateways = NetworkEntrances.Of(options.Networks, [.. parts.SelectMany(part => part.Services.Values)]),
            Namespaces = clusters[0].Namespaces.ToFrozenDictionary(ns => ns.Metadata.Name, ns => ns.Metadata.Labels),
            Sources = [.. clusters],
            Nodes = parts.SelectMany(part => part.Nodes.Select(node => ((part.ClusterId, node.Key), node.Value)))
                .ToFrozenDictionary(pair => pair.Item1, pair => pair.Value),
        };
        return new CompiledRegistry(view, parts, entries, endpoints, _memory, options);
    }

    private static Dictionary<string, string> SystemNetworksOf(ClusterResources cluster, string systemNamespace) => cluster.Namespaces
        .Where(ns => ns.Metadata.Name == systemNamespace && ns.Metadata.Labels.ContainsKey(Networks.Label))
        .ToDictionary(_ => cluster.ClusterId, ns => ns.Metadata.Labels[Networks.Label]);

    private Dictionary<string, string> SystemNetworks(IReadOnlyList<ClusterResources> clusters) =>
        clusters.SelectMany(cluster => SystemNetworksOf(cluster, options.SystemNamespace)).ToDictionary();

    private List<Service> Services(List<ClusterPart> parts, EntryPart entries)
    {
        var kubernetes = parts.Count == 1 ? parts[0].Services.Values : parts.SelectMany(part => part.Services.Keys).Distinct()
            .Select(key => CompiledRegistry.Declared(key, parts, _memory)!);
        // A host may be declared by several entries: who imports them adds up their ports.
        var all = kubernetes.Concat(entries.Services).Order(Service.OldestFirst).ToList();
        return Aliases.Resolve(all, (service, aliases) => _memory.Aliased.Of((service.Key, service.EntryName),
            [service, string.Join(',', aliases)], () => service.WithAliases(aliases)));
    }

    private static LayeredMap<ServiceKey, ServiceEndpoints> Endpoints(LayeredMap<string, ImmutableArray<Service>> byHost,
        EndpointParts endpoints)
    {
        var made = new Dictionary<ServiceKey, ServiceEndpoints>(byHost.Count);
        foreach (var ofHost in byHost.Values)
        {
            foreach (var service in ofHost)
            {
                // What several declare is made at the first of them.
                if (made.ContainsKey(service.Key) || endpoints.Of(service.Key, ofHost) is not { } of) continue;
                made.Add(service.Key, of);
            }
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
