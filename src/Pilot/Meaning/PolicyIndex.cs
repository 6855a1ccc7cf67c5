using System.Collections.Frozen;
using System.Collections.Immutable;
using Istio.Security.V1Beta1;

namespace Lateen.Pilot.Meaning;

/// <summary>Mutual TLS as a server demands it.</summary>
public enum MtlsMode
{
    /// <summary>Nobody said anything.</summary>
    Unknown,

    /// <summary>Plaintext only.</summary>
    Disable,

    /// <summary>Both.</summary>
    Permissive,

    /// <summary>mTLS only.</summary>
    Strict,
}

/// <summary>Security policies by namespace, oldest first in each.</summary>
public sealed record PolicyIndex
{
    /// <summary>Root namespace: policies of it without selector hold for the mesh.</summary>
    public required string RootNamespace { get; init; }

    /// <summary>PeerAuthentications by namespace.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<PeerAuthentication>>> PeerAuthentications { get; init; }

    /// <summary>RequestAuthentications by namespace.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<RequestAuthentication>>> RequestAuthentications { get; init; }

    /// <summary>AuthorizationPolicies by namespace.</summary>
    public required FrozenDictionary<string, ImmutableArray<Meant<AuthorizationPolicy>>> AuthorizationPolicies { get; init; }

    /// <summary>Mode of the whole mesh (selector-less policy of the root namespace).</summary>
    public required MtlsMode MeshMode { get; init; }

    /// <summary>Mode of namespaces that have a selector-less policy; inherits the mesh's where unset.</summary>
    public required FrozenDictionary<string, MtlsMode> NamespaceModes { get; init; }

    /// <summary>Keys of the issuers of tokens, as far as they were fetched.</summary>
    public FrozenDictionary<KeySetName, string> KeySets { get; init; } = FrozenDictionary<KeySetName, string>.Empty;

    /// <summary>Mode that holds for a namespace as a whole; workload-level policies aside.</summary>
    public MtlsMode ModeOf(string ns)
    {
        if (NamespaceModes.TryGetValue(ns, out var mode)) return mode;
        return MeshMode == MtlsMode.Unknown ? MtlsMode.Permissive : MeshMode;
    }
}

/// <summary>By what the keys of an issuer are found.</summary>
/// <param name="Issuer">The issuer.</param>
/// <param name="Address">Where its keys lie; empty where its OpenID configuration tells.</param>
public readonly record struct KeySetName(string Issuer, string Address);
