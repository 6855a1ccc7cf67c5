using Lateen.Pilot.Generation.Endpoints;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Clusters;

/// <summary>The outbound clusters of sidecars of one kind, kept from snapshot to snapshot: of a new one only those are made whose service, endpoints' identities or rule changed.</summary>
internal sealed class OutboundSet(Func<OutboundClusterInputs, IReadOnlyList<WireResource>> make)
{
    private Dictionary<Service, Part> _parts = [];
    private MeshSnapshot? _snapshot;
    private SidecarScope? _imports;
    private SharedResources _all = ResourceSet.Empty.Shared;

    private sealed record Part(ServiceEndpoints Endpoints, MergedDestinationRule? Rule, IReadOnlyList<WireResource> Clusters);

    /// <summary>The clusters for a scope of this kind.</summary>
    public SharedResources For(ProxyScope scope, ClusterClient client)
    {
        if (ReferenceEquals(scope.Snapshot, _snapshot)) return _all;
        var (snapshot, last) = (scope.Snapshot, _snapshot);
        // What all of them depend on; the client's part of it is the same for the whole kind.
        var mayKeep = last is not null && ReferenceEquals(last.Settings, snapshot.Settings) && ReferenceEquals(last.Policies, snapshot.Policies)
            && last.Registry.NetworkGateways.AsSpan().SequenceEqual(snapshot.Registry.NetworkGateways.AsSpan());
        var isSame = mayKeep && ReferenceEquals(_imports, scope.Imports) && ReferenceEquals(last!.Registry.Endpoints, snapshot.Registry.Endpoints);
        (_snapshot, _imports) = (snapshot, scope.Imports);
        if (!isSame) Renew(scope, client, mayKeep);
        return _all;
    }

    private void Renew(ProxyScope scope, ClusterClient client, bool mayKeep)
    {
        var (parts, all) = (new Dictionary<Service, Part>(_parts.Count), new List<WireResource>(_all.All.Count + 8));
        var isSame = mayKeep;
        foreach (var service in scope.Imports.Services)
        {
            if (service.Resolution == ServiceResolution.Alias) continue;
            var endpoints = scope.Snapshot.Registry.EndpointsOf(service.Key);
            var rule = scope.Imports.DestinationRule(service.Hostname, scope.Labels);
            var part = _parts.GetValueOrDefault(service);
            if (!mayKeep || part is null || !Same(part.Endpoints, endpoints) || !Equals(part.Rule, rule))
            {
                var made = Make(scope, client, service);
                // Other endpoints rarely make another cluster.
                var isOther = part is null || !SameVersions(made, part.Clusters);
                isSame &= !isOther;
                part = new Part(endpoints, rule, isOther ? made : part!.Clusters);
            }
            parts.Add(service, part);
            all.AddRange(part.Clusters);
        }
        isSame &= parts.Count == _parts.Count && SameOrder(all);
        _parts = parts;
        if (!isSame) _all = new SharedResources(FirstOfEachName(all), []);
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

    private static bool Same(ServiceEndpoints left, ServiceEndpoints right) => ReferenceEquals(left, right) || (left.All.IsEmpty && right.All.IsEmpty);

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
