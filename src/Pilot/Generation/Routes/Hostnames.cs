namespace Lateen.Pilot.Generation.Routes;

/// <summary>Comparisons of possibly wildcarded host names.</summary>
public static class Hostnames
{
    /// <summary>Starts with an asterisk.</summary>
    public static bool IsWildcard(string host) => host.StartsWith('*');

    /// <summary>Whether some name belongs to both.</summary>
    public static bool Overlap(string left, string right) => (IsWildcard(left), IsWildcard(right)) switch
    {
        (true, true) => Tail(left).EndsWith(Tail(right), StringComparison.Ordinal)
            || Tail(right).EndsWith(Tail(left), StringComparison.Ordinal),
        (true, false) => IsSubset(right, left),
        (false, true) => IsSubset(left, right),
        _ => left == right,
    };

    /// <summary>Whether every name of <paramref name="part"/> belongs to <paramref name="whole"/>.</summary>
    public static bool IsSubset(string part, string whole) => (IsWildcard(part), IsWildcard(whole)) switch
    {
        (_, false) => part == whole,
        (true, true) => Tail(part).EndsWith(Tail(whole), StringComparison.Ordinal),
        (false, true) => part.EndsWith(Tail(whole), StringComparison.Ordinal),
    };

    /// <summary>The names that both lists have in common, each in its narrower form, without duplicates, in the order of the first
    /// list.</summary>
    public static IReadOnlyList<string> Intersect(IEnumerable<string> left, IReadOnlyList<string> right)
    {
        var result = new List<string>();
        foreach (var a in left)
        {
            foreach (var b in right)
            {
                var common = IsSubset(a, b) ? a : IsSubset(b, a) ? b : null;
                if (common is not null && !result.Contains(common)) result.Add(common);
            }
        }
        return result;
    }

    /// <summary>Exact names first, then the longer wildcard, then by letters: the order in which hosts are tried.</summary>
    public static int BySpecificity(string left, string right)
    {
        if (IsWildcard(left) != IsWildcard(right)) return IsWildcard(left) ? 1 : -1;
        return IsWildcard(left) && left.Length != right.Length ? right.Length - left.Length : string.CompareOrdinal(left, right);
    }

    private static string Tail(string wildcard) => wildcard[1..];
}
