using System.Collections;
using System.Collections.Frozen;
using System.Diagnostics.CodeAnalysis;

namespace Lateen.Proxy;

/// <summary>
/// Values by key that may change while a proxy runs (Envoy's runtime): layers of the bootstrap, the last one wins, and the operator's own
/// on top. Read by workers through one published table;
/// written by the main loop.
/// </summary>
public sealed class RuntimeValues : IReadOnlyDictionary<string, string>
{
    private readonly List<(string Name, Dictionary<string, string> Values)> _layers;
    private readonly int _admin;
    private volatile FrozenDictionary<string, string> _current = FrozenDictionary<string, string>.Empty;

    /// <summary>Values of some layers.</summary>
    /// <param name="layers">Lowest first.</param>
    /// <param name="admin">The operator's own layer; -1 where the bootstrap has none.</param>
    public RuntimeValues(IReadOnlyList<(string Name, Dictionary<string, string> Values)> layers, int admin)
    {
        _layers = [.. layers];
        _admin = admin;
        Publish();
    }

    /// <summary>Nothing.</summary>
    public static RuntimeValues None { get; } = new([], -1);

    /// <summary>Names of the layers, lowest first.</summary>
    public IEnumerable<string> Layers => _layers.Select(l => l.Name);

    /// <summary>A key's values by layer, empty where a layer has none. Main loop.</summary>
    public IEnumerable<string> ByLayer(string key) => _layers.Select(l => l.Values.GetValueOrDefault(key) ?? "");

    /// <summary>Keys that the operator set. Main loop.</summary>
    public int Overrides => _admin < 0 ? 0 : _layers[_admin].Values.Count;

    /// <summary>True where an operator may set values.</summary>
    public bool CanOverride => _admin >= 0;

    /// <summary>Sets values over all others; an empty one is taken away. Main loop.</summary>
    public void Override(IEnumerable<KeyValuePair<string, string>> values)
    {
        foreach ((string key, string value) in values)
        {
            if (value.Length == 0)
                _layers[_admin].Values.Remove(key);
            else
                _layers[_admin].Values[key] = value;
        }
        Publish();
    }

    /// <summary>A layer has other values (RTDS). Main loop.</summary>
    public void Replace(string layer, IReadOnlyDictionary<string, string> values)
    {
        int at = _layers.FindIndex(l => l.Name == layer);
        if (at < 0)
            return;
        _layers[at] = (layer, new Dictionary<string, string>(values, StringComparer.Ordinal));
        Publish();
    }

    private void Publish()
    {
        var all = new Dictionary<string, string>(StringComparer.Ordinal);
        foreach ((_, Dictionary<string, string> values) in _layers)
        {
            foreach ((string key, string value) in values)
                all[key] = value;
        }
        _current = all.ToFrozenDictionary(StringComparer.Ordinal);
    }

    /// <summary>A share that a key may say in percent; <paramref name="otherwise"/> where it does not. Any thread.</summary>
    public Routing.Fraction Share(string key, Routing.Fraction otherwise)
    {
        if (key.Length == 0 || !_current.TryGetValue(key, out string? text)
            || !ulong.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out ulong percent))
            return otherwise;
        return new Routing.Fraction((uint)Math.Min(percent, 100), 100);
    }

    /// <summary>A number that a key may say; <paramref name="otherwise"/> where it does not. Any thread.</summary>
    public long Number(string key, long otherwise) =>
        key.Length > 0 && _current.TryGetValue(key, out string? text)
            && long.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out long number) ? number : otherwise;

    /// <summary>A number with a fraction that a key may say; <paramref name="otherwise"/> where it does not. Any thread.</summary>
    public double Real(string key, double otherwise) =>
        key.Length > 0 && _current.TryGetValue(key, out string? text)
            && double.TryParse(text, System.Globalization.CultureInfo.InvariantCulture, out double number) ? number : otherwise;

    /// <summary>A switch that a key may set; <paramref name="otherwise"/> where it does not. Any thread.</summary>
    public bool Flag(string key, bool otherwise) =>
        key.Length > 0 && _current.TryGetValue(key, out string? text) && bool.TryParse(text, out bool flag) ? flag : otherwise;

    /// <inheritdoc/>
    public string this[string key] => _current[key];

    /// <inheritdoc/>
    public IEnumerable<string> Keys => _current.Keys;

    /// <inheritdoc/>
    public IEnumerable<string> Values => _current.Values;

    /// <inheritdoc/>
    public int Count => _current.Count;

    /// <inheritdoc/>
    public bool ContainsKey(string key) => _current.ContainsKey(key);

    /// <inheritdoc/>
    public bool TryGetValue(string key, [MaybeNullWhen(false)] out string value) => _current.TryGetValue(key, out value);

    /// <inheritdoc/>
    public IEnumerator<KeyValuePair<string, string>> GetEnumerator() => _current.GetEnumerator();

    IEnumerator IEnumerable.GetEnumerator() => GetEnumerator();
}
