using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;

namespace Lateen.Pilot.Meaning;

/// <summary>Sidecar resources.</summary>
public sealed record SidecarIndex
{
    /// <summary>Of each namespace those with a workload selector, oldest first.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<Sidecar>>> Selected { get; init; }

    /// <summary>Of each namespace the one without selector (the oldest).</summary>
    public required FrozenDictionary<string, Meant<Sidecar>> NamespaceDefault { get; init; }

    /// <summary>The one of the root namespace without selector; null when there is none.</summary>
    public required Meant<Sidecar>? MeshDefault { get; init; }
}
