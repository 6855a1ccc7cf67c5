using Google.Protobuf;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>The objects of one kind at one generation. Orders are made when first asked for.</summary>
internal sealed class KindView
{
    public static readonly KindView Empty = new([]);

    private const int WorkedInMax = 32;

    private readonly Dictionary<(string Namespace, string Name), Resource> _byName;
    private object? _sorted;
    private object? _byNamespace;

    private KindView(Dictionary<(string Namespace, string Name), Resource> byName) => _byName = byName;

    public int Count => _byName.Count;

    public IEnumerable<Resource> Unsorted => _byName.Values;

    public Resource? Find(string ns, string name) => _byName.GetValueOrDefault((ns, name));

    public KindView Next(IEnumerable<(string Namespace, string Name, Resource? Resource)> changes)
    {
        var next = new Dictionary<(string Namespace, string Name), Resource>(_byName);
        // An order that was asked for will be asked for again: a few changes are worked into it instead of sorting anew.
        var order = _sorted as Resource[];
        var left = WorkedInMax;
        foreach (var (ns, name, resource) in changes)
        {
            order = order is null || left-- == 0 ? null : Ordered(order, next.GetValueOrDefault((ns, name)), resource);
            if (resource is null) next.Remove((ns, name));
            else next[(ns, name)] = resource;
        }

        return new KindView(next) { _sorted = order };
    }

    private static Resource[] Ordered(Resource[] order, Resource? before, Resource? after)
    {
        var from = before is null ? -1 : Array.BinarySearch(order, before, Oldest.First);
        if (from >= 0 && after is not null && Oldest.First.Compare(before, after) == 0)
        {
            var same = (Resource[])order.Clone();
            same[from] = after;
            return same;
        }

        var list = order.ToList();
        if (from >= 0) list.RemoveAt(from);
        if (after is not null)
        {
            var to = list.BinarySearch(after, Oldest.First);
            list.Insert(to < 0 ? ~to : to, after);
        }

        var next = (Resource[])Array.CreateInstance(order.GetType().GetElementType()!, list.Count);
        list.CopyTo(next);
        return next;
    }

    // Two threads may make the same order at once; both results are equal and either may stay.
    public IReadOnlyList<Resource<T>> Sorted<T>()
        where T : class, IMessage<T>, new() => (IReadOnlyList<Resource<T>>)(_sorted ??= _byName.Values.Cast<Resource<T>>().Order<Resource<T>>(Oldest.First).ToArray());

    public IReadOnlyList<Resource<T>> In<T>(string ns)
        where T : class, IMessage<T>, new()
    {
        var groups = (Dictionary<string, Resource<T>[]>)(_byNamespace ??= Sorted<T>().GroupBy(r => r.Namespace).ToDictionary(g => g.Key, g => g.ToArray()));
        return groups.GetValueOrDefault(ns) ?? [];
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
