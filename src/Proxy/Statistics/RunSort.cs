namespace Lateen.Proxy.Statistics;

/// <summary>Sorts what is made of ascending runs that overlap little: names of groups one behind the other. Runs are merged in pairs, and
/// only where they overlap. Stable.</summary>
internal static class RunSort
{
    /// <summary>Sorts a part of an array.</summary>
    public static void Sort<T>(Span<T> items, Comparison<T> compare)
    {
        var starts = new List<int> { 0 };
        for (int i = 1; i < items.Length; i++)
        {
            if (compare(items[i - 1], items[i]) > 0)
                starts.Add(i);
        }
        T[] spare = starts.Count > 1 ? new T[items.Length] : [];
        while (starts.Count > 1)
        {
            var merged = new List<int>((starts.Count + 1) / 2);
            for (int i = 0; i < starts.Count; i += 2)
            {
                merged.Add(starts[i]);
                if (i + 1 < starts.Count)
                    Merge(items[starts[i]..(i + 2 < starts.Count ? starts[i + 2] : items.Length)], starts[i + 1] - starts[i], spare,
                        compare);
            }
            starts = merged;
        }
    }

    private static void Merge<T>(Span<T> items, int middle, T[] spare, Comparison<T> compare)
    {
        int from = Bound(items[..middle], items[middle], compare, after: true);
        int until = middle + Bound(items[middle..], items[middle - 1], compare, after: false);
        Span<T> left = spare.AsSpan(0, middle - from);
        items[from..middle].CopyTo(left);
        for (int l = 0, r = middle, to = from; l < left.Length; to++)
            items[to] = r < until && compare(items[r], left[l]) < 0 ? items[r++] : left[l++];
    }

    // The place behind all items that are smaller (or, after, not greater) than a value.
    private static int Bound<T>(ReadOnlySpan<T> items, T value, Comparison<T> compare, bool after)
    {
        int low = 0, high = items.Length;
        while (low < high)
        {
            int at = (low + high) >>> 1, order = compare(items[at], value);
            if (order < 0 || (after && order == 0))
                low = at + 1;
            else
                high = at;
        }
        return low;
    }
}
