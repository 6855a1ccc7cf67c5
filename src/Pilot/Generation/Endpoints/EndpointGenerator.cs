using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>EDS: the endpoints of clusters by name.</summary>
public sealed class EndpointGenerator : IResourceGenerator
{
    private readonly GenerationCache<EndpointInputs, WireResource> _cache = new();
    private readonly GenerationCache<(ClientKind Kind, IReadOnlySet<string> Names), EndpointSet> _sets = new();
    private readonly GenerationCache<(ClientGroup Group, IReadOnlySet<string> Names), EndpointSet> _found = new();

    // The set of each kind that was asked for last: who asks for one more cluster is given what there is of the others.
    private readonly GenerationCache<ClientKind, EndpointSet> _newest = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Endpoint;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
        _cache.Turn();
        _sets.Turn();
        _found.Turn();
        _newest.Turn();
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (names is null) return [];
        return _found.GetOrMake((ClientGroup.Of(scope), names), SetOf).For(scope);
    }

    private EndpointSet SetOf((ClientGroup Group, IReadOnlySet<string> Names) asked)
    {
        var kind = ClientKind.Of(asked.Group);
        var set = _sets.GetOrMake((kind, asked.Names),
            of => new EndpointSet(of.Names, Make, _newest.TryGet(of.Kind, out var like) ? like : null));
        _newest.Put(kind, set);
        return set;
    }

    /// <summary>What the endpoints of one cluster of a service depend on.</summary>
    internal static EndpointInputs InputsOf(ProxyScope scope, Service service,
        (string Direction, int Port, string Subset, string Hostname, bool IsSni) parsed, string name)
    {
        if (parsed.Direction != ClusterNames.InboundVipDirection)
            return EndpointClients.Inputs(scope, service, parsed.Port, parsed.Subset, name, parsed.IsSni);
        // In front of the subset stands how the waypoint reads the connection.
        var slash = parsed.Subset.IndexOf('/', StringComparison.Ordinal);
        return EndpointClients.Inputs(scope, service, parsed.Port, slash < 0 ? "" : parsed.Subset[(slash + 1)..], name,
            false) with { IsInboundVip = true };
    }

    private WireResource Make(EndpointInputs inputs) =>
        _cache.GetOrMake(inputs, static made => WireResource.Of(made.ClusterName, EndpointAssignment.Build(made)));
}
