using Google.Protobuf;
using Lateen.Config.Resources;

namespace Lateen.Config.Store;

/// <summary>The objects of one kind at one generation. Orders are made when first asked for.</summary>
internal sealed class KindView
{
    public static readonly KindView Empty = new([]);

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
        foreach (var (ns, name, resource) in changes)
        {
            if (resource is null)
            {
                next.Remove((ns, name));
            }
            else
            {
                next[(ns, name)] = resource;
            }
        }

        return new KindView(next);
    }

    // Two threads may make the same order at once; both results are equal and either may stay.
    public IReadOnlyList<Resource<T>> Sorted<T>()
        where T : class, IMessage<T>, new() => (IReadOnlyList<Resource<T>>)(_sorted ??= _byName.Values.Cast<Resource<T>>().Order(Oldest<T>.First).ToArray());

    public IReadOnlyList<Resource<T>> In<T>(string ns)
        where T : class, IMessage<T>, new()
    {
        var groups = (Dictionary<string, Resource<T>[]>)(_byNamespace ??= Sorted<T>().GroupBy(r => r.Namespace).ToDictionary(g => g.Key, g => g.ToArray()));
        return groups.GetValueOrDefault(ns) ?? [];
    }

    private sealed class Oldest<T> : IComparer<Resource<T>>
        where T : class, IMessage<T>, new()
    {
        public static readonly Oldest<T> First = new();

        public int Compare(Resource<T>? x, Resource<T>? y)
        {
            var byTime = Nullable.Compare(x!.Metadata.CreationTime, y!.Metadata.CreationTime);
            var byName = string.CompareOrdinal(x.Name, y.Name);
            return byTime != 0 ? byTime : byName != 0 ? byName : string.CompareOrdinal(x.Namespace, y.Namespace);
        }
    }
}
