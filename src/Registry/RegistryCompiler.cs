using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Kubernetes.Discovery.V1;
using Lateen.Config.Resources;
using Lateen.Registry.Entries;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry;

/// <summary>Makes views out of resources, one after another, and takes over from the last what did not change.</summary>
/// <remarks>
/// Whether something changed is asked of objects, not of events: a service's endpoints are made of certain slices, workloads and
/// the service itself, and while these are the same objects so is the result. The order of events can't matter, because there is none.
/// </remarks>
public sealed class RegistryCompiler(RegistryOptions options)
{
    private readonly PartCache<Service> _services = new();
    private readonly PartCache<Workload> _workloads = new();
    private readonly PartCache<ServiceEndpoints> _endpoints = new();
    private readonly PartCache<Service> _merged = new();
    private readonly Dictionary<ServiceKey, object[]> _footprints = [];

    private Compiled? _last;

    /// <summary>What a compilation leaves to the next: where endpoints alone have changed, everything else holds.</summary>
    private sealed record Compiled(IReadOnlyList<ClusterResources> Clusters, List<ClusterPart> Parts, ILookup<string, Workload> Entries,
        Dictionary<ServiceKey, Service> Kubernetes, RegistryView View);

    /// <summary>The view of these resources; the first cluster is the one that configuration is read from.</summary>
    public RegistryView Compile(IReadOnlyList<ClusterResources> clusters)
    {
        if (_last is { } last && DifferInSlices(last.Clusters, clusters) && WithSlices(last, clusters) is { } next)
        {
            _last = last with { Clusters = clusters, View = next };
            return next;
        }
        var networks = new Networks(options.Networks, SystemNetworks(clusters));
        var perCluster = clusters.Select(cluster => new ClusterPart(cluster, networks, this)).ToList();
        var entryEndpoints = new EntryEndpoints(clusters[0].ClusterId, networks, options);
        var entryWorkloads = EntryWorkloads(clusters[0], entryEndpoints);
        var services = Services(clusters, perCluster);
        var view = new RegistryView
        {
            Services = [.. services],
            ByHost = services.GroupBy(service => service.Hostname)
                .ToFrozenDictionary(group => group.Key, group => group.ToImmutableArray()),
            Endpoints = Endpoints(services, clusters[0], perCluster, entryEndpoints, entryWorkloads),
            WorkloadsByAddress = ByAddress(perCluster.SelectMany(part => part.Workloads.All).Concat(entryWorkloads)),
            NetworkGateways = NetworkEntrances.Of(options.Networks, [.. perCluster.SelectMany(part => part.Services.Values)]),
            Namespaces = clusters[0].Namespaces.ToFrozenDictionary(ns => ns.Metadata.Name, ns => ns.Metadata.Labels),
            Sources = [.. clusters],
            Nodes = perCluster.SelectMany(part => part.Nodes.Select(node => ((part.ClusterId, node.Key), node.Value)))
                .ToFrozenDictionary(pair => pair.Item1, pair => pair.Value),
        };
        _services.Turn();
        _workloads.Turn();
        _endpoints.Turn();
        _merged.Turn();
        var byKey = services.ToLookup(service => service.Key);
        // Where two share a key their endpoints are added up, which only the whole compilation does.
        var alone = byKey.Where(group => group.Count() == 1
            && group.First() is { Source: ServiceSource.Kubernetes, Resolution: not ServiceResolution.Alias })
            .ToDictionary(group => group.Key, group => group.First());
        foreach (var gone in _footprints.Keys.Where(key => !byKey.Contains(key)).ToList()) _footprints.Remove(gone);
        _last = new Compiled(clusters, perCluster, entryWorkloads.ToLookup(workload => workload.Namespace), alone, view);
        return view;
    }

    // ---- endpoints alone have changed

    private static bool DifferInSlices(IReadOnlyList<ClusterResources> before, IReadOnlyList<ClusterResources> now)
    {
        if (before.Count != now.Count) return false;
        for (var i = 0; i < now.Count; i++)
        {
            var (old, own) = (before[i], now[i]);
            if (old.ClusterId != own.ClusterId || !ReferenceEquals(old.Services, own.Services) || !ReferenceEquals(old.Pods, own.Pods)
                || !ReferenceEquals(old.Nodes, own.Nodes)
                || !ReferenceEquals(old.Namespaces, own.Namespaces) || !ReferenceEquals(old.ServiceEntries, own.ServiceEntries)
                || !ReferenceEquals(old.WorkloadEntries, own.WorkloadEntries)) return false;
        }
        return true;
    }

    // Null when it takes the whole compilation.
    private RegistryView? WithSlices(Compiled last, IReadOnlyList<ClusterResources> clusters)
    {
        var changed = new HashSet<(string Namespace, string Name)>();
        for (var i = 0; i < clusters.Count; i++) last.Parts[i].Take(clusters[i].EndpointSlices, changed);
        if (changed.Count == 0) return clusters.SequenceEqual(last.Clusters) ? last.View : last.View.With(last.View.Endpoints, clusters);
        var endpoints = new Dictionary<ServiceKey, ServiceEndpoints>(last.View.Endpoints);
        foreach (var (ns, name) in changed)
        {
            var key = new ServiceKey(KubernetesServices.Hostname(name, ns, options.DomainSuffix), ns);
            // Slices of what is no service of the mesh are nobody's; those of one that is declared twice are added up elsewhere.
            if (!last.Kubernetes.TryGetValue(key, out var service))
            {
                if (last.View.Find(key.Hostname, ns) is not null) return null;
                continue;
            }
            var of = OfKubernetes(service, last.Parts, last.Entries);
            if (of.All.IsEmpty) endpoints.Remove(key);
            else endpoints[key] = of;
        }
        return last.View.With(endpoints, clusters);
    }

    /// <summary>Oldest first; rivals of one age by name, then by namespace.</summary>
    private static int ByAge(Service left, Service right)
    {
        var byTime = left.CreationTime.CompareTo(right.CreationTime);
        if (byTime != 0) return byTime;
        var byName = string.CompareOrdinal(left.Name, right.Name);
        if (byName != 0) return byName;
        var byNamespace = string.CompareOrdinal(left.Namespace, right.Namespace);
        return byNamespace != 0 ? byNamespace : string.CompareOrdinal(left.Hostname, right.Hostname);
    }

    private static Dictionary<string, string> SystemNetworksOf(ClusterResources cluster, string systemNamespace) => cluster.Namespaces
        .Where(ns => ns.Metadata.Name == systemNamespace && ns.Metadata.Labels.ContainsKey(Networks.Label))
        .ToDictionary(_ => cluster.ClusterId, ns => ns.Metadata.Labels[Networks.Label]);

    private Dictionary<string, string> SystemNetworks(IReadOnlyList<ClusterResources> clusters) =>
        clusters.SelectMany(cluster => SystemNetworksOf(cluster, options.SystemNamespace)).ToDictionary();

    private List<Service> Services(IReadOnlyList<ClusterResources> clusters, List<ClusterPart> parts)
    {
        var kubernetes = parts.SelectMany(part => part.Services.Values).GroupBy(service => service.Key)
            .Select(group => group.ToList())
            .Select(group => group.Count == 1
                ? group[0] : _merged.GetOrMake(group.ToArray<object>(), () => KubernetesServices.Merge(group)));
        var distributions = DistributionsOf(clusters[0]);
        var entries = clusters[0].ServiceEntries.SelectMany(
            entry => EntryServicesOf(entry, distributions.GetValueOrDefault(entry.Metadata.Namespace, "")));
        // A host may be declared by several entries: who imports them adds up their ports. Stable: what one entry declares in an order
        // stays in it.
        var all = kubernetes.Concat(entries).Order(Comparer<Service>.Create(ByAge)).ToList();
        return Aliases.Resolve(all, (service, aliases) =>
            _merged.GetOrMake([service, string.Join(',', aliases)], () => service.WithAliases(aliases)));
    }

    // Preferences for near endpoints that namespaces state for their services.
    private static Dictionary<string, string> DistributionsOf(ClusterResources resources) => resources.Namespaces
        .Where(ns => ns.Metadata.Annotations.ContainsKey(KubernetesServices.DistributionAnnotation))
        .ToDictionary(ns => ns.Metadata.Name, ns => ns.Metadata.Annotations[KubernetesServices.DistributionAnnotation]);

    private IEnumerable<Service> EntryServicesOf(Resource<ServiceEntry> entry, string distribution)
    {
        var index = 0;
        foreach (var service in EntryServices.Of(entry, distribution))
        {
            yield return _services.GetOrMake([entry, index++, distribution], () => service);
        }
    }

    private List<Workload> EntryWorkloads(ClusterResources cluster, EntryEndpoints endpoints) => [.. cluster.WorkloadEntries
        .OrderBy(entry => entry.Metadata.CreationTime.GetValueOrDefault()).ThenBy(entry => entry.Metadata.Name, StringComparer.Ordinal)
        .ThenBy(entry => entry.Metadata.Namespace, StringComparer.Ordinal)
        .Select(entry => _workloads.GetOrMake([entry], () => endpoints.WorkloadOf(
            entry.Metadata.Name, entry.Metadata.Namespace, entry.Metadata.CreationTime.GetValueOrDefault(), entry.Spec,
            entry.Metadata.Labels)))];

    private Dictionary<ServiceKey, ServiceEndpoints> Endpoints(
        List<Service> services, ClusterResources config, List<ClusterPart> parts, EntryEndpoints entryEndpoints,
        List<Workload> entryWorkloads)
    {
        var entries = config.ServiceEntries.ToDictionary(entry => (entry.Metadata.Namespace, entry.Metadata.Name));
        var selectable = parts[0].Workloads.All.Where(workload => workload.Health != EndpointHealth.Terminating).Concat(entryWorkloads)
            .ToList();
        var byNamespace = selectable.ToLookup(workload => workload.Namespace);
        var entriesByNamespace = entryWorkloads.ToLookup(workload => workload.Namespace);
        var made = new Dictionary<ServiceKey, ServiceEndpoints>(services.Count);
        foreach (var service in services)
        {
            if (service.Resolution == ServiceResolution.Alias) continue;
            var of = service.Source == ServiceSource.Kubernetes
                ? OfKubernetes(service, parts, entriesByNamespace)
                : OfEntry(service, entries[(service.Namespace, service.EntryName)], [.. byNamespace[service.Namespace]], entryEndpoints);
            if (of.All.IsEmpty) continue;
            if (!made.TryAdd(service.Key, of)) made[service.Key] = Combined(service.Key, [.. made[service.Key].All, .. of.All]);
        }
        return made;
    }

    private ServiceEndpoints OfKubernetes(Service service, List<ClusterPart> parts, ILookup<string, Workload> entries)
    {
        var selected = service.Selector.Count == 0
            ? [] : entries[service.Namespace].Where(entry => LabelSelection.IsSubset(service.Selector, entry.Labels)).ToList();
        var made = new List<object> { service };
        made.AddRange(selected);
        foreach (var part in parts) part.AddFootprint(service, made);
        object[] footprint = [.. made];
        // Between two whole compilations nothing else forgets what was made of slices that are no more.
        if (_footprints.TryGetValue(service.Key, out var before)) _endpoints.Forget(before, footprint);
        _footprints[service.Key] = footprint;
        return _endpoints.GetOrMake(footprint, () =>
        {
            var all = new List<Endpoint>();
            foreach (var part in parts.OrderBy(part => part.ClusterId, StringComparer.Ordinal)) all.AddRange(part.EndpointsOf(service));
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

    private ServiceEndpoints OfEntry(Service service, Resource<ServiceEntry> entry, List<Workload> selectable, EntryEndpoints endpoints)
    {
        var selected = entry.Spec.WorkloadSelector is null
            ? [] : selectable.FindAll(workload => LabelSelection.IsSubset(service.Selector, workload.Labels));
        return _endpoints.GetOrMake([service, entry, .. selected],
            () => Combined(service.Key, [.. endpoints.Of(service, entry, selected)]));
    }

    private static ServiceEndpoints Combined(ServiceKey key, List<Endpoint> all) => new(key, [.. all],
        [.. all.Select(endpoint => endpoint.Identity).Where(identity => identity.Length > 0).Distinct().Order(StringComparer.Ordinal)]);

    private static FrozenDictionary<string, ImmutableArray<Workload>> ByAddress(IEnumerable<Workload> workloads) => workloads
        .SelectMany(workload => workload.Addresses.Select(address => (address, workload)))
        .GroupBy(pair => pair.address, pair => pair.workload)
        .ToFrozenDictionary(group => group.Key, group => group.ToImmutableArray());

    /// <summary>One cluster's services, workloads and slices.</summary>
    private sealed class ClusterPart
    {
        private static readonly IReadOnlyList<Resource<EndpointSlice>> NoSlices = [];
        private static readonly object Nowhere = default(Locality);
        private readonly Dictionary<(string, string), List<Resource<EndpointSlice>>> _slices = [];
        private IReadOnlyList<Resource<EndpointSlice>> _taken = [];
        private readonly KubernetesEndpoints _endpoints;

        public ClusterPart(ClusterResources resources, Networks networks, RegistryCompiler owner)
        {
            ClusterId = resources.ClusterId;
            Nodes = resources.Nodes.ToDictionary(node => node.Metadata.Name, node => TopologyLabels.OfNode(node.Metadata.Labels));
            Workloads = new ClusterWorkloads(WorkloadsOf(resources, networks, owner));
            Services = ServicesOf(resources, owner);
            Take(resources.EndpointSlices, []);
            _endpoints = new KubernetesEndpoints(ClusterId, Workloads, networks, owner.Options);
        }

        public string ClusterId { get; }

        public Dictionary<string, Locality> Nodes { get; }

        public ClusterWorkloads Workloads { get; }

        public Dictionary<ServiceKey, Service> Services { get; }

        public void AddFootprint(Service service, List<object> footprint)
        {
            foreach (var slice in SlicesOf(service))
            {
                footprint.Add(slice);
                foreach (var endpoint in slice.Spec.Endpoints)
                {
                    var name = endpoint.TargetRef?.Kind == "Pod"
                        ? (endpoint.TargetRef.Namespace, endpoint.TargetRef.Name) : ((string, string)?)null;
                    if (Workloads.Find(name, endpoint.Addresses.Count > 0 ? endpoint.Addresses[0] : "") is { } workload)
                        footprint.Add(workload);
                }
            }
        }

        // Services of other clusters that are not declared here have no endpoints here.
        public IEnumerable<Endpoint> EndpointsOf(Service service) =>
            Services.TryGetValue(service.Key, out var own) ? _endpoints.Of(own, SlicesOf(service)) : [];

        /// <summary>Takes in the slices as they are now.</summary>
        /// <param name="slices">All of them.</param>
        /// <param name="changed">Takes namespace and name of the services whose slices are others.</param>
        public void Take(IReadOnlyList<Resource<EndpointSlice>> slices, HashSet<(string Namespace, string Name)> changed)
        {
            var (before, now) = Differing(_taken, slices);
            _taken = slices;
            foreach (var slice in before)
            {
                if (OwnerOf(slice) is { } owner && _slices.TryGetValue(owner, out var list) && list.Remove(slice)) changed.Add(owner);
            }
            foreach (var slice in now)
            {
                if (OwnerOf(slice) is not { } owner) continue;
                if (!_slices.TryGetValue(owner, out var list)) _slices.Add(owner, list = []);
                var at = list.FindIndex(other => string.CompareOrdinal(other.Metadata.Name, slice.Metadata.Name) > 0);
                list.Insert(at < 0 ? list.Count : at, slice);
                changed.Add(owner);
            }
        }

        private IReadOnlyList<Resource<EndpointSlice>> SlicesOf(Service service) =>
            _slices.TryGetValue((service.Namespace, service.Name), out var list) ? list : NoSlices;

        private static (string, string)? OwnerOf(Resource<EndpointSlice> slice) =>
            slice.Metadata.Labels.TryGetValue("kubernetes.io/service-name", out var service) ? (slice.Metadata.Namespace, service) : null;

        // Most lists differ in a few places and nowhere in length: those are found by walking both.
        private static (IEnumerable<Resource<EndpointSlice>> Before, IEnumerable<Resource<EndpointSlice>> Now) Differing(
            IReadOnlyList<Resource<EndpointSlice>> before, IReadOnlyList<Resource<EndpointSlice>> now)
        {
            if (before.Count != now.Count) return (before.Except(now), now.Except(before));
            var places = Enumerable.Range(0, now.Count).Where(i => !ReferenceEquals(before[i], now[i])).ToList();
            return (places.Select(i => before[i]), places.Select(i => now[i]));
        }

        private List<Workload> WorkloadsOf(ClusterResources resources, Networks networks, RegistryCompiler owner)
        {
            var made = new List<Workload>(resources.Pods.Count);
            var nodes = Nodes.ToDictionary(node => node.Key, node => (object)node.Value);
            foreach (var pod in resources.Pods)
            {
                // One object for all pods of a node: it is a part of each one's key.
                var node = nodes.GetValueOrDefault(pod.Spec.Spec?.NodeName ?? "", Nowhere);
                var workload = owner._workloads.GetOrMake([pod, node, ClusterId],
                    () => PodWorkloads.Of(pod, ClusterId, (Locality)node, networks)!);
                if (workload is not null) made.Add(workload);
            }
            made.Sort((left, right) => left.CreationTime.CompareTo(right.CreationTime) is var byTime and not 0 ? byTime
                : string.CompareOrdinal(left.Name, right.Name) is var byName and not 0
                ? byName : string.CompareOrdinal(left.Namespace, right.Namespace));
            return made;
        }

        private static Dictionary<ServiceKey, Service> ServicesOf(ClusterResources resources, RegistryCompiler owner)
        {
            var nodes = resources.Nodes.Select(node => new NodeAddresses(
                node.Metadata.Labels,
                [.. (node.Spec.Status?.Addresses ?? []).Where(address => address.Type == "ExternalIP" && address.Address.Length > 0)
                    .Select(address => address.Address)])).ToList();
            var nodeKey = string.Join(';', nodes.Select(node => string.Join(',', node.External)));
            var distributions = DistributionsOf(resources);
            return resources.Services
                .Select(service =>
                {
                    var distribution = distributions.GetValueOrDefault(service.Metadata.Namespace, "");
                    return owner._services.GetOrMake(
                        [service, resources.ClusterId, nodeKey, distribution],
                        () => KubernetesServices.Of(service, resources.ClusterId, owner.Options, nodes, distribution));
                })
                .ToDictionary(service => service.Key);
        }
    }

    private RegistryOptions Options => options;
}

/// <summary>Results by the objects that they were made of; what a whole compilation did not use is forgotten.</summary>
internal sealed class PartCache<T> where T : class
{
    private Dictionary<Parts, T> _current = [];
    private Dictionary<Parts, T> _previous = [];

    public T GetOrMake(object[] parts, Func<T> make)
    {
        var key = new Parts(parts);
        if (_current.TryGetValue(key, out var known)) return known;
        if (!_previous.TryGetValue(key, out known)) known = make();
        _current[key] = known;
        return known;
    }

    /// <summary>What was made of these parts is of no more use, unless the others are the same.</summary>
    public void Forget(object[] parts, object[] unless)
    {
        var key = new Parts(parts);
        if (key.Equals(new Parts(unless))) return;
        _current.Remove(key);
        _previous.Remove(key);
    }

    public void Turn()
    {
        _previous = _current;
        _current = new Dictionary<Parts, T>(_previous.Count);
    }

    // Resources and what is made of them are compared as objects, the few texts and numbers by value.
    private readonly struct Parts(object[] parts) : IEquatable<Parts>
    {
        private readonly object[] _parts = parts;

        public bool Equals(Parts other)
        {
            if (_parts.Length != other._parts.Length) return false;
            for (var i = 0; i < _parts.Length; i++)
            {
                var own = _parts[i];
                var same = own is string or ValueType ? own.Equals(other._parts[i]) : ReferenceEquals(own, other._parts[i]);
                if (!same) return false;
            }
            return true;
        }

        public override bool Equals(object? obj) => obj is Parts other && Equals(other);

        public override int GetHashCode()
        {
            var hash = new HashCode();
            foreach (var part in _parts)
            {
                hash.Add(part is string or ValueType
                    ? part.GetHashCode() : System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(part));
            }
            return hash.ToHashCode();
        }
    }
}
