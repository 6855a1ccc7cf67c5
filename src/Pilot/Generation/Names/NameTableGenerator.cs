using System.Collections.Immutable;
using Lateen.Pilot.Generation.Routes;
using Lateen.Pilot.Scope;
using Lateen.Registry;

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
        var inputs = new Inputs(scope.Imports, new NameClient(node.ClusterId, scope.Network, spans), node.SupportsIPv4, node.SupportsIPv6,
            [.. scope.Imports.Dialed.Select(service => scope.Snapshot.Registry.EndpointsOf(service.Key)).Where(of => !of.All.IsEmpty)]);
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

    // Of endpoints those count that have names themselves.
    private sealed record Inputs(SidecarScope Imports, NameClient Client, bool SupportsIPv4, bool SupportsIPv6,
        ImmutableArray<ServiceEndpoints> Dialed)
    {
        public bool Equals(Inputs? other) => other is not null && ReferenceEquals(Imports, other.Imports) && Client == other.Client
            && SupportsIPv4 == other.SupportsIPv4 && SupportsIPv6 == other.SupportsIPv6 && Dialed.Length == other.Dialed.Length
            && Dialed.Zip(other.Dialed).All(static pair => ReferenceEquals(pair.First, pair.Second));

        public override int GetHashCode() => HashCode.Combine(Imports, Client, SupportsIPv4, SupportsIPv6, Dialed.Length);
    }
}
