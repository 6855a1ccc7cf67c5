using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>What proxies must have in common to be told the same about everybody else: a first, cheap key before the exact inputs of each
/// resource.</summary>
/// <remarks>It names more than any single resource depends on, so that it may separate what could be shared, and never shares what
/// differs.</remarks>
internal sealed record ClientGroup
{
    public required Meaning.MeshSnapshot Snapshot { get; init; }

    public required SidecarScope Imports { get; init; }

    public required ProxyType Type { get; init; }

    public required string ClusterId { get; init; }

    public required string Network { get; init; }

    public required Locality Locality { get; init; }

    public required string NetworkView { get; init; }

    public required (string, string, string) ClientCertificates { get; init; }

    public required (bool IPv4, bool IPv6, bool KnowsItself, bool DisablesHbone, bool IsProxyless) Traits { get; init; }

    /// <summary>Labels and node, where imported rules or services look at them.</summary>
    public required string Particulars { get; init; }

    public bool Equals(ClientGroup? other) => other is not null
        && ReferenceEquals(Snapshot, other.Snapshot) && ReferenceEquals(Imports, other.Imports)
        && Type == other.Type && ClusterId == other.ClusterId && Network == other.Network && Locality == other.Locality
        && NetworkView == other.NetworkView && ClientCertificates == other.ClientCertificates && Traits == other.Traits
        && Particulars == other.Particulars;

    public override int GetHashCode() => HashCode.Combine(
        System.Runtime.CompilerServices.RuntimeHelpers.GetHashCode(Imports), Type, ClusterId, Network, Locality, Particulars);

    public static ClientGroup Of(ProxyScope scope)
    {
        var node = scope.Node;
        return new ClientGroup
        {
            Snapshot = scope.Snapshot,
            Imports = scope.Imports,
            Type = node.Type,
            ClusterId = node.ClusterId,
            Network = scope.Network,
            Locality = scope.Locality,
            NetworkView = node.Metadata.NetworkView.Count == 0
                ? "" : string.Join('\n', node.Metadata.NetworkView.Order(StringComparer.Ordinal)),
            ClientCertificates = node.Metadata.TlsClient,
            Traits = (node.SupportsIPv4, node.SupportsIPv6, node.Metadata.EnableSelfDiscovery, node.Metadata.DisableHboneSend,
                node.Metadata.Generator == "grpc"),
            Particulars = scope.Imports.LooksAtWorkloads(scope.Snapshot.Settings.Mesh) ? ParticularsOf(scope) : "",
        };
    }

    private static string ParticularsOf(ProxyScope scope) =>
        scope.Node.Metadata.NodeName + "\n"
            + string.Join('\n', scope.Labels.OrderBy(label => label.Key, StringComparer.Ordinal)
                .Select(label => $"{label.Key}={label.Value}"));
}
