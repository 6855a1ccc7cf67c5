using System.Globalization;
using Envoy.Config.Route.V3;
using Lateen.Pilot.Generation.Clusters;
using Lateen.Pilot.Generation.Gateways;
using Lateen.Pilot.Generation.Inputs;
using Lateen.Pilot.Generation.Patches;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Routes;

/// <summary>RDS: the route configurations that a proxy's listeners name.</summary>
public sealed class RouteGenerator : IResourceGenerator
{
    private readonly GenerationCache<(ProxyScope Scope, string Name), SplitRoutes> _made = new();
    private readonly WirePool _hosts = new();
    private readonly GenerationCache<HostClient, KnownHosts> _known = new();
    private readonly (HashSet<string>, HashSet<string>, HashSet<string>) _names = KnownHosts.NewSets();
    private bool _hasMade;
    private readonly GenerationCache<(ProxyScope Scope, IReadOnlySet<string> Names), ResourceSet> _sets = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.Route;

    /// <inheritdoc/>
    public bool LooksAtEndpoints => false;

    /// <inheritdoc/>
    public void BeginSnapshot()
    {
        _made.Turn();
        _sets.Turn();
        _hosts.Turn();
        // Nothing may be made under a snapshot that changes nothing here; what was made before stays at hand then.
        if (_hasMade) _known.Turn();
        _hasMade = false;
    }

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        if (names is null) return [];
        // Who asks is a client here and nothing else: all clients of its kind are told the same.
        return _sets.GetOrMake((scope.Client, names), OfNames);
    }

    private ResourceSet OfNames((ProxyScope Scope, IReadOnlySet<string> Names) asked)
    {
        ProxyInputs? inputs = null;
        return new ResourceSet(asked.Names.Order(StringComparer.Ordinal)
            .Select(name => _made.GetOrMake((asked.Scope, name), key => Make(inputs ??= new ProxyInputs(key.Scope), key.Name)).Shell)
            .ToList(), []);
    }

    /// <summary>The virtual hosts of a configuration, for a client that gets them one by one.</summary>
    internal IReadOnlyList<WireResource> HostsOf(ProxyScope client, string name) =>
        _made.GetOrMake((client, name), key => Make(new ProxyInputs(key.Scope), key.Name)).Hosts;

    private SplitRoutes Make(ProxyInputs inputs, string name)
    {
        _hasMade = true;
        var patches = ProxyPatches.Of(inputs.Scope);
        var sidecar = inputs.Node.Type == ProxyType.Router ? null : Sidecar(inputs, name);
        // Most tables differ from the last in a host or two.
        if (sidecar is not null && patches.IsEmpty && !SplitRoutes.IsWanted(inputs.Node)
            && SidecarRoutes.Table(sidecar, KnownOf) is { } table) return SplitRoutes.Whole(table);
        var routes = (inputs.Node.Type == ProxyType.Router ? GatewayRoutes.Generate(inputs, name) : sidecar is null
            ? null : SidecarRoutes.Generate(sidecar)) ?? DefaultRoutes.Empty(name);
        // Patches are about Envoy.
        if (inputs.IsProxylessGrpc) return SplitRoutes.Whole(WireResource.Unchecked(name, routes));
        if (SplitRoutes.IsWanted(inputs.Node))
            return patches.IsEmpty ? SplitRoutes.Of(routes, _hosts)
                : SplitRoutes.From(patches.Sound(some => SplitRoutes.Of(some.Routes(routes.Clone()), _hosts).All));
        return SplitRoutes.Whole(patches.IsEmpty
            ? WireResource.Of(name, routes) : patches.Sound(some => [WireResource.Of(name, some.Routes(routes.Clone()))])[0]);
    }

    private KnownHosts KnownOf(HostClient client) => _known.GetOrMake(client, _ => new KnownHosts(_names));

    private static SidecarRouteInputs? Sidecar(ProxyInputs inputs, string name)
    {
        var dialed = inputs.IsProxylessGrpc ? ClusterNames.Parse(name)?.Port : null;
        if (dialed is not { } port)
            _ = int.TryParse(name.AsSpan(name.LastIndexOf(':') + 1), NumberStyles.None, CultureInfo.InvariantCulture, out port);
        if (inputs.Scope.Imports.EgressFor(port, name) is not { } egress) return null;
        return new SidecarRouteInputs
        {
            RouteName = name,
            Node = inputs.Node,
            Labels = inputs.Scope.Labels,
            IncludeAttemptCount = inputs.Config.ProxyHeaders?.AttemptCount?.Disabled != true,
            Mesh = inputs.Mesh,
            Config = inputs.Config,
            Services = egress.Services,
            VirtualServices = egress.VirtualServices.Select(RouteRules.Of).ToList(),
            DestinationRule = inputs.DestinationRule,
            Fallback = inputs.Fallback,
            Features = inputs.Features,
            IsHttpProxy = name == SidecarRoutes.HttpProxyName
                || Protocols.Parse(egress.Declared?.Port?.Protocol ?? "") == Protocol.HttpProxy,
        };
    }
}
