namespace Lateen.Pilot.Generation.Security;

/// <summary>Names of the same identity in all trust domains that stand for the own one.</summary>
internal static class TrustDomainAliases
{
    private const string Default = "cluster.local";
    private const int IdentityParts = 5;

    /// <summary>Writes each identity of the own trust domain once for every trust domain.</summary>
    /// <param name="identities"><c>trust-domain/ns/NS/sa/SA</c>; the trust domain may begin or end with an asterisk.</param>
    /// <param name="trustDomains">Own trust domain and its aliases.</param>
    public static IReadOnlyList<string> Expand(IReadOnlyList<string> identities, IReadOnlyList<string> trustDomains)
    {
        if (trustDomains.Count == 0) return identities;
        var result = new List<string>();
        foreach (var identity in identities)
        {
            // cluster.local written in a policy means "this mesh", whatever it is called.
            if (!IsEnforced(identity) || DomainOf(identity) is not { } written
                || (written != Default && !MatchesAny(written, trustDomains)))
            {
                result.Add(identity);
                continue;
            }
            foreach (var domain in trustDomains)
            {
                // A suffix that covers the domain already says what its full name would.
                var named = written.StartsWith('*') && Matches(domain, written) ? identity : In(domain, identity)!;
                if (!result.Contains(named)) result.Add(named);
            }
        }
        return result;
    }

    /// <summary>The trust domain of an identity; null for texts of other forms (a prefix, a suffix, any), which are not told apart by
    /// it.</summary>
    public static string? DomainOf(string identity) => identity.Split('/') is { Length: IdentityParts } parts ? parts[0] : null;

    /// <summary>Whether an identity asks for certain trust domains at all.</summary>
    public static bool IsEnforced(string identity) => DomainOf(identity) is not (null or "*");

    /// <summary>The identity in another trust domain; null when it has none.</summary>
    public static string? In(string trustDomain, string identity) =>
        DomainOf(identity) is { } domain ? trustDomain + identity[domain.Length..] : null;

    /// <summary>Whether a pattern (a name, or one with an asterisk at an end) covers one of the trust domains.</summary>
    public static bool MatchesAny(string pattern, IEnumerable<string> trustDomains) => trustDomains.Any(own => Matches(own, pattern));

    private static bool Matches(string own, string pattern)
    {
        if (pattern.StartsWith('*')) return own.EndsWith(pattern[1..], StringComparison.Ordinal);
        if (pattern.EndsWith('*')) return own.StartsWith(pattern[..^1], StringComparison.Ordinal);
        return own == pattern;
    }
}
