using System.Collections.Frozen;
using System.Collections.Immutable;
using Lateen.Api.Names;

namespace Lateen.Registry;

/// <summary>What runs somewhere: a Pod or a WorkloadEntry.</summary>
public sealed class Workload
{
    /// <summary>Name of the resource.</summary>
    public required string Name { get; init; }

    /// <summary>Namespace.</summary>
    public required string Namespace { get; init; }

    /// <summary>Cluster id.</summary>
    public required string ClusterId { get; init; }

    /// <summary>Whether it comes from a WorkloadEntry.</summary>
    public bool IsEntry { get; init; }

    /// <summary>IP addresses; a WorkloadEntry may have a DNS name or a unix path instead.</summary>
    public ImmutableArray<string> Addresses { get; init; } = [];

    /// <summary>Labels of the resource.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = LabelSet.Empty;

    /// <summary>Annotations of the resource.</summary>
    public IReadOnlyDictionary<string, string> Annotations { get; init; } = LabelSet.Empty;

    /// <summary>Service account; empty when unknown.</summary>
    public string ServiceAccount { get; init; } = "";

    /// <summary>Network; empty when not set.</summary>
    public string Network { get; init; } = "";

    /// <summary>Region, zone, subzone.</summary>
    public Locality Locality { get; init; }

    /// <summary>Node.</summary>
    public string NodeName { get; init; } = "";

    /// <summary>Name of the workload (Deployment and the like).</summary>
    public string WorkloadName { get; init; } = "";

    /// <summary>Weight of a WorkloadEntry; 0 when not set.</summary>
    public uint Weight { get; init; }

    /// <summary>Ports by name: of a WorkloadEntry its map, of a Pod the named container ports.</summary>
    public FrozenDictionary<string, int> Ports { get; init; } = FrozenDictionary<string, int>.Empty;

    /// <summary><c>hostname</c> of the pod.</summary>
    public string PodHostname { get; init; } = "";

    /// <summary><c>subdomain</c> of the pod.</summary>
    public string PodSubdomain { get; init; } = "";

    /// <summary>Ready to serve.</summary>
    public EndpointHealth Health { get; init; }

    /// <summary>Runs on the host's network.</summary>
    public bool HostNetwork { get; init; }

    /// <summary>Creation time of the resource.</summary>
    public DateTimeOffset CreationTime { get; init; }

    /// <summary>Accepts mTLS: label <c>security.istio.io/tlsMode: istio</c>, or an entry with a service account.</summary>
    public bool AcceptsMtls { get; init; }

    /// <summary>Accepts HBONE.</summary>
    public bool AcceptsHbone { get; init; }

    private LabelSet? _placedLabels;
    private (string TrustDomain, string Identity)? _identity;

    /// <summary>Its labels with those of its place, as its endpoints have them; made once.</summary>
    public LabelSet PlacedLabels => _placedLabels ??= TopologyLabels.Add(Labels, ClusterId, Locality, NodeName, Network);

    /// <summary>Its identity in a trust domain, made once; empty where it has no service account.</summary>
    public string IdentityIn(string trustDomain)
    {
        if (ServiceAccount.Length == 0) return "";
        if (_identity is not { } known || known.TrustDomain != trustDomain)
            _identity = known = (trustDomain, Identities.Of(trustDomain, Namespace, ServiceAccount));
        return known.Identity;
    }

    /// <summary>Oldest first; those of one age by name, then by namespace.</summary>
    internal static int ByAge(Workload left, Workload right)
    {
        var byTime = left.CreationTime.CompareTo(right.CreationTime);
        if (byTime != 0) return byTime;
        var byName = string.CompareOrdinal(left.Name, right.Name);
        return byName != 0 ? byName : string.CompareOrdinal(left.Namespace, right.Namespace);
    }
}
