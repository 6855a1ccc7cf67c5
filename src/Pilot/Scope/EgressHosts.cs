using Lateen.Pilot.Meaning.Compile;

namespace Lateen.Pilot.Scope;

/// <summary>The hosts of an egress listener by namespace: <c>namespace/host</c>, with <c>*</c>, <c>.</c> and <c>~</c>; a leading <c>~</c>
/// excludes.</summary>
public sealed class EgressHosts
{
    private readonly Dictionary<string, List<string>> _included = [];
    private readonly Dictionary<string, List<string>> _excluded = [];

    private bool _isEverything;

    private EgressHosts()
    {
    }

    /// <summary>Reads a host list; entries that are not of the form are left out.</summary>
    public static EgressHosts Of(IEnumerable<string> hosts, string ownNamespace)
    {
        var made = new EgressHosts();
        foreach (var entry in hosts)
        {
            var slash = entry.IndexOf('/', StringComparison.Ordinal);
            if (slash < 0 || entry.IndexOf('/', slash + 1) >= 0) continue;
            var ns = entry[..slash];
            // "~/*" is the old way to import nothing; "~/host" leaves a host out of all namespaces, "~namespace/host" out of one.
            if (entry == "~/*") continue;
            var isExclusion = ns.StartsWith('~');
            if (isExclusion) ns = ns.Length == 1 ? "*" : ns[1..];
            if (ns == ".") ns = ownNamespace;
            var into = isExclusion ? made._excluded : made._included;
            if (!into.TryGetValue(ns, out var list)) into.Add(ns, list = []);
            list.Add(entry[(slash + 1)..]);
        }
        made._isEverything = made._excluded.Count == 0 && made._included.TryGetValue("*", out var any) && any.Contains("*");
        return made;
    }

    /// <summary>Whether a service is imported: every host of it must be covered.</summary>
    public bool ImportsService(string ns, string hostname) =>
        _isEverything || Covers(_included, ns, hostname, Hosts.IsSubsetOf) && !Covers(_excluded, ns, hostname, Hosts.IsSubsetOf);

    /// <summary>Whether a VirtualService's host is imported: some host of it must be.</summary>
    public bool ImportsRule(string ns, string host) =>
        _isEverything || Covers(_included, ns, host, Hosts.Matches) && !Covers(_excluded, ns, host, Hosts.IsSubsetOf);

    private static bool Covers(Dictionary<string, List<string>> hosts, string ns, string host, Func<string, string, bool> covers) =>
        (hosts.TryGetValue(ns, out var own) && own.Exists(pattern => covers(host, pattern)))
        || (hosts.TryGetValue("*", out var any) && any.Exists(pattern => covers(host, pattern)));
}
