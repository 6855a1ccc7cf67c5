namespace Lateen.Registry.Compile;

/// <summary>What differs between two lists of objects, whatever their order.</summary>
/// <typeparam name="T">Objects; compared as such.</typeparam>
/// <param name="Gone">Those that only the first has.</param>
/// <param name="Come">Those that only the second has.</param>
public readonly record struct ListChange<T>(IReadOnlyList<T> Gone, IReadOnlyList<T> Come) where T : class
{
    /// <summary>Nothing differs.</summary>
    public bool IsNone => Gone.Count == 0 && Come.Count == 0;

    /// <summary>From one list to the next. Lists that follow each other differ in few places.</summary>
    public static ListChange<T> Between(IReadOnlyList<T> before, IReadOnlyList<T> now)
    {
        if (ReferenceEquals(before, now)) return new([], []);
        var (start, end) = (0, 0);
        var shorter = Math.Min(before.Count, now.Count);
        while (start < shorter && ReferenceEquals(before[start], now[start])) start++;
        while (end < shorter - start && ReferenceEquals(before[before.Count - 1 - end], now[now.Count - 1 - end])) end++;
        var (gone, come) = (before.Count - start - end, now.Count - start - end);
        return gone == come ? Replaced(before, now, start, gone) : Others(Slice(before, start, gone), Slice(now, start, come));
    }

    private static ListChange<T> Replaced(IReadOnlyList<T> before, IReadOnlyList<T> now, int start, int count)
    {
        var (gone, come) = (new List<T>(), new List<T>());
        for (var i = start; i < start + count; i++)
        {
            if (ReferenceEquals(before[i], now[i])) continue;
            gone.Add(before[i]);
            come.Add(now[i]);
        }
        return new(gone, come);
    }

    private static ListChange<T> Others(List<T> before, List<T> now)
    {
        var known = new HashSet<T>(before, ReferenceEqualityComparer.Instance);
        var kept = new HashSet<T>(now, ReferenceEqualityComparer.Instance);
        return new(before.FindAll(item => !kept.Contains(item)), now.FindAll(item => !known.Contains(item)));
    }

    private static List<T> Slice(IReadOnlyList<T> list, int start, int count)
    {
        var slice = new List<T>(count);
        for (var i = 0; i < count; i++) slice.Add(list[start + i]);
        return slice;
    }
}
