using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;

namespace Lateen.Pilot.Generation.Names;

/// <summary>NDS: the name table of a proxy that captures DNS.</summary>
public sealed class NameTableGenerator : IResourceGenerator
{
    private readonly GenerationCache<Inputs, WireResource> _cache = new();

    /// <inheritdoc/>
    public string TypeUrl => TypeUrls.NameTable;

    /// <inheritdoc/>
    public void BeginSnapshot() => _cache.Turn();

    /// <inheritdoc/>
    public IReadOnlyList<WireResource> Generate(ProxyScope scope, IReadOnlySet<string>? names)
    {
        var node = scope.Node;
        var spans = scope.Snapshot.Settings.Features.Flag("ENABLE_MULTICLUSTER_HEADLESS", true);
        var inputs = new Inputs(scope.Imports, scope.Snapshot.Registry, new NameClient(node.ClusterId, scope.Network, spans),
            node.SupportsIPv4, node.SupportsIPv6);
        if (!_cache.TryGet(inputs, out var made))
        {
            var table = NameTables.Build(
                scope.Imports.Services,
                service => ServiceAddresses.Each(service, node, scope.Snapshot.Settings.Features),
                service => scope.Snapshot.Registry.EndpointsOf(service.Key).All,
                inputs.Client);
            _cache.Put(inputs, made = WireResource.Of("", table));
        }
        return [made];
    }

    private sealed record Inputs(SidecarScope Imports, Registry.RegistryView Registry, NameClient Client, bool SupportsIPv4,
        bool SupportsIPv6);
}
