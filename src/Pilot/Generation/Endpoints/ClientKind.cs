using Lateen.Pilot.Meaning;
using Lateen.Pilot.Scope;
using Lateen.Registry;

namespace Lateen.Pilot.Generation.Endpoints;

/// <summary>What clients have in common over all snapshots, so that what was made for them under the last one is where this one
/// begins.</summary>
internal sealed record ClientKind
{
    public required string Namespace { get; init; }

    public required Meant<Istio.Networking.V1Alpha3.Sidecar>? Sidecar { get; init; }

    public required ProxyType Type { get; init; }

    public required string ClusterId { get; init; }

    public required string Network { get; init; }

    public required Locality Locality { get; init; }

    public required string NetworkView { get; init; }

    public required (string, string, string) ClientCertificates { get; init; }

    public required (bool IPv4, bool IPv6, bool KnowsItself, bool DisablesHbone, bool IsProxyless) Traits { get; init; }

    public required string Particulars { get; init; }

    public static ClientKind Of(ClientGroup group) => new()
    {
        Namespace = group.Imports.Namespace,
        Sidecar = group.Imports.Sidecar,
        Type = group.Type,
        ClusterId = group.ClusterId,
        Network = group.Network,
        Locality = group.Locality,
        NetworkView = group.NetworkView,
        ClientCertificates = group.ClientCertificates,
        Traits = group.Traits,
        Particulars = group.Particulars,
    };
}
