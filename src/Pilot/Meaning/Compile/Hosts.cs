namespace Lateen.Pilot.Meaning.Compile;

/// <summary>Host names as resources write them.</summary>
internal static class Hosts
{
    /// <summary>A name without a dot belongs to the namespace of the resource, never to the client's; everything else is as it is
    /// written.</summary>
    public static string Resolve(string host, string ns, string domainSuffix)
    {
        if (host.Length == 0 || host == "*" || host.Contains('.', StringComparison.Ordinal) || host.Contains(':', StringComparison.Ordinal))
            return host;
        var local = ns.Length == 0 ? host : $"{host}.{ns}";
        return domainSuffix.Length == 0 ? local : $"{local}.svc.{domainSuffix}";
    }

    /// <summary>Whether every name of <paramref name="host"/> is one of <paramref name="pattern"/>'s.</summary>
    public static bool IsSubsetOf(string host, string pattern)
    {
        if (!pattern.StartsWith('*')) return host == pattern;
        return host.EndsWith(pattern[1..], StringComparison.Ordinal) && (!host.StartsWith('*') || host.Length >= pattern.Length);
    }

    /// <summary>Whether some name is of both.</summary>
    public static bool Matches(string left, string right) => IsSubsetOf(left, right) || IsSubsetOf(right, left);

    /// <summary>The most specific of the wildcard hosts that covers a host: the longest, then the first by letters.</summary>
    public static string? MostSpecific(string host, IEnumerable<string> wildcards)
    {
        string? best = null;
        foreach (var wildcard in wildcards)
        {
            if (!IsSubsetOf(host, wildcard)) continue;
            if (best is null || wildcard.Length > best.Length
                || (wildcard.Length == best.Length && string.CompareOrdinal(wildcard, best) < 0)) best = wildcard;
        }
        return best;
    }
}
