using Lateen.Pilot.Meaning;

namespace Lateen.Pilot.Scope;

/// <summary>Makes the scopes of one snapshot and remembers the parts that proxies share.</summary>
public sealed class ScopeBuilder
{
    /// <summary>A builder for a snapshot.</summary>
    /// <param name="snapshot">Snapshot.</param>
    /// <param name="previous">Builder of the snapshot before, whose scopes are taken over where nothing changed for them.</param>
    public ScopeBuilder(MeshSnapshot snapshot, ScopeBuilder? previous = null)
    {
        Snapshot = snapshot;
        _ = previous;
    }

    /// <summary>The snapshot.</summary>
    public MeshSnapshot Snapshot { get; }

    /// <summary>What a proxy may see.</summary>
    public ProxyScope ScopeOf(ProxyNode node) => throw new InvalidOperationException(node.Id);
}
