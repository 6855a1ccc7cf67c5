using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>VirtualServices for one host in sidecars: one of them routes it, nothing is merged. Those on one gateway are merged, see
/// <see cref="RivalMatches"/>.</summary>
internal static class RivalHosts
{
    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<VirtualService>> ordered, string domain)
    {
        var owners = new Dictionary<(string Audience, string Host), Claim>();
        foreach (Resource<VirtualService> service in ordered.Where(IsForSidecars))
        {
            var own = new HashSet<string>();
            for (int i = 0; i < service.Spec.Hosts.Count; i++)
            {
                string host = HostNames.Resolve(service.Spec.Hosts[i], service.Namespace, domain);
                if (!own.Add(host)) continue;
                var claim = new Claim(service, $"spec.hosts[{i}]");
                if (!owners.TryAdd((Audience(service), host), claim))
                    yield return Between(owners[(Audience(service), host)], claim, service.Spec.Hosts[i]);
            }
        }
    }

    private static Rivalry Between(Claim winner, Claim loser, string host)
    {
        string rule = Rivalry.ByAge(winner.Resource, loser.Resource);
        return new Rivalry(
            OperatorCodes.HostTaken,
            winner, $"host \"{host}\" is also claimed by {loser}, whose routes are not used for it in sidecars: {rule}",
            loser, $"host \"{host}\" is routed by {winner}, so these routes are not used for it in sidecars: {rule}");
    }

    // A delegate has no hosts of its own; one that names only real gateways is not seen by sidecars.
    private static bool IsForSidecars(Resource<VirtualService> service) =>
        service.Spec.Gateways.Count == 0 || service.Spec.Gateways.Contains("mesh");

    // Rules that only their own namespace sees do not meet those of others.
    private static string Audience(Resource<VirtualService> service) =>
        service.Spec.ExportTo.Count == 1 && service.Spec.ExportTo[0] is "." ? service.Namespace : "*";
}
