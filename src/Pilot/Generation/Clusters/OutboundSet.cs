using System.Collections.Immutable;
using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>The outbound clusters of sidecars of one kind, kept from snapshot to snapshot: of a new one only those are made whose service,
/// endpoints' identities or rule changed.</summary>
internal sealed class OutboundSet(Func<OutboundClusterInputs, IReadOnlyList<WireResource>> make)
{
    // One for each imported service, in their order.
    private List<Part> _parts = [];
    private MeshSnapshot? _snapshot;
    private SidecarScope? _imports;
    private SharedResources _all = ResourceSet.Empty.Shared;
    private Dictionary<ServiceKey, List<Part>>? _byService;

    private sealed class Part(Service service)
    {
        public Service Service => service;

        public ServiceEndpoints? Endpoints { get; set; }

        public MergedDestinationRule? Rule { get; set; }

        public IReadOnlyList<WireResource>? Clusters { get; set; }
    }

    /// <summary>The clusters for a scope of this kind.</summary>
    public SharedResources For(ProxyScope scope, ClusterClient client)
    {
        if (ReferenceEquals(scope.Snapshot, _snapshot)) return _all;
        var (snapshot, last) = (scope.Snapshot, _snapshot);
        // What all of them depend on; the client's part of it is the same for the whole kind.
        var mayKeep = last is not null && ReferenceEquals(last.Settings, snapshot.Settings)
            && ReferenceEquals(last.Policies, snapshot.Policies)
            && last.Registry.NetworkGateways.AsSpan().SequenceEqual(snapshot.Registry.NetworkGateways.AsSpan());
        var sameImports = mayKeep && ReferenceEquals(_imports, scope.Imports);
        var isSame = sameImports && ReferenceEquals(last!.Registry.Endpoints, snapshot.Registry.Endpoints);
        (_snapshot, _imports) = (snapshot, scope.Imports);
        if (isSame) return _all;
        if (!sameImports) (_parts, _byService) = (PartsOf(scope.Imports.Services), null);
        Renew(Affected(scope, sameImports ? last : null), scope, client, mayKeep, sameImports);
        return _all;
    }

    // Where nothing but endpoints changed since a snapshot, those of services whose endpoints did; all of them otherwise.
    private IEnumerable<Part> Affected(ProxyScope scope, MeshSnapshot? since)
    {
        if (since is null || scope.Snapshot.Registry.Endpoints.ChangedSince(since.Registry.Endpoints) is not { } changed) return _parts;
        _byService ??= _parts.GroupBy(static part => part.Service.Key)
            .ToDictionary(static group => group.Key, static group => group.ToList());
        return changed.SelectMany(key => _byService.GetValueOrDefault(key) ?? []);
    }

    private List<Part> PartsOf(ImmutableArray<Service> services)
    {
        var known = _parts.ToDictionary(static part => part.Service);
        var parts = new List<Part>(services.Length);
        foreach (var service in services)
        {
            if (service.Resolution != ServiceResolution.Alias) parts.Add(known.GetValueOrDefault(service) ?? new Part(service));
        }
        return parts;
    }

    private void Renew(IEnumerable<Part> parts, ProxyScope scope, ClusterClient client, bool mayKeep, bool sameImports)
    {
        var isSame = sameImports;
        foreach (var part in parts)
        {
            var endpoints = scope.Snapshot.Registry.EndpointsOf(part.Service.Key);
            var rule = sameImports ? part.Rule : scope.Imports.DestinationRule(part.Service.Hostname, scope.Labels);
            if (mayKeep && part.Endpoints is { } before && Equals(part.Rule, rule)
                && (Same(before, endpoints) || MeanTheSame(before, endpoints, scope, client, part.Service)))
            {
                part.Endpoints = endpoints;
                continue;
            }
            (part.Endpoints, part.Rule) = (endpoints, rule);
            var made = Make(scope, client, part.Service);
            // Other endpoints rarely make another cluster.
            if (part.Clusters is not null && SameVersions(made, part.Clusters)) continue;
            part.Clusters = made;
            isSame = false;
        }
        if (isSame) return;
        var all = new List<WireResource>(_all.All.Count + 8);
        foreach (var part in _parts) all.AddRange(part.Clusters!);
        if (!SameOrder(all)) _all = new SharedResources(FirstOfEachName(all), []);
    }

    private IReadOnlyList<WireResource> Make(ProxyScope scope, ClusterClient client, Service service)
    {
        var made = new List<WireResource>();
        foreach (var port in service.Ports)
        {
            if (port.Protocol != Protocol.Udp) made.AddRange(make(OutboundInputs.Of(scope, client, service, port, isSni: false)));
        }
        return made;
    }

    // What of the endpoints counts in clusters, their identities above all, is seldom another when one of them comes or goes.
    private static bool MeanTheSame(ServiceEndpoints before, ServiceEndpoints now, ProxyScope scope, ClusterClient client, Service service)
    {
        if (EndpointAssignment.IsDns(service)) return false;
        foreach (var port in service.Ports)
        {
            if (port.Protocol != Protocol.Udp && OutboundInputs.Of(scope, client, service, port, isSni: false, before)
                != OutboundInputs.Of(scope, client, service, port, isSni: false, now)) return false;
        }
        return true;
    }

    private bool SameOrder(List<WireResource> all)
    {
        if (all.Count != _all.All.Count) return false;
        for (var i = 0; i < all.Count; i++)
        {
            if (!ReferenceEquals(all[i], _all.All[i])) return false;
        }
        return true;
    }

    // Services may conflict: the first of a name counts.
    private static List<WireResource> FirstOfEachName(List<WireResource> made)
    {
        var seen = new HashSet<string>(made.Count);
        return made.TrueForAll(resource => seen.Add(resource.Name)) ? made : [.. made.DistinctBy(resource => resource.Name)];
    }

    private static bool Same(ServiceEndpoints left, ServiceEndpoints right) =>
        ReferenceEquals(left, right) || (left.All.IsEmpty && right.All.IsEmpty);

    private static bool SameVersions(IReadOnlyList<WireResource> left, IReadOnlyList<WireResource> right)
    {
        if (left.Count != right.Count) return false;
        for (var i = 0; i < left.Count; i++)
        {
            if (left[i].Name != right[i].Name || left[i].Version != right[i].Version) return false;
        }
        return true;
    }
}
