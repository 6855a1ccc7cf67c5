namespace Lateen.Api.Names;

/// <summary>Equal sets of labels, once for all objects that have the same: the pods of a deployment by the hundred.</summary>
/// <remarks>Of the process. A set that falls on the place of another one takes it, so that the pool never grows; whoever has the other
/// one keeps it.</remarks>
public static class LabelPool
{
    private static readonly LabelSet?[] Sets = new LabelSet?[1 << 12];

    /// <summary>The set, or one that is equal and was there before.</summary>
    public static LabelSet Shared(LabelSet made)
    {
        if (made.Count == 0) return made;
        var hash = default(HashCode);
        foreach (var (key, value) in made) hash.Add((key, value));
        ref var place = ref Sets[hash.ToHashCode() & (Sets.Length - 1)];
        return place is { } known && known.SequenceEqual(made) ? known : place = made;
    }
}
