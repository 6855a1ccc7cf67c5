using System.Collections.Immutable;
using Kubernetes.Gateway.V1;
using Lateen.Config.Resources;

namespace Lateen.Pilot.Meaning.Compile;

/// <summary>What ReferenceGrants say about credentials of Gateways.</summary>
internal static class CredentialGrants
{
    private const string GatewayGroup = "gateway.networking.k8s.io";

    public static ImmutableArray<CredentialGrant> Of(IEnumerable<Resource<ReferenceGrant>> grants) =>
    [
        .. grants.SelectMany(static grant =>
            from source in grant.Spec.Spec.From
            where source.Group == GatewayGroup && source.Kind is "Gateway" or "ListenerSet"
            from target in grant.Spec.Spec.To
            where target.Group.Length == 0 && target.Kind is "Secret" or "ConfigMap"
            select new CredentialGrant(
                source.Namespace, target.Kind == "Secret"
                    ? CredentialSource.KubernetesGateway : CredentialSource.ConfigMap, grant.Metadata.Namespace,
                string.IsNullOrEmpty(target.Name) ? null : target.Name)),
    ];
}
