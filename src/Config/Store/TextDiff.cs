namespace Lateen.Config.Store;

/// <summary>The difference of two texts by lines, in the unified form without headers.</summary>
public static class TextDiff
{
    private const int LinesMax = 4000;

    /// <summary>Lines with <c>+</c>, <c>-</c> or a blank before them; runs of equal lines are cut to <paramref name="context"/> around changes.</summary>
    public static IReadOnlyList<string> Lines(string? before, string? after, int context = 3)
    {
        var (a, b) = (Split(before), Split(after));
        if (a.Length > LinesMax || b.Length > LinesMax)
        {
            return [.. a.Select(l => "-" + l), .. b.Select(l => "+" + l)];
        }

        return Cut(Walk(a, b), context);
    }

    private static string[] Split(string? text) => string.IsNullOrEmpty(text) ? [] : text.TrimEnd('\n').Split('\n');

    /// <summary>Longest common subsequence by dynamic programming: texts of objects are short.</summary>
    private static List<string> Walk(string[] a, string[] b)
    {
        var length = new int[a.Length + 1, b.Length + 1];
        for (var i = a.Length - 1; i >= 0; i--)
        {
            for (var j = b.Length - 1; j >= 0; j--)
            {
                length[i, j] = a[i] == b[j] ? length[i + 1, j + 1] + 1 : Math.Max(length[i + 1, j], length[i, j + 1]);
            }
        }

        var lines = new List<string>();
        for (int i = 0, j = 0; i < a.Length || j < b.Length;)
        {
            if (i < a.Length && j < b.Length && a[i] == b[j])
            {
                lines.Add(" " + a[i]);
                (i, j) = (i + 1, j + 1);
            }
            else if (j == b.Length || (i < a.Length && length[i + 1, j] >= length[i, j + 1]))
            {
                lines.Add("-" + a[i++]);
            }
            else
            {
                lines.Add("+" + b[j++]);
            }
        }

        return lines;
    }

    private static List<string> Cut(List<string> lines, int context)
    {
        var kept = new List<string>();
        for (var i = 0; i < lines.Count; i++)
        {
            var isNear = Enumerable.Range(Math.Max(0, i - context), Math.Min(lines.Count, i + context + 1) - Math.Max(0, i - context)).Any(n => lines[n][0] != ' ');
            if (isNear)
            {
                kept.Add(lines[i]);
            }
            else if (kept.Count > 0 && kept[^1] != "…" && lines.Skip(i).Any(l => l[0] != ' '))
            {
                kept.Add("…");
            }
        }

        return kept;
    }
}
