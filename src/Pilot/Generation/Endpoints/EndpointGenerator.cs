using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>EDS: the endpoints of clusters by name.</summary>
public sealed class EndpointGenerator : IResourceGenerator
{
    private readonly GenerationCache<EndpointInputs, WireResource> _cache = new();
    private readonly GenerationCache<ClientGroup, Dictionary<string, WireResource?>> _groups = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Endpoint;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
        _cache.Turn();
        _groups.Turn();
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (names is null) return [];
        var known = _groups.GetOrMake(ClientGroup.Of(scope), _ => []);
        var made = new List<WireResource>(names.Count);
        foreach (var name in names)
        {
            if (!known.TryGetValue(name, out var resource))
            {
                resource = InputsOf(scope, name) is { } inputs ? _cache.GetOrMake(inputs, Make) : null;
                known.Add(name, resource);
            }
            if (resource is not null) made.Add(resource);
        }
        return made;
    }

    private static WireResource Make(EndpointInputs inputs) => WireResource.Of(inputs.ClusterName, EndpointAssignment.Build(inputs));

    private static EndpointInputs? InputsOf(ProxyScope scope, string name)
    {
        if (ClusterNames.Parse(name) is not { } parsed || scope.Imports.Service(parsed.Hostname) is not { } service) return null;
        if (parsed.Direction != ClusterNames.InboundVipDirection) return EndpointClients.Inputs(scope, service, parsed.Port, parsed.Subset, name, parsed.IsSni);
        // In front of the subset stands how the waypoint reads the connection.
        var slash = parsed.Subset.IndexOf('/', StringComparison.Ordinal);
        return EndpointClients.Inputs(scope, service, parsed.Port, slash < 0 ? "" : parsed.Subset[(slash + 1)..], name, false) with { IsInboundVip = true };
    }
}
