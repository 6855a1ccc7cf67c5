using System.Collections.Frozen;
using System.Text.Json;

namespace Lateen.Proxy;

/// <summary>
/// Values that resources and filters attach to something, by namespace ("envoy.lb", "istio", a filter's name): the running form of Envoy's Metadata. Immutable where configured;
/// an exchange's dynamic metadata is a series of these. Values are JSON, since that is what a protobuf Struct and a token's claims are.
/// </summary>
public sealed class Metadata
{
    /// <summary>No values.</summary>
    public static readonly Metadata Empty = new(FrozenDictionary<string, JsonElement>.Empty);

    private readonly FrozenDictionary<string, JsonElement> _byNamespace;

    private Metadata(FrozenDictionary<string, JsonElement> byNamespace) => _byNamespace = byNamespace;

    /// <summary>The namespaces, each with an object.</summary>
    public IReadOnlyDictionary<string, JsonElement> Namespaces => _byNamespace;

    /// <summary>True where nothing is attached.</summary>
    public bool IsEmpty => _byNamespace.Count == 0;

    /// <summary>From objects by namespace.</summary>
    public static Metadata Of(IEnumerable<KeyValuePair<string, JsonElement>> byNamespace)
    {
        FrozenDictionary<string, JsonElement> frozen = byNamespace.ToFrozenDictionary(StringComparer.Ordinal);
        return frozen.Count == 0 ? Empty : new Metadata(frozen);
    }

    /// <summary>The value at a path inside a namespace; false where a step is absent or no object.</summary>
    public bool TryGet(string ns, ReadOnlySpan<string> path, out JsonElement value)
    {
        if (!_byNamespace.TryGetValue(ns, out value))
            return false;
        foreach (string step in path)
        {
            if (value.ValueKind != JsonValueKind.Object || !value.TryGetProperty(step, out value))
                return false;
        }
        return true;
    }

    /// <summary>The text at one key of a namespace; null where it is absent or no text.</summary>
    public string? Text(string ns, string key) =>
        TryGet(ns, [key], out JsonElement value) && value.ValueKind == JsonValueKind.String ? value.GetString() : null;

    /// <summary>The object of a namespace; an undefined element where it is absent.</summary>
    public JsonElement this[string ns] => _byNamespace.GetValueOrDefault(ns);
}
