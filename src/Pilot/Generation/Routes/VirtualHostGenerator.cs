using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>
/// VHDS: the virtual hosts of route configurations, one by one, for proxies that can put them together
/// (<see cref="SplitRoutes.IsWanted"/>). A configuration is asked for by its name and answered with a resource for each of its hosts, named
/// CONFIGURATION/HOST, as Envoy asks (xDS protocol, VHDS).
/// </summary>
/// <param name="routes">Makes the configurations and their hosts.</param>
public sealed class VirtualHostGenerator(RouteGenerator routes) : IResourceGenerator
{
    private readonly GenerationCache<(ProxyScope Scope, IReadOnlySet<string> Names), ResourceSet> _sets = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.VirtualHost;

    /// <inheritdoc/>
    public bool LooksAtEndpoints => false;

    /// <inheritdoc/>
    public void BeginSnapshot() => _sets.Turn();

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (names is null || !SplitRoutes.IsWanted(scope.Node)) return [];
        return _sets.GetOrMake((scope.Client, names), OfNames);
    }

    // Who asked for a configuration without hosts is told that it has none, and waits no longer.
    private ResourceSet OfNames((ProxyScope Scope, IReadOnlySet<string> Names) asked)
    {
        var all = asked.Names.Order(StringComparer.Ordinal).Select(name => (Name: name, Hosts: routes.HostsOf(asked.Scope, name))).ToList();
        return new ResourceSet([.. all.SelectMany(static of => of.Hosts)],
            [.. all.Where(static of => of.Hosts.Count == 0).Select(static of => of.Name)]);
    }
}
