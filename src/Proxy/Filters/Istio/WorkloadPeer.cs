// Istio: the three filters that make a mesh's telemetry and its upgrade to mutual TLS: peers tell each other who they are
// (PeerMetadataFilter), what passed is counted under both names (IstioStatsFilter), and Istio's own ALPN words ask the other sidecar for
// Istio's handling (AlpnFilter). Contracts: Istio's proxy extensions. Peers are kept by their id, so that a warm request decodes nothing.
// Nothing here decides a request.
using System.Collections.Concurrent;

namespace Lateen.Proxy.Filters.Istio;

/// <summary>A workload as labels of metrics name it.</summary>
public sealed record WorkloadPeer : IFormattable
{
    /// <summary>A workload of which nothing is known.</summary>
    public static readonly WorkloadPeer Unknown = new();

    internal const string None = "unknown";

    private int _hash;

    /// <summary>Deployment or other owner.</summary>
    public string Workload { get; init; } = None;

    /// <summary>Its namespace.</summary>
    public string Namespace { get; init; } = None;

    /// <summary>Label app.</summary>
    public string App { get; init; } = None;

    /// <summary>Label version.</summary>
    public string Version { get; init; } = None;

    /// <summary>Label service.istio.io/canonical-name.</summary>
    public string CanonicalService { get; init; } = None;

    /// <summary>Label service.istio.io/canonical-revision.</summary>
    public string CanonicalRevision { get; init; } = "latest";

    /// <summary>The cluster it runs in.</summary>
    public string Cluster { get; init; } = None;

    /// <summary>Its SPIFFE name, where it is told.</summary>
    public string Identity { get; init; } = None;

    // The words by which logs ask for its parts (%FILTER_STATE(downstream_peer:FIELD:workload)%), in the order of texts.
    private IEnumerable<KeyValuePair<string, string>> Parts => new (string Name, string Value)[]
    {
        ("workload", Workload), ("cluster", Cluster), ("namespace", Namespace), ("service", CanonicalService),
        ("revision", CanonicalRevision), ("app", App), ("version", Version), ("identity", Identity),
    }.Where(static p => p.Value.Length > 0 && p.Value != None).Select(static p => KeyValuePair.Create(p.Name, p.Value));

    /// <summary>Its parts as logs print them: <c>workload=x,namespace=y</c>.</summary>
    public override string ToString() => string.Join(',', Parts.Select(static p => $"{p.Key}={p.Value}"));

    /// <summary>As an object (<c>T</c>), or one part (<c>F:namespace</c>; empty where it is not known).</summary>
    public string ToString(string? format, IFormatProvider? formatProvider) => format switch
    {
        "T" => System.Text.Json.JsonSerializer.Serialize(Parts.OrderBy(static p => p.Key, StringComparer.Ordinal).ToDictionary()),
        { } one when one.StartsWith("F:", StringComparison.Ordinal) => Parts.FirstOrDefault(p => p.Key == one[2..]).Value ?? "",
        _ => ToString(),
    };

    /// <inheritdoc/>
    public bool Equals(WorkloadPeer? other) =>
        ReferenceEquals(this, other)
            || (other is not null && Workload == other.Workload && Namespace == other.Namespace && App == other.App
                && Version == other.Version
                && CanonicalService == other.CanonicalService && CanonicalRevision == other.CanonicalRevision && Cluster == other.Cluster
                && Identity == other.Identity);

    // Made once: a peer is a part of the key under which each request is counted.
    /// <inheritdoc/>
    public override int GetHashCode()
    {
        if (_hash == 0)
            _hash = HashCode.Combine(Workload, Namespace, App, Version, CanonicalService, CanonicalRevision, Cluster, Identity) | 1;
        return _hash;
    }
}

/// <summary>Reads and writes peers in headers; the form is protobuf, so the border supplies it.</summary>
public abstract class PeerCodec
{
    // A peer is decoded once; ids of hostile clients must not fill memory.
    private const int Kept = 10_000;

    private readonly ConcurrentDictionary<string, WorkloadPeer> _known = new(StringComparer.Ordinal);

    /// <summary>Our own id (the node's), for x-envoy-peer-metadata-id.</summary>
    public abstract ReadOnlySpan<byte> OwnId { get; }

    /// <summary>Ourselves, for x-envoy-peer-metadata: base64.</summary>
    public abstract ReadOnlySpan<byte> OwnText { get; }

    /// <summary>Ourselves.</summary>
    public abstract WorkloadPeer Own { get; }

    /// <summary>The peer of an id and its text; <see cref="WorkloadPeer.Unknown"/> where the text is none.</summary>
    public WorkloadPeer Find(ReadOnlySpan<byte> id, ReadOnlySpan<byte> text)
    {
        if (id.Length > 512)
            return WorkloadPeer.Unknown;
        Span<char> name = stackalloc char[id.Length];
        for (int i = 0; i < id.Length; i++)
            name[i] = (char)id[i];
        if (_known.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out WorkloadPeer? peer))
            return peer;
        peer = Decode(text);
        if (peer is null)
            return WorkloadPeer.Unknown;
        if (_known.Count >= Kept)
            _known.Clear();
        _known[name.ToString()] = peer;
        return peer;
    }

    /// <summary>The peer of a text; null where it is none.</summary>
    protected abstract WorkloadPeer? Decode(ReadOnlySpan<byte> text);
}
