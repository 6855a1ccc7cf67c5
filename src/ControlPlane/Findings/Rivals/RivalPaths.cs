using Kubernetes.Networking.V1;
using Lateen.Config.Resources;

namespace Lateen.ControlPlane.Findings.Rivals;

/// <summary>Ingresses with one path of one host: their paths are added up, longest first; of equal ones that of the oldest Ingress is
/// served.</summary>
internal static class RivalPaths
{
    public static IEnumerable<Rivalry> Find(IReadOnlyList<Resource<Ingress>> ordered)
    {
        var owners = new Dictionary<(string Host, string Path, string Type), Claim>();
        foreach (Resource<Ingress> ingress in ordered.Where(ingress => ingress.Spec.Spec is not null))
        {
            foreach ((string host, HTTPIngressPath path, string place) in Paths(ingress.Spec.Spec))
            {
                var claim = new Claim(ingress, place);
                var key = (host, path.Path, path.HasPathType ? path.PathType : "");
                if (owners.TryAdd(key, claim) || owners[key].Resource == ingress) continue;
                yield return Rivalry.Of(OperatorCodes.MatchTaken, owners[key], claim,
                    $"path \"{path.Path}\" of {(host.Length > 0 ? $"host \"{host}\"" : "any host")}");
            }
        }
    }

    private static IEnumerable<(string Host, HTTPIngressPath Path, string Place)> Paths(IngressSpec spec) =>
        spec.Rules.SelectMany((rule, i) =>
            (rule.Http?.Paths ?? []).Select((path, j) => (rule.Host, path, $"spec.rules[{i}].http.paths[{j}]")));
}
