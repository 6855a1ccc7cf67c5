using Google.Protobuf;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>The objects of one kind at one generation. Orders are made when first asked for.</summary>
/// <remarks>
/// Two layers: a bulk that many successive views share, and the few objects that changed since it was gathered. So a change costs about the
/// square root of the number of objects, and a mesh whose endpoints change a hundred times a second does not copy all of them as often.
/// </remarks>
internal sealed class KindView
{
    public static readonly KindView Empty = new([], [], 0);

    private const int SinceMin = 32, WorkedInMax = 512;

    private readonly Dictionary<(string Namespace, string Name), Resource> _bulk;

    // Null: it is in the bulk and no more.
    private readonly Dictionary<(string Namespace, string Name), Resource?> _since;
    private Changed? _changed;
    private object? _sorted;
    private object? _byNamespace;

    private KindView(Dictionary<(string Namespace, string Name), Resource> bulk,
        Dictionary<(string Namespace, string Name), Resource?> since, int count) =>
        (_bulk, _since, Count) = (bulk, since, count);

    public int Count { get; }

    public IEnumerable<Resource> Unsorted => _since.Count == 0 ? _bulk.Values
        : _bulk.Where(pair => !_since.ContainsKey(pair.Key)).Select(pair => pair.Value).Concat(_since.Values.OfType<Resource>());

    public Resource? Find(string ns, string name) =>
        _since.TryGetValue((ns, name), out var changed) ? changed : _bulk.GetValueOrDefault((ns, name));

    public KindView Next(IEnumerable<(string Namespace, string Name, Resource? Resource)> changes)
    {
        var since = new Dictionary<(string Namespace, string Name), Resource?>(_since);
        // An order that was asked for will be asked for again: a few changes are worked into it then, instead of sorting anew.
        var (order, count) = (_sorted is Resource[] sorted ? new Changed(sorted, null, null, null, 0) : _changed, Count);
        foreach (var (ns, name, resource) in changes)
        {
            var before = since.TryGetValue((ns, name), out var changed) ? changed : _bulk.GetValueOrDefault((ns, name));
            order = order?.With(before, resource);
            count += (resource is null ? 0 : 1) - (before is null ? 0 : 1);
            since[(ns, name)] = resource;
        }

        return since.Count > SinceMin && (long)since.Count * since.Count > 2L * _bulk.Count
            ? Gathered(since, count, order) : new KindView(_bulk, since, count) { _changed = order };
    }

    private KindView Gathered(Dictionary<(string Namespace, string Name), Resource?> since, int count, Changed? order)
    {
        var bulk = new Dictionary<(string Namespace, string Name), Resource>(_bulk);
        foreach (var (key, resource) in since)
        {
            if (resource is null) bulk.Remove(key);
            else bulk[key] = resource;
        }

        return new KindView(bulk, [], count) { _changed = order };
    }

    // Two threads may make the same order at once; both results are equal and either may stay.
    public IReadOnlyList<Resource<T>> Sorted<T>()
        where T : class, IMessage<T>, new()
    {
        if (_sorted is null)
        {
            _sorted = _changed is { } changed
                ? changed.WorkedIn<Resource<T>>() : Unsorted.Cast<Resource<T>>().Order<Resource<T>>(Oldest.First).ToArray();
            _changed = null;
        }

        return (IReadOnlyList<Resource<T>>)_sorted;
    }

    public IReadOnlyList<Resource<T>> In<T>(string ns)
        where T : class, IMessage<T>, new()
    {
        var groups = (Dictionary<string, Resource<T>[]>)(_byNamespace ??= Sorted<T>().GroupBy(r => r.Namespace)
            .ToDictionary(g => g.Key, g => g.ToArray()));
        return groups.GetValueOrDefault(ns) ?? [];
    }

    /// <summary>An order that was made once, and what changed since, the newest first.</summary>
    private sealed record Changed(Resource[] Order, Changed? Earlier, Resource? Before, Resource? After, int Count)
    {
        /// <summary>With one more change; null when sorting anew costs less.</summary>
        public Changed? With(Resource? before, Resource? after) =>
            Count == WorkedInMax ? null : new Changed(Order, this, before, after, Count + 1);

        public T[] WorkedIn<T>()
            where T : Resource
        {
            var list = new List<Resource>(Order);
            var steps = new Stack<Changed>();
            for (var step = this; step.Earlier is not null; step = step.Earlier) steps.Push(step);
            foreach (var (_, _, before, after, _) in steps)
            {
                var from = before is null ? -1 : list.BinarySearch(before, Oldest.First);
                if (from >= 0 && after is not null && Oldest.First.Compare(before, after) == 0)
                {
                    list[from] = after;
                    continue;
                }

                if (from >= 0) list.RemoveAt(from);
                if (after is null) continue;
                var to = list.BinarySearch(after, Oldest.First);
                list.Insert(to < 0 ? ~to : to, after);
            }

            return [.. list.Cast<T>()];
        }
    }

    private sealed class Oldest : IComparer<Resource>
    {
        public static readonly Oldest First = new();

        public int Compare(Resource? x, Resource? y)
        {
            var byTime = Nullable.Compare(x!.Metadata.CreationTime, y!.Metadata.CreationTime);
            var byName = string.CompareOrdinal(x.Name, y.Name);
            return byTime != 0 ? byTime : byName != 0 ? byName : string.CompareOrdinal(x.Namespace, y.Namespace);
        }
    }
}
