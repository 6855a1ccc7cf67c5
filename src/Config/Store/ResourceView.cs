using System.Collections.Frozen;
using Google.Protobuf;
using Lateen.Api.Diagnostics;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>A form of an object that was not taken in, and why. What is in the view under the same key, if anything, is its last good
/// form.</summary>
public sealed record HeldResource(Resource Resource, IReadOnlyList<Diagnostic> Diagnostics);

/// <summary>All objects at one generation. Immutable.</summary>
public sealed class ResourceView
{
    public static readonly ResourceView Empty = new(0, [], FrozenDictionary<ResourceKey, HeldResource>.Empty);

    // Never changed once it is here: freezing a dictionary costs more than a view is asked.
    private readonly Dictionary<ResourceKind, KindView> _kinds;

    private ResourceView(long generation, Dictionary<ResourceKind, KindView> kinds, FrozenDictionary<ResourceKey, HeldResource> held) =>
        (Generation, _kinds, Held) = (generation, kinds, held);

    /// <summary>Counts the changes of this store since it started, from 1; 0 is the empty view.</summary>
    public long Generation { get; }

    /// <summary>Objects whose present form is not good.</summary>
    public IReadOnlyDictionary<ResourceKey, HeldResource> Held { get; }

    public int Count => _kinds.Values.Sum(k => k.Count);

    /// <summary>A view of these objects, for tests and for commands without a store.</summary>
    public static ResourceView Of(IEnumerable<Resource> resources) =>
        Empty.Next(resources.ToDictionary(r => r.Key, r => (Resource?)r), new Dictionary<ResourceKey, HeldResource?>());

    /// <summary>All objects of a kind: the oldest first, then by name and namespace, which is the order in which Istio lets one
    /// win.</summary>
    public IReadOnlyList<Resource<T>> All<T>(ResourceKind<T> kind)
        where T : class, IMessage<T>, new() => _kinds.GetValueOrDefault(kind)?.Sorted<T>() ?? [];

    /// <summary>The objects of a kind in one namespace, in the same order.</summary>
    public IReadOnlyList<Resource<T>> In<T>(ResourceKind<T> kind, string ns)
        where T : class, IMessage<T>, new() => _kinds.GetValueOrDefault(kind)?.In<T>(ns) ?? [];

    public Resource<T>? Find<T>(ResourceKind<T> kind, string ns, string name)
        where T : class, IMessage<T>, new() => Find(new ResourceKey(kind, ns, name)) as Resource<T>;

    public Resource? Find(ResourceKey key) => _kinds.GetValueOrDefault(key.Kind)?.Find(key.Namespace, key.Name);

    /// <summary>All objects of a kind, whatever its type.</summary>
    public IEnumerable<Resource> Untyped(ResourceKind kind) => _kinds.GetValueOrDefault(kind)?.Unsorted ?? [];

    /// <summary>Every object.</summary>
    public IEnumerable<Resource> Everything() => _kinds.Values.SelectMany(k => k.Unsorted);

    /// <summary>The same generation with objects that stand elsewhere.</summary>
    internal ResourceView Moved(IReadOnlyDictionary<ResourceKey, Resource?> moved) =>
        moved.Count == 0 ? this : new(Generation, With(moved), (FrozenDictionary<ResourceKey, HeldResource>)Held);

    /// <summary>The next generation: null deletes.</summary>
    internal ResourceView Next(IReadOnlyDictionary<ResourceKey, Resource?> changes, IReadOnlyDictionary<ResourceKey, HeldResource?> held)
    {
        var nextHeld = Held;
        if (held.Count > 0)
        {
            var changed = Held.ToDictionary();
            foreach (var (key, value) in held)
            {
                if (value is null) changed.Remove(key);
                else changed[key] = value;
            }

            nextHeld = changed;
        }

        return new ResourceView(Generation + 1, With(changes), nextHeld.ToFrozenDictionary());
    }

    /// <summary>Kinds that are not touched are shared.</summary>
    private Dictionary<ResourceKind, KindView> With(IReadOnlyDictionary<ResourceKey, Resource?> changes)
    {
        var kinds = new Dictionary<ResourceKind, KindView>(_kinds);
        foreach (var group in changes.GroupBy(c => c.Key.Kind))
        {
            kinds[group.Key] = (kinds.GetValueOrDefault(group.Key)
                ?? KindView.Empty).Next(group.Select(c => (c.Key.Namespace, c.Key.Name, c.Value)));
        }

        return kinds;
    }
}
