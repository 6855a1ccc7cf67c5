// Compile: what the registry's compiler is made of. A whole compilation makes the parts of each cluster and all endpoints
// (`RegistryCompiler`); what it leaves is one of these, which takes the next resources in as long as few of them differ, and only in ways
// that concern single services: a service, its pods and slices, an entry, the workloads that it selects.
//
// State: the parts, which follow the resources, and the newest view. Views share all that did not change (`LayeredMap`).
//
// Never: a result that a whole compilation would not give. Compiled whole is what reaches further: namespaces and nodes, which all services
// and workloads may depend on; services that others name as their own (ExternalName) or that are other names; entrances of networks; and
// more services at once than `ServicesMax`. A test compares both after random changes.
//
// Refused: an index of services by pod (as large as the pods, for a question that is answered in a millisecond), and handlers for events
// (their order would become part of the result).
using System.Collections.Immutable;
using Lateen.Registry.Kubernetes;

namespace Lateen.Registry.Compile;

/// <summary>The registry as it was compiled last, which can be taken one step further.</summary>
internal sealed class CompiledRegistry
{
    // Beyond it a whole compilation costs less.
    private const int ServicesMax = 256;

    private readonly List<ClusterPart> _parts;
    private readonly EntryPart _entries;
    private readonly EndpointParts _endpoints;
    private readonly Memory _memory;

    // Services whose coming and going concerns others: those that other names lead to, and entrances of networks.
    private readonly HashSet<string> _farReaching;
    private readonly Dictionary<string, int> _places;

    public CompiledRegistry(RegistryView view, List<ClusterPart> parts, EntryPart entries, EndpointParts endpoints, Memory memory,
        RegistryOptions options)
    {
        (View, _parts, _entries, _endpoints, _memory) = (view, parts, entries, endpoints, memory);
        _farReaching = [.. view.Services.Select(service => service.ExternalName).OfType<string>(),
            .. (options.Networks?.Networks.Values ?? []).SelectMany(network => network.Gateways)
                .Select(gateway => gateway.RegistryServiceName)];
        _places = parts.Select((part, place) => (part.ClusterId, place)).ToDictionary(pair => pair.ClusterId, pair => pair.place);
    }

    /// <summary>The newest view.</summary>
    public RegistryView View { get; private set; }

    /// <summary>The view of other resources, or null where it takes a whole compilation; this is of no more use then.</summary>
    public RegistryView? Next(IReadOnlyList<ClusterResources> clusters)
    {
        var last = View.Sources;
        if (clusters.Count != last.Count) return null;
        for (var i = 0; i < clusters.Count; i++)
        {
            if (!AgreeInRarerKinds(last[i], clusters[i])) return null;
        }
        var touched = new Touched();
        for (var i = 0; i < clusters.Count; i++) _parts[i].Take(clusters[i], touched);
        _entries.Take(clusters[0], touched);
        if (touched.IsNone && clusters.SequenceEqual(last)) return View;
        if (touched.Declared.Count > ServicesMax) return null;
        NameSelecting(touched);
        var byAddress = View.WorkloadsByAddress.With(Addresses(touched));
        foreach (var part in _parts) part.Workloads.ByAddress = byAddress;
        if (Services(touched) is not { } services) return null;
        touched.Served.UnionWith(touched.Declared);
        var endpoints = View.Endpoints.With(Endpoints(touched.Served, services.ByHost));
        return View = View with
        {
            Services = services.All,
            ByHost = services.ByHost,
            Endpoints = endpoints,
            ServedAt = View.ServedAt.With(ServedAddresses.Changes(View, touched.Served, endpoints, services.ByHost)),
            WorkloadsByAddress = byAddress,
            Sources = [.. clusters],
        };
    }

    /// <summary>A service as all clusters declare it, or null.</summary>
    public static Service? Declared(ServiceKey key, List<ClusterPart> parts, Memory memory)
    {
        Service? only = null;
        List<Service>? several = null;
        foreach (var part in parts)
        {
            if (!part.Services.TryGetValue(key, out var own)) continue;
            if (only is null) only = own;
            else (several ??= [only]).Add(own);
        }
        return several is null ? only : memory.Merged.Of(key, several.ToArray<object>(), () => KubernetesServices.Merge(several));
    }

    private static bool AgreeInRarerKinds(ClusterResources before, ClusterResources now) =>
        before.ClusterId == now.ClusterId && Same(before.Nodes, now.Nodes) && Same(before.Namespaces, now.Namespaces);

    private static bool Same<T>(IReadOnlyList<T> before, IReadOnlyList<T> now) where T : class =>
        ReferenceEquals(before, now) || before.SequenceEqual(now, ReferenceEqualityComparer.Instance);

    // ---- workloads

    private Dictionary<string, (bool IsThere, ImmutableArray<Workload> Value)> Addresses(Touched touched)
    {
        var lists = new Dictionary<string, List<Workload>>();
        List<Workload> At(string address)
        {
            if (lists.TryGetValue(address, out var list)) return list;
            list = View.WorkloadsByAddress.TryGetValue(address, out var there) ? [.. there] : [];
            lists.Add(address, list);
            return list;
        }
        foreach (var gone in touched.Gone)
        {
            foreach (var address in gone.Addresses) At(address).Remove(gone);
        }
        foreach (var come in touched.Come)
        {
            foreach (var address in come.Addresses.Distinct()) At(address).Add(come);
        }
        foreach (var list in lists.Values) list.Sort(InOrder);
        return lists.ToDictionary(pair => pair.Key, pair => (pair.Value.Count > 0, pair.Value.ToImmutableArray()));
    }

    // Cluster by cluster, and WorkloadEntries behind all pods.
    private int InOrder(Workload left, Workload right)
    {
        var byKind = left.IsEntry.CompareTo(right.IsEntry);
        if (byKind != 0) return byKind;
        var byCluster = _places[left.ClusterId].CompareTo(_places[right.ClusterId]);
        return byCluster != 0 ? byCluster : Workload.ByAge(left, right);
    }

    // ---- services

    private bool IsFarReaching(Service service) => service.Resolution == ServiceResolution.Alias
        || _farReaching.Contains(service.Hostname)
        || (service.Source == ServiceSource.Kubernetes && service.Labels.ContainsKey(Networks.Label));

    // Null where it takes a whole compilation.
    private (ImmutableArray<Service> All, LayeredMap<string, ImmutableArray<Service>> ByHost)? Services(Touched touched)
    {
        List<Service>? all = null;
        var byHost = new Dictionary<string, (bool IsThere, ImmutableArray<Service> Value)>();
        foreach (var key in touched.Declared)
        {
            var ofHost = byHost.TryGetValue(key.Hostname, out var changed) ? changed.Value
                : View.ByHost.TryGetValue(key.Hostname, out var known) ? known : [];
            var before = ofHost.Where(service => service.Namespace == key.Namespace).ToList();
            var now = Now(key, before, touched);
            if (before.Exists(IsFarReaching) || now.Exists(IsFarReaching)) return null;
            var (gone, come) = (before.FindAll(service => !now.Contains(service)), now.FindAll(service => !before.Contains(service)));
            if (gone.Count + come.Count == 0) continue;
            all ??= [.. View.Services];
            foreach (var service in gone) all.RemoveAt(all.BinarySearch(service, Service.OldestFirst));
            foreach (var service in come) all.Insert(~all.BinarySearch(service, Service.OldestFirst), service);
            ImmutableArray<Service> group = [.. ofHost.Where(service => !gone.Contains(service)).Concat(come).Order(Service.OldestFirst)];
            byHost[key.Hostname] = (!group.IsEmpty, group);
        }
        return all is null ? (View.Services, View.ByHost) : ([.. all], View.ByHost.With(byHost));
    }

    // All services of a key as they are declared now.
    private List<Service> Now(ServiceKey key, List<Service> before, Touched touched)
    {
        var now = before.FindAll(service => service.Source == ServiceSource.ServiceEntry && !touched.Withdrawn.Contains(service));
        now.AddRange(touched.Announced.FindAll(service => service.Hostname == key.Hostname && service.Namespace == key.Namespace));
        if (Declared(key, _parts, _memory) is { } kubernetes)
        {
            now.Add(kubernetes);
            return now;
        }
        _memory.Merged.Remove(key);
        _memory.Endpoints.Remove((key, ""));
        return now;
    }

    // ---- endpoints

    // What selects workloads that came or went: hosts of entries, and services of Kubernetes, which select WorkloadEntries without a slice.
    private void NameSelecting(Touched touched)
    {
        List<Workload> workloads = [.. touched.Gone, .. touched.Come];
        foreach (var workload in workloads)
        {
            if (workload.ClusterId == _parts[0].ClusterId) _entries.NameSelecting(workload, touched);
        }
        var entries = workloads.FindAll(workload => workload.IsEntry);
        if (entries.Count == 0) return;
        foreach (var service in View.Services)
        {
            if (service.IsFoundBySelector && entries.Exists(entry => entry.Namespace == service.Namespace
                && LabelSelection.IsSubset(service.Selector, entry.Labels))) touched.Served.Add(service.Key);
        }
    }

    private Dictionary<ServiceKey, (bool IsThere, ServiceEndpoints? Value)> Endpoints(HashSet<ServiceKey> keys,
        LayeredMap<string, ImmutableArray<Service>> byHost)
    {
        var changes = new Dictionary<ServiceKey, (bool IsThere, ServiceEndpoints? Value)>();
        foreach (var key in keys)
        {
            // Slices of what is no service of the mesh are nobody's.
            var of = byHost.TryGetValue(key.Hostname, out var ofHost) ? _endpoints.Of(key, ofHost) : null;
            if (!ReferenceEquals(of, View.Endpoints.TryGetValue(key, out var before) ? before : null)) changes[key] = (of is not null, of);
        }
        return changes;
    }
}
