using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Lateen.Registry;

/// <summary>A map that never changes and is cheap to follow with another one: a bulk that many successive maps share, and the few entries
/// that changed since it was gathered.</summary>
/// <remarks>So a change costs about the square root of the number of entries, as in the store's views.</remarks>
/// <typeparam name="TKey">Keys.</typeparam>
/// <typeparam name="TValue">Values.</typeparam>
public sealed class LayeredMap<TKey, TValue> : IReadOnlyDictionary<TKey, TValue> where TKey : notnull
{
    /// <summary>Nothing in it.</summary>
    public static readonly LayeredMap<TKey, TValue> Empty = new([]);

    private const int SinceMin = 32;
    private readonly Dictionary<TKey, TValue> _bulk;

    // Not there: it is in the bulk and no more.
    private readonly Dictionary<TKey, (bool IsThere, TValue? Value)> _since;

    /// <summary>A map of these entries, which belong to it from now on.</summary>
    public LayeredMap(Dictionary<TKey, TValue> bulk) : this(bulk, [], bulk.Count)
    {
    }

    private LayeredMap(Dictionary<TKey, TValue> bulk, Dictionary<TKey, (bool IsThere, TValue? Value)> since, int count) =>
        (_bulk, _since, Count) = (bulk, since, count);

    /// <inheritdoc/>
    public int Count { get; }

    /// <inheritdoc/>
    public TValue this[TKey key] => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"no entry {key}");

    /// <inheritdoc/>
    public IEnumerable<TKey> Keys => this.Select(static pair => pair.Key);

    /// <inheritdoc/>
    public IEnumerable<TValue> Values => this.Select(static pair => pair.Value);

    /// <inheritdoc/>
    public bool ContainsKey(TKey key) => TryGetValue(key, out _);

    /// <inheritdoc/>
    public bool TryGetValue(TKey key, [MaybeNullWhen(false)] out TValue value)
    {
        if (_since.Count == 0 || !_since.TryGetValue(key, out var changed)) return _bulk.TryGetValue(key, out value);
        value = changed.Value;
        return changed.IsThere;
    }

    /// <summary>The map with other entries under these keys; those that are not there any more are taken away.</summary>
    public LayeredMap<TKey, TValue> With(IReadOnlyDictionary<TKey, (bool IsThere, TValue? Value)> changes)
    {
        if (changes.Count == 0) return this;
        var since = new Dictionary<TKey, (bool IsThere, TValue? Value)>(_since);
        var count = Count;
        foreach (var (key, changed) in changes)
        {
            count += (changed.IsThere ? 1 : 0) - (ContainsKey(key) ? 1 : 0);
            if (!changed.IsThere && !_bulk.ContainsKey(key)) since.Remove(key);
            else since[key] = changed;
        }
        return since.Count > SinceMin && (long)since.Count * since.Count > 2L * _bulk.Count
            ? new LayeredMap<TKey, TValue>(Gathered(since, count)) : new LayeredMap<TKey, TValue>(_bulk, since, count);
    }

    /// <summary>The keys under which something else stands than in <paramref name="before"/>, or nothing any more; null when the two are
    /// too
    /// far apart for that to be told without looking at all entries.</summary>
    public IReadOnlyCollection<TKey>? ChangedSince(LayeredMap<TKey, TValue> before)
    {
        if (ReferenceEquals(this, before)) return [];
        if (!ReferenceEquals(_bulk, before._bulk)) return null;
        var keys = new List<TKey>();
        foreach (var (key, changed) in _since)
        {
            var isSame = before._since.TryGetValue(key, out var other) && changed.IsThere == other.IsThere
                && (!changed.IsThere || EqualityComparer<TValue?>.Default.Equals(changed.Value, other.Value));
            if (!isSame) keys.Add(key);
        }
        foreach (var key in before._since.Keys)
        {
            if (!_since.ContainsKey(key)) keys.Add(key);
        }
        return keys;
    }

    private Dictionary<TKey, TValue> Gathered(Dictionary<TKey, (bool IsThere, TValue? Value)> since, int count)
    {
        var bulk = new Dictionary<TKey, TValue>(_bulk);
        bulk.EnsureCapacity(count);
        foreach (var (key, changed) in since)
        {
            if (changed.IsThere) bulk[key] = changed.Value!;
            else bulk.Remove(key);
        }
        return bulk;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<TKey, TValue>> GetEnumerator()
    {
        foreach (var pair in _bulk)
        {
            if (!_since.ContainsKey(pair.Key)) yield return pair;
        }
        foreach (var (key, changed) in _since)
        {
            if (changed.IsThere) yield return new(key, changed.Value!);
        }
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
