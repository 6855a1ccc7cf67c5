namespace Lateen.Registry.Compile;

/// <summary>What was made last for each owner, and of what: the same object again as long as all of its parts are the same.</summary>
/// <typeparam name="TOwner">Names what is made.</typeparam>
/// <typeparam name="T">What is made.</typeparam>
internal sealed class MadeOf<TOwner, T> where TOwner : notnull where T : class
{
    private Dictionary<TOwner, (object[] Parts, T Value)> _made = [];
    private Dictionary<TOwner, (object[] Parts, T Value)> _before = [];

    /// <summary>What is made of these parts.</summary>
    public T Of(TOwner owner, object[] parts, Func<T> make)
    {
        var isKnown = (_made.TryGetValue(owner, out var known) && Same(known.Parts, parts))
            || (_before.TryGetValue(owner, out known) && Same(known.Parts, parts));
        var value = isKnown ? known.Value : make();
        // Of parts that say the same the older ones may go.
        _made[owner] = (parts, value);
        return value;
    }

    /// <summary>The owner is no more.</summary>
    public void Remove(TOwner owner) => _made.Remove(owner);

    /// <summary>Everything is asked for anew.</summary>
    public void Begin() => (_before, _made) = (_made, new(_made.Count));

    /// <summary>Everything was asked for: what was not is no more.</summary>
    public void End() => _before = [];

    // Resources and what is made of them are compared as objects, the few texts, numbers and declarations by value.
    private static bool Same(object[] left, object[] right)
    {
        if (left.Length != right.Length) return false;
        for (var i = 0; i < left.Length; i++)
        {
            if (!ReferenceEquals(left[i], right[i]) && !(left[i] is string or ValueType && left[i].Equals(right[i]))) return false;
        }
        return true;
    }
}
