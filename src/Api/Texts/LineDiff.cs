namespace Lateen.Api.Texts;

/// <summary>What differs between two texts, line by line. For resources: hundreds of lines, not millions.</summary>
public static class LineDiff
{
    private const int Context = 3;
    private const int LinesMax = 4000;

    /// <summary>Both as one text, each line with a sign before it: blank, minus or plus.</summary>
    public static IReadOnlyList<string> Whole(string before, string after) =>
        [.. Script(Lines(before), Lines(after)).Select(step => step.Sign + step.Text)];

    /// <summary>Hunks as <c>diff -u</c> has them: a line <c>@@ -from,count +from,count @@</c>, then signed lines, three equal ones around
    /// each change.</summary>
    public static IReadOnlyList<string> Hunks(string before, string after)
    {
        List<(char Sign, string Text)> script = Script(Lines(before), Lines(after));
        var hunks = new List<string>();
        int i = 0, leftLine = 1, rightLine = 1;
        while (i < script.Count)
        {
            int next = script.FindIndex(i, step => step.Sign != ' ');
            if (next < 0) break;
            int start = Math.Max(i, next - Context);
            leftLine += start - i;
            rightLine += start - i;
            int end = End(script, next);
            List<(char Sign, string Text)> hunk = script[start..end];
            int removed = hunk.Count(step => step.Sign != '+'), added = hunk.Count(step => step.Sign != '-');
            hunks.Add($"@@ -{leftLine},{removed} +{rightLine},{added} @@");
            hunks.AddRange(hunk.Select(step => step.Sign + step.Text));
            leftLine += removed;
            rightLine += added;
            i = end;
        }
        return hunks;
    }

    // A hunk ends where more than twice the context is equal.
    private static int End(List<(char Sign, string Text)> script, int from)
    {
        int lastChange = from;
        for (int i = from; i < script.Count && i - lastChange <= 2 * Context; i++)
        {
            if (script[i].Sign != ' ') lastChange = i;
        }
        return Math.Min(script.Count, lastChange + Context + 1);
    }

    // Longest common subsequence by the table; texts beyond the bound are told as one gone and one come.
    private static List<(char Sign, string Text)> Script(string[] left, string[] right)
    {
        if (left.Length > LinesMax || right.Length > LinesMax)
            return [.. left.Select(line => ('-', line)), .. right.Select(line => ('+', line))];
        var common = new int[left.Length + 1, right.Length + 1];
        for (int i = left.Length - 1; i >= 0; i--)
        {
            for (int j = right.Length - 1; j >= 0; j--)
                common[i, j] = left[i] == right[j] ? common[i + 1, j + 1] + 1 : Math.Max(common[i + 1, j], common[i, j + 1]);
        }
        var script = new List<(char, string)>(left.Length + right.Length);
        int l = 0, r = 0;
        while (l < left.Length || r < right.Length)
        {
            if (l < left.Length && r < right.Length && left[l] == right[r])
            {
                script.Add((' ', left[l++]));
                r++;
            }
            else if (l < left.Length && (r == right.Length || common[l + 1, r] >= common[l, r + 1])) script.Add(('-', left[l++]));
            else script.Add(('+', right[r++]));
        }
        return script;
    }

    private static string[] Lines(string text) => text.Length == 0 ? [] : text.TrimEnd('\n').Split('\n');
}
