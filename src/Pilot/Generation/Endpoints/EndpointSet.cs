using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>The endpoints of the clusters that clients of one kind ask for, kept from snapshot to snapshot: of a new one only those are
/// made whose service has changed.</summary>
internal sealed class EndpointSet
{
    private readonly Func<EndpointInputs, WireResource> _make;
    private readonly Entry[] _entries;
    private MeshSnapshot? _snapshot;
    private SidecarScope? _imports;
    private ResourceSet? _all;
    private Dictionary<ServiceKey, List<Entry>>? _byService;

    /// <summary>A set of which nothing is made yet.</summary>
    /// <param name="names">Names of clusters.</param>
    /// <param name="make">Makes the endpoints of one.</param>
    /// <param name="like">A set for clients of the same kind, whose names are mostly the same: what it has made serves here, too. Null for
    /// none.</param>
    public EndpointSet(IReadOnlySet<string> names, Func<EndpointInputs, WireResource> make, EndpointSet? like)
    {
        _make = make;
        var known = like?._entries.ToDictionary(static entry => entry.Name);
        _entries = [.. names.Select(name => known?.GetValueOrDefault(name)?.Copy() ?? new Entry(name, ClusterNames.Parse(name)))];
        (_snapshot, _imports) = (like?._snapshot, like?._imports);
    }

    private sealed class Entry(string name, (string Direction, int Port, string Subset, string Hostname, bool IsSni)? parsed)
    {
        public string Name => name;

        public (string Direction, int Port, string Subset, string Hostname, bool IsSni)? Parsed => parsed;

        public Service? Service { get; set; }

        public MergedDestinationRule? Rule { get; set; }

        public ServiceEndpoints? Endpoints { get; set; }

        public WireResource? Resource { get; set; }

        public Entry Copy() => (Entry)MemberwiseClone();
    }

    /// <summary>The set for a scope of this kind.</summary>
    public ResourceSet For(ProxyScope scope)
    {
        if (_all is not null && ReferenceEquals(scope.Snapshot, _snapshot)) return _all;
        var (snapshot, last) = (scope.Snapshot, _snapshot);
        // What all of them depend on; beyond it each depends on its service, that service's endpoints and the rule for it.
        // To a waypoint it matters besides which services clusters share.
        var mayKeep = last is not null && scope.Node.Type != ProxyType.Waypoint && ReferenceEquals(last.Settings, snapshot.Settings)
            && ReferenceEquals(last.Policies, snapshot.Policies)
            && last.Registry.NetworkGateways.AsSpan().SequenceEqual(snapshot.Registry.NetworkGateways.AsSpan());
        // What was taken over from another set stands beside names that nothing was looked up for.
        var sameImports = mayKeep && _all is not null && ReferenceEquals(_imports, scope.Imports);
        if (!sameImports || !ReferenceEquals(last!.Registry.Endpoints, snapshot.Registry.Endpoints)) Renew(scope, mayKeep, sameImports);
        (_snapshot, _imports) = (snapshot, scope.Imports);
        return _all!;
    }

    // Where nothing but endpoints changed, those of services whose endpoints did; all of them otherwise.
    private IEnumerable<Entry> Affected(ProxyScope scope, bool sameImports)
    {
        if (!sameImports)
        {
            _byService = null;
            return _entries;
        }
        if (scope.Snapshot.Registry.Endpoints.ChangedSince(_snapshot!.Registry.Endpoints) is not { } changed) return _entries;
        _byService ??= _entries.Where(static entry => entry.Service is not null).GroupBy(static entry => entry.Service!.Key)
            .ToDictionary(static group => group.Key, static group => group.ToList());
        return changed.SelectMany(key => _byService.GetValueOrDefault(key) ?? []);
    }

    private void Renew(ProxyScope scope, bool mayKeep, bool sameImports)
    {
        var news = new List<WireResource>();
        var sameNames = _all is not null;
        foreach (var entry in Affected(scope, sameImports))
        {
            if (entry.Parsed is not { } parsed) continue;
            var service = sameImports ? entry.Service : scope.Imports.Service(parsed.Hostname);
            var rule = service is null ? null : sameImports ? entry.Rule : scope.Imports.DestinationRule(service.Hostname, scope.Labels);
            var endpoints = service is null ? null : scope.Snapshot.Registry.EndpointsOf(service.Key);
            if (mayKeep && ReferenceEquals(service, entry.Service) && Equals(rule, entry.Rule) && Same(endpoints, entry.Endpoints))
                continue;
            (entry.Service, entry.Rule, entry.Endpoints) = (service, rule, endpoints);
            var made = service is null || !IsDefined(parsed, rule)
                ? null : _make(EndpointGenerator.InputsOf(scope, service, parsed, entry.Name));
            if ((made is null) != (entry.Resource is null)) sameNames = false;
            if (made is not null && made.Version != entry.Resource?.Version) news.Add(made);
            // The same bytes again are the same object again: what was made before serves.
            if (made?.Version != entry.Resource?.Version) entry.Resource = made;
        }
        if (sameNames && news.Count == 0) return;
        var shared = sameNames ? _all!.Shared.With(news)
            : new SharedResources([.. _entries.Select(entry => entry.Resource).OfType<WireResource>()],
                [.. _entries.Where(entry => entry.Resource is null && entry.Name != "*").Select(entry => entry.Name)]);
        _all = ResourceSet.OfDistinct(shared, []);
    }

    // A proxy keeps what it has of a subset that is gone until its routes have gone, too; the endpoints of the whole service would be
    // others'.
    private static bool IsDefined(
        (string Direction, int Port, string Subset, string Hostname, bool IsSni) asked, MergedDestinationRule? rule) =>
        asked.Subset.Length == 0 || asked.Direction == ClusterNames.InboundVipDirection
            || TrafficPolicies.SubsetOf(rule?.Rule.Spec, asked.Subset) is not null;

    private static bool Same(ServiceEndpoints? left, ServiceEndpoints? right) =>
        ReferenceEquals(left, right) || (left is not null && right is not null && left.All.IsEmpty && right.All.IsEmpty);
}
