using System.Collections;

namespace Lateen.Pilot.Generation;

/// <summary>
/// What a proxy is to have of one type: a part that it shares with all that are told the same, and what is its own. Immutable. Proxies of
/// equal inputs have the same <see cref="Shared"/> object, and have it again after a change that does not concern them; what differs
/// between two is found once for all of them.
/// </summary>
public sealed class ResourceSet : IReadOnlyList<WireResource>
{
    /// <summary>Nothing.</summary>
    public static readonly ResourceSet Empty = new([], [], []);

    private readonly SharedResources _shared;
    private readonly IReadOnlyList<WireResource> _own;

    private ResourceSet(SharedResources shared, IReadOnlyList<WireResource> own) => (_shared, _own) = (shared, own);

    /// <summary>Resources without a shared part.</summary>
    /// <param name="own">The resources.</param>
    /// <param name="missing">Names that were asked for and do not exist.</param>
    public ResourceSet(IReadOnlyList<WireResource> own, IReadOnlyList<string> missing) : this(own, missing, [])
    {
    }

    private ResourceSet(IReadOnlyList<WireResource> shared, IReadOnlyList<string> missing, IReadOnlyList<WireResource> own)
        : this(new SharedResources(shared, missing), own)
    {
    }

    /// <summary>The part that many have.</summary>
    public SharedResources Shared => _shared;

    /// <summary>The part of one proxy; short.</summary>
    public IReadOnlyList<WireResource> Own => _own;

    /// <inheritdoc/>
    public int Count => _shared.All.Count + _own.Count;

    /// <inheritdoc/>
    public WireResource this[int index] => index < _shared.All.Count ? _shared.All[index] : _own[index - _shared.All.Count];

    /// <summary>A set of shared and own resources that can't have a name in common.</summary>
    public static ResourceSet OfDistinct(SharedResources shared, IReadOnlyList<WireResource> own) => new(shared, own);

    /// <summary>A set of shared and own resources; of equal names the shared one counts.</summary>
    public static ResourceSet Of(SharedResources shared, IReadOnlyList<WireResource> own)
    {
        foreach (var resource in own)
        {
            if (shared.Find(resource.Name) is not null)
                return new ResourceSet(shared, [.. own.Where(other => shared.Find(other.Name) is null)]);
        }
        return new ResourceSet(shared, own);
    }

    /// <summary>Any list as a set.</summary>
    /// <param name="all">Resources.</param>
    /// <param name="names">Names asked for; null for all there are.</param>
    public static ResourceSet Of(IReadOnlyList<WireResource> all, IReadOnlySet<string>? names)
    {
        if (all is ResourceSet set) return set;
        if (names is null || names.Count == 0) return all.Count == 0 ? Empty : new ResourceSet(all, []);
        var there = all.Select(resource => resource.Name).ToHashSet();
        return new ResourceSet(all, [.. names.Where(name => name != "*" && !there.Contains(name))]);
    }

    /// <summary>The same set for somebody who asks for these names besides all there are.</summary>
    public ResourceSet AskedFor(IEnumerable<string> names)
    {
        var missing = names.Where(name => name != "*" && Find(name) is null).ToList();
        return missing.Count == 0 ? this : new ResourceSet(_shared.All, missing, _own);
    }

    /// <summary>The resources about which there is something to be said.</summary>
    public IEnumerable<WireResource> Noteworthy =>
        IsSound ? [] : _shared.Noteworthy.Concat(_own.Where(static resource => resource.IsNoteworthy));

    /// <summary>There is nothing to be said about any of them.</summary>
    public bool IsSound
    {
        get
        {
            if (_shared.Noteworthy.Count > 0) return false;
            for (var i = 0; i < _own.Count; i++)
            {
                if (_own[i].IsNoteworthy) return false;
            }
            return true;
        }
    }

    /// <summary>The set as it may be sent: in place of what every proxy would refuse stands its last good form, or nothing.</summary>
    /// <param name="lastGood">What the proxy was sent of a name.</param>
    public ResourceSet Tenable(Func<string, WireResource?> lastGood)
    {
        if (IsSound || !Noteworthy.Any(static resource => resource.Fault is not null)) return this;
        return new ResourceSet([.. this.Select(resource => resource.Fault is null ? resource : lastGood(resource.Name))
            .OfType<WireResource>()], _shared.Missing);
    }

    /// <summary>The resource of a name, or null.</summary>
    public WireResource? Find(string name)
    {
        foreach (var resource in _own)
        {
            if (resource.Name == name) return resource;
        }
        return _shared.Find(name);
    }

    /// <summary>Where the resource of a name stands; -1 when there is none.</summary>
    public int IndexOf(ReadOnlySpan<char> name)
    {
        for (var i = 0; i < _own.Count; i++)
        {
            if (name.SequenceEqual(_own[i].Name)) return _shared.All.Count + i;
        }
        return _shared.IndexOf(name);
    }

    /// <inheritdoc/>
    public IEnumerator<WireResource> GetEnumerator()
    {
        foreach (var resource in _shared.All) yield return resource;
        foreach (var resource in _own) yield return resource;
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}

/// <summary>Resources that many proxies have, with the names that were asked for in vain.</summary>
/// <param name="all">The resources, each name once.</param>
/// <param name="missing">Names that do not exist.</param>
public sealed class SharedResources(IReadOnlyList<WireResource> all, IReadOnlyList<string> missing)
{
    // Proxies rarely come from more than the newest two or three states.
    private const int ChangesMax = 4;
    private readonly Queue<(WeakReference<SharedResources> From, SetChange Change)> _changes = new();
    private Dictionary<string, int>? _byName;
    private IReadOnlyList<WireResource>? _noteworthy;

    /// <summary>The resources, in order.</summary>
    public IReadOnlyList<WireResource> All => all;

    /// <summary>Names that were asked for and do not exist.</summary>
    public IReadOnlyList<string> Missing => missing;

    /// <summary>The resources about which there is something to be said; looked for once.</summary>
    public IReadOnlyList<WireResource> Noteworthy => _noteworthy ??= [.. all.Where(static resource => resource.IsNoteworthy)];

    private Dictionary<string, int> ByName
    {
        get
        {
            if (_byName is not null) return _byName;
            var made = new Dictionary<string, int>(all.Count);
            for (var i = 0; i < all.Count; i++) made.Add(all[i].Name, i);
            return _byName = made;
        }
    }

    /// <summary>The resource of a name, or null.</summary>
    public WireResource? Find(string name) => all.Count > 0 && ByName.TryGetValue(name, out var at) ? all[at] : null;

    /// <summary>Where the resource of a name stands; -1 when there is none.</summary>
    public int IndexOf(ReadOnlySpan<char> name) =>
        all.Count > 0 && ByName.GetAlternateLookup<ReadOnlySpan<char>>().TryGetValue(name, out var at) ? at : -1;

    /// <summary>The same names with other resources under some of them.</summary>
    /// <param name="news">Those that are others now.</param>
    public SharedResources With(IReadOnlyList<WireResource> news)
    {
        WireResource[] next = [.. all];
        foreach (var resource in news) next[ByName[resource.Name]] = resource;
        var made = new SharedResources(next, missing) { _byName = ByName };
        if (_noteworthy is { Count: 0 } && !news.Any(static resource => resource.IsNoteworthy)) made._noteworthy = [];
        made._changes.Enqueue((new WeakReference<SharedResources>(this), new SetChange(news, []) { IsShared = true }));
        return made;
    }

    /// <summary>What somebody who has <paramref name="from"/> must be told; worked out once.</summary>
    public SetChange Since(SharedResources from)
    {
        if (ReferenceEquals(this, from)) return SetChange.None;
        foreach (var (known, change) in _changes)
        {
            if (known.TryGetTarget(out var other) && ReferenceEquals(other, from)) return change;
        }
        var made = SetChange.Between(from, this);
        if (_changes.Count == ChangesMax) _changes.Dequeue();
        _changes.Enqueue((new WeakReference<SharedResources>(from), made));
        return made;
    }
}

/// <summary>What differs between two sets.</summary>
/// <param name="News">Resources that are new or others.</param>
/// <param name="Gone">Names that no longer exist, and names that were asked for since and do not exist; sorted.</param>
public sealed record SetChange(IReadOnlyList<WireResource> News, IReadOnlyList<string> Gone)
{
    /// <summary>Nothing differs.</summary>
    public static readonly SetChange None = new([], []);

    /// <summary>Many are told the same, with the same <see cref="News"/> as an object.</summary>
    public bool IsShared { get; init; }

    /// <summary>Nothing differs.</summary>
    public bool IsNone => News.Count == 0 && Gone.Count == 0;

    internal static SetChange Between(SharedResources from, SharedResources to)
    {
        if (from.All.Count == 0 && from.Missing.Count == 0 && to.Missing.Count == 0) return new SetChange(to.All, []) { IsShared = true };
        var news = new List<WireResource>();
        foreach (var resource in to.All)
        {
            var before = from.Find(resource.Name);
            if (!ReferenceEquals(before, resource) && before?.Version != resource.Version) news.Add(resource);
        }
        var gone = new List<string>();
        foreach (var resource in from.All)
        {
            if (to.Find(resource.Name) is null) gone.Add(resource.Name);
        }
        if (to.Missing.Count > 0)
        {
            var told = from.Missing.ToHashSet();
            gone.AddRange(to.Missing.Where(name => !told.Contains(name) && from.Find(name) is null));
        }
        gone.Sort(StringComparer.Ordinal);
        return news.Count == 0 && gone.Count == 0 ? None : new SetChange(news, gone) { IsShared = true };
    }
}
