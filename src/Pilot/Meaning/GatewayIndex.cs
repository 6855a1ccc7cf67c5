using System.Collections.Immutable;
using Istio.Networking.V1Alpha3;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning;

/// <summary>Gateways, oldest first.</summary>
/// <param name="All">Every Gateway.</param>
public sealed record GatewayIndex(ImmutableArray<Meant<Gateway>> All)
{
    /// <summary>Gateways of Kubernetes' API: what may be a waypoint.</summary>
    public IReadOnlyList<Resource<global::Kubernetes.Gateway.V1.Gateway>> Kubernetes { get; init; } = [];

    /// <summary>GatewayClasses.</summary>
    public IReadOnlyList<Resource<global::Kubernetes.Gateway.V1.GatewayClass>> Classes { get; init; } = [];

    /// <summary>Credentials of other namespaces that Gateways may use.</summary>
    public ImmutableArray<CredentialGrant> Grants { get; init; } = [];

    /// <summary>Whether the proxies of a namespace may have a credential: its own ones, and those it was granted.</summary>
    public bool MayUse(string ns, CredentialName credential) =>
        credential.Namespace == ns
            || Grants.Any(grant => grant.FromNamespace == ns && grant.Source == credential.Source && grant.Namespace == credential.Namespace
                && (grant.Name is null || grant.Name == credential.Name));
}

/// <summary>A ReferenceGrant that lets the Gateways of a namespace use credentials of another one.</summary>
/// <param name="FromNamespace">Namespace of the Gateways.</param>
/// <param name="Source">Kind of the credentials, as Gateways of Kubernetes' API are converted.</param>
/// <param name="Namespace">Namespace of the credentials.</param>
/// <param name="Name">The only credential that is meant; null for all.</param>
public sealed record CredentialGrant(string FromNamespace, CredentialSource Source, string Namespace, string? Name);
