using Istio.Networking.V1Alpha3;
using Lateen.Pilot.Meaning;
using Lateen.Registry;
using TlsMode = Istio.Networking.V1Alpha3.ServerTLSSettings.Types.TLSmode;

namespace Lateen.Pilot.Scope.Gateways;

/// <summary>Which credentials a Gateway lets a proxy have.</summary>
internal static class GatewayCredentials
{
    private const string CaSuffix = "-cacert";

    /// <summary>Credentials of one Gateway's servers that a proxy with this identity may be given.</summary>
    public static IEnumerable<string> Of(GatewayIndex index, Meant<Gateway> gateway, Identity proxy)
    {
        foreach (var tls in gateway.Spec.Servers.Select(server => server.Tls).Where(tls => tls is not null))
        {
            var isMutual = tls.Mode is TlsMode.Mutual or TlsMode.OptionalMutual;
            foreach (var name in Named(tls))
            {
                if (!IsAllowed(index, gateway, proxy, name)) continue;
                yield return name;
                if (isMutual) yield return name + CaSuffix;
            }
            var anchors = tls.CaCertCredentialName;
            if (isMutual && anchors.Length > 0 && IsAllowed(index, gateway, proxy, ResourceName(anchors)))
                yield return ResourceName(anchors);
        }
    }

    private static IEnumerable<string> Named(ServerTLSSettings tls) =>
        tls.CredentialNames.Append(tls.CredentialName).Where(static name => name.Length > 0).Select(ResourceName);

    private static bool IsAllowed(GatewayIndex index, Meant<Gateway> gateway, Identity proxy, string resource)
    {
        if (CredentialName.Parse(resource, proxy.Namespace) is not { } name) return false;
        return name.Namespace == proxy.Namespace ? gateway.Origin.Namespace == proxy.Namespace : index.MayUse(proxy.Namespace, name);
    }

    private static string ResourceName(string name) => name.Contains("://", StringComparison.Ordinal) ? name : "kubernetes://" + name;
}
