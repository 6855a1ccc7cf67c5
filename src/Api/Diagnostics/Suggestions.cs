namespace Lateen.Api.Diagnostics;

/// <summary>Finds the word that was probably meant. Runs only once something is already wrong, so it may take its time.</summary>
public static class Suggestions
{
    private const int WordCharsMax = 64;

    /// <summary>The candidate nearest to <paramref name="word"/>, or null when none is near enough to be a typing mistake.</summary>
    /// <remarks>Case does not count. Up to a third of the letters may differ; a candidate that begins with the word is near, too.</remarks>
    public static string? Nearest(string word, IEnumerable<string> candidates)
    {
        if (word.Length is 0 or > WordCharsMax) return null;
        var best = (string?)null;
        var bestDistance = Math.Max(1, word.Length / 3) + 1;
        foreach (var candidate in candidates)
        {
            var distance = Distance(word, candidate, bestDistance);
            if (distance < bestDistance) (best, bestDistance) = (candidate, distance);
        }

        return best ?? candidates.FirstOrDefault(c => word.Length >= 3 && c.StartsWith(word, StringComparison.OrdinalIgnoreCase));
    }

    /// <summary>A sentence to append to a text: <c>; did you mean "hosts"?</c>, or nothing.</summary>
    public static string DidYouMean(string word, IEnumerable<string> candidates) =>
        Nearest(word, candidates) is { } nearest ? $"; did you mean \"{nearest}\"?" : "";

    /// <summary>Optimal string alignment: insertions, deletions, substitutions and swapped neighbours cost one each.</summary>
    private static int Distance(string a, string b, int limit)
    {
        if (Math.Abs(a.Length - b.Length) >= limit || b.Length > WordCharsMax) return int.MaxValue;
        Span<int> before = stackalloc int[WordCharsMax + 1];
        Span<int> previous = stackalloc int[WordCharsMax + 1];
        Span<int> current = stackalloc int[WordCharsMax + 1];
        for (var j = 0; j <= b.Length; j++) previous[j] = j;
        for (var i = 1; i <= a.Length; i++)
        {
            current[0] = i;
            for (var j = 1; j <= b.Length; j++)
            {
                var same = char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 1]);
                var cost = Math.Min(Math.Min(previous[j] + 1, current[j - 1] + 1), previous[j - 1] + (same ? 0 : 1));
                var swapped = i > 1 && j > 1
                    && char.ToLowerInvariant(a[i - 1]) == char.ToLowerInvariant(b[j - 2])
                    && char.ToLowerInvariant(a[i - 2]) == char.ToLowerInvariant(b[j - 1]);
                current[j] = swapped ? Math.Min(cost, before[j - 2] + 1) : cost;
            }

            previous.CopyTo(before);
            current.CopyTo(previous);
        }

        return previous[b.Length];
    }
}
