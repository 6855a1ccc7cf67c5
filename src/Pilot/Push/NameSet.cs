using System.Collections;

namespace Lateen.Pilot.Push;

/// <summary>Names that are subscribed to. Immutable, and one object for all sessions that came to the same names by the same steps, so that
/// a thousand proxies hold one list.</summary>
internal sealed class NameSet : IReadOnlySet<string>
{
    /// <summary>No names; every session begins here.</summary>
    public static NameSet Empty => new([]);

    // A set is left by few ways: the clusters of a mesh change for all its proxies alike.
    private const int StepsMax = 16;
    private readonly HashSet<string> _names;
    private readonly List<WeakReference<NameSet>> _steps = [];

    private NameSet(HashSet<string> names) => _names = names;

    /// <inheritdoc/>
    public int Count => _names.Count;

    /// <summary>These names and those.</summary>
    public NameSet With(IReadOnlyCollection<string> added)
    {
        var news = added.Count(name => !_names.Contains(name));
        // Names within one request may repeat; then the sizes differ and no known step is taken.
        return news == 0 ? this : Step(_names.Count + news, set => added.All(set.Contains), () => [.. _names, .. added]);
    }

    /// <summary>These names without those.</summary>
    public NameSet Without(IReadOnlyCollection<string> dropped)
    {
        var fewer = dropped.Count(_names.Contains);
        return fewer == 0 ? this : Step(_names.Count - fewer, set => !dropped.Any(set.Contains), () => [.. _names.Except(dropped)]);
    }

    // A step that was taken before added only, or dropped only, so that size and the changed names tell it.
    private NameSet Step(int count, Func<HashSet<string>, bool> isSame, Func<HashSet<string>> make)
    {
        for (var i = _steps.Count - 1; i >= 0; i--)
        {
            if (!_steps[i].TryGetTarget(out var known)) _steps.RemoveAt(i);
            else if (known.Count == count && isSame(known._names)) return known;
        }
        var made = new NameSet(make());
        if (_steps.Count == StepsMax) _steps.RemoveAt(0);
        _steps.Add(new WeakReference<NameSet>(made));
        return made;
    }

    /// <inheritdoc/>
    public bool Contains(string item) => _names.Contains(item);

    /// <inheritdoc/>
    public bool IsProperSubsetOf(IEnumerable<string> other) => _names.IsProperSubsetOf(other);

    /// <inheritdoc/>
    public bool IsProperSupersetOf(IEnumerable<string> other) => _names.IsProperSupersetOf(other);

    /// <inheritdoc/>
    public bool IsSubsetOf(IEnumerable<string> other) => _names.IsSubsetOf(other);

    /// <inheritdoc/>
    public bool IsSupersetOf(IEnumerable<string> other) => _names.IsSupersetOf(other);

    /// <inheritdoc/>
    public bool Overlaps(IEnumerable<string> other) => _names.Overlaps(other);

    /// <inheritdoc/>
    public bool SetEquals(IEnumerable<string> other) => _names.SetEquals(other);

    /// <inheritdoc/>
    public IEnumerator<string> GetEnumerator() => _names.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
