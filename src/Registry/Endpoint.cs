using System.Collections.Immutable;
using Lateen.Api.Names;

namespace Lateen.Registry;

/// <summary>Where something runs: region, zone, subzone; parts that are not known are empty.</summary>
public readonly record struct Locality(string Region, string Zone, string Subzone)
{
    /// <summary>Nothing known.</summary>
    public static readonly Locality None = new("", "", "");

    /// <summary>Reads <c>region/zone/subzone</c>; missing parts are empty.</summary>
    public static Locality Parse(string? text)
    {
        if (string.IsNullOrEmpty(text)) return None;
        var parts = text.Split('/');
        return new Locality(parts[0], parts.Length > 1 ? parts[1] : "", parts.Length > 2 ? parts[2] : "") { Text = text };
    }

    /// <summary>The text it was written as, where that counts: localities that are written differently stay apart.</summary>
    public string? Text { get; init; }

    /// <summary>Nothing known.</summary>
    public bool IsNone => string.IsNullOrEmpty(Region) && string.IsNullOrEmpty(Zone) && string.IsNullOrEmpty(Subzone);

    /// <summary><c>region/zone/subzone</c>, without empty parts at the end.</summary>
    public override string ToString() => Text is not null ? Text :
        string.IsNullOrEmpty(Subzone) ? string.IsNullOrEmpty(Zone) ? Region ?? "" : $"{Region}/{Zone}" : $"{Region}/{Zone}/{Subzone}";
}

/// <summary>Health of an endpoint as the control plane knows it.</summary>
public enum EndpointHealth
{
    /// <summary>Nobody checks it (endpoints written down in a ServiceEntry).</summary>
    Unknown,

    /// <summary>Ready.</summary>
    Healthy,

    /// <summary>Not ready; sent to clients as unhealthy where the service's clients want to know.</summary>
    Unhealthy,

    /// <summary>Shutting down but still serving.</summary>
    Draining,

    /// <summary>Shutting down.</summary>
    Terminating,
}

/// <summary>One address that serves one port of one service.</summary>
public sealed record Endpoint
{
    /// <summary>IP addresses (several with dual stack), a DNS name, or <c>unix:///path</c>; empty when only reachable through its network's
    /// gateway.</summary>
    public ImmutableArray<string> Addresses { get; init; } = [];

    /// <summary>Name of the service port that it serves.</summary>
    public string PortName { get; init; } = "";

    /// <summary>Port to dial.</summary>
    public int Port { get; init; }

    /// <summary>SPIFFE identity of the workload, empty when unknown.</summary>
    public string Identity { get; init; } = "";

    /// <summary>Network; empty when not set.</summary>
    public string Network { get; init; } = "";

    /// <summary>Cluster id.</summary>
    public string ClusterId { get; init; } = "";

    /// <summary>Region, zone, subzone.</summary>
    public Locality Locality { get; init; }

    /// <summary>Weight; 0 counts as 1.</summary>
    public uint Weight { get; init; }

    /// <summary>Accepts the mesh's mTLS.</summary>
    public bool AcceptsMtls { get; init; }

    /// <summary>Accepts HBONE.</summary>
    public bool AcceptsHbone { get; init; }

    /// <summary>Namespace of the workload.</summary>
    public string Namespace { get; init; } = "";

    /// <summary>Name of the workload (Deployment and the like).</summary>
    public string WorkloadName { get; init; } = "";

    /// <summary><c>hostname</c> of the pod spec, for DNS of headless services.</summary>
    public string PodHostname { get; init; } = "";

    /// <summary><c>subdomain</c> of the pod spec.</summary>
    public string PodSubdomain { get; init; } = "";

    /// <summary>Name of the node.</summary>
    public string NodeName { get; init; } = "";

    /// <summary>Health.</summary>
    public EndpointHealth Health { get; init; }

    /// <summary>Send the endpoint even though it is unhealthy.</summary>
    public bool SendUnhealthy { get; init; } = true;

    /// <summary>Labels of the workload with topology labels added.</summary>
    public IReadOnlyDictionary<string, string> Labels { get; init; } = LabelSet.Empty;

    /// <summary>First address or the empty string.</summary>
    public string Address => Addresses.IsDefaultOrEmpty ? "" : Addresses[0];

    /// <summary>Whether every label of <paramref name="selector"/> is there with that value.</summary>
    public bool Matches(IReadOnlyDictionary<string, string> selector) => LabelSelection.IsSubset(selector, Labels);
}

/// <summary>The endpoints of one service in all clusters. A new object exactly when one of them changed.</summary>
/// <param name="Key">Service.</param>
/// <param name="All">Endpoints in a stable order: cluster, then the order of the resources.</param>
/// <param name="Identities">Identities of the endpoints, sorted, without duplicates.</param>
public sealed record ServiceEndpoints(ServiceKey Key, ImmutableArray<Endpoint> All, ImmutableArray<string> Identities)
{
    /// <summary>No endpoint.</summary>
    public static ServiceEndpoints None(ServiceKey key) => new(key, [], []);
}

/// <summary>Label subset matching.</summary>
public static class LabelSelection
{
    /// <summary>Both have the same pairs.</summary>
    public static bool AreSame(IReadOnlyDictionary<string, string> left, IReadOnlyDictionary<string, string> right) =>
        ReferenceEquals(left, right) || (left.Count == right.Count && IsSubset(left, right));

    /// <summary>Every pair of <paramref name="selector"/> occurs in <paramref name="labels"/>. An empty selector matches all.</summary>
    public static bool IsSubset(IReadOnlyDictionary<string, string> selector, IReadOnlyDictionary<string, string> labels)
    {
        foreach (var (key, value) in selector)
        {
            if (!labels.TryGetValue(key, out var actual) || actual != value) return false;
        }
        return true;
    }
}
