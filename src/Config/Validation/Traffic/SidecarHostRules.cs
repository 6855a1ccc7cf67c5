using Istio.Networking.V1Alpha3;
using Lateen.Api.Names;
using Codes = Lateen.Config.Validation.ValidationCodes;

namespace Lateen.Config.Validation.Traffic;

/// <summary>The hosts of a Sidecar's egress listeners: <c>namespace/host</c>, where <c>~</c> excludes.</summary>
internal static class SidecarHostRules
{
    public static void Check(Findings f, string path, string host)
    {
        var slash = host.IndexOf('/', StringComparison.Ordinal);
        if (slash <= 0 || slash == host.Length - 1)
        {
            f.Error(Codes.SidecarHosts, path, $"host \"{host}\" must be of form namespace/dnsName");
            return;
        }

        var (ns, name) = (host[..slash], host[(slash + 1)..]);
        var plain = ns.Length > 1 && ns[0] == '~' ? ns[1..] : ns;
        f.ErrorIf(plain is not ("*" or "." or "~") && !NameRules.IsLabel(plain), Codes.SidecarHosts, path,
            $"invalid namespace value \"{ns}\" in sidecar");
        f.ErrorIf(NameRules.WildcardDomain(name), Codes.SidecarHosts, path);
    }

    /// <summary>A host that another of the same listener already contains.</summary>
    public static void Redundant(Findings f, Sidecar sidecar, string ns)
    {
        for (var i = 0; i < sidecar.Egress.Count; i++)
        {
            var hosts = sidecar.Egress[i].Hosts.Where(h => !h.StartsWith('~') && h.Contains('/'))
                .Select(h => (Written: h, Scope: Scope(h, ns), Name: h[(h.IndexOf('/', StringComparison.Ordinal) + 1)..])).ToArray();
            for (var j = 0; j < hosts.Length; j++)
            {
                var (written, scope, name) = hosts[j];
                var wider = hosts.Where((other, k) => k != j && (other.Scope == "*" || other.Scope == scope)
                    && HostNames.IsSubsetOf(name, other.Name)
                    && ((other.Scope, other.Name) != (scope, name) || k < j)).Select(other => other.Written).FirstOrDefault();
                f.WarnIf(wider is not null, Codes.SidecarHostsRedundant, $"spec.egress[{i}].hosts[{j}]",
                    $"{written} is already contained in {wider}");
            }
        }
    }

    private static string Scope(string host, string ns)
    {
        var scope = host[..host.IndexOf('/', StringComparison.Ordinal)];
        return scope == "." ? ns : scope;
    }
}
