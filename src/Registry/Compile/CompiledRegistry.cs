// Compile: what the registry's compiler is made of. A whole compilation makes the parts of each cluster and all endpoints
// (`RegistryCompiler`); what it leaves is one of these, which takes the next resources in as long as few of them differ, and only in ways
// that concern single services: a service, its pods, its slices.
//
// State: the parts, which follow the resources, and the newest view. Views share all that did not change (`LayeredMap`).
//
// Never: a result that a whole compilation would not give. What is found to reach further (other names of services, entrances of networks,
// hosts that are declared twice) is compiled whole, and so is everything of rarer kinds; a test compares both after random changes.
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
    private readonly EndpointParts _endpoints;
    private readonly Memory _memory;

    // Services whose coming and going concerns others: those that other names lead to, and entrances of networks.
    private readonly HashSet<string> _farReaching;

    // Namespaces in which ServiceEntries select pods.
    private readonly HashSet<string> _selecting;
    private readonly Dictionary<string, int> _places;

    public CompiledRegistry(RegistryView view, List<ClusterPart> parts, EndpointParts endpoints, Memory memory, RegistryOptions options)
    {
        (View, _parts, _endpoints, _memory) = (view, parts, endpoints, memory);
        _farReaching = [.. view.Services.Select(service => service.ExternalName).OfType<string>(),
            .. (options.Networks?.Networks.Values ?? []).SelectMany(network => network.Gateways)
                .Select(gateway => gateway.RegistryServiceName)];
        _selecting = [.. view.Sources[0].ServiceEntries.Where(entry => entry.Spec.WorkloadSelector is not null)
            .Select(entry => entry.Namespace)];
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
        if (touched.IsNone && clusters.SequenceEqual(last)) return View;
        if (touched.Declared.Count > ServicesMax) return null;
        var byAddress = View.WorkloadsByAddress.With(Addresses(touched));
        foreach (var part in _parts) part.Workloads.ByAddress = byAddress;
        if (Services(touched) is not { } services || ReachesFurther(touched)) return null;
        var (all, byHost) = services;
        touched.Served.UnionWith(touched.Declared);
        if (Endpoints(touched.Served, byHost) is not { } endpoints) return null;
        return View = View.With(all, byHost, View.Endpoints.With(endpoints), byAddress, clusters);
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
        before.ClusterId == now.ClusterId && Same(before.Nodes, now.Nodes) && Same(before.Namespaces, now.Namespaces)
            && Same(before.ServiceEntries, now.ServiceEntries) && Same(before.WorkloadEntries, now.WorkloadEntries);

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

    private bool ReachesFurther(Touched touched) => _selecting.Count > 0 && touched.Gone.Concat(touched.Come)
        .Any(workload => workload.ClusterId == _parts[0].ClusterId && _selecting.Contains(workload.Namespace));

    private bool IsFarReaching(Service? service) => service is not null && (service.Resolution == ServiceResolution.Alias
        || _farReaching.Contains(service.Hostname) || service.Labels.ContainsKey(Networks.Label));

    // Null where it takes a whole compilation.
    private (ImmutableArray<Service> All, LayeredMap<string, ImmutableArray<Service>> ByHost)? Services(Touched touched)
    {
        List<Service>? all = null;
        var byHost = new Dictionary<string, (bool IsThere, ImmutableArray<Service> Value)>();
        foreach (var key in touched.Declared)
        {
            var there = byHost.TryGetValue(key.Hostname, out var changed) ? changed.Value
                : View.ByHost.TryGetValue(key.Hostname, out var known) ? known : [];
            if (!TryFind(there, key, out var before)) return null;
            var now = Declared(key, _parts, _memory);
            if (IsFarReaching(before) || IsFarReaching(now)) return null;
            if (ReferenceEquals(before, now)) continue;
            all ??= [.. View.Services];
            if (before is not null) all.RemoveAt(all.BinarySearch(before, Service.OldestFirst));
            if (now is not null) all.Insert(~all.BinarySearch(now, Service.OldestFirst), now);
            else Forget(key);
            ImmutableArray<Service> group = [.. there.Where(other => !ReferenceEquals(other, before))
                .Concat(now is null ? [] : [now]).Order(Service.OldestFirst)];
            byHost[key.Hostname] = (!group.IsEmpty, group);
        }
        return all is null ? (View.Services, View.ByHost) : ([.. all], View.ByHost.With(byHost));
    }

    private void Forget(ServiceKey key)
    {
        _memory.Merged.Remove(key);
        _memory.Endpoints.Remove((key, ""));
    }

    /// <summary>The Kubernetes service of a key among those of its host, if there is one; false where it is not the only one of the
    /// key.</summary>
    private static bool TryFind(ImmutableArray<Service> ofHost, ServiceKey key, out Service? found)
    {
        found = null;
        foreach (var service in ofHost)
        {
            if (service.Namespace != key.Namespace) continue;
            if (found is not null || service.Source != ServiceSource.Kubernetes) return false;
            found = service;
        }
        return true;
    }

    // ---- endpoints

    // Null where it takes a whole compilation: those of a key that several declare are added up.
    private Dictionary<ServiceKey, (bool IsThere, ServiceEndpoints? Value)>? Endpoints(HashSet<ServiceKey> keys,
        LayeredMap<string, ImmutableArray<Service>> byHost)
    {
        var changes = new Dictionary<ServiceKey, (bool IsThere, ServiceEndpoints? Value)>();
        foreach (var key in keys)
        {
            if (!TryFind(byHost.TryGetValue(key.Hostname, out var there) ? there : [], key, out var service)) return null;
            // Slices of what is no service of the mesh are nobody's.
            var of = service is null or { Resolution: ServiceResolution.Alias } ? null : _endpoints.OfKubernetes(service);
            if (of?.All.IsEmpty != false) of = null;
            if (!ReferenceEquals(of, View.Endpoints.TryGetValue(key, out var before) ? before : null)) changes[key] = (of is not null, of);
        }
        return changes;
    }
}
