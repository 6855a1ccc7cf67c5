namespace Lateen.Console.Pages;

/// <summary>Two texts as one, each line with a sign before it: blank, minus or plus.</summary>
internal static class LineDifference
{
    public static IReadOnlyList<string> Of(string before, string after)
    {
        string[] left = Lines(before), right = Lines(after);
        int[,] common = Common(left, right);
        var lines = new List<string>(left.Length + right.Length);
        int l = 0, r = 0;
        while (l < left.Length || r < right.Length)
        {
            if (l < left.Length && r < right.Length && left[l] == right[r])
            {
                lines.Add(" " + left[l++]);
                r++;
            }
            else if (l < left.Length && (r == right.Length || common[l + 1, r] >= common[l, r + 1])) lines.Add("-" + left[l++]);
            else lines.Add("+" + right[r++]);
        }
        return lines;
    }

    // Length of the longest common subsequence from each pair of places to the ends.
    private static int[,] Common(string[] left, string[] right)
    {
        var length = new int[left.Length + 1, right.Length + 1];
        for (int l = left.Length - 1; l >= 0; l--)
        {
            for (int r = right.Length - 1; r >= 0; r--)
                length[l, r] = left[l] == right[r] ? length[l + 1, r + 1] + 1 : Math.Max(length[l + 1, r], length[l, r + 1]);
        }
        return length;
    }

    private static string[] Lines(string text) => text.Length == 0 ? [] : text.TrimEnd('\n').Split('\n');
}
