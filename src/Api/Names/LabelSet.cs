using System.Collections;
using System.Diagnostics.CodeAnalysis;

namespace Lateen.Api.Names;

/// <summary>Labels, or annotations, of an object. Immutable, and as small as they are: a mesh has ten thousands of such sets of half a
/// dozen each.</summary>
/// <remarks>Texts in the order of their keys, one after another; looked up by walking where they are few. A hash table of the same takes
/// five times the memory.</remarks>
public sealed class LabelSet : IReadOnlyDictionary<string, string>
{
    /// <summary>No labels.</summary>
    public static readonly LabelSet Empty = new([]);

    // Up to so many are compared one by one; beyond, the order is made use of.
    private const int WalkedMax = 12;

    // Up to so many are sorted by insertion.
    private const int ShortMax = 32;
    private readonly string[] _texts;

    private LabelSet(string[] texts) => _texts = texts;

    /// <inheritdoc/>
    public int Count => _texts.Length / 2;

    /// <inheritdoc/>
    public IEnumerable<string> Keys => this.Select(static label => label.Key);

    /// <inheritdoc/>
    public IEnumerable<string> Values => this.Select(static label => label.Value);

    /// <inheritdoc/>
    public string this[string key] => TryGetValue(key, out var value) ? value : throw new KeyNotFoundException($"there is no label {key}");

    /// <summary>These labels; of a key that occurs twice the last counts.</summary>
    public static LabelSet Of(IEnumerable<KeyValuePair<string, string>> labels)
    {
        if (labels is LabelSet made) return made;
        // An API server tells them in order.
        var sorted = new List<KeyValuePair<string, string>>(labels);
        for (var i = 1; i < sorted.Count; i++)
        {
            if (string.CompareOrdinal(sorted[i - 1].Key, sorted[i].Key) < 0) continue;
            Sort(sorted);
            break;
        }

        if (sorted.Count == 0) return Empty;
        var texts = new string[sorted.Count * 2];
        for (var i = 0; i < sorted.Count; i++) (texts[2 * i], texts[(2 * i) + 1]) = sorted[i];
        return new LabelSet(texts);
    }

    // Of equal keys the last one stays. Most sets are short and nearly in order.
    private static void Sort(List<KeyValuePair<string, string>> labels)
    {
        if (labels.Count > ShortMax)
        {
            var last = new SortedDictionary<string, string>(StringComparer.Ordinal);
            foreach (var (key, value) in labels) last[key] = value;
            labels.Clear();
            labels.AddRange(last);
            return;
        }

        var count = 0;
        for (var i = 0; i < labels.Count; i++)
        {
            var (label, at, order) = (labels[i], count, 1);
            while (at > 0 && (order = string.CompareOrdinal(labels[at - 1].Key, label.Key)) > 0) at--;
            if (at > 0 && order == 0)
            {
                labels[at - 1] = label;
                continue;
            }

            for (var j = count; j > at; j--) labels[j] = labels[j - 1];
            labels[at] = label;
            count++;
        }

        labels.RemoveRange(count, labels.Count - count);
    }

    /// <inheritdoc/>
    public bool ContainsKey(string key) => IndexOf(key) >= 0;

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value)
    {
        var at = IndexOf(key);
        value = at < 0 ? null : _texts[at + 1];
        return at >= 0;
    }

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, string>> GetEnumerator()
    {
        for (var i = 0; i < _texts.Length; i += 2) yield return new(_texts[i], _texts[i + 1]);
    }

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();

    private int IndexOf(string key)
    {
        if (_texts.Length > 2 * WalkedMax) return Search(key);
        for (var i = 0; i < _texts.Length; i += 2)
        {
            if (_texts[i] == key) return i;
        }
        return -1;
    }

    private int Search(string key)
    {
        var (from, to) = (0, Count);
        while (from < to)
        {
            var middle = (from + to) / 2;
            var order = string.CompareOrdinal(_texts[2 * middle], key);
            if (order == 0) return 2 * middle;
            if (order < 0) from = middle + 1;
            else to = middle;
        }
        return -1;
    }
}
