using System.Net;

namespace Lateen.Api.Names;

/// <summary>Host names that may begin with a star: the star stands for any beginning, over any number of labels.</summary>
public static class HostNames
{
    public static bool IsWildcard(string name) => name.Length > 0 && name[0] == '*';

    /// <summary>Whether some host is named by both.</summary>
    public static bool Matches(string a, string b) => (IsWildcard(a), IsWildcard(b)) switch
    {
        (true, true) => a.Length < b.Length ? EndsWith(b, a) : EndsWith(a, b),
        (true, false) => EndsWith(b, a),
        (false, true) => EndsWith(a, b),
        _ => a == b,
    };

    /// <summary>Whether every host named by <paramref name="a"/> is named by <paramref name="b"/>.</summary>
    public static bool IsSubsetOf(string a, string b) => (IsWildcard(a), IsWildcard(b)) switch
    {
        (true, true) => a.Length >= b.Length && EndsWith(a, b),
        (true, false) => false,
        (false, true) => EndsWith(a, b),
        _ => a == b,
    };

    /// <summary>Orders names: those without star first, then the longer, then by letters. The most specific comes first.</summary>
    public static int CompareSpecificity(string a, string b)
    {
        if (a.Length == 0 || b.Length == 0) return b.Length.CompareTo(a.Length);
        var byStar = IsWildcard(a).CompareTo(IsWildcard(b));
        var byLength = b.Length.CompareTo(a.Length);
        return byStar != 0 ? byStar : byLength != 0 ? byLength : string.CompareOrdinal(a, b);
    }

    /// <summary>Whether <paramref name="a"/> comes first; equal names do not come before each other, except that nothing is before an empty
    /// one.</summary>
    public static bool IsMoreSpecific(string a, string b) => b.Length == 0 || CompareSpecificity(a, b) < 0;

    /// <summary>The names, the most specific first.</summary>
    public static List<string> SortBySpecificity(IEnumerable<string> names)
    {
        var sorted = names.ToList();
        sorted.Sort(CompareSpecificity);
        return sorted;
    }

    /// <summary>The most specific of the candidates that covers <paramref name="name"/>; a name with star is covered only by a candidate
    /// that covers all of it.</summary>
    public static string? MostSpecificMatch(string name, IEnumerable<string> candidates)
    {
        var best = (string?)null;
        foreach (var candidate in candidates)
        {
            if (IsSubsetOf(name, candidate) && (best is null || CompareSpecificity(candidate, best) < 0)) best = candidate;
        }

        return best;
    }

    /// <summary>What both lists name, by the narrower name of each overlapping pair, in the order of the first list.</summary>
    public static List<string> Intersection(IEnumerable<string> a, IReadOnlyCollection<string> b)
    {
        var common = new List<string>();
        foreach (var left in a)
        {
            foreach (var right in b)
            {
                var narrower = IsSubsetOf(left, right) ? left : IsSubsetOf(right, left) ? right : null;
                if (narrower is not null && !common.Contains(narrower)) common.Add(narrower);
            }
        }

        return common;
    }

    /// <summary>The hosts of a list of <c>namespace/host</c> and <c>host</c> that concern the namespace, without the prefix.</summary>
    public static List<string> ForNamespace(IEnumerable<string> hosts, string ns)
    {
        var found = new List<string>();
        foreach (var host in hosts)
        {
            var slash = host.IndexOf('/', StringComparison.Ordinal);
            var scope = slash < 0 ? "*" : host[..slash];
            if (scope == "*" || scope == ns) found.Add(host[(slash + 1)..]);
        }

        return found;
    }

    /// <summary>A name without a dot belongs to the namespace of the object that writes it; addresses, stars and names with a dot
    /// stay.</summary>
    /// <param name="name">As written.</param>
    /// <param name="ns">The namespace of the object; may be empty.</param>
    /// <param name="domain">The cluster's domain, like <c>cluster.local</c>; may be empty.</param>
    public static string Resolve(string name, string ns, string domain)
    {
        if (name.Length == 0 || name == "*" || name.Contains('.') || IPAddress.TryParse(name, out _)) return name;
        return name + (ns.Length > 0 ? "." + ns : "") + (domain.Length > 0 ? ".svc." + domain : "");
    }

    /// <summary>Whether <c>scope/host</c> is visible from a namespace: <c>*</c> everywhere, <c>.</c> where the host's own namespace (its
    /// second label) is.</summary>
    public static bool IsInScope(string scopedHost, string ns)
    {
        var slash = scopedHost.IndexOf('/', StringComparison.Ordinal);
        var scope = slash < 0 ? "*" : scopedHost[..slash];
        var labels = scopedHost[(slash + 1)..].Split('.');
        return scope == "*" || scope == ns || (scope == "." && labels.Length > 1 && labels[1] == ns);
    }

    /// <summary>The namespaces of a list with commas, as in the annotation networking.istio.io/exportTo: empty is everywhere, a dot the own
    /// namespace.</summary>
    public static IReadOnlyList<string> ExportedTo(string annotation, string ns)
    {
        var parts = annotation.Split(',', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return parts.Length == 0 ? ["*"] : parts.Select(p => p == "." ? ns : p).ToArray();
    }

    private static bool EndsWith(string name, string wildcard) =>
        name.AsSpan(IsWildcard(name) ? 1 : 0).EndsWith(wildcard.AsSpan(1), StringComparison.Ordinal);
}
